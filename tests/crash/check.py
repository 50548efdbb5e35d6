"""Open every state as the product would after the power came back, and count what happened."""

import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from crash.disk import Log
from crash.marks import Expectation
from crash.states import Sample, enumerate_states, write_state

RAM_DISK = Path("/dev/shm")  # noqa: S108 - a folder of our own is made inside
EXAMPLES = 5  # bad states of a run that are shown


class Outcome(StrEnum):
    """What opening a state came to; all but the first two are failures."""

    GOOD = "good"
    UNBORN = "not made yet"  # cut before its creation was acknowledged, and refused by its kind
    CORRUPT = "corrupt"
    LOST = "lost"
    UNDEAD = "undead"
    HALF = "half"
    ROLLBACK = "false rollback"
    LOCKED = "locked out"


FAILURES = frozenset(Outcome) - {Outcome.GOOD, Outcome.UNBORN}


class Target(Protocol):
    """The thing under test, as a checker sees it. It is sent to worker processes: no open files."""

    def open(self, folder: Path, expected: Expectation) -> "Finding":
        """Open the vault of a state, verify it in full and list its facts; leave nothing open."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a target found: facts, or the outcome that stopped it."""

    facts: Collection[str] = ()
    outcome: Outcome = Outcome.GOOD
    detail: str = ""


@dataclass(slots=True)
class Tally:
    """Counts of outcomes, and a few of the bad states."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def states(self) -> int:
        return self.counts.total()

    @property
    def failures(self) -> dict[Outcome, int]:
        """The bad outcomes that occurred: empty is what everyone hopes for."""
        return {outcome: n for outcome, n in self.counts.items() if outcome in FAILURES}

    def add(self, finding: Finding, label: str) -> None:
        """Count one state."""
        self.counts[finding.outcome] += 1
        if finding.outcome in FAILURES and len(self.examples) < EXAMPLES:
            self.examples.append(f"{finding.outcome}: {label}: {finding.detail}")

    def merge(self, other: "Tally") -> None:
        """Count the states of another tally too."""
        self.counts += other.counts
        self.examples = (self.examples + other.examples)[:EXAMPLES]


# By the name of the log and the model, strict or not.
Tallies = dict[tuple[str, bool], Tally]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A sample of a log for a target."""

    log: Log
    target: Target
    sample: Sample
    keep: Path | None = None  # where the folders of bad states go


def judge(finding: Finding, expected: Expectation) -> Finding:
    """Compare what was found with what was acknowledged."""
    if finding.outcome is not Outcome.GOOD:
        return finding
    for outcome, facts in (
        (Outcome.LOST, expected.lost(finding.facts)),
        (Outcome.UNDEAD, expected.undead(finding.facts)),
        (Outcome.HALF, expected.strange(finding.facts)),
    ):
        if facts:
            return Finding(outcome=outcome, detail=", ".join(sorted(facts))[:200])
    return finding


def check(work: Work) -> Tally:
    """Check a sample in this process."""
    tally = Tally()
    with scratch_folder() as scratch:
        for number, state in enumerate(enumerate_states(work.log, work.sample)):
            # A folder of its own: if a target leaks an open file, it can't touch the next state.
            folder = scratch / str(number)
            folder.mkdir()
            write_state(state, folder)
            finding = judge(work.target.open(folder, state.expected), state.expected)
            tally.add(finding, state.label)
            shutil.rmtree(folder)
            if work.keep is not None and finding.outcome in FAILURES:
                write_state(state, work.keep / state.label)
    return tally


def check_all(
    logs: Sequence[tuple[Log, Target]],
    *,
    states: int,
    seed: int = 1,
    keep: Path | None = None,
    done: Callable[[Work, Tally], object] = lambda _, __: None,
) -> Tallies:
    """Check about so many states over all logs and both models, on all processors.

    `done` is called after each log and model. The folders of bad states are kept under `keep`.
    """
    works = [replace(work, keep=keep) for work in _share(logs, states=states, seed=seed)]
    tallies: Tallies = {}
    spawn = multiprocessing.get_context("spawn")  # nothing of this process leaks into a vault's
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        for work, tally in zip(works, pool.map(check, works), strict=True):
            tallies[work.log.name, work.sample.strict] = tally
            done(work, tally)
    return tallies


def _share(logs: Sequence[tuple[Log, Target]], *, states: int, seed: int) -> Iterator[Work]:
    """Every log gets as many states, half of them in each model."""
    count = -(-states // (2 * len(logs)))
    for log, target in logs:
        for strict in (False, True):
            sample = Sample(count=count, seed=seed, strict=strict)
            yield Work(log=log, target=target, sample=sample)


def table(tallies: Tallies) -> str:
    """The counts as text, one line for each log and model, and a sum."""
    total = Tally()
    for tally in tallies.values():
        total.merge(tally)
    rows = [["workload", "model", "states", *Outcome]]
    for (name, strict), tally in tallies.items():
        rows.append(_row(name, "POSIX" if strict else "journal", tally))
    rows.append(_row("all", "", total))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *total.examples])


def _row(name: str, model: str, tally: Tally) -> list[str]:
    counts = [f"{tally.counts[outcome]:,}" for outcome in Outcome]
    return [name, model, f"{tally.states:,}", *counts]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder in RAM if this system has a RAM disk; gone afterwards."""
    where = RAM_DISK if os.access(RAM_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="strongroom-crash-", dir=where) as folder:
        yield Path(folder)
