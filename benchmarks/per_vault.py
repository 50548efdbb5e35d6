"""What one vault costs: bytes, commits, time to open. `python -m benchmarks.per_vault [--largest 10000]`.

The figures behind docs/scale.md. Bytes are those of the store's contents (entries, records, snapshots), not of its
pages; what a store adds to them is its own. Memories are of the length of a sentence or two.
"""

import argparse
import gc
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vault_core import Draft, EphemeralStore, FileKey, SqliteStore, Vault, copy_vault, new_key_text

SIZES = (100, 1_000, 10_000)
DIMENSION = 384
WORDS = Path(__file__).read_text("utf-8").split()
COLUMNS = (
    *("memories", "vectors", "commits", "entries", "records", "snapshots", "all", "each", "file"),
    *("opening", "replay", "copy", "RAM"),
)
AT_ONCE = {100: 40, 1_000: 8}  # sessions, to weigh one of them; a large one weighs enough
ONE_BY_ONE = 20  # of a hundred memories come alone, the others in batches of 20, as conversations are stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of one vault."""

    memories: int
    dimension: int
    commits: int
    entries: int
    records: int
    snapshots: int
    file: int
    opening: float  # seconds, with the snapshot and without Argon2id
    replaying: float  # without the snapshot
    copying: float
    index: int  # bytes in RAM

    def row(self) -> str:
        """A line of the table."""
        stored = self.entries + self.records + self.snapshots
        each = stored / self.memories
        return (
            f"| {self.memories:,} | {self.dimension or 'none'} | {self.commits:,} | {_size(self.entries)} | "
            f"{_size(self.records)} | {_size(self.snapshots)} | {_size(stored)} | {each / 1024:.1f} KiB | "
            f"{_size(self.file)} | {self.opening * 1000:.0f} ms | {self.replaying * 1000:.0f} ms | "
            f"{self.copying * 1000:.0f} ms | {_size(self.index)} |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.per_vault", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    parser.add_argument("--weigh", nargs=3, metavar=("VAULT", "KEY", "SESSIONS"))
    given = parser.parse_args()
    if given.weigh:
        weigh(Path(given.weigh[0]), FileKey(Path(given.weigh[1])), int(given.weigh[2]))
        return
    largest = given.largest
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---" * len(COLUMNS) + "|")
    for memories in (size for size in SIZES if size <= largest):
        for dimension in (0, DIMENSION):
            print(measure(memories, dimension).row(), flush=True)


def measure(memories: int, dimension: int) -> Figures:
    """Make a vault of so many memories, and weigh it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key").write_text(new_key_text("file"))
        key, path = FileKey(folder / "key"), folder / "it.vault"
        with Vault.create(path, unlock=key) as vault:
            for batch in batches(memories, dimension):
                vault.add_many(batch)
            vault.checkpoint()
        store = EphemeralStore()
        began = time.perf_counter()
        report = copy_vault(path, store)
        copying = time.perf_counter() - began
        opening = _opened(store, key)
        bare = store.another()
        bare.part_bodies = {}
        replaying = _opened(bare, key)
        size = SqliteStore(path).size()
        return Figures(
            memories=memories,
            dimension=dimension,
            commits=report.commits,
            entries=sum(map(len, store.entry.values())),
            records=sum(map(len, store.record.values())),
            snapshots=sum(map(len, store.part_bodies.values())),
            file=size,
            opening=opening,
            replaying=replaying,
            copying=copying,
            index=_weighed(path, folder / "key", AT_ONCE.get(memories, 1)),
        )


def batches(memories: int, dimension: int) -> Iterator[list[Draft]]:
    """The memories, some alone and most in batches."""
    chance, vectors = random.Random(7), np.random.default_rng(7)
    left = memories
    while left:
        count = 1 if chance.random() < 20 * ONE_BY_ONE / (100 - ONE_BY_ONE + 20 * ONE_BY_ONE) else 20
        count = min(left, count)
        left -= count
        yield [
            Draft(
                content=" ".join(chance.choices(WORDS, k=chance.randrange(10, 40))),
                vector=vectors.standard_normal(dimension).astype(np.float32) if dimension else None,
            )
            for _ in range(count)
        ]


def _opened(store: EphemeralStore, key: FileKey) -> float:
    """Seconds until the first answer."""
    began = time.perf_counter()
    with Vault.open(store.another(), unlock=key, read_only=True) as vault:
        vault.search("tea with Bob")
        return time.perf_counter() - began


def weigh(path: Path, key: FileKey, count: int) -> None:
    """Print the bytes of RAM that one open session takes, on top of a program that has opened a vault before."""
    Vault.create("memory://", unlock=key).search("everything is loaded")
    vaults, before = [], _resident()
    for _ in range(count):
        vaults.append(Vault.open(path, unlock=key, read_only=True))
        vaults[-1].search("tea with Bob")
    print((_resident() - before) // count)


def _weighed(path: Path, key: Path, count: int) -> int:
    command = [sys.executable, "-m", "benchmarks.per_vault", "--weigh", str(path), str(key), str(count)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


if __name__ == "__main__":
    main()
