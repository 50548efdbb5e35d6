"""`strongroom unlock` and `lock`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.program import QUICK, Program, on_terminal, spawn
from support import agents
from vault_core import FileKey, Passphrase, Vault
from vault_core.keys import agent

RIGHT, WRONG = "plum anchor violet lantern", "some other words entirely"


@pytest.fixture(autouse=True)
def no_agent_left(alone: None) -> Iterator[None]:
    with agents.none_left():
        yield


@pytest.fixture
def locked(place: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vault with a passphrase, and nothing in the environment that opens it."""
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        vault.add_slot(Passphrase(RIGHT), kdf=QUICK)
        vault.add("green tea")
    monkeypatch.delenv("STRONGROOM_PASSPHRASE_FILE")
    return place


def test_unlocking_asks_once_and_every_command_after_it_asks_nobody(locked: Path) -> None:
    unlocked = on_terminal("unlock", answers=[("Passphrase:", WRONG), ("Passphrase:", RIGHT)])
    assert (unlocked.code, unlocked.out.startswith(f"unlocked {locked}")) == (0, True)
    assert RIGHT not in unlocked.err

    assert "green tea" in spawn("list").out
    assert on_terminal("list", answers=[]).code == 0


@pytest.mark.usefixtures("locked")
def test_a_wrong_passphrase_starts_no_agent(strongroom: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", WRONG)

    assert strongroom("unlock").code == 4
    assert agent.entries() is None


def test_status_shows_what_is_unlocked(place: Path, strongroom: Program) -> None:
    assert strongroom("unlock", "--status").out == "no vault is unlocked\n"
    assert strongroom.json("unlock", "--status") == {"agent": False, "unlocked": []}
    made = strongroom.json("unlock", "--timeout", "2h")
    assert (made["vault"], made["timeout"]) == (str(place), 7200)

    found = strongroom.json("unlock", "--status")["unlocked"]

    assert [(one["vault"], one["place"], one["timeout"]) for one in found] == [(made["id"], str(place), 7200)]
    assert str(place) in strongroom("unlock", "--status").out


def test_locking_ends_the_agent(place: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    strongroom("unlock")
    monkeypatch.delenv("STRONGROOM_PASSPHRASE_FILE")
    assert strongroom("list").code == 0

    assert strongroom("lock").out == "locked 1 vault\n"
    assert strongroom("list").code == 4
    assert strongroom.json("lock") == {"locked": 0}


def test_one_vault_is_locked_and_the_others_stay(
    place: Path, key_file: Path, tmp_path: Path, strongroom: Program
) -> None:
    other = tmp_path / "other.vault"
    Vault.create(other, unlock=FileKey(key_file)).close()
    strongroom("unlock")
    strongroom("unlock", "--vault", str(other))

    assert strongroom.json("lock", "--vault", str(other)) == {"locked": 1}
    assert [one["place"] for one in strongroom.json("unlock", "--status")["unlocked"]] == [str(place)]
    assert strongroom("lock", "--all", "--vault", str(other)).code == 3


@pytest.mark.usefixtures("place")
def test_locking_ends_also_an_agent_that_hangs(strongroom: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    monkeypatch.setattr("vault_core.keys.agent.wire.TIMEOUT", 0.2)
    strongroom("unlock")
    os.kill(agents.process() or 0, signal.SIGSTOP)

    assert strongroom("lock").code == 0
    assert agents.process() is None


def test_a_changed_passphrase_asks_to_unlock_again(
    locked: Path, strongroom: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", RIGHT)
    monkeypatch.setenv("STRONGROOM_NEW_PASSPHRASE", WRONG)
    assert strongroom("unlock").code == 0
    assert strongroom("slots", "change-passphrase").code == 0
    monkeypatch.delenv("STRONGROOM_PASSPHRASE")

    told = strongroom("list", "--json")

    assert (told.code, told.error["kind"]) == (4, "WrongPassphraseError")
    assert "run: strongroom unlock" in told.error["message"]


def test_changing_the_locks_asks_for_the_secret_itself(locked: Path, strongroom: Program) -> None:
    on_terminal("unlock", answers=[("Passphrase:", RIGHT)])

    assert strongroom("list").code == 0
    assert strongroom("slots", "rotate", "--yes").code == 4
    assert strongroom("slots", "change-passphrase").code == 4
    assert strongroom("unlock").code == 4


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("given", ["", "8", "h", "0s", "-1h", "31d", "1w", "1e3s", "٣h"])
def test_a_timeout_that_is_none_is_refused(given: str, strongroom: Program) -> None:
    told = strongroom("unlock", f"--timeout={given}")

    assert (told.code, "--timeout is a number with s, m, h or d" in told.err) == (3, True)
    assert agent.entries() is None
