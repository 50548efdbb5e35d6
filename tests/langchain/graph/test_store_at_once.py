"""One store for many threads and tasks, and one vault for several processes."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import GetOp, PutOp

from langchain_strongroom import StrongroomMiddleware, StrongroomSaver, StrongroomStore
from support import vaults
from support.graphs import counting
from support.processes import Other
from support.store_processes import adding, another, exchanged, is_one_line
from vault_core import Vault

THREADS, TASKS = 16, 200


class Losing(StrongroomStore):
    """The seeded bug: a batch whose reads and writes are two steps."""

    def batch(self, ops: Any) -> list[Any]:
        given = list(ops)
        read = super().batch([op for op in given if not isinstance(op, PutOp)])
        super().batch([op for op in given if isinstance(op, PutOp)])
        answers = iter(read)
        return [None if isinstance(op, PutOp) else next(answers) for op in given]


def swapped(store: StrongroomStore) -> bool:
    with ThreadPoolExecutor(THREADS) as pool:
        begin = threading.Barrier(THREADS)
        work = [pool.submit(lambda n: (begin.wait(), exchanged(store, str(n)))[1], n) for n in range(THREADS)]
        steps = [step for one in work for step in one.result(120)]
    item = store.get(("shared",), "key")
    return item is not None and is_one_line(steps, item.value["said"])


def test_batches_of_sixteen_threads_happen_one_after_the_other(vault: Vault) -> None:
    assert swapped(StrongroomStore(vault))


def test_a_store_that_reads_and_writes_in_two_steps_is_found(tmp_path: Path) -> None:
    def once(number: int) -> bool:
        with Vault.create("memory://", unlock=vaults.key_in(tmp_path)) as vault:
            return swapped(Losing(vault))

    assert not all(once(number) for number in range(10))


def test_two_hundred_tasks_share_a_store_and_every_write_is_there(vault: Vault) -> None:
    store = StrongroomStore(vault)

    async def task(number: int) -> None:
        await store.aput(("tasks", str(number % 7)), str(number), {"n": number})
        item = await store.aget(("tasks", str(number % 7)), str(number))
        assert item is not None
        assert item.value == {"n": number}
        await store.asearch(("tasks",), query=str(number))
        if number % 2:
            await store.adelete(("tasks", str(number % 7)), str(number))

    async def live() -> None:
        await asyncio.wait_for(asyncio.gather(*(task(number) for number in range(TASKS))), 120)

    asyncio.run(live())

    left = {item.key for item in store.search(("tasks",), limit=TASKS)}
    assert left == {str(number) for number in range(0, TASKS, 2)}


# the event loop


def interleaved(call: Callable[[], Any], inside: threading.Event, go_on: threading.Event) -> bool:
    """Whether the loop runs something while a call is in the middle of its work."""

    async def live() -> bool:
        task = asyncio.ensure_future(call())
        ran = False
        while not task.done():
            if inside.is_set() and not go_on.is_set():
                ran = True  # the call waits for us, and we are here
                go_on.set()
            await asyncio.sleep(0)
        await task
        return ran

    return asyncio.run(asyncio.wait_for(live(), 120))


def paused(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Make the vault's next use of its store wait, so that it can be seen who waits with it."""
    inside, go_on = threading.Event(), threading.Event()
    session = vault._session
    real = session._check_alive

    def waiting() -> None:
        inside.set()
        if not go_on.wait(20):
            raise AssertionError("the loop was blocked")
        real()

    monkeypatch.setattr(session, "_check_alive", waiting)
    return inside, go_on


def awaited(vault: Vault) -> dict[str, Callable[[], Any]]:
    store, saver = StrongroomStore(vault), StrongroomSaver(vault)
    graph: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "c"}}
    checkpoint: Any = {"id": "c", "channel_values": {}}

    async def listed() -> None:
        [one async for one in saver.alist(graph)]

    return {
        "aget": lambda: store.aget(("a",), "key"),
        "aput": lambda: store.aput(("a",), "key", {"a": 1}),
        "adelete": lambda: store.adelete(("a",), "key"),
        "asearch": lambda: store.asearch(("a",), query="tea"),
        "alist_namespaces": store.alist_namespaces,
        "abatch": lambda: store.abatch([GetOp(("a",), "key"), PutOp(("a",), "key", {"a": 1})]),
        "aget_tuple": lambda: saver.aget_tuple(graph),
        "alist": listed,
        "aput checkpoint": lambda: saver.aput(graph, checkpoint, {}, {}),
        "aput_writes": lambda: saver.aput_writes(graph, [("a", 1)], "task"),
        "adelete_thread": lambda: saver.adelete_thread("t"),
        "adelete_for_runs": lambda: saver.adelete_for_runs(["r"]),
        "acopy_thread": lambda: saver.acopy_thread("t", "u"),
        "aprune": lambda: saver.aprune(["t"]),
    }


AWAITED = [
    "aget", "aput", "adelete", "asearch", "alist_namespaces", "abatch", "aget_tuple", "alist", "aput checkpoint",
    "aput_writes", "adelete_thread", "adelete_for_runs", "acopy_thread", "aprune",
]  # fmt: skip


@pytest.mark.parametrize("name", AWAITED)
def test_the_loop_runs_on_while_a_call_works(vault: Vault, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = awaited(vault)[name]
    inside, go_on = paused(vault, monkeypatch)

    assert interleaved(call, inside, go_on)

    monkeypatch.undo()


def test_every_async_method_is_among_those() -> None:
    own = {name for kind in (StrongroomStore, StrongroomSaver) for name in vars(kind) if name.startswith("a")}

    assert own == {name for name in AWAITED if name in own}


def test_a_call_that_blocks_the_loop_is_found(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StrongroomStore(vault)
    inside, go_on = paused(vault, monkeypatch)
    threading.Timer(0.2, go_on.set).start()  # or it would wait for ever

    async def blocking() -> None:
        store.get(("a",), "key")

    assert not interleaved(blocking, inside, go_on)
    monkeypatch.undo()


def test_a_call_that_is_cancelled_leaves_a_whole_batch_or_nothing(vault: Vault) -> None:
    store = StrongroomStore(vault)

    async def live() -> None:
        for _ in range(20):
            task = asyncio.ensure_future(store.abatch([PutOp(("a",), str(n), {"n": n}) for n in range(10)]))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(live())

    assert len(store.search(("a",), limit=100)) in (0, 10)


# several processes


def test_two_processes_see_each_others_writes_at_once(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, Other(another, tmp_path) as other:
        store = StrongroomStore(vault)
        assert other.hear() == "open"
        for number in range(5):
            store.put(("a",), "ours", {"n": number})
            assert other.ask(("get", ("a",), "ours"))["value"] == {"n": number}
            other.ask(("put", ("b",), "theirs", {"n": number}))
            assert store.get(("b",), "theirs").value == {"n": number}  # type: ignore[union-attr]
        assert other.ask(("list_namespaces",)) == store.list_namespaces() == [("a",), ("b",)]
        store.delete(("b",), "theirs")
        assert other.ask(("get", ("b",), "theirs")) is None
        other.say()


def test_batches_of_four_processes_happen_one_after_the_other(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        others = [Other(adding, tmp_path, name) for name in "abcd"]
        steps = [step for other in others for step in other.hear()]
        for other in others:
            other.join()
        last = StrongroomStore(vault).get(("shared",), "key")

    assert last is not None
    assert is_one_line(steps, last.value["said"])


def test_store_and_saver_by_location_open_without_blocking_and_close(tmp_path: Path) -> None:
    with vaults.create(tmp_path):
        pass
    place, key = str(tmp_path / vaults.NAME), vaults.key_in(tmp_path)

    with StrongroomStore.from_conn_string(place, unlock=key) as store:
        store.setup()
        store.put(("a",), "key", {"a": 1})
    with pytest.raises(Exception, match="closed"):
        store.get(("a",), "key")

    async def live() -> Any:
        async with StrongroomStore.from_conn_string(place, unlock=key, ttl={"default_ttl": 5}) as opened:
            found = await opened.aget(("a",), "key")
        async with StrongroomStore(opened._vault):
            return found

    assert asyncio.run(live()).value == {"a": 1}


@pytest.mark.parametrize("kind", [StrongroomStore, StrongroomSaver])
def test_an_opening_that_is_cancelled_leaves_the_vault_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    vaults.create(tmp_path).close()
    begun, go_on, real = threading.Event(), threading.Event(), Vault.open

    def slow(*arguments: Any, **named: Any) -> Vault:
        begun.set()
        assert go_on.wait(60)
        return real(*arguments, **named)

    monkeypatch.setattr(Vault, "open", slow)

    async def entered() -> None:
        async with kind.from_conn_string(str(tmp_path / vaults.NAME), unlock=vaults.key_in(tmp_path)):
            raise AssertionError("it was cancelled before")

    async def live() -> None:
        task = asyncio.ensure_future(entered())
        assert await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        go_on.set()

    asyncio.run(live())
    monkeypatch.undo()

    with vaults.reopen(tmp_path, exclusive=True):
        pass


def test_a_vault_that_was_given_stays_open(vault: Vault) -> None:
    with StrongroomStore(vault) as store:
        store.put(("a",), "key", {"a": 1})
    with StrongroomSaver(vault) as saver:
        counting().compile(checkpointer=saver).invoke({"said": [], "count": 0}, {"configurable": {"thread_id": "t"}})

    assert vault.count() == 1
    assert StrongroomMiddleware(vault)
