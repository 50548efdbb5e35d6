"""The harness on a small stand-in for the vault: what is right passes, what is wrong is found."""

import hashlib
from pathlib import Path

import pytest

from crash import strace
from crash.check import Outcome, Tally, Work, check
from crash.disk import DROPPED, KEPT, Choice, Disk, Link, Log, Sync, SyncFolder, Write
from crash.raw import Fault, RawTarget
from crash.record import record
from crash.states import Sample, enumerate_states
from crash.strace import TraceError

pytestmark = pytest.mark.skipif(strace.absent() is not None, reason=strace.absent() or "")

FOUND_BY = {
    Fault.NORMAL: {Outcome.LOST, Outcome.ROLLBACK},
    Fault.SPLIT: {Outcome.CORRUPT},
    Fault.EARLY_ANCHOR: {Outcome.ROLLBACK},
    Fault.TORN_ANCHOR: {Outcome.ROLLBACK},
    Fault.EARLY_ERASE: {Outcome.UNDEAD},
    Fault.BATCH_SPLIT: {Outcome.HALF},
}


def raw_log(folder: Path, *, fault: Fault = Fault.NONE, writers: str = "a") -> Log:
    return record(fault, ["-m", "crash.raw", fault, *writers], folder=folder)


def tally(log: Log, *, strict: bool, count: int = 600) -> Tally:
    sample = Sample(count=count, seed=1, strict=strict)
    return check(Work(log=log, target=RawTarget(), sample=sample))


@pytest.mark.parametrize("strict", [False, True], ids=["journal", "POSIX"])
@pytest.mark.parametrize("writers", ["a", "abc"], ids=["one", "three"])
def test_a_careful_program_survives_every_power_cut(tmp_path: Path, writers: str, *, strict: bool) -> None:
    result = tally(raw_log(tmp_path, writers=writers), strict=strict, count=1000)

    assert result.failures == {}, result.examples
    assert result.counts[Outcome.GOOD] > 800


@pytest.mark.parametrize("fault", FOUND_BY, ids=lambda fault: fault.name.lower())
def test_a_seeded_fault_is_found(tmp_path: Path, fault: Fault) -> None:
    log = raw_log(tmp_path, fault=fault)

    found = tally(log, strict=False).failures.keys() | tally(log, strict=True).failures.keys()

    assert found >= FOUND_BY[fault]


def test_the_same_log_and_seed_give_the_same_states(tmp_path: Path) -> None:
    log = raw_log(tmp_path)

    def states(seed: int) -> list[tuple[str, str]]:
        sample = Sample(count=200, seed=seed, strict=True)
        return [(state.label, digest(state.files)) for state in enumerate_states(log, sample)]

    assert states(1) == states(1)
    assert states(1) != states(2)


def test_no_state_comes_twice(tmp_path: Path) -> None:
    states = [
        (digest(state.files), state.expected.facts, state.expected.removed)
        for state in enumerate_states(raw_log(tmp_path), Sample(count=800, seed=1))
    ]

    assert len(states) == 800
    assert len(set(states)) == 800


def test_without_a_sync_anything_may_be_missing() -> None:
    disk = disk_with_a_write()

    assert disk.after(disk.all()) == {"vault": b"x" * 1024}
    assert disk.after(disk.none()) == {}
    half = Choice(writes=((1, bytes([KEPT, DROPPED])),), names=(0,))
    assert disk.after(half) == {"vault": b"x" * 512}


def test_a_sync_makes_a_write_durable_and_its_folder_makes_the_name_durable() -> None:
    disk = disk_with_a_write(strict=True)

    disk.step(2, Sync(file=0, began=3))
    assert disk.after(disk.none()) == {}
    disk.step(3, SyncFolder(folder=".", began=4))
    assert disk.after(disk.none()) == {"vault": b"x" * 1024}


def test_a_sync_does_not_cover_a_write_that_ends_after_it_began() -> None:
    disk = disk_with_a_write()

    disk.step(2, Sync(file=0, began=1))

    assert disk.after(disk.none()) == {"vault": b""}


@pytest.mark.parametrize(
    "script",
    [
        "import mmap; f = open('f', 'w+b'); f.write(b'xx'); f.flush(); mmap.mmap(f.fileno(), 2)",
        "f = open('f', 'ab'); f.write(b'x')",
        "import os; os.sync()",
        "import os; open('f', 'x'); os.truncate('f', 5)",
    ],
    ids=["mapping", "append", "sync", "truncate"],
)
def test_what_the_recorder_does_not_model_is_refused(tmp_path: Path, script: str) -> None:
    with pytest.raises(TraceError, match="model"):
        record("foreign", ["-c", script], folder=tmp_path)


def test_a_workload_that_fails_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="ZeroDivisionError"):
        record("failing", ["-c", "1 / 0"], folder=tmp_path)


def test_a_missing_strace_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(TraceError, match="apt-get install strace"):
        strace.require.__wrapped__()


def disk_with_a_write(*, strict: bool = False) -> Disk:
    disk = Disk(strict=strict)
    disk.step(0, Link(name="vault", file=0, ended=0))
    disk.step(1, Write(file=0, offset=0, body=b"x" * 1024, ended=2))
    return disk


def digest(files: dict[str, bytearray]) -> str:
    parts = [name.encode() + hashlib.sha256(body).digest() for name, body in sorted(files.items())]
    return hashlib.sha256(b"".join(parts)).hexdigest()
