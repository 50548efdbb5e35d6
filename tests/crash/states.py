"""The states that a power cut may leave, enumerated from a workload's log.

For every prefix of the log: everything in flight arrived, nothing of it did, and seeded random
states in between, until there are as many as asked for. (A sample too small for that takes a seeded
part of the prefixes, along the whole log.) Each one is given once: a state with the same files and
the same acknowledgements as an earlier one is skipped and not counted. The same log and seed give
the same states.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from crash.disk import Choice, Disk, Log, Mark
from crash.marks import Expectation, Witness

LEAST_TURNS = 4  # a small sample is spread along the log: all, none, and two random states
PATIENCE = 20  # rounds without a new state after which a log has no more to give


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is left on the disk, and what must be found there."""

    label: str  # enough to make it again from the log: prefix, round, model, seed
    files: dict[str, bytearray]
    expected: Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Which states of a log are wanted."""

    count: int
    seed: int
    strict: bool = False


def enumerate_states(log: Log, sample: Sample) -> Iterator[State]:
    """States of a log, fewer than wanted only if it has no more to give."""
    density = sample.count / (LEAST_TURNS * len(log.ops))
    seen: set[bytes] = set()
    idle = turn = 0
    while len(seen) < sample.count and idle < PATIENCE:
        before = len(seen)
        for state in _turn(log, sample, turn, density, seen):
            yield state
            if len(seen) >= sample.count:
                return
        idle = 0 if len(seen) > before else idle + 1
        turn += 1


def write_state(state: State, folder: Path) -> None:
    """Lay the files of a state down in an empty folder."""
    for name, body in state.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def _turn(log: Log, sample: Sample, turn: int, density: float, seen: set[bytes]) -> Iterator[State]:
    """One walk along the log. The first two are "all" and "none", the others are random."""
    disk, witness = Disk.before(log, strict=sample.strict), Witness()
    for number, op in enumerate(log.ops):
        disk.step(number, op)
        if isinstance(op, Mark):
            witness.hear(op.body)
        label = f"{log.name} seed={sample.seed} strict={sample.strict} op={number} turn={turn}"
        random = Random(label)
        if random.random() >= density:
            continue
        choice = _choose(disk, turn, random)
        files = disk.after(choice)
        key = _digest(files, witness.acknowledged)
        if key not in seen:
            seen.add(key)
            yield State(label=label, files=files, expected=witness.snapshot())


def _digest(files: dict[str, bytearray], acknowledged: int) -> bytes:
    digest = hashlib.sha256(b"%d" % acknowledged)
    for name in sorted(files):
        digest.update(b"%s %d " % (name.encode(), len(files[name])))
        digest.update(files[name])
    return digest.digest()


def _choose(disk: Disk, turn: int, random: Random) -> Choice:
    match turn:
        case 0:
            return disk.all()
        case 1:
            return disk.none()
        case _:
            return disk.some(random)
