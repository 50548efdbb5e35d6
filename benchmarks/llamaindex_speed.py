"""LlamaIndex's vector stores side by side: `python -m benchmarks.llamaindex_speed [--nodes N]`.

Ours is sealed and on disk, `SimpleVectorStore` is plain text in RAM, Chroma is plain text on disk. Nodes have text,
metadata, a source document and a vector of 384 dimensions; they are added in the batches of `VectorStoreIndex`.
Chroma runs where `chromadb` and `llama-index-vector-stores-chroma` are installed; no extra brings them.

The stall is the longest time for which an event loop could do nothing else while nodes were added and asked for, one
call after the other; beside it the longest of an idle loop on the same machine. The benchmark's own nodes are kept out
of the reach of Python's garbage collector: going over their millions of numbers stops every thread for 150 to 200 ms,
and how often it does says nothing about a store. An app that keeps as many nodes in RAM has those stops with any store.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from benchmarks.machine import machine
from llamaindex_strongroom import StrongroomVectorStore
from vault_core import FileKey, Vault, new_key_text

DIMENSION, BATCH, CHUNKS = 384, 2048, 20  # CHUNKS of a document
KINDS = 50
WORDS = "tea river boiler garden flight lamp window letter bread winter engine coast".split()  # noqa: SIM905  words

Store = BasePydanticVectorStore


def nodes(count: int) -> list[TextNode]:
    """Nodes with vectors."""
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((count, DIMENSION)).astype(np.float32)
    words = rng.integers(0, len(WORDS), (count, 60))
    return [
        TextNode(
            id_=f"node-{number}",
            text=" ".join(WORDS[word] for word in words[number]) + f" {number}",
            metadata={"file": f"notes/{number // CHUNKS}.txt", "kind": number % KINDS},
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document-{number // CHUNKS}")},
            embedding=vectors[number].tolist(),
        )
        for number in range(count)
    ]


def strongroom(folder: Path) -> Store:
    """Ours."""
    key = folder / "key"
    key.write_text(new_key_text("file"), "ascii")
    return StrongroomVectorStore(Vault.create(folder / "bench.vault", unlock=FileKey(key)))


def simple(_: Path) -> Store:
    """LlamaIndex's own."""
    return SimpleVectorStore()


def chroma(folder: Path) -> Store:
    """Chroma, by cosine."""
    import chromadb
    from chromadb.config import Settings
    from llama_index.vector_stores.chroma import ChromaVectorStore

    client = chromadb.PersistentClient(str(folder / "chroma"), settings=Settings(anonymized_telemetry=False))
    return ChromaVectorStore(client.create_collection("bench", metadata={"hnsw:space": "cosine"}))


STORES: dict[str, Callable[[Path], Store]] = {"strongroom": strongroom, "simple": simple, "chroma": chroma}


def batches(given: Sequence[TextNode]) -> Iterator[Sequence[TextNode]]:
    """As `VectorStoreIndex` hands them over."""
    for start in range(0, len(given), BATCH):
        yield given[start : start + BATCH]


def seconds_to_add(store: Store, given: Sequence[TextNode]) -> float:
    """Until all are there."""
    start = time.perf_counter()
    for batch in batches(given):
        store.add(list(batch))
    return time.perf_counter() - start


def milliseconds(store: Store, queries: Sequence[VectorStoreQuery]) -> float:
    """The median of a query."""
    store.query(queries[0])
    taken = []
    for query in queries:
        start = time.perf_counter()
        store.query(query)
        taken.append(time.perf_counter() - start)
    return median(taken) * 1e3


def questions(rounds: int, *, filtered: bool = False, mode: str = "default") -> list[VectorStoreQuery]:
    """Queries for ten nodes each."""
    rng = np.random.default_rng(2)
    kind = MetadataFilters(filters=[MetadataFilter(key="kind", value=7)])
    return [
        VectorStoreQuery(
            query_embedding=rng.standard_normal(DIMENSION).tolist(),
            query_str=f"{WORDS[number % len(WORDS)]} and {WORDS[number % 5]}",
            similarity_top_k=10,
            filters=kind if filtered else None,
            mode=VectorStoreQueryMode(mode),
        )
        for number in range(rounds)
    ]


async def longest_gap(work: Callable[[], object]) -> float:
    """Milliseconds between two turns of the loop at most, while `work` is awaited."""
    longest, done = 0.0, False

    async def tick() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    ticking = asyncio.create_task(tick())
    await work()  # type: ignore[misc]
    done = True
    await ticking
    return longest * 1e3


async def stall(store: Store, given: Sequence[TextNode], queries: Sequence[VectorStoreQuery]) -> tuple[float, float]:
    """The longest gap of a loop while a store is used, and while nothing is."""

    async def use() -> None:
        for batch in batches(given):
            await store.async_add(list(batch))
        for query in queries:
            await store.aquery(query)

    return await longest_gap(use), await longest_gap(lambda: asyncio.sleep(1.0))


def main() -> None:
    """Run all and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llamaindex_speed", description=__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=30, help="queries of each kind")
    parser.add_argument("--only", action="append", choices=STORES)
    chosen = parser.parse_args()
    given = nodes(chosen.nodes)
    gc.collect()
    gc.freeze()
    print(machine(), f"{chosen.nodes:,} nodes, {DIMENSION} dimensions", sep="\n")
    print(f"{'store':<12}{'add/s':>9}{'query ms':>10}{'filtered':>10}{'hybrid':>9}{'stall ms':>10}{'(idle)':>8}")
    for name in chosen.only or STORES:
        with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
            try:
                store = STORES[name](Path(folder))
            except ImportError as error:
                print(f"{name:<12} skipped: {error}")
                continue
            row = f"{name:<12}{chosen.nodes / seconds_to_add(store, given):>9,.0f}"
            row += f"{milliseconds(store, questions(chosen.rounds)):>10.1f}"
            row += f"{milliseconds(store, questions(chosen.rounds, filtered=True)):>10.1f}"
            if name == "strongroom":
                row += f"{milliseconds(store, questions(chosen.rounds, mode='hybrid')):>9.1f}"
                busy, idle = asyncio.run(stall(store, given[: 2 * BATCH], questions(chosen.rounds)))
                row += f"{busy:>10.1f}{idle:>8.1f}"
                store.client.close()
            print(row, flush=True)


if __name__ == "__main__":
    main()
