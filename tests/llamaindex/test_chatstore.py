"""Chat stores: what LlamaIndex's own stores answer, from a vault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.storage.chat_store import SimpleChatStore
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
from llama_index.core.storage.chat_store.sql import SQLAlchemyChatStore
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from llamaindex_strongroom import StrongroomBufferChatStore, StrongroomChatStore
from support.vaults import create, reopen
from vault_core import Vault
from vault_core.errors import InvalidInputError

ACTIVE, ARCHIVED = MessageStatus.ACTIVE, MessageStatus.ARCHIVED
CHATS = ("alice", "bob/1", "100%", "")
SEQUENCES, STEPS = 500, 12


@asynccontextmanager
async def theirs() -> AsyncIterator[tuple[SQLAlchemyChatStore, AsyncEngine]]:
    """Upstream's store on SQLite; ids are never given twice, as on PostgreSQL."""
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE TABLE chat (id INTEGER PRIMARY KEY AUTOINCREMENT, key VARCHAR NOT NULL, "
                "timestamp BIGINT NOT NULL, role VARCHAR NOT NULL, status VARCHAR NOT NULL, data JSON NOT NULL)"
            )
        )
    try:
        yield SQLAlchemyChatStore(table_name="chat", async_engine=engine), engine
    finally:
        await engine.dispose()


def message(rng: Random, number: int) -> ChatMessage:
    return ChatMessage(
        role=rng.choice(["user", "assistant", "tool", "system"]),
        content=f"message {number}",
        additional_kwargs=rng.choice([{}, {"tool_calls": [{"id": number}]}]),
    )


def random_call(rng: Random, number: int) -> tuple[str, tuple[Any, ...]]:
    """One call of the interface, with arguments."""
    chat, count = rng.choice(CHATS), rng.randrange(4)
    status = rng.choice([ACTIVE, ACTIVE, ARCHIVED])
    some = [message(rng, number * 10 + at) for at in range(rng.randint(1, 3))]
    return rng.choice(
        [
            ("add_message", (chat, some[0], status)),
            ("add_messages", (chat, some, status)),
            ("add_messages", (chat, some)),
            ("set_messages", (chat, some[: rng.randrange(3)], status)),
            ("delete_message", (chat, rng.randrange(1, 12))),
            ("delete_messages", (chat, rng.choice([None, ACTIVE, ARCHIVED]))),
            ("delete_oldest_messages", (chat, count)),
            ("archive_oldest_messages", (chat, count)),
            ("get_messages", (chat, rng.choice([None, status]), rng.choice([None, count]), rng.choice([None, count]))),
            ("count_messages", (chat, rng.choice([None, status]))),
        ]
    )


async def answer(store: AsyncDBChatStore, call: tuple[str, tuple[Any, ...]]) -> Any:
    name, arguments = call
    return await getattr(store, name)(*arguments)


async def everything(store: AsyncDBChatStore) -> list[Any]:
    states = [(chat, status) for chat in CHATS for status in (ACTIVE, ARCHIVED)]
    return [[await store.get_messages(*state) for state in states], sorted(await store.get_keys())]


async def differences(vault: Vault, kind: type[StrongroomChatStore], sequences: int) -> int:
    """In how many random sequences of calls the two stores differ."""
    different = 0
    async with theirs() as (other, engine):
        for seed in range(sequences):
            rng, mine = Random(seed), kind(vault, name=f"chat {seed}")
            calls = [random_call(rng, number) for number in range(STEPS)]
            same = [await answer(mine, call) == await answer(other, call) for call in calls]
            different += not all(same) or await everything(mine) != await everything(other)
            async with engine.begin() as connection:
                await connection.execute(text("DELETE FROM chat"))
                await connection.execute(text("DELETE FROM sqlite_sequence"))
    return different


class Newest(StrongroomChatStore):
    """Archives from the wrong end: the bug that has to be found."""

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        active = await self.get_messages(key)
        await self.set_messages(key, active[: len(active) - n])
        return active[len(active) - n :]


def test_500_random_sequences_are_answered_as_by_the_sql_store(vault: Vault) -> None:
    assert asyncio.run(differences(vault, StrongroomChatStore, SEQUENCES)) == 0


def test_a_store_that_archives_the_newest_is_found(vault: Vault) -> None:
    assert asyncio.run(differences(vault, Newest, 20)) > 0


def test_what_one_session_wrote_the_next_one_reads(tmp_path: Path) -> None:
    said = [
        ChatMessage(role="user", content="tea?"),
        ChatMessage(role="assistant", blocks=[TextBlock(text="a"), ImageBlock(url="http://localhost/cat.png")]),
        ChatMessage(role="user", content="", additional_kwargs={"session_id": "s"}),
    ]
    with create(tmp_path) as vault:
        asyncio.run(StrongroomChatStore(vault).add_messages("alice", said))
    with reopen(tmp_path) as vault:
        assert asyncio.run(StrongroomChatStore(vault).get_messages("alice")) == said


def test_messages_are_copies(vault: Vault) -> None:
    store, said = StrongroomChatStore(vault), ChatMessage(role="user", content="tea")

    async def changed() -> list[ChatMessage]:
        await store.add_message("alice", said)
        said.blocks = []
        (await store.get_messages("alice"))[0].blocks = []
        return await store.get_messages("alice")

    assert [one.content for one in asyncio.run(changed())] == ["tea"]


def test_two_processes_never_archive_the_same_message(tmp_path: Path) -> None:
    async def race(one: StrongroomChatStore, other: StrongroomChatStore) -> list[str]:
        await one.add_messages("a", [ChatMessage(role="user", content=str(number)) for number in range(12)])
        took = await asyncio.gather(*[store.archive_oldest_messages("a", 2) for store in (one, other) * 3])
        return sorted((one.content or "" for some in took for one in some), key=int)

    with create(tmp_path) as vault, reopen(tmp_path) as second:
        stores = StrongroomChatStore(vault), StrongroomChatStore(second)
        assert asyncio.run(race(*stores)) == [str(number) for number in range(12)]


def test_bad_arguments_are_refused_and_nothing_is_written(vault: Vault) -> None:
    store = StrongroomChatStore(vault)
    good, bad = ChatMessage(role="user", content="x"), ChatMessage(role="user", additional_kwargs={"f": object()})
    for call in [
        ("add_messages", ("a", [good, bad])),
        ("add_message", ("a", "text")),
        ("add_message", (1, good)),
        ("add_message", ("a" * 2000, good)),
        ("add_message", ("a", good, "gone")),
        ("get_messages", ("a", ACTIVE, -1)),
        ("archive_oldest_messages", ("a", -1)),
        ("delete_oldest_messages", ("a", 1.5)),
        ("delete_message", ("a", -1)),
    ]:
        with pytest.raises(InvalidInputError):
            asyncio.run(answer(store, call))

    assert asyncio.run(store.get_keys()) == []
    with pytest.raises(InvalidInputError):
        StrongroomChatStore(vault, name="")
    with pytest.raises(InvalidInputError):  # where the store "chat" keeps its numbers
        StrongroomChatStore(vault, name="chat/numbers")
    with pytest.raises(InvalidInputError):
        StrongroomBufferChatStore(vault, box="nowhere")


def test_the_older_interface_answers_as_the_simple_store(vault: Vault) -> None:
    rng, mine, simple = Random(1), StrongroomBufferChatStore(vault), SimpleChatStore()
    for number in range(200):
        chat, place, one = rng.choice(CHATS), rng.randrange(-1, 4), message(rng, number)
        calls: list[tuple[str, tuple[Any, ...]]] = [("add_message", (chat, one)), ("get_messages", (chat,))]
        if simple.get_messages(chat):
            calls += [("delete_message", (chat, place)), ("delete_last_message", (chat,)), ("delete_messages", (chat,))]
        name, arguments = rng.choice(calls)
        assert getattr(mine, name)(*arguments) == getattr(simple, name)(*arguments), name
        for key in [key for key, messages in simple.store.items() if not messages]:
            simple.store.pop(key)  # an empty chat is no chat of ours
        assert set(mine.get_keys()) == set(simple.get_keys())


def test_an_older_buffer_reads_what_the_newer_memory_wrote(vault: Vault) -> None:
    asyncio.run(StrongroomChatStore(vault).add_message("alice", ChatMessage(role="user", content="tea")))
    buffer = ChatMemoryBuffer(
        chat_store=StrongroomBufferChatStore(vault), chat_store_key="alice", token_limit=100, tokenizer_fn=str.split
    )

    buffer.put(ChatMessage(role="assistant", content="with milk?"))

    assert [one.content for one in buffer.get()] == ["tea", "with milk?"]
    assert asyncio.run(StrongroomChatStore(vault).count_messages("alice")) == 2
