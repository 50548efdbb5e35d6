"""What is measured: strongroom, two floors that nothing sealed can be below, and peers that are installed.

Each runs in a process of its own (`benchmarks.child`) and keeps the methods of `Contender` that it has. A method gives
seconds; whatever it needs to know first (texts, vectors, plaintexts) is made before its clock starts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

PEERS = ("chromadb", "lancedb", "vaultmem")
MODES = {"strongroom": ("hybrid", "dense", "lexical"), **dict.fromkeys(PEERS, ("dense",))}

Seconds = list[float]


class Contender(Protocol):
    """One way of keeping memories, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Begin, or go on with what is in the folder."""

    def versions(self) -> Mapping[str, str]:
        """The versions that the figures depend on."""
        ...

    def add_batch(self, batch: int, count: int) -> float:
        """Store one batch of memories with given vectors, durably or as durably as this contender does."""
        ...

    def search(self, first: int, count: int, batch: int, size: int, mode: str) -> Seconds:
        """Ask so many queries, each near one memory of a stored batch; `mode` is one of `MODES`."""
        ...

    def close(self) -> None:
        """Let go, everything written."""
        ...


def make(name: str, folder: Path) -> Any:
    """The contender with this name.

    Raises:
        ImportError: its package is not installed.
    """
    match name:
        case "strongroom":
            from benchmarks.contenders.strongroom import Strongroom

            return Strongroom(folder)
        case "sqlite":
            from benchmarks.contenders.floors import Sqlite

            return Sqlite(folder)
        case "aesgcm":
            from benchmarks.contenders.floors import AesGcm

            return AesGcm(folder)
        case "chromadb":
            from benchmarks.contenders.chroma import Chroma

            return Chroma(folder)
        case "lancedb":
            from benchmarks.contenders.lance import Lance

            return Lance(folder)
        case _:
            from benchmarks.contenders.vault_mem import VaultMem

            return VaultMem(folder)
