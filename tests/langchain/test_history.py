"""StrongroomChatMessageHistory: messages of a session, in order."""

import os
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory

from langchain_strongroom import StrongroomChatMessageHistory
from support.processes import Other
from support.vaults import reopen
from vault_core import InvalidInputError, Vault

TALK: list[BaseMessage] = [
    SystemMessage("Be brief."),
    HumanMessage(
        [{"type": "text", "text": "What's the weather?"}, {"type": "image_url", "image_url": "data:…"}], id="1"
    ),
    AIMessage(
        "",
        tool_calls=[{"name": "weather", "args": {"city": "Uji"}, "id": "call", "type": "tool_call"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        response_metadata={"model": "scripted"},
    ),
    ToolMessage("sunny", tool_call_id="call", artifact={"degrees": 21}),
    AIMessageChunk("Sun"),
    FunctionMessage("old", name="function"),
    RemoveMessage(id="1"),
    HumanMessage(""),
]


@pytest.fixture
def history(vault: Vault) -> StrongroomChatMessageHistory:
    return StrongroomChatMessageHistory(vault, "session 1/ä")


def test_every_kind_of_message_comes_back_as_it_was(history: StrongroomChatMessageHistory) -> None:
    history.add_messages(TALK)

    assert history.messages == TALK
    assert [type(message) for message in history.messages] == [type(message) for message in TALK]


def test_messages_are_in_the_order_they_were_added(history: StrongroomChatMessageHistory) -> None:
    for turn in range(12):
        history.add_user_message(f"question {turn}")
        history.add_ai_message(f"answer {turn}")

    assert [message.text for message in history.messages] == [
        f"{who} {turn}" for turn in range(12) for who in ("question", "answer")
    ]
    assert [message.text for message in history.last(3)] == ["answer 10", "question 11", "answer 11"]


def test_sessions_do_not_see_each_other_even_if_one_name_begins_as_the_other(vault: Vault) -> None:
    one, other = StrongroomChatMessageHistory(vault, "a"), StrongroomChatMessageHistory(vault, "a:b")
    one.add_user_message("mine")
    other.add_user_message("theirs")

    one.clear()

    assert (one.messages, [message.text for message in other.messages]) == ([], ["theirs"])


def test_messages_are_given_out_anew_each_time(history: StrongroomChatMessageHistory) -> None:
    history.add_user_message("tea")

    history.messages[0].content = "coffee"

    assert history.messages[0].text == "tea"


def test_messages_are_no_memories(history: StrongroomChatMessageHistory, vault: Vault) -> None:
    history.add_user_message("tea")

    assert (vault.count(), vault.search("tea"), vault.stats().items) == (0, [], 1)


@pytest.mark.parametrize(
    "bad",
    [HumanMessage("x", additional_kwargs={"bad": object()}), ToolMessage("x", tool_call_id="1", artifact=b"\xff"), "x"],
    ids=["object", "bytes", "no message"],
)
def test_one_message_that_json_can_not_carry_keeps_all_out(history: StrongroomChatMessageHistory, bad: Any) -> None:
    with pytest.raises(InvalidInputError):
        history.add_messages([HumanMessage("fine"), bad])

    assert history.messages == []


@pytest.mark.parametrize("session", ["", None, 7, "a\x00b", "x" * 600], ids=["empty", "none", "int", "NUL", "long"])
def test_a_session_without_a_proper_name_is_refused(vault: Vault, session: Any) -> None:
    with pytest.raises(InvalidInputError):
        StrongroomChatMessageHistory(vault, session)


@pytest.mark.anyio
async def test_async_callers_see_the_same(history: StrongroomChatMessageHistory) -> None:
    await history.aadd_messages([HumanMessage("tea")])
    assert await history.aget_messages() == [HumanMessage("tea")]

    await history.aclear()
    assert await history.aget_messages() == []


def test_sixteen_threads_lose_no_message_and_keep_each_turn_together(history: StrongroomChatMessageHistory) -> None:
    def turn(number: int) -> None:
        history.add_messages([HumanMessage(f"{number}"), AIMessage(f"{number}")])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(turn, range(50)))

    said = [message.text for message in history.messages]
    assert said[::2] == said[1::2]
    assert set(said) == {f"{number}" for number in range(50)}


@pytest.mark.filterwarnings("ignore:RunnableWithMessageHistory:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*RunnableWithMessageHistory")
def test_upstreams_runnable_with_history_keeps_its_messages_here(vault: Vault) -> None:
    echo = RunnableLambda(lambda messages: AIMessage(f"{len(messages)} so far"))
    chain = RunnableWithMessageHistory(echo, lambda session_id: StrongroomChatMessageHistory(vault, session_id))
    config: RunnableConfig = {"configurable": {"session_id": "one"}}

    chain.invoke([HumanMessage("hello")], config)
    answered = chain.invoke([HumanMessage("again")], config)

    assert answered.text == "3 so far"
    assert [message.text for message in StrongroomChatMessageHistory(vault, "one").messages] == [
        "hello", "1 so far", "again", "3 so far",
    ]  # fmt: skip


def _other(pipe: Connection, folder: str) -> None:
    with reopen(Path(folder)) as vault:
        history = StrongroomChatMessageHistory(vault, "shared")
        pipe.send([message.text for message in history.messages])
        history.add_ai_message("theirs")
        pipe.send(None)
        pipe.recv()


def test_two_processes_talk_in_one_session(vault: Vault, tmp_path: Path) -> None:
    history = StrongroomChatMessageHistory(vault, "shared")
    history.add_user_message("ours")

    with Other(_other, os.fspath(tmp_path)) as other:
        assert other.hear() == ["ours"]
        other.hear()
        assert [message.text for message in history.messages] == ["ours", "theirs"]
        other.say()
