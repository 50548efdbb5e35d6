"""`python -m benchmarks.langgraph_store`: the LangGraph store beside the vault's own calls and upstream's stores.

Calls of the vault and of the store on it are measured in turn, in one process and on one file; `over` is the median of
the differences. The stall is the longest time for which an event loop that should turn all the time did not, while
tasks work on the store.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore

from benchmarks.machine import line, load, machine
from langchain_strongroom import StrongroomStore
from vault_core import Draft, FileKey, Vault, new_key_text

NAMESPACE = ("alice", "notes")
BATCH = 100
PACKAGES = ("langgraph-checkpoint", "langgraph-checkpoint-sqlite")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000, help="items that are there")
    parser.add_argument("--rounds", type=int, default=10, help="batches")
    parser.add_argument("--reads", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=200)
    given = parser.parse_args()
    print(
        line({"machine": machine(), "load": load(), "versions": {name: version(name) for name in PACKAGES}}), end="\n\n"
    )
    print(f"{given.size:,} items of about 200 bytes; {given.rounds} batches of {BATCH} puts, {given.reads} reads\n")
    print(f"{'':34}{'batch':>12}{'get':>12}{'search':>12}{'query':>12}")
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "key"
        key.write_text(new_key_text("file"), "ascii")
        with Vault.create(Path(folder) / "bench.vault", unlock=FileKey(key)) as vault:
            store = StrongroomStore(vault)
            filled(store, given.size)
            ours(vault, store, given)
            stall = asyncio.run(stalled(store, given.tasks))
        show("InMemoryStore", measured(filled(InMemoryStore(), given.size), given))
        with SqliteStore.from_conn_string(str(Path(folder) / "bench.sqlite")) as other:
            other.setup()
            show("SqliteStore (in the clear)", measured(filled(other, given.size), given))
    print(f"\nlongest stall of the event loop under {given.tasks} tasks: {1e3 * stall:.1f} ms")


def value(number: int) -> dict[str, Any]:
    """About 200 bytes of JSON."""
    return {"text": f"note {number} about topic{number % 97}, " + "words " * 25, "number": number}


def filled(store: BaseStore, size: int) -> Any:
    """A store with so many items."""
    for start in range(0, size, BATCH):
        store.batch([PutOp(NAMESPACE, str(number), value(number)) for number in range(start, start + BATCH)])
    return store


def ours(vault: Vault, store: StrongroomStore, given: argparse.Namespace) -> None:
    """The vault's own calls and the store's, in turn."""
    fresh = iter(range(10**6, 10**7))

    def drafts() -> None:
        vault.add_many(
            [Draft(content=value(n), id=str(n), namespace=NAMESPACE, keep_history=False) for n in taken(fresh)]
        )

    pairs: list[tuple[int, Callable[[], Any], Callable[[], Any]]] = [
        (given.rounds, drafts, lambda: store.batch([PutOp(NAMESPACE, str(n), value(n)) for n in taken(fresh)])),
        (given.reads, lambda: vault.get("7", namespace=NAMESPACE), lambda: store.get(NAMESPACE, "7")),
        (given.reads, lambda: vault.list(namespace=NAMESPACE, limit=10), lambda: store.search(NAMESPACE)),
        (
            given.reads,
            lambda: vault.search("topic13", namespace=NAMESPACE),
            lambda: store.search(NAMESPACE, query="topic13"),
        ),
    ]
    took = [[(timed(own), timed(theirs)) for _ in range(rounds)] for rounds, own, theirs in pairs]
    show("vault: add_many, get, list, search", [statistics.median(own for own, _ in one) for one in took])
    show("StrongroomStore", [statistics.median(mine for _, mine in one) for one in took])
    show("  over", [statistics.median(mine - own for own, mine in one) for one in took])
    ratio = statistics.median(mine / own for own, mine in took[0])
    print(f"{'  batch / add_many':34}{ratio:>11.2f}×")


def measured(store: BaseStore, given: argparse.Namespace) -> list[float]:
    """The same calls on another store."""
    fresh = iter(range(10**6, 10**7))
    calls: list[tuple[int, Callable[[], Any]]] = [
        (given.rounds, lambda: store.batch([PutOp(NAMESPACE, str(n), value(n)) for n in taken(fresh)])),
        (given.reads, lambda: store.get(NAMESPACE, "7")),
        (given.reads, lambda: store.search(NAMESPACE)),
        (given.reads, lambda: store.search(NAMESPACE, query="topic13")),
    ]
    return [statistics.median(timed(call) for _ in range(rounds)) for rounds, call in calls]


async def stalled(store: StrongroomStore, tasks: int) -> float:
    """The longest time between two turns of the loop, in seconds."""
    longest, working = 0.0, True

    async def turn() -> None:
        nonlocal longest
        before = time.perf_counter()
        while working:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, before = max(longest, now - before - 0.001), now

    async def work(number: int) -> None:
        await store.aput(NAMESPACE, f"task {number}", value(number))
        await store.aget(NAMESPACE, f"task {number}")
        await store.asearch(NAMESPACE, query=f"topic{number % 97}")

    turning = asyncio.create_task(turn())
    await asyncio.gather(*map(work, range(tasks)))
    working = False
    await turning
    return longest


def taken(numbers: Any) -> list[int]:
    """The next numbers of a batch."""
    return [next(numbers) for _ in range(BATCH)]


def timed(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def show(name: str, seconds: list[float]) -> None:
    """A row, in milliseconds."""
    print(f"{name:34}" + "".join(f"{1e3 * one:>9.2f} ms" for one in seconds))


if __name__ == "__main__":
    main()
