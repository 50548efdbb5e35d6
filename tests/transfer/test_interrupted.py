"""An import that was killed: whole memories are there, and running it again completes it."""

from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from support import moving, vaults
from support.moving import EVERYTHING, HEADER, end, version
from support.processes import Other
from vault_core import SqliteStore, UnavailableError, Vault
from vault_core.session import arriving
from vault_core.testing import Fault, FaultyStore

MEMORIES = 250
AT_ONCE = 20


def source(folder: Path) -> Path:
    """An export of memories with two versions each."""
    lines = [
        {
            "memory": {
                "box": "main",
                "id": f"m{number:04d}",
                "namespace": [],
                "versions": [version(f"{number}", 0), version(f"{number} again", 1)],
            }
        }
        for number in range(MEMORIES)
    ]
    return moving.write(folder / "in.jsonl", [HEADER, *lines, end(MEMORIES, 2 * MEMORIES)])


def importing(pipe: Connection, folder: str) -> None:
    """Import, and wait for a word at every report of progress."""
    arriving._MEMORIES = AT_ONCE

    def told(done: int, total: int) -> None:
        pipe.send((done, total))
        pipe.recv()

    with vaults.reopen(Path(folder)) as vault:
        vault.import_memories(Path(folder) / "in.jsonl", progress=told)


@pytest.mark.parametrize("reports", [1, 2])
def test_an_import_that_was_killed_is_completed_by_the_next(tmp_path: Path, reports: int) -> None:
    vaults.create(tmp_path).close()
    path = source(tmp_path)
    other = Other(importing, str(tmp_path))
    for _ in range(reports - 1):
        other.ask()
    other.hear()
    other.kill()
    with vaults.reopen(tmp_path) as vault:
        there = list(vault.stream(**EVERYTHING))
        assert 0 < len(there) < MEMORIES
        assert len(there) % AT_ONCE == 0
        assert all(len(vault.history(memory.id)) == 2 for memory in there)  # no memory came half

        report = vault.import_memories(path)
        again = vault.import_memories(path)

        assert (report.added, report.unchanged) == (MEMORIES - len(there), len(there))
        assert (again.commits, again.unchanged) == (0, MEMORIES)
        assert all(len(vault.history(memory.id)) == 2 for memory in vault.stream(**EVERYTHING))
        vault.verify(full=True)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.AMBIGUOUS])
def test_a_commit_that_fails_in_the_middle_is_made_good_by_the_next_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(arriving, "_MEMORIES", AT_ONCE)
    path, store = source(tmp_path), FaultyStore(SqliteStore(tmp_path / "faulty.vault", create=True), counted=["append"])
    with Vault.create(store, unlock=vaults.key_in(tmp_path)) as vault:
        store.fail(fault, at=3)
        with pytest.raises(UnavailableError) as failed:
            vault.import_memories(path)
        before = vault.count()
        assert before == AT_ONCE * (3 + fault.persists)
        assert f"{3 * AT_ONCE} memories were brought before, and stay" in failed.value.__notes__[-1]

        report = vault.import_memories(path)

        assert (report.added, report.unchanged) == (MEMORIES - before, before)
        assert all(len(vault.history(memory.id)) == 2 for memory in vault.stream(**EVERYTHING))
        vault.verify(full=True)


def test_an_interruption_leaves_whole_memories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "_MEMORIES", AT_ONCE)
    path = source(tmp_path)

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with moving.empty(tmp_path) as vault:
        with pytest.raises(KeyboardInterrupt):
            vault.import_memories(path, progress=stop)
        assert 0 < vault.count() < MEMORIES
        assert vault.import_memories(path).skipped == ()
        assert vault.count() == MEMORIES
