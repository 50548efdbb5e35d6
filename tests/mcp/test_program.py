"""The program: its options, and what it says when it can't serve."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.program import spawn
from strongroom_mcp import http
from strongroom_mcp.limits import Limits, Meter
from support.mcp_clients import variables
from vault_core.errors import InvalidInputError, UnavailableError

WITHOUT_MCP = """
import sys
sys.modules["mcp"] = None
from strongroom_mcp.program import main
main([], "strongroom mcp")
"""


def run(folder: Path, *arguments: str, place: str = "") -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **variables(folder)} | ({"STRONGROOM_VAULT": place} if place else {})
    command = [sys.executable, *(arguments or ("-m", "strongroom_mcp"))]
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_verb_of_the_command_line_has_the_servers_options() -> None:
    shown = spawn("mcp", "--help")

    assert shown.code == 0
    for option in ("--vault", "--namespace", "--box", "--read-only", "--profile", "--http", "--token-file", "--socket"):
        assert option in shown.out


def test_the_verb_serves_until_its_client_goes_away(tmp_path: Path) -> None:
    assert spawn("mcp", "--vault", str(tmp_path / "no.vault"), given="").code == 0


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", WITHOUT_MCP)

    assert done.returncode == 1
    assert done.stderr == "error: the MCP server needs the extra mcp: pip install 'strongroom[mcp]'\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "nothing"], "profile is one or several of"),
        (["--embedder", "nothing"], "the embedder 'nothing' is none of"),
        (["--http", "0"], "needs a token"),
        (["--http", "x"], "takes a port"),
        (["--http", "0", "--socket", "x"], "not both"),
        (["--http", "0.0.0.0:0", "--token-file", "token"], "needs --allow-host"),
        (["--vault", ""], "--vault is empty"),
        (["--vault", "postgresql://alice:hush@[::1/db?vault=a"], "this is not a URL"),
    ],
)
def test_options_that_can_t_be_used_are_told_in_a_sentence(tmp_path: Path, options: list[str], said: str) -> None:
    places = [str(tmp_path / one) if one == "token" else one for one in options]
    done = run(tmp_path, "-m", "strongroom_mcp", *places)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("given", ["--vault", "STRONGROOM_VAULT"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://alice:hush@127.0.0.1/db?vault=a",
        "postgresql://127.0.0.1/db?vault=a&password=hush",
        "postgresql://127.0.0.1/db?vault=a&sslpassword=hush",
    ],
)
def test_a_url_with_a_password_is_refused_at_the_start(tmp_path: Path, url: str, given: str) -> None:
    """As by every command: everybody on the machine can read a command line, and the client's configuration stays."""
    options = ["--vault", url] if given == "--vault" else []
    done = run(tmp_path, "-m", "strongroom_mcp", *options, place="" if options else url)

    assert done.returncode == 1
    assert "a password has no place in a command line or STRONGROOM_VAULT" in done.stderr
    assert "hush" not in done.stdout + done.stderr


def test_a_token_file_is_made_for_its_owner_alone_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "token"
    made = http.token(str(path), None)

    assert len(made) >= 40
    assert path.stat().st_mode & 0o777 == 0o600
    assert http.token(str(path), "another-token-of-the-environment") == made
    path.chmod(0o644)
    with pytest.raises(InvalidInputError, match="others can read"):
        http.token(str(path), None)


@pytest.mark.parametrize("given", [None, "", "short", "with spaces in the middle of it", "é" * 30])
def test_a_weak_token_is_refused(given: str | None) -> None:
    with pytest.raises(InvalidInputError):
        http.token(None, given)


def test_a_folder_that_others_can_enter_holds_no_socket(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    with pytest.raises(InvalidInputError, match="yours alone"):
        http.serve_socket(None, shared / "mcp.sock")  # type: ignore[arg-type]  # refused before it is looked at


def test_a_port_in_use_is_told() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(UnavailableError, match="another server"):
        http.serve(None, "127.0.0.1", other.getsockname()[1], "x" * 30)  # type: ignore[arg-type]  # the same


def test_the_rate_lets_a_burst_through_and_then_so_many_a_second() -> None:
    now = [0.0]
    meter = Meter(Limits(calls=2.0, burst=3), now=lambda: now[0])

    assert [meter.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [meter.take() for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [meter.take() for _ in range(4)] == [True, True, True, False]


IMPORTED = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__")
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_no_command_of_the_core_is_loaded_to_serve(tmp_path: Path) -> None:
    needless = {"typer", "vault_core.cli.program", "vault_core.cli.add", "hnswlib", "strongroom_mcp.http"}
    for command in (["strongroom_mcp"], ["vault_core.cli", "mcp"]):
        done = run(tmp_path, "-c", IMPORTED, *command)
        assert done.returncode == 0
        loaded = set(done.stderr.split())
        assert "strongroom_mcp.server" in loaded
        assert not loaded & needless


def test_the_options_are_told_before_anything_else_is_loaded(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", IMPORTED, "strongroom_mcp", "--help")

    assert not set(done.stderr.split()) & {"mcp", "pydantic", "numpy", "vault_core.vault"}
