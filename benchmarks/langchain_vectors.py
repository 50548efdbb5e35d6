"""`python -m benchmarks.langchain_vectors`: the vector store for LangChain, beside the vault's own calls and others.

Vectors are given, so that no embedding is timed. Adding is the minimum over rounds, each in a new store; searching the
median over queries. The vault's own call and the adapter's are measured in turn in the same process; `over` is what the
adapter adds: for adding the difference of the processor times (a disk and its neighbours don't wait alike twice), for
searching the median of the differences.
"""

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from benchmarks.machine import line, load, machine
from langchain_strongroom import StrongroomVectorStore
from vault_core import Draft, FileKey, Vault, new_key_text

DIMENSION = 384
WORDS = 40  # of a document: about the length of a chunk's paragraph
NAMESPACE = ("documents",)

Took = tuple[float, float]  # by the clock, and of the processor


class Given(Embeddings):
    """Vectors that are made before anything is timed."""

    def __init__(self, texts: list[str], queries: list[str]) -> None:
        every = [*texts, *queries]
        rows = np.random.default_rng(7).standard_normal((len(every), DIMENSION))
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self._made = dict(zip(every, units.tolist(), strict=True))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of documents."""
        return [self._made[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        return self._made[text]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=8, help="of adding")
    parser.add_argument("--queries", type=int, default=200)
    given = parser.parse_args()
    random = np.random.default_rng(3)
    words = [f"word{number}" for number in range(2000)]
    documents = [
        Document(f"{number} " + " ".join(random.choice(words, WORDS)), id=f"{number:06}", metadata={"page": number})
        for number in range(given.size)
    ]
    queries = [f"query {number}" for number in range(given.queries)]
    embedding = Given([document.page_content for document in documents], queries)

    print(line({"machine": machine(), "load": load(), "versions": _versions()}), end="\n\n")
    print(
        f"{given.size:,} documents of {WORDS} words, {DIMENSION} dimensions; "
        f"{given.rounds} rounds, {given.queries} queries\n"
    )
    print(f"{'':34}{'add all':>12}{'search, 4 hits':>18}")
    with tempfile.TemporaryDirectory() as folder:
        _ours(Path(folder), documents, queries, embedding, given.rounds)
    _theirs("InMemoryVectorStore", lambda: InMemoryVectorStore(embedding), documents, queries, given.rounds)
    if find_spec("langchain_chroma") is None:
        print(f"{'Chroma':34}{'not installed':>12}")
    else:
        with tempfile.TemporaryDirectory() as folder:
            _theirs("Chroma", lambda: _chroma(embedding, folder), documents, queries, given.rounds)


def _ours(folder: Path, documents: list[Document], queries: list[str], embedding: Given, rounds: int) -> None:
    adding = [_adding(folder / str(number), documents, embedding, first=number % 2) for number in range(rounds)]
    with _vault(folder / "search") as vault:
        store = StrongroomVectorStore(vault, embedding)
        store.add_documents(documents)
        calls = (
            lambda query: vault.find_similar(
                embedding.embed_query(query), top_k=4, space=store.space, namespace=NAMESPACE, exact=True
            ),
            store.similarity_search,
        )
        searching = [tuple(_seconds(lambda call=call, query=query: call(query)) for call in calls) for query in queries]
    (core, core_busy), (mine, busy) = (map(min, zip(*(one[at] for one in adding), strict=True)) for at in (0, 1))
    _row("vault: add_many, find_similar", core, [one for one, _ in searching])
    _row("StrongroomVectorStore", mine, [one for _, one in searching])
    _row("  over", busy - core_busy, [one - other for other, one in searching])


def _adding(folder: Path, documents: list[Document], embedding: Given, *, first: int) -> tuple[Took, Took]:
    """What adding to two new vaults takes, by the vault's own call and by the adapter; one or the other first."""
    drafts = [
        Draft(
            content=document.page_content,
            id=document.id,
            namespace=NAMESPACE,
            memory_type="SEMANTIC",
            metadata=document.metadata,
            vectors={"langchain:Given": embedding.embed_query(document.page_content)},
            keep_history=False,
        )
        for document in documents
    ]
    took = {}
    for one in (first, 1 - first):
        with _vault(folder / str(one)) as vault:
            store = StrongroomVectorStore(vault, embedding)
            work = partial(store.add_documents, documents) if one else partial(vault.add_many, drafts)
            gc.collect()
            busy = time.process_time()
            took[one] = (_seconds(work), time.process_time() - busy)
    return took[0], took[1]


def _theirs(
    name: str, make: Callable[[], VectorStore], documents: list[Document], queries: list[str], rounds: int
) -> None:
    adding = []
    for _ in range(rounds):
        store = make()
        adding.append(_seconds(lambda store=store: store.add_documents(documents)))
    _row(name, min(adding), [_seconds(lambda query=query: store.similarity_search(query)) for query in queries])


def _chroma(embedding: Embeddings, folder: str) -> Any:
    from langchain_chroma import Chroma

    store = Chroma(embedding_function=embedding, persist_directory=folder)
    store.reset_collection()
    return store


def _versions() -> dict[str, str]:
    peers = ["chromadb", "langchain-chroma"] if find_spec("langchain_chroma") else []
    return {name: version(name) for name in ("langchain-core", "numpy", *peers)}


def _vault(folder: Path) -> Vault:
    folder.mkdir(parents=True)
    (folder / "key").write_text(new_key_text("file"))
    return Vault.create(folder / "a.vault", unlock=FileKey(folder / "key"))


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _row(name: str, adding: float, searching: list[float]) -> None:
    print(f"{name:34}{adding * 1e3:9.1f} ms{statistics.median(searching) * 1e3:15.2f} ms")


if __name__ == "__main__":
    main()
