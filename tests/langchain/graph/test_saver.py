"""StrongroomSaver: checkpoints in a vault, as applications use them."""

import asyncio
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import UUID

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import WRITES_IDX_MAP, empty_checkpoint
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from langchain_strongroom import StrongroomSaver
from support import vaults
from support.graphs import counting
from vault_core import InvalidInputError, Vault


@pytest.fixture
def saver(vault: Vault) -> StrongroomSaver:
    return StrongroomSaver(vault)


def config(thread: Any = "t", namespace: str = "", **more: Any) -> Any:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, **more}}


def put(saver: StrongroomSaver, where: Any, **metadata: Any) -> Any:
    return saver.put(where, empty_checkpoint(), metadata, {})  # type: ignore[arg-type]


def test_a_graph_goes_on_where_it_was_in_another_session(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        counting().compile(checkpointer=StrongroomSaver(vault)).invoke({"said": ["one"], "count": 0}, config())

    with vaults.reopen(tmp_path) as vault:
        graph = counting().compile(checkpointer=StrongroomSaver(vault))
        state = graph.invoke({"said": ["two"], "count": 0}, config())
        assert state["said"] == ["one", "first", "second", "two", "first", "second"]
        assert len(list(graph.get_state_history(config()))) == 8
        vault.verify(full=True)


def test_a_graph_that_is_awaited_goes_on_too(vault: Vault) -> None:
    graph = counting().compile(checkpointer=StrongroomSaver(vault))

    async def live() -> list[Any]:
        await asyncio.gather(*(graph.ainvoke({"said": [str(n)], "count": 0}, config(str(n))) for n in range(5)))
        return [(await graph.aget_state(config(str(n)))).values["said"] for n in range(5)]

    assert asyncio.run(live()) == [[str(n), "first", "second"] for n in range(5)]


def test_a_step_that_fails_leaves_what_was_written_before_and_the_graph_resumes(vault: Vault) -> None:
    broken = [True]

    def step(state: Any) -> dict[str, Any]:
        if broken:
            raise ConnectionError("away")
        return {"said": ["first"], "count": 1}

    graph = counting(step).compile(checkpointer=StrongroomSaver(vault))
    with pytest.raises(ConnectionError):
        graph.invoke({"said": ["one"], "count": 0}, config())
    broken.clear()

    assert graph.invoke(None, config())["said"] == ["one", "first", "second"]


def test_an_interrupted_graph_is_resumed_with_the_answer(vault: Vault) -> None:
    def ask(state: Any) -> dict[str, Any]:
        return {"said": [interrupt("tea or coffee?")], "count": 0}

    graph = counting(ask).compile(checkpointer=StrongroomSaver(vault))
    paused = graph.invoke({"said": [], "count": 0}, config())

    assert paused["__interrupt__"][0].value == "tea or coffee?"
    assert graph.invoke(Command(resume="tea"), config())["said"] == ["tea", "second"]


def test_checkpoints_are_no_memories(vault: Vault) -> None:
    counting().compile(checkpointer=StrongroomSaver(vault)).invoke({"said": ["tea"], "count": 0}, config())

    assert (vault.count(), vault.search("tea"), vault.namespaces()) == (0, [], [])
    assert vault.stats().items > 0


def test_threads_and_namespaces_whose_names_hold_each_others_marks_are_apart(saver: StrongroomSaver) -> None:
    names = ["a", "a,b", 'a","b', "a\\", '["a"', "ä", "a b", "%", "_", "*", "5"]
    for thread in names:
        for namespace in ["", *names]:
            put(saver, config(thread, namespace), at=f"{thread}|{namespace}")

    for thread in names:
        for namespace in ["", *names]:
            found = saver.get_tuple(config(thread, namespace))
            assert found is not None
            assert found.metadata["at"] == f"{thread}|{namespace}"  # type: ignore[typeddict-item]
        assert len(list(saver.list({"configurable": {"thread_id": thread}}))) == len(names) + 1
    saver.delete_thread("a")
    assert len(list(saver.list(None))) == (len(names) - 1) * (len(names) + 1)


def test_a_thread_may_be_named_by_a_number_or_a_uuid(saver: StrongroomSaver) -> None:
    """LangGraph makes texts of them on its way; who deletes a thread does not have to."""
    put(saver, config(7))
    put(saver, config(UUID(int=7)))

    assert saver.get_tuple(config("7")) is not None
    assert saver.get_tuple(config(str(UUID(int=7)))) is not None
    saver.delete_thread(UUID(int=7))  # type: ignore[arg-type]  # as an app has it at hand
    assert saver.get_tuple(config(UUID(int=7))) is None
    for wrong in (None, True, 1.5, b"x"):
        with pytest.raises(InvalidInputError):
            saver.get_tuple(config(wrong))


def test_the_first_write_of_a_task_stays_and_special_ones_are_replaced(saver: StrongroomSaver) -> None:
    special = next(iter(WRITES_IDX_MAP))
    where = put(saver, config())
    saver.put_writes(where, [("a", 1), (special, "one")], "task")
    saver.put_writes(where, [("a", 2), (special, "two"), ("b", 3)], "task")

    found = saver.get_tuple(where)

    assert found is not None
    assert sorted(found.pending_writes or [], key=str) == sorted(
        [("task", "a", 1), ("task", special, "two"), ("task", "b", 3)], key=str
    )


def test_writes_come_in_the_order_of_their_tasks_paths(saver: StrongroomSaver) -> None:
    where = put(saver, config())
    saver.put_writes(where, [("c", n) for n in range(12)], "a", "path 2")
    saver.put_writes(where, [("c", 100)], "b", "path 1")

    found = saver.get_tuple(where)

    assert found is not None
    assert [value for _, _, value in found.pending_writes or []] == [100, *range(12)]


def test_writing_and_deleting_are_one_commit_each(vault: Vault, saver: StrongroomSaver) -> None:
    where = put(saver, config())
    commits = vault.stats().commits
    saver.put_writes(where, [("a", 1), ("b", 2)], "task")
    assert vault.stats().commits == commits + 1
    saver.delete_thread("t")

    assert vault.stats().commits == commits + 2
    assert vault.stats().items == 0


class Deltas(TypedDict):
    said: Annotated[
        list[str], DeltaChannel(lambda state, writes: [*(state or []), *(w for one in writes for w in one)])
    ]
    plain: Annotated[list[str], add]


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")  # delta channels are one
def test_pruning_keeps_what_a_delta_channel_is_made_of(vault: Vault) -> None:
    saver = StrongroomSaver(vault)
    graph = StateGraph(Deltas)
    graph.add_node("echo", lambda state: {"said": [f"echo {len(state['said'])}"], "plain": ["echo"]})
    graph.add_edge(START, "echo")
    app = graph.compile(checkpointer=saver)
    for number in range(3):
        app.invoke({"said": [str(number)], "plain": []}, config())
    before = app.get_state(config()).values

    saver.prune(["t"])

    assert app.get_state(config()).values == before
    assert app.invoke({"said": ["3"], "plain": []}, config())["said"] == [*before["said"], "3", "echo 7"]


def test_pruning_a_thread_without_delta_channels_keeps_one_checkpoint(vault: Vault) -> None:
    saver = StrongroomSaver(vault)
    graph = counting().compile(checkpointer=saver)
    graph.invoke({"said": ["one"], "count": 0}, config())

    saver.prune(["t"])

    assert len(list(saver.list(config()))) == 1
    assert graph.get_state(config()).values["said"] == ["one", "first", "second"]
    with pytest.raises(InvalidInputError, match="keep_latest"):
        saver.prune(["t"], strategy="everything")


def test_a_list_stops_at_its_limit_without_opening_more(
    saver: StrongroomSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        put(saver, config(), step=number)
    opened: list[Any] = []
    real = StrongroomSaver._tuple
    monkeypatch.setattr(StrongroomSaver, "_tuple", lambda *arguments: opened.append(1) or real(*arguments))

    assert [one.metadata["step"] for one in saver.list(config(), limit=2)] == [9, 8]
    assert len(opened) == 2
    assert list(saver.list(config(), limit=0)) == []


def test_a_connection_string_opens_and_closes_the_vault(tmp_path: Path) -> None:
    with vaults.create(tmp_path):
        pass
    place, key = str(tmp_path / vaults.NAME), vaults.key_in(tmp_path)

    with StrongroomSaver.from_conn_string(place, unlock=key) as saver:
        saver.setup()
        put(saver, config())

    async def live() -> Any:
        async with StrongroomSaver.from_conn_string(place, unlock=key) as saver:
            found = await saver.aget_tuple(config())
            saver.close()
            return found

    assert asyncio.run(live()) is not None


def test_writes_need_their_checkpoint(saver: StrongroomSaver) -> None:
    with pytest.raises(InvalidInputError, match="checkpoint_id"):
        saver.put_writes(config(), [("a", 1)], "task")


def test_values_that_can_not_be_serialised_write_nothing(vault: Vault, saver: StrongroomSaver) -> None:
    commits = vault.stats().commits

    with pytest.raises(TypeError):
        saver.put(config(), {**empty_checkpoint(), "channel_values": {"a": object()}}, {}, {})

    assert vault.stats().commits == commits
