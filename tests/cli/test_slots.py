"""The ways to unlock a vault."""

import shlex
from pathlib import Path

import pytest

from cli.fake_keyring import FakeKeyring
from cli.program import QUICK, Program, command_that_prints, on_terminal
from vault_core import CommandKey, FileKey, KeyringKey, Passphrase, RecoveryKey, Vault, WrongPassphraseError

OLD, NEW = "plum anchor violet lantern", "copper meadow thistle quarry"


def kinds(strongroom: Program) -> list[str]:
    return [slot["kind"] for slot in strongroom.json("slots")["slots"]]


def with_passphrase(place: Path, key_file: Path) -> None:
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        vault.add_slot(Passphrase(OLD), kdf=QUICK)


@pytest.mark.usefixtures("place")
def test_slots_are_listed(strongroom: Program) -> None:
    listed = strongroom("slots")

    assert listed.out == strongroom("slots", "list").out
    assert listed.out.split()[1] == "file"


def test_a_passphrase_is_added_from_the_environment(
    place: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_NEW_PASSPHRASE", NEW)

    added = strongroom.json("slots", "add", "passphrase")

    assert added["slot"]["kind"] == "passphrase"
    Vault.open(place, passphrase=NEW).close()


def test_a_recovery_key_is_added_and_printed(place: Path, strongroom: Program) -> None:
    text = strongroom("slots", "add", "recovery").out.splitlines()[-1]

    Vault.open(place, unlock=RecoveryKey(text)).close()


def test_a_key_file_is_made_for_its_owner_alone(place: Path, tmp_path: Path, strongroom: Program) -> None:
    path = tmp_path / "another key"

    assert strongroom("slots", "add", "file", "--file", str(path)).code == 0

    assert path.stat().st_mode & 0o777 == 0o600
    Vault.open(place, unlock=FileKey(path)).close()


def test_a_key_file_that_is_there_is_used_and_not_overwritten(place: Path, key_file: Path, strongroom: Program) -> None:
    before = key_file.read_text()

    assert strongroom("slots", "add", "file", "--file", str(key_file)).code == 0

    assert key_file.read_text() == before
    assert kinds(strongroom) == ["file", "file"]


def test_a_command_s_key_is_made_here_and_kept_elsewhere(place: Path, tmp_path: Path, strongroom: Program) -> None:
    command = command_that_prints(strongroom("slots", "new-key").out.strip(), tmp_path / "password manager")

    assert strongroom("slots", "add", "command", "--command", command).code == 0

    Vault.open(place, unlock=CommandKey(shlex.split(command))).close()


def test_the_keyring_s_key_is_kept_when_there_is_one(place: Path, keyring: FakeKeyring, strongroom: Program) -> None:
    assert strongroom("slots", "add", "keyring").code == 0
    (first,) = keyring.entries.values()
    assert strongroom("slots", "add", "keyring").code == 0

    assert list(keyring.entries.values()) == [first]
    Vault.open(place, unlock=KeyringKey()).close()


def test_a_slot_is_removed(place: Path, strongroom: Program) -> None:
    added = strongroom.json("slots", "add", "recovery")

    assert strongroom("slots", "remove", added["slot"]["id"], "--yes").code == 0

    assert kinds(strongroom) == ["file"]
    with pytest.raises(WrongPassphraseError):
        Vault.open(place, unlock=RecoveryKey(added["recovery_key"]))


def test_a_person_is_asked_before_a_slot_is_removed(place: Path, strongroom: Program) -> None:
    slot = strongroom.json("slots", "add", "recovery")["slot"]["id"]

    kept = on_terminal("slots", "remove", slot, answers=[("Remove this slot?", "n")])
    assert (kept.code, kinds(strongroom)) == (1, ["file", "recovery"])

    removed = on_terminal("slots", "remove", slot, answers=[("Remove this slot?", "y")])
    assert (removed.code, kinds(strongroom)) == (0, ["file"])


def test_a_passphrase_is_changed(
    place: Path, key_file: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_passphrase(place, key_file)
    monkeypatch.delenv("STRONGROOM_PASSPHRASE_FILE")
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", OLD)
    monkeypatch.setenv("STRONGROOM_NEW_PASSPHRASE", NEW)

    assert strongroom("slots", "change-passphrase").code == 0

    Vault.open(place, passphrase=NEW).close()
    assert strongroom("slots").code == 4


def test_a_person_changes_a_passphrase_on_a_terminal(
    place: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_passphrase(place, key_file)
    monkeypatch.delenv("STRONGROOM_PASSPHRASE_FILE")

    changed = on_terminal(
        "slots", "change-passphrase", answers=[("Passphrase:", OLD), ("New passphrase", NEW), ("again", NEW)]
    )

    assert changed.code == 0
    Vault.open(place, passphrase=NEW).close()


def test_a_rotation_keeps_what_is_at_hand_and_says_what_it_drops(
    place: Path, tmp_path: Path, strongroom: Program
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(strongroom.json("slots", "add", "recovery")["recovery_key"])
    dropped = strongroom.json("slots", "add", "recovery")["slot"]["id"]

    done = strongroom.json("slots", "rotate", "--keep-file", str(kept), "--yes")

    assert done["generation"] == 2
    assert [slot["kind"] for slot in done["kept"]] == ["file", "recovery"]
    assert [slot["id"] for slot in done["dropped"]] == [dropped]
    assert strongroom("slots").code == 0
    assert strongroom("status").out.count("generation 2") == 1


@pytest.mark.usefixtures("place")
def test_a_rotation_that_nobody_confirms_does_not_happen(strongroom: Program) -> None:
    assert strongroom("slots", "rotate").code == 3

    assert strongroom.json("status")["key_generation"] == 1
