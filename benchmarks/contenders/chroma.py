"""Chroma: an approximate index (HNSW), texts and vectors on disk in clear."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings

from benchmarks.words import query_vectors, turns, vectors


class Chroma:
    """A persistent collection with given vectors."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "chroma"
        settings = Settings(anonymized_telemetry=False)
        self._client: Any = chromadb.PersistentClient(str(self._folder), settings=settings)
        self._memories: Any = self._client.get_or_create_collection(
            "memories", metadata={"hnsw:space": "cosine"}, embedding_function=None
        )

    def versions(self) -> dict[str, str]:
        """See `Contender.versions`."""
        return {"chromadb": version("chromadb")}

    def add_batch(self, batch: int, count: int) -> float:
        """See `Contender.add_batch`: as few calls as the client allows."""
        texts, given = turns(batch, count), vectors(batch, count)
        ids = [f"{batch}-{place}" for place in range(count)]
        most = self._client.get_max_batch_size()
        start = time.perf_counter()
        for at in range(0, count, most):
            end = at + most
            self._memories.add(ids=ids[at:end], embeddings=given[at:end], documents=texts[at:end])
        return time.perf_counter() - start

    def search(self, first: int, count: int, batch: int, size: int, mode: str) -> list[float]:
        """See `Contender.search`: by vector alone."""
        del mode
        seconds = []
        for vector in query_vectors(first, count, batch, size):
            start = time.perf_counter()
            self._memories.query(query_embeddings=[vector], n_results=10)
            seconds.append(time.perf_counter() - start)
        return seconds

    def sizes(self) -> dict[str, float]:
        """Bytes for one memory."""
        whole = sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())
        return {"all": whole / self._memories.count()}

    def close(self) -> None:
        """See `Contender.close`: there is nothing to call; writes are in its own log already."""
