"""VaultMem: encrypted as we are, one process at a time, search in Python over all memories."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vaultmem import VaultSession

from benchmarks.words import DIMENSION, query_vectors, turns, vectors


class _Given:
    """An embedder that hands out vectors made before."""

    dimension = DIMENSION

    def __init__(self) -> None:
        self.next: list[list[float]] = []

    def embed(self, text: str) -> list[float]:
        del text
        return self.next.pop()

    def embed_batch(self, texts: list[str]) -> list[list[float]]:
        return [self.embed(text) for text in texts]


class VaultMem:
    """A vault folder in its default mode."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._embedder = folder / "vaultmem", _Given()
        if (self._folder / "meta.json").exists():
            self._vault: Any = VaultSession.open(self._folder, passphrase="thrown away", embedder=self._embedder)
        else:
            self._folder.mkdir()
            self._vault = VaultSession.create(
                self._folder, passphrase="thrown away", owner="bench", embedder=self._embedder
            )

    def versions(self) -> dict[str, str]:
        """See `Contender.versions`."""
        return {"vaultmem": version("vaultmem")}

    def add_batch(self, batch: int, count: int) -> float:
        """See `Contender.add_batch`: it has no batch verb, so one by one, then one flush."""
        texts = turns(batch, count)
        self._embedder.next = vectors(batch, count)[::-1].tolist()
        start = time.perf_counter()
        for text in texts:
            self._vault.add(text)
        self._vault.flush()
        return time.perf_counter() - start

    def search(self, first: int, count: int, batch: int, size: int, mode: str) -> list[float]:
        """See `Contender.search`: by vector alone."""
        del mode
        seconds = []
        for vector in query_vectors(first, count, batch, size).tolist():
            start = time.perf_counter()
            self._vault.search(vector, top_k=10)
            seconds.append(time.perf_counter() - start)
        return seconds

    def sizes(self) -> dict[str, float]:
        """Bytes for one memory."""
        whole = sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())
        return {"all": whole / self._vault.atom_count}

    def close(self) -> None:
        """See `Contender.close`."""
        self._vault.close()
