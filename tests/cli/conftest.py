"""Fixtures: a vault that opens in milliseconds, by a key file that the environment names."""

import os
import sys
from pathlib import Path

import pytest

from cli.fake_keyring import FakeKeyring
from cli.program import Program
from vault_core import FileKey, Vault, new_key_text
from vault_core.cli import terminal


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine is seen or touched: no variables, no anchors, no terminal."""
    for name in [name for name in os.environ if name.startswith("STRONGROOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STRONGROOM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(terminal, "present", lambda: False)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file with a key text."""
    path = tmp_path / "key"
    path.write_text(new_key_text("file") + "\n")
    return path


@pytest.fixture
def place(tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty vault, named by the environment together with its key."""
    path = tmp_path / "me.vault"
    Vault.create(path, unlock=FileKey(key_file)).close()
    monkeypatch.setenv("STRONGROOM_VAULT", str(path))
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_FILE", str(key_file))
    return path


@pytest.fixture
def strongroom() -> Program:
    """Runs the command in this process."""
    return Program()


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    """A keyring, in the place of the machine's."""
    fake = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    monkeypatch.setitem(sys.modules, "keyring.errors", fake.errors)
    return fake
