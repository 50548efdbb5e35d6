"""Importing into a vault that has something already."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from support import moving, vaults
from support.moving import EVERYTHING, HEADER, memory, version
from vault_core import Vault
from vault_core.lifecycle.merge import OLDER, OTHER


def bring(vault: Vault, folder: Path, *lines: Any, **options: Any) -> Any:
    """Import these lines."""
    versions = sum(len(line["memory"]["versions"]) for line in lines if "memory" in line)
    memories = sum("memory" in line for line in lines)
    ending = moving.end(memories, versions, items=sum("item" in line for line in lines))
    return vault.import_memories(moving.write(folder / "in.jsonl", [HEADER, *lines, ending]), **options)


def several(id: str, *versions: dict[str, Any]) -> dict[str, Any]:
    """The line of a memory with these versions."""
    return {"memory": {"box": "main", "id": id, "namespace": [], "versions": list(versions)}}


def item(value: str = "AA==", second: int = 0) -> dict[str, Any]:
    """The line of an item."""
    moment = f"2026-01-01T00:00:{second:02d}.000000Z"
    return {
        "item": {
            "box": "main",
            "collection": "c",
            "created_at": moment,
            "key": "k",
            "updated_at": moment,
            "value": value,
        }
    }


def test_a_second_import_commits_nothing(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, moving.empty(tmp_path) as other:
        moving.fill(vault)
        vault.export_memories(tmp_path / "it.jsonl")
        first = other.import_memories(tmp_path / "it.jsonl")
        before = other.stats().commits
        second = other.import_memories(tmp_path / "it.jsonl")
        home = vault.import_memories(tmp_path / "it.jsonl")  # nor does the vault that it came from change

        assert other.stats().commits == before
        assert (second.added, second.updated, second.items, second.commits, second.skipped) == (0, 0, 0, 0, ())
        assert (second.unchanged, second.items_unchanged) == (first.added, first.items) == (home.unchanged, 3)
        assert home.commits == 0


def test_a_second_import_that_does_change_something_is_noticed(tmp_path: Path) -> None:
    """The seeded bug: a reader that gives another time each time would add a version with every import."""
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, memory(second=1))
        before = vault.stats().commits
        assert bring(vault, tmp_path, memory(second=2)).updated == 1
        assert vault.stats().commits == before + 1


def test_a_dry_run_says_the_same_and_brings_nothing(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, moving.empty(tmp_path) as other:
        moving.fill(vault)
        vault.export_memories(tmp_path / "it.jsonl")
        before = other.stats().commits
        tried = other.import_memories(tmp_path / "it.jsonl", dry_run=True)
        assert (other.stats().commits, other.count(**EVERYTHING), other.boxes()) == (before, 0, ["main"])
        done = other.import_memories(tmp_path / "it.jsonl")
        assert (tried.added, tried.items, tried.skipped) == (done.added, done.items, done.skipped)
        assert tried.commits == 0


def test_newer_versions_follow_those_that_are_there(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, several("m", version("one", 1)))
        report = bring(vault, tmp_path, several("m", version("one", 1), version("two", 2), version("three", 3)))
        assert (report.added, report.updated, report.skipped) == (0, 1, ())
        assert [one.text for one in vault.history("m")] == ["one", "two", "three"]


def test_an_older_state_never_overrides_a_newer_one(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, several("m", version("mine", 5)))
        report = bring(vault, tmp_path, several("m", version("theirs", 1), version("theirs too", 2)))
        assert vault.get("m").text == "mine"
        assert [(one.place, one.reason) for one in report.skipped] == [("line 2", OLDER)]
        assert (report.unchanged, report.commits) == (1, 0)


def test_another_state_of_the_same_moment_is_left_out(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, memory(text="mine", second=5))
        report = bring(vault, tmp_path, memory(text="mine", second=5, tags=["theirs"]))
        assert [one.reason for one in report.skipped] == [OTHER]
        assert vault.get("m").tags == ()


def test_of_two_lines_that_went_on_apart_the_newer_holds(tmp_path: Path) -> None:
    base = version("base", 1)
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, several("m", base, version("mine", 3)))
        report = bring(vault, tmp_path, several("m", base, version("theirs", 2), version("newest", 4)))
        assert [one.text for one in vault.history("m")] == ["base", "mine", "newest"]
        assert [one.reason for one in report.skipped] == [OLDER]


def test_a_clock_that_was_set_back_loses_no_version(tmp_path: Path) -> None:
    """What follows the vault's own version is newer, whatever its clock said."""
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, several("m", version("one", 9)))
        bring(vault, tmp_path, several("m", version("one", 9), version("two", 1)))
        assert [one.text for one in vault.history("m")] == ["one", "two"]
        assert bring(vault, tmp_path, several("m", version("one", 9), version("two", 1))).commits == 0


def test_a_pin_of_the_vault_stays(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, memory())
        vault.pin("m")
        assert bring(vault, tmp_path, memory()).commits == 0
        assert vault.get("m").state.pinned


def test_what_was_forgotten_comes_again_if_the_user_imports_it(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, memory())
        vault.forget("m")
        assert bring(vault, tmp_path, memory()).added == 1
        assert vault.get("m").text == "tea"


def test_items_keep_the_newer_value(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        bring(vault, tmp_path, item("AA==", 5))
        older, newer = bring(vault, tmp_path, item("AQ==", 4)), bring(vault, tmp_path, item("Ag==", 6))
        found = vault.items("c").get("k")
        assert (older.items, older.skipped_count, newer.items) == (0, 1, 1)
        assert found is not None
        assert found.value == b"\x02"
        assert bring(vault, tmp_path, item("Ag==", 6)).commits == 0


def test_items_stay_behind_where_a_namespace_is_chosen(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        report = bring(vault, tmp_path, item(), item("AQ=="), memory(), namespace=("x",))
        assert (report.items, report.added, [one.place for one in report.skipped]) == (0, 1, ["items"])
        assert bring(vault, tmp_path, item(), namespace=("x",), items=True).items == 1


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_supersession_is_the_same_whatever_the_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    lines = [
        memory("a", "Paris", slot=["user", "city"], valid_from="2020-01-01T00:00:00Z"),
        memory("b", "Rome", slot=["user", "city"], valid_from="2022-01-01T00:00:00Z"),
        memory("c", "Oslo", slot=["user", "city"], valid_from="2021-01-01T00:00:00Z", supersedes=["d"]),
    ]
    with moving.empty(tmp_path) as vault:
        for number in order:
            bring(vault, tmp_path, lines[number])
        bring(vault, tmp_path, memory("d", "late"))
        assert vaults.texts(vault) == ["Rome"]


def test_the_same_id_twice_in_a_file_is_one_memory(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        report = bring(vault, tmp_path, memory(text="one", second=1), memory(text="two", second=2), memory(text="0"))
        assert [one.text for one in vault.history("m")] == ["one", "two"]
        assert [one.place for one in report.skipped] == ["line 4"]


def test_a_read_only_vault_can_try_and_not_import(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    from vault_core import SessionStateError

    with vaults.reopen(tmp_path, read_only=True) as vault:
        assert bring(vault, tmp_path, memory(), dry_run=True).added == 1
        with pytest.raises(SessionStateError):
            bring(vault, tmp_path, memory())


def test_an_import_is_awaited_too(tmp_path: Path) -> None:
    import asyncio

    async def live(vault: Vault) -> int:
        await vault.aio.export_memories(tmp_path / "it.jsonl")
        return (await vault.aio.import_memories(tmp_path / "it.jsonl")).unchanged

    with moving.empty(tmp_path) as vault:
        vault.add("tea")
        assert asyncio.run(live(vault)) == 1


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with moving.empty(tmp_path) as vault:
        for number in range(3):
            vault.add(f"tea {number}")
        vault.export_memories(tmp_path / "it.jsonl", progress=lambda *at: told.append(at))
        assert told == [(1, 3), (2, 3), (3, 3)]
        told.clear()
        vault.import_memories(tmp_path / "it.jsonl", progress=lambda *at: told.append(at))
        size = (tmp_path / "it.jsonl").stat().st_size
        assert told[-1] == (size, size)


def test_the_versions_of_a_line_are_all_brought_by_one_commit(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        before = vault.stats().commits
        bring(vault, tmp_path, several("m", *(version(f"v{number}", number) for number in range(50))), memory("n"))
        assert vault.stats().commits == before + 1
        assert len(vault.history("m")) == 50


def test_a_report_is_json(tmp_path: Path) -> None:
    from vault_core.cli.output import as_json

    with moving.empty(tmp_path) as vault:
        assert (
            json.loads(as_json(bring(vault, tmp_path, memory(), memory(text="older"))))["skipped"][0]["place"]
            == "line 3"
        )
