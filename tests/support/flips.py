"""Flipping: one random bit of a byte at a time, in a copy that lies in RAM, in several processes at once.

Three sieves make every byte of a vault affordable. A block whose bytes are all flipped at once without changing
anything that the store hands over is not read at all. Of the other blocks each byte is flipped alone; where the store
then hands over what it always did, so do the questions. Whatever changes something there is opened and asked, except
that of the bytes of snapshots (a cache, whose parts are long and all alike) only some are. With
`STRONGROOM_EVERY_BYTE=1` there are no sieves.
"""

import multiprocessing
import os
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.tamper import Finding, Scene, ask, before_any_key, judge, raw, remove_journal
from vault_core import Vault, VaultError, VaultTamperedError

EVERY_BYTE = os.environ.get("STRONGROOM_EVERY_BYTE") == "1"
RAM_DISK = Path("/dev/shm")  # noqa: S108  a folder of our own is made inside
BLOCK = 16
PARTS_ASKED = 32  # one byte in so many, where only a snapshot's part has changed
_PIECE = 1024

Sweep = Callable[[Scene, Sequence[int]], "Tally"]


@dataclass(slots=True)
class Tally:
    """What the flips came to."""

    flipped: int = 0
    changed: list[int] = field(default_factory=list)  # offsets at which the store hands over something else
    asked: list[int] = field(default_factory=list)  # offsets at which the vault was opened and asked
    noticed: list[int] = field(default_factory=list)  # and at which something was refused
    problems: list[str] = field(default_factory=list)

    def add(self, finding: Finding, offset: int) -> None:
        """Count a flip about which the vault was asked."""
        self.asked.append(offset)
        self.noticed += [offset] if finding.noticed else []
        self.problems += [f"byte {offset}: {problem}" for problem in finding.problems]

    def merge(self, other: "Tally") -> None:
        """Count what another process has flipped."""
        self.flipped += other.flipped
        self.changed += other.changed
        self.asked += other.asked
        self.noticed += other.noticed
        self.problems += other.problems


def in_processes(sweep: Sweep, scene: Scene, offsets: Iterable[int]) -> Tally:
    """Sweep over the offsets, each process on a copy of its own."""
    all_of_them, total = list(offsets), Tally()
    pieces = [all_of_them[at : at + _PIECE] for at in range(0, len(all_of_them), _PIECE)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for tally in pool.map(_swept, *zip(*[(sweep, scene, piece) for piece in pieces], strict=True)):
            total.merge(tally)
    return total


def _swept(sweep: Sweep, scene: Scene, offsets: Sequence[int]) -> Tally:
    with in_ram(scene) as copy:
        return sweep(copy, offsets)


@contextmanager
def in_ram(scene: Scene) -> Iterator[Scene]:
    """A copy of the scene in RAM."""
    place = RAM_DISK if RAM_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="strongroom-", dir=place) as folder:
        yield scene.copy(Path(folder) / "scene")


class Flipper:
    """A file whose bytes are flipped and put back. Its descriptor stays open: closing one would drop SQLite's locks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole = path.read_bytes()
        self._file = os.open(path, os.O_RDWR)

    def close(self) -> None:
        os.close(self._file)

    @contextmanager
    def flipped(self, *offsets: int) -> Iterator[None]:
        """One bit of each of these bytes is another."""
        for offset in offsets:
            bit = random.Random(offset).randrange(8)
            os.pwrite(self._file, bytes([self.whole[offset] ^ 1 << bit]), offset)
        try:
            yield
        finally:
            for offset in offsets:
                os.pwrite(self._file, self.whole[offset : offset + 1], offset)

    def restore(self) -> None:
        """Put everything back, in case that something has written to the damaged file."""
        if os.pread(self._file, len(self.whole) + 1, 0) != self.whole:
            os.pwrite(self._file, self.whole, 0)
            os.ftruncate(self._file, len(self.whole))
        remove_journal(self.path)


@contextmanager
def flipping(path: Path) -> Iterator[Flipper]:
    """A flipper for a file that nobody has open."""
    flipper = Flipper(path)
    try:
        yield flipper
    finally:
        flipper.close()


def closed_sweep(scene: Scene, offsets: Sequence[int]) -> Tally:
    """Flip bytes of a vault that nobody has open."""
    tally, early = Tally(), list(before_any_key(scene.path))
    with flipping(scene.path) as flipper:
        for offset in _worth_a_look(flipper, offsets, tally):
            with flipper.flipped(offset):
                tally.add(judge(scene, kinds=_kinds(offset, early), quick=True), offset)
            flipper.restore()
    return tally


def open_sweep(scene: Scene, offsets: Sequence[int]) -> Tally:
    """Flip bytes under a session that is open and has nothing of the file in its cache."""
    tally, early = Tally(), list(before_any_key(scene.path))
    with flipping(scene.path) as flipper, scene.open() as vault:
        for offset in offsets:
            tally.flipped += 1
            with flipper.flipped(offset):
                forget_pages(vault)
                tally.add(ask(vault, scene, kinds=_kinds(offset, early), quick=True), offset)
            forget_pages(vault)
    return tally


def _kinds(offset: int, early: Sequence[range]) -> type[VaultError]:
    return VaultError if any(offset in part for part in early) else VaultTamperedError


def forget_pages(vault: Vault) -> None:
    """Make a session's SQLite read the file again."""
    vault._session.store._db.execute("PRAGMA shrink_memory")


def _worth_a_look(flipper: Flipper, offsets: Sequence[int], tally: Tally) -> Iterator[int]:
    """The offsets that pass the sieves."""
    truth = raw(flipper.path)
    for start in range(0, len(offsets), BLOCK):
        block = offsets[start : start + BLOCK]
        tally.flipped += len(block)
        if EVERY_BYTE:
            yield from block
        elif _handed_over(flipper, block) != truth:
            yield from _changing(flipper, block, truth, tally)


def _changing(flipper: Flipper, block: Sequence[int], truth: object, tally: Tally) -> Iterator[int]:
    for offset in block:
        told = _handed_over(flipper, [offset])
        if told == truth:
            continue
        tally.changed.append(offset)
        if not _only_parts(told, truth) or len(tally.changed) % PARTS_ASKED == 0:
            yield offset


def _handed_over(flipper: Flipper, offsets: Sequence[int]) -> object:
    with flipper.flipped(*offsets):
        told = raw(flipper.path)
    flipper.restore()
    return told


def _only_parts(told: object, truth: object) -> bool:
    return isinstance(told, tuple) and isinstance(truth, tuple) and told[:-1] == truth[:-1]
