"""Which secret opens a vault, and where it comes from."""

import shlex
import sys
from pathlib import Path

import pytest

from cli.program import QUICK, Program, command_that_prints, file_with, on_terminal, spawn
from vault_core import FileKey, KeyringKey, Passphrase, RecoveryKey, Vault, new_key_text
from vault_core.cli import app

RIGHT, WRONG = "plum anchor violet lantern", "some other words entirely"


@pytest.fixture
def locked(place: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vault with a passphrase, and nothing in the environment that opens it."""
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        vault.add_slot(Passphrase(RIGHT), kdf=QUICK)
        vault.add("green tea")
    monkeypatch.delenv("STRONGROOM_PASSPHRASE_FILE")
    return place


@pytest.mark.usefixtures("locked")
def test_the_command_goes_before_the_file_and_the_file_before_the_variable(
    strongroom: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", RIGHT)
    assert strongroom("list").code == 0
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_FILE", file_with(WRONG, tmp_path / "wrong"))
    assert strongroom("list").code == 4
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_COMMAND", command_that_prints(RIGHT, tmp_path / "right"))
    assert strongroom("list").code == 0


@pytest.mark.usefixtures("keyring")
def test_the_environment_goes_before_the_keyring_and_the_keyring_before_a_question(
    locked: Path, key_file: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vault.open(locked, unlock=FileKey(key_file)) as vault:
        KeyringKey().store(new_key_text("keyring"), bytes.fromhex(vault.id))
        vault.add_slot(KeyringKey())
    monkeypatch.setattr("vault_core.cli.terminal.ask_secret", lambda _: pytest.fail("nobody should be asked"))

    assert strongroom("list").code == 0

    monkeypatch.setenv("STRONGROOM_PASSPHRASE", WRONG)
    assert strongroom("list").code == 4


@pytest.mark.parametrize("variable", ["STRONGROOM_PASSPHRASE", "STRONGROOM_PASSPHRASE_FILE"])
def test_a_wrong_secret_has_one_answer_that_names_where_it_came_from(
    variable: str, locked: Path, strongroom: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, WRONG if variable.endswith("SE") else file_with(WRONG, tmp_path / "wrong"))

    told = strongroom("list")

    assert told.code == 4
    assert f"hint: the secret came from {variable};" in told.err
    assert WRONG not in told.err


@pytest.mark.usefixtures("locked")
def test_where_nobody_can_be_asked_it_is_said_what_to_set(strongroom: Program) -> None:
    told = strongroom("list")

    assert told.code == 4
    assert "error: no secret was given for this vault\nhint: set STRONGROOM_PASSPHRASE_FILE" in told.err


@pytest.mark.usefixtures("locked")
def test_a_secret_that_can_t_be_fetched_is_not_called_wrong(
    strongroom: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_FILE", str(tmp_path / "absent"))
    assert strongroom("list").code == 11
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_COMMAND", shlex.join([sys.executable, "-c", "raise SystemExit(3)"]))
    assert strongroom("list").code == 11


@pytest.mark.usefixtures("locked")
def test_a_person_is_asked_and_may_mistype_twice() -> None:
    opened = on_terminal("list", answers=[("Passphrase:", WRONG), ("Passphrase:", WRONG), ("Passphrase:", RIGHT)])

    assert (opened.code, "green tea" in opened.out) == (0, True)
    assert RIGHT not in opened.err


@pytest.mark.usefixtures("locked")
def test_a_person_who_does_not_know_it_is_asked_three_times() -> None:
    refused = on_terminal("list", answers=[("Passphrase:", WRONG)] * 3)

    assert (refused.code, refused.out) == (4, "")
    assert refused.err.count("Passphrase:") == 3


@pytest.mark.usefixtures("locked")
def test_a_person_is_asked_also_when_the_lines_come_from_a_file(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("one\ntwo\n")

    added = on_terminal("add", "-", answers=[("Passphrase:", RIGHT)], stdin=lines)

    assert (added.code, added.out) == (0, "stored 2 lines\n")


def test_a_recovery_key_may_be_typed(locked: Path, key_file: Path) -> None:
    text = new_key_text("recovery")
    with Vault.open(locked, unlock=FileKey(key_file)) as vault:
        vault.add_slot(RecoveryKey(text))

    opened = on_terminal("list", answers=[("Passphrase:", text.lower())])

    assert opened.code == 0


@pytest.mark.usefixtures("locked")
def test_ctrl_c_at_the_question_ends_it_quietly() -> None:
    ended = on_terminal("list", answers=[("Passphrase:", "\x03")])

    assert ended.code == 130
    assert "Traceback" not in ended.err


def test_a_missing_vault_is_told_before_anyone_is_asked(tmp_path: Path) -> None:
    told = on_terminal("list", "--vault", str(tmp_path / "none.vault"), answers=[])

    assert told.code == 5
    assert "Passphrase" not in told.err


def test_the_default_vault_is_in_the_user_s_data_folder(tmp_path: Path) -> None:
    variables = {"XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path), "STRONGROOM_PASSPHRASE": RIGHT}

    made = spawn("init", "--json", variables=variables)

    assert Path(made.document["vault"]).is_relative_to(tmp_path)
    assert Path(made.document["vault"]).exists()
    assert Path(made.document["vault"]).parent.stat().st_mode & 0o077 == 0


def test_no_option_takes_a_secret() -> None:
    """Options with a value, all of them; a new one is looked at here before it is let in."""
    from typer.main import get_command

    taken = set()
    pending = [get_command(app)]
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        taken |= {one.name for one in command.params if not getattr(one, "is_flag", False)}

    assert taken == {
        "box", "client", "command", "destination", "embedder", "event_time", "file", "ghost_days", "id", "ids",
        "importance", "keep", "kind", "limit", "max_tokens", "memory_type", "metadata", "name", "namespace", "offset",
        "order", "owner", "path", "profile", "query", "retain", "since", "source", "tag", "text", "thread", "timeout",
        "top_k", "vault", "version", "weaker_than",
    }  # fmt: skip
