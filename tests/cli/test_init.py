"""Making a vault."""

from pathlib import Path

import pytest

from cli.program import Program, on_terminal
from vault_core import RecoveryKey, Vault

GOOD = "plum anchor violet lantern"


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a vault is to be made."""
    path = tmp_path / "new.vault"
    monkeypatch.setenv("STRONGROOM_VAULT", str(path))
    return path


def test_a_vault_is_made_with_the_passphrase_of_the_environment(
    new: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", GOOD)

    made = strongroom.json("init", "--owner", "Maya")

    assert made["vault"] == str(new)
    assert [slot["kind"] for slot in made["slots"]] == ["passphrase"]
    assert "recovery_key" not in made
    with Vault.open(new, passphrase=GOOD) as vault:
        assert vault.stats().owner == "Maya"


def test_the_recovery_key_is_printed_once_and_opens_the_vault(
    new: Path, key_file: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_FILE", str(key_file))

    made = strongroom("init", "--recovery-key")

    printed = [line for line in made.out.splitlines() if line.startswith("STRONGROOM-RECOVERY-1")]
    assert len(printed) == 1
    Vault.open(new, unlock=RecoveryKey(printed[0])).close()
    assert "STRONGROOM-RECOVERY" not in strongroom("slots").out


def test_the_recovery_key_is_in_the_document(
    new: Path, key_file: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_FILE", str(key_file))

    made = strongroom.json("init", "--recovery-key")

    assert [slot["kind"] for slot in made["slots"]] == ["file", "recovery"]
    Vault.open(new, unlock=RecoveryKey(made["recovery_key"])).close()


def test_a_person_is_asked_twice_and_offered_a_recovery_key(new: Path) -> None:
    made = on_terminal("init", answers=[("Passphrase for the new vault", GOOD), ("again", GOOD), ("recovery key", "y")])

    assert made.code == 0
    assert "STRONGROOM-RECOVERY-1" in made.out
    assert "STRONGROOM-RECOVERY-1" not in made.err
    assert GOOD not in made.err
    Vault.open(new, passphrase=GOOD).close()


def test_a_person_gets_another_try_after_a_slip_and_a_weak_one(new: Path) -> None:
    asked = "Passphrase for the new vault"
    answers = [(asked, GOOD), ("again", GOOD + "x"), (asked, "weak"), (asked, GOOD), ("again", GOOD)]

    made = on_terminal("init", "--no-recovery-key", answers=answers)

    assert made.code == 0
    assert "the two are not the same" in made.err
    assert "too weak" in made.err
    Vault.open(new, passphrase=GOOD).close()


def test_a_weak_passphrase_makes_no_vault(new: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "weak")

    assert strongroom("init").code == 3
    assert not new.exists()


def test_without_a_passphrase_or_a_person_no_vault_is_made(new: Path, strongroom: Program) -> None:
    told = strongroom("init")

    assert told.code == 3
    assert "hint: set STRONGROOM_PASSPHRASE_FILE" in told.err
    assert not new.exists()


def test_a_vault_that_is_there_is_left_alone_before_anyone_is_asked(place: Path) -> None:
    told = on_terminal("init", answers=[])

    assert told.code == 10
    assert "Passphrase" not in told.err
