"""The audit trail: every change from the log, with who and when, and of what was erased only place and time."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.copies import storage
from support.processes import Other
from vault_core import (
    Change,
    Draft,
    InvalidInputError,
    MemoryNotFoundError,
    SessionStateError,
    Vault,
    VaultTamperedError,
)
from vault_core.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def vault(tmp_path: Path, clock: FakeClock) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        yield clock.drive(vault)


def kinds(changes: Iterator[Change]) -> list[tuple[str, str | None]]:
    return [(change.kind, change.id) for change in changes]


def test_every_change_is_there_in_order_with_its_writer_time_and_reason(vault: Vault, clock: FakeClock) -> None:
    begin = clock.now
    steps: list[Callable[[], Any]] = [
        lambda: vault.add("tea", id="drink", reason="said so"),
        lambda: vault.update("drink", content="coffee", reason="changed"),
        lambda: vault.touch(["drink"], expires_at="2030-01-01"),
        lambda: vault.pin("drink"),
        lambda: vault.pin("drink", undo=True),
        lambda: vault.archive("drink"),
        lambda: vault.archive("drink", undo=True),
        lambda: vault.items("chat").put("a", b"1"),
        lambda: vault.add_box("work"),
        lambda: vault.add("desk", id="d", namespace=("me", "work"), box="work"),
        lambda: vault.add("desk", namespace=("me", "work"), box="work"),
    ]
    for step in steps:
        clock.advance(hours=1)
        step()
    found = list(vault.changes(since=2))

    assert kinds(iter(found)) == [
        ("written", "drink"), ("written", "drink"), ("refreshed", "drink"), ("expires", "drink"), ("pinned", "drink"),
        ("unpinned", "drink"), ("archived", "drink"), ("unarchived", "drink"), ("item", None), ("header", None),
        ("written", "d"), ("refreshed", "d"),
    ]  # fmt: skip
    assert [change.reason for change in found[:3]] == ["said so", "changed", None]
    assert [change.time - begin for change in found[:3]] == [timedelta(hours=number) for number in (1, 2, 3)]
    assert {change.writer for change in found} == {vault.get("drink").provenance["session"]}
    assert {change.program for change in found} == {vault.get("drink").provenance["program"]}
    assert (found[-1].box, found[-1].namespace, found[-1].seq) == ("work", ("me", "work"), vault.stats().commits)
    assert found[1].version == vault.get("drink").version
    assert next(vault.changes()).kind == "header"


def test_the_changes_of_one_memory_are_its_whole_line(vault: Vault) -> None:
    for namespace in ((), ("me",)):
        vault.add("tea", id="drink", namespace=namespace)
    vault.pin("drink")
    vault.touch(["drink"], namespace=("me",))

    assert kinds(vault.changes("drink")) == [("written", "drink"), ("pinned", "drink")]
    assert kinds(vault.changes("drink", namespace=("me",))) == [("written", "drink"), ("refreshed", "drink")]
    with pytest.raises(MemoryNotFoundError):
        vault.changes("nobody")


def test_of_what_was_erased_only_place_and_time_are_left(vault: Vault) -> None:
    vault.add("tea", id="drink", namespace=("me",), reason="said so")
    vault.pin("drink", namespace=("me",))
    vault.forget("drink", namespace=("me",))
    found = list(vault.changes(since=2))

    assert [change.kind for change in found] == ["written", "pinned", "erased"]
    assert {(change.id, change.namespace, change.reason, change.version) for change in found} == {
        (None, None, None, found[0].version)
    }
    assert all(change.writer and change.time for change in found)
    assert list(vault.changes(namespace=("me",))) == []


def test_a_part_of_the_trail_by_time_commit_number_box_and_namespace(vault: Vault, clock: FakeClock) -> None:
    vault.add_box("work")
    for number in range(5):
        clock.advance(days=1)
        vault.add(f"note {number}", id=str(number), namespace=("a", "b") if number % 2 else ())
    vault.add("desk", id="d", box="work")

    assert [change.id for change in vault.changes(since=clock.now - timedelta(days=1), box="main")] == ["3", "4"]
    assert [change.id for change in vault.changes(since=6)] == ["3", "4", "d"]
    assert [change.id for change in vault.changes(since=6, limit=1)] == ["3"]
    assert [change.id for change in vault.changes(namespace=("a",))] == ["1", "3"]
    assert [change.id for change in vault.changes(box="work")] == ["d"]
    assert list(vault.changes(limit=0)) == []


@pytest.mark.parametrize(
    "wrong",
    [{"since": "yesterday"}, {"since": -1}, {"since": 1.5}, {"limit": -1}, {"namespace": [1]}, {"box": "none"},
     {"id": ""}, {"id": 7}],
)  # fmt: skip
def test_a_wrong_argument_is_refused_at_once(vault: Vault, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        vault.changes(**wrong)


def write_a_note(pipe: Connection, folder: Path) -> None:
    with vaults.reopen(folder) as vault:
        pipe.send(vault.add("theirs").provenance["session"])


def test_two_processes_are_told_apart(vault: Vault, tmp_path: Path) -> None:
    ours = vault.add("ours").provenance["session"]
    with Other(write_a_note, tmp_path) as other:
        theirs = other.hear()

    assert [change.writer for change in vault.changes(since=2)] == [ours, theirs]
    assert ours != theirs


def test_a_long_trail_is_read_in_steps_while_others_write(vault: Vault) -> None:
    for number in range(450):
        vault.items("chat").put("key", b"%d" % number)
    found = vault.changes(since=2)
    first = list(islice(found, 3))
    vault.add("meanwhile")

    assert sum(change.kind == "item" for change in (*first, *found)) == 450


def test_a_trail_ends_with_its_session(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add_many([Draft(content=str(number)) for number in range(3)])
        found = vault.changes()
    with pytest.raises(SessionStateError):
        next(found)


def test_a_changed_entry_is_noticed_on_the_way(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        for number in range(3):
            vault.add(f"note {number}")
        with storage() as side:
            side.change(tmp_path / vaults.NAME, "UPDATE entry SET body = zeroblob(length(body)) WHERE seq = 3")
        with pytest.raises(VaultTamperedError):
            list(vault.changes())


def test_changes_come_to_a_coroutine(vault: Vault) -> None:
    vault.add("tea", id="drink")

    async def read() -> list[str | None]:
        return [change.id async for change in vault.aio.changes("drink")]

    assert asyncio.run(read()) == ["drink"]


def test_verifying_everything_says_how_far_it_is_and_opens_every_record(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add_many([Draft(content=f"note {number}") for number in range(1_200)])
        told: list[tuple[int, int]] = []
        report = vault.verify(full=True, progress=lambda done, total: told.append((done, total)))

        assert (report.opened, report.records) == (True, 1_200)
        assert len(told) >= 3
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
