"""`strongroom store init`, and the page that leads a newcomer through it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.postgres import Server
from vault_core import errors as kinds
from vault_core.cli import codes

PAGE = Path(__file__).parents[2] / "docs" / "stores-postgres.md"


def strongroom(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vault_core.cli", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_it_makes_the_tables_once_and_the_role(postgres: Server) -> None:
    name = postgres.database("made_by_cli", prepared=False)
    try:
        first = strongroom("store", "init", postgres.url(name), "--role", "cli_role", "--json")
        again = strongroom("store", "init", postgres.url(name), "--role", "cli_role")

        assert json.loads(first.stdout) == {"tables": True, "role": "cli_role", "role_made": True}
        assert (first.returncode, again.returncode) == (codes.OK, codes.OK)
        assert "there already" in again.stdout
        assert (first.stderr, again.stderr) == ("", "")
    finally:
        postgres.drop(name)
        with postgres.connect() as db:
            db.execute("DROP ROLE cli_role")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://alice:hush@127.0.0.1/db", "no place in a command line"),
        ("postgresql://127.0.0.1/db?password=hush", "no place in a command line"),
        ("s3://bucket/prefix", "only a database needs this"),
        ("alice.vault", "only a database needs this"),
    ],
)
def test_it_refuses_what_it_is_not_for_and_repeats_no_password(url: str, says: str) -> None:
    done = strongroom("store", "init", url)

    assert done.returncode == codes.OF_KIND[kinds.InvalidInputError]
    assert says in done.stderr
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["init", "--vault", "postgresql://alice:hush@127.0.0.1/db?vault=a"],
        ["search", "--vault", "postgresql://127.0.0.1/db?vault=a&password=hush", "tea"],
        ["copy", "alice.vault", "postgresql://alice:hush@127.0.0.1/db?vault=a"],
        ["copy", "postgresql://alice:hush@127.0.0.1/db?vault=a", "alice.vault"],
    ],
    ids=" ".join,
)
def test_no_command_takes_or_repeats_a_password_in_a_url(arguments: list[str]) -> None:
    done = strongroom(*arguments)

    assert done.returncode == codes.OF_KIND[kinds.InvalidInputError]
    assert "no place in a command line" in done.stderr
    assert "hush" not in done.stdout + done.stderr


def test_the_page_followed_literally_reaches_a_working_vault(tmp_path: Path, machine: Path) -> None:
    """All lines but those that install: what they install is here already."""
    block = re.search(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    lines = [line for line in block[1].splitlines() if "-m venv" not in line and "pip install" not in line]
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, command in {"python": "-W ignore", "strongroom": "-m vault_core.cli"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {command} "$@"\n')
        (programs / name).chmod(0o755)
    environment = {**os.environ, "STRONGROOM_PASSPHRASE": "correct horse battery staple"}

    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(lines)],  # noqa: S607
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "I prefer green tea" in done.stdout  # which the search prints
