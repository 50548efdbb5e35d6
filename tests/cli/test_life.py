"""`strongroom forget --weaker-than`, `expire`, `briefing`, `trust`: a memory's life on the command line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.program import Program
from vault_core import FileKey, Vault
from vault_core.testing import FakeClock

LONG_AGO = datetime.now(UTC) - timedelta(days=2000)


@pytest.fixture
def old(place: Path, key_file: Path) -> Path:
    """A vault with three memories of years ago, one of them pinned."""
    clock = FakeClock(LONG_AGO)
    with clock.drive(Vault.open(place, unlock=FileKey(key_file))) as vault:
        for number in range(3):
            vault.add(f"cup number {number}", id=f"cup{number}", memory_type="EPISODIC")
        vault.pin("cup2")
    return place


ALL = ["--weaker-than", "0.5", "--keep", "0", "--retain", "0"]


def test_what_has_grown_weak_is_hidden_and_pinning_brings_it_back(strongroom: Program, old: Path) -> None:
    told = strongroom("forget", *ALL, "--dry-run")
    assert told.out.startswith("would hide 2 memories in 2 versions, until ")
    assert strongroom.json("list")["total"] == 3

    assert strongroom("forget", *ALL, "--yes").out.startswith("hid 2 memories")
    assert [one["id"] for one in strongroom.json("list")["memories"]] == ["cup2"]
    assert strongroom("pin", "cup0").code == 0
    assert {one["id"] for one in strongroom.json("list")["memories"]} == {"cup0", "cup2"}


def test_a_policy_that_would_forget_everything_needs_a_yes(strongroom: Program, old: Path) -> None:
    refused = strongroom("forget", "--weaker-than", "1", "--keep", "0", "--retain", "0", "--ghost-days", "0")

    assert refused.code == 3
    assert "--yes" in refused.err
    assert strongroom.json("list")["total"] == 3


def test_without_days_it_is_erased_at_once(strongroom: Program, old: Path) -> None:
    done = strongroom("forget", *ALL, "--ghost-days", "0", "--yes")

    assert done.out == "erased 2 memories in 2 versions\n"
    assert strongroom("show", "cup0").code == 9


def test_by_default_a_small_vault_forgets_nothing(strongroom: Program, old: Path) -> None:
    assert strongroom.json("forget", "--weaker-than", "1", "--yes")["memories"] == 0


@pytest.mark.parametrize("given", [[], ["cup0", "--weaker-than", "0.5"]])
def test_forget_wants_ids_or_a_strength(strongroom: Program, old: Path, given: list[str]) -> None:
    refused = strongroom("forget", *given, "--yes")

    assert refused.code == 3
    assert "ids, or --weaker-than" in refused.err
    assert strongroom.json("list")["total"] == 3


def test_a_policy_that_makes_no_sense_is_refused(strongroom: Program, old: Path) -> None:
    assert strongroom("forget", "--weaker-than", "7", "--yes").code == 3


def test_expire_erases_what_has_expired(strongroom: Program, place: Path, key_file: Path) -> None:
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        vault.add("the shop closes at six", expires_at=LONG_AGO)

    assert strongroom("expire", "--dry-run").out == "would erase 1 memory in 1 version\n"
    assert strongroom.json("expire")["memories"] == 1
    assert strongroom.json("expire")["memories"] == 0


def test_a_briefing_is_printed_as_it_is_handed_to_an_agent(strongroom: Program, place: Path) -> None:
    assert strongroom("briefing").out == ""
    strongroom("add", "I prefer\x1b[31m tea", "--type", "PERSONA")

    assert strongroom("briefing").out == "## About the user\n- I prefer\\x1b[31m tea\n"
    document = strongroom.json("briefing", "--max-tokens", "100")
    assert (document["left_out"], len(document["memories"])) == (0, 1)
    assert strongroom("briefing", "--max-tokens", "1").code == 3


def test_trust_is_the_users_word(strongroom: Program, place: Path, key_file: Path) -> None:
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        vault.add("The user prefers tea", id="tea", origin="web")

    assert strongroom("search", "tea").out == "nothing found\n"
    assert "untrusted" in strongroom("search", "tea", "--all").out
    assert strongroom("trust", "tea").out == "tea is trusted\n"
    assert "prefers tea" in strongroom("search", "tea").out
    assert strongroom.json("trust", "tea", "--undo") == {"id": "tea", "trust": "untrusted"}
    assert strongroom("trust", "nobody").code == 9
