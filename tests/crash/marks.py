"""What a workload says about its steps, and what may therefore be found after a power cut.

A *fact* is a short text that names something a reader of the vault can see, such as a memory with
all its fields. A step adds facts and removes others, all at once or not at all. It says so before
it begins and after the vault has acknowledged it:

- after the second mark, what it added must be there and what it removed must be gone;
- between the marks it may have happened or not, but never half;
- without a mark nothing may appear.
"""

import itertools
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MARKS = "marks"  # the file that the recorder reads as marks, and that is no part of any state


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One acknowledged action of a workload."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


class Marker:
    """The workload's pen. Each process has one of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._numbers = itertools.count()

    @contextmanager
    def step(self, add: Collection[str] = (), remove: Collection[str] = ()) -> Iterator[None]:
        """Announce a step, let it happen, and say that it was acknowledged."""
        name = f"{os.getpid()}.{next(self._numbers)}"
        self._say({"begin": name, "add": list(add), "remove": list(remove)})
        yield
        self._say({"end": name})

    def _say(self, message: object) -> None:
        os.write(self._file, json.dumps(message).encode())


@dataclass(slots=True)
class Witness:
    """What was announced and acknowledged so far, and so what a reader may find."""

    facts: set[str] = field(default_factory=set)
    underway: dict[str, Step] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    acknowledged: int = 0

    def hear(self, mark: bytes) -> None:
        """Take in one mark."""
        message = json.loads(mark)
        if "begin" in message:
            self.underway[message["begin"]] = Step(
                added=frozenset(message["add"]), removed=frozenset(message["remove"])
            )
            return
        step = self.underway.pop(message["end"])
        self.facts = self.facts - step.removed | step.added
        self.removed = self.removed - step.added | step.removed
        self.acknowledged += 1

    def snapshot(self) -> "Expectation":
        """What is expected at this moment."""
        return Expectation(
            facts=frozenset(self.facts),
            removed=frozenset(self.removed),
            underway=tuple(self.underway.values()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The facts that must be there, those that must not, and the steps that may have happened."""

    facts: frozenset[str]
    removed: frozenset[str]
    underway: tuple[Step, ...]

    def lost(self, found: Collection[str]) -> set[str]:
        """Acknowledged facts that are missing."""
        leaving = {fact for step in self.underway for fact in step.removed}
        return set(self.facts) - leaving - set(found)

    def undead(self, found: Collection[str]) -> set[str]:
        """Facts that are there after their removal was acknowledged."""
        coming = {fact for step in self.underway for fact in step.added}
        return (set(found) & self.removed) - coming

    def strange(self, found: Collection[str]) -> set[str]:
        """Facts that nobody announced, and those of steps that happened by half."""
        here = set(found)
        coming = {fact for step in self.underway for fact in step.added}
        strange = here - self.facts - self.removed - coming
        for step in self.underway:
            done = (step.added <= here) and not (step.removed & here)
            undone = not (step.added & here) and (step.removed <= here)
            if not (done or undone):
                strange |= step.added | step.removed
        return strange
