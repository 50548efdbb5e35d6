"""`strongroom connect`: a client's file gains the server, loses it again, and nothing else in it changes."""

import json
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.program import Program, on_terminal
from vault_core.cli.connect import jsonc
from vault_core.cli.connect.clients import CLIENTS, ClientName
from vault_core.cli.connect.file import Configuration
from vault_core.cli.connect.splice import UneditableError
from vault_core.errors import ConflictError

JSON_CLIENTS = [name for name, client in CLIENTS.items() if not client.toml]
OTHERS = {"theme": "dark", "numbers": [1.0, 1e3, "é", "\u2028"], "nothing": None}
SECRET = "sk-a-neighbour's-token"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any client."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture(autouse=True)
def vault(place: Path) -> Path:
    """The vault that is connected."""
    return place


def file_of(client: str) -> Path:
    path = CLIENTS[ClientName(client)].file()
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def servers_in(client: str) -> dict[str, Any]:
    target = CLIENTS[ClientName(client)]
    text = target.file().read_text("utf-8")
    whole = tomllib.loads(text) if target.toml else jsonc.parse(text).value
    found: dict[str, Any] = whole[target.servers]
    return found


@pytest.mark.parametrize("client", list(ClientName))
def test_a_client_without_a_file_gets_one_and_loses_it_again(client: str, vault: Path, strongroom: Program) -> None:
    made = strongroom.json("connect", client, "--yes")
    entry = servers_in(client)["strongroom"]

    assert (made["action"], made["changed"], made["backup"]) == ("added", True, None)
    assert Path(entry["command"]).is_absolute()
    assert entry["args"][-3:] == ["mcp", "--vault", str(vault)]
    assert file_of(client).stat().st_mode & 0o077 == 0
    assert strongroom.json("connect", client, "--yes")["action"] == "unchanged"
    assert strongroom.json("connect", client, "--remove", "--yes")["action"] == "removed"
    assert list(file_of(client).parent.iterdir()) == [] or client == "claude-code"
    assert not file_of(client).exists()
    assert strongroom.json("connect", client, "--remove", "--yes")["action"] == "absent"


@pytest.mark.parametrize("client", JSON_CLIENTS)
@pytest.mark.parametrize("indent", [None, 2, 4, "\t"], ids=["one line", "two", "four", "tabs"])
@pytest.mark.parametrize("other", [True, False], ids=["beside another server", "the first server"])
def test_everything_else_in_the_file_stays_byte_for_byte(
    client: str, indent: Any, other: bool, strongroom: Program
) -> None:
    key = CLIENTS[ClientName(client)].servers
    servers = {key: {"other": {"command": "x", "env": {"TOKEN": SECRET}}}} if other else {}
    before = json.dumps({**servers, **OTHERS}, indent=indent, ensure_ascii=False).encode()
    file_of(client).write_bytes(before)

    made = strongroom("connect", client, "--yes", "--read-only")
    assert (made.code, SECRET in made.out) == (0, False)
    assert servers_in(client)["strongroom"]["args"][-1] == "--read-only"
    kept = file_of(client).with_name(file_of(client).name + ".before-strongroom")
    assert kept.read_bytes() == before
    whole = json.loads(file_of(client).read_bytes())
    assert {name: whole[name] for name in OTHERS} == OTHERS

    assert strongroom("connect", client, "--yes").code == 0  # an update in between
    assert strongroom("connect", client, "--remove", "--yes").code == 0
    assert file_of(client).read_bytes() == before


COMMENTED = """\
// Zed settings
{
  "theme": "dark", // at night
  /* servers */
  "context_servers": {
    // mine
    "other": { "command": "x", },
  },
}
"""


def test_comments_and_trailing_commas_stay(strongroom: Program) -> None:
    file_of("zed").write_text(COMMENTED)

    assert strongroom("connect", "zed", "--yes").code == 0
    text = file_of("zed").read_text()
    assert all(comment in text for comment in ("// Zed settings", "// at night", "/* servers */", "// mine"))
    assert set(servers_in("zed")) == {"other", "strongroom"}

    assert strongroom("connect", "zed", "--remove", "--yes").code == 0
    assert file_of("zed").read_text() == COMMENTED


def test_a_comment_where_the_only_server_was_stays(strongroom: Program) -> None:
    file_of("zed").write_text('{\n  "context_servers": {\n    // none yet\n  }\n}\n')

    strongroom("connect", "zed", "--yes")
    strongroom("connect", "zed", "--remove", "--yes")

    assert "// none yet" in file_of("zed").read_text()
    assert servers_in("zed") == {}


CODEX = '# mine\nmodel = "x"  # fast\n\n[mcp_servers.other]\ncommand = "y"\n'


@pytest.mark.parametrize(
    "before",
    [CODEX, CODEX.replace("\n", "\r\n"), CODEX.rstrip(), "", "\n"],
    ids=["unix", "dos", "no last newline", "empty", "blank"],
)
def test_codex_has_its_own_lines_back(before: str, strongroom: Program) -> None:
    file_of("codex").write_bytes(before.encode())

    assert strongroom("connect", "codex", "--yes", "-n", "alice", "-n", "work").code == 0
    assert servers_in("codex")["strongroom"]["args"][-4:] == ["--namespace", "alice", "--namespace", "work"]
    assert file_of("codex").read_bytes().startswith(before.encode())
    assert strongroom("connect", "codex", "--yes").code == 0
    assert "--namespace" not in servers_in("codex")["strongroom"]["args"]

    assert strongroom("connect", "codex", "--remove", "--yes").code == 0
    assert file_of("codex").read_bytes() == before.encode()


UNEDITABLE = {
    "no json": ("cursor", "{ not json"),
    "a list": ("cursor", '["a list"]'),
    "servers in a list": ("cursor", '{"mcpServers": []}'),
    "servers twice": ("cursor", '{"mcpServers": {}, "mcpServers": {}}'),
    "two documents": ("cursor", '{"mcpServers": {}} {}'),
    "much too deep": ("cursor", "[" * 100_000),
    "no toml": ("codex", "not = = toml"),
    "an inline table": ("codex", 'mcp_servers = { other = { command = "x" } }\n'),
    "a table of the user's": ("codex", '[mcp_servers.strongroom]\ncommand = "mine"\n'),
}


def test_what_follows_our_block_for_codex_stays_on_its_own_line(strongroom: Program) -> None:
    file_of("codex").write_text('model = "x"')
    strongroom("connect", "codex", "--yes")
    with file_of("codex").open("a") as out:
        out.write('[profiles.fast]\nmodel = "y"\n')

    assert strongroom("connect", "codex", "--remove", "--yes").code == 0
    assert file_of("codex").read_text() == 'model = "x"\n[profiles.fast]\nmodel = "y"\n'


@pytest.mark.parametrize(("client", "before"), UNEDITABLE.values(), ids=UNEDITABLE)
def test_what_can_t_be_edited_is_left_and_the_lines_to_paste_are_shown(
    client: str, before: str, vault: Path, strongroom: Program
) -> None:
    file_of(client).write_text(before)

    told = strongroom("connect", client, "--yes", "--json")

    assert (told.code, file_of(client).read_text()) == (3, before)
    assert "is left as it is" in told.error["message"]
    assert str(vault) in told.error["hint"]


def test_a_file_that_is_not_text_is_left(strongroom: Program) -> None:
    file_of("cursor").write_bytes(b"\xff\xfe{}")

    assert strongroom("connect", "cursor", "--yes").code == 3
    assert file_of("cursor").read_bytes() == b"\xff\xfe{}"


def test_the_line_to_paste_for_codex_is_toml(strongroom: Program) -> None:
    file_of("codex").write_text("a = = b")

    hint = strongroom("connect", "codex", "--yes", "--json").error["hint"]

    assert tomllib.loads(hint.partition(": ")[2])["mcp_servers"]["strongroom"]["args"][0] == "mcp"


def test_a_dry_run_shows_the_change_and_makes_none(strongroom: Program) -> None:
    shown = strongroom("connect", "cursor", "--dry-run")

    assert (shown.code, '+     "strongroom": {' in shown.out) == (0, True)
    assert not file_of("cursor").exists()
    assert strongroom.json("connect", "cursor", "--dry-run")["changed"] is False


def test_a_person_is_shown_the_change_and_asked() -> None:
    refused = on_terminal("connect", "cursor", answers=[("Make this change?", "n")])
    assert (refused.code, file_of("cursor").exists()) == (1, False)

    agreed = on_terminal("connect", "cursor", answers=[("Make this change?", "y")])
    assert (agreed.code, "next: " in agreed.out) == (0, True)
    assert "strongroom" in servers_in("cursor")


def test_where_nobody_can_be_asked_nothing_is_changed(strongroom: Program) -> None:
    told = strongroom("connect", "cursor", "--json")

    assert (told.code, "--yes" in told.error["hint"]) == (3, True)
    assert not file_of("cursor").exists()


def test_no_secret_is_written(strongroom: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "plum anchor violet lantern")
    strongroom("connect", "cursor", "--yes")
    assert "plum anchor" not in file_of("cursor").read_text()

    told = strongroom("connect", "cursor", "--yes", "--vault", "postgresql://me:hunter2@host/db")

    assert (told.code, "hunter2" in told.err) == (3, False)
    assert "hunter2" not in file_of("cursor").read_text()


def test_what_the_server_needs_of_this_environment_is_written(
    strongroom: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRONGROOM_STATE_DIR", "state")
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_COMMAND", "pass show strongroom")
    strongroom("connect", "cursor", "--yes", "--vault", "me.vault")
    entry = servers_in("cursor")["strongroom"]

    assert entry["env"]["STRONGROOM_STATE_DIR"] == str(tmp_path / "state")
    assert entry["env"]["STRONGROOM_PASSPHRASE_COMMAND"] == "pass show strongroom"
    assert entry["args"][-1] == str(tmp_path / "me.vault")


def test_the_server_of_a_remote_vault_is_told_where_passwords_are_and_none_of_them(
    strongroom: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "PGPASSFILE": "passwords",
        "PGPASSWORD": SECRET,
        "PGSSLROOTCERT": "system",
        "AWS_PROFILE": "home",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "STRONGROOM_CACHE_DIR": "cache",
    }.items():
        monkeypatch.setenv(name, value)
    strongroom("connect", "cursor", "--yes", "--vault", "postgresql://alice@db.example/memories?vault=diary")
    entry = servers_in("cursor")["strongroom"]

    expected = {"PGPASSFILE": str(tmp_path / "passwords"), "PGSSLROOTCERT": "system", "AWS_PROFILE": "home"}
    assert expected.items() <= entry["env"].items()
    assert entry["env"]["STRONGROOM_CACHE_DIR"] == str(tmp_path / "cache")
    assert SECRET not in file_of("cursor").read_text("utf-8")
    assert entry["args"][-1] == "postgresql://alice@db.example/memories?vault=diary"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--vault", "absent.vault"], 5),
        (["--vault", "memory://"], 3),
        (["--name", "a b"], 3),
        (["--name", ""], 3),
        (["--namespace", "a$b"], 3),
        (["--namespace", ""], 3),
        (["--box", "a$b"], 3),
        (["--box", "a\nb"], 3),
        (["--profile", "unknown"], 2),
        (["--vault", f"postgresql://alice:{SECRET}@db.example/memories?vault=diary"], 3),
        (["--vault", f"postgresql://alice:{SECRET}@[::1/memories?vault=diary"], 3),
        (["--vault", f"postgresql://alice:{SECRET}/x@db.example/memories?vault=diary"], 3),
        (["--vault", f"postgresql://db.example/memories?vault=diary&sslpassword={SECRET}"], 3),
        (["--vault", f"s3://bucket/diary?secret_access_key={SECRET}"], 3),
        (["--vault", f"s3://bucket/diary?endpoint=https://key:{SECRET}@objects.example"], 3),
        (["--vault", f"az://container/diary?account=alice&sas={SECRET}"], 3),
        (["--vault", f"ftp://objects.example/{SECRET}"], 3),
    ],
    ids=str,
)
def test_what_would_not_work_in_a_client_is_refused(arguments: list[str], code: int, strongroom: Program) -> None:
    done = strongroom("connect", "cursor", "--yes", *arguments)

    assert done.code == code
    assert SECRET not in done.out + done.err
    assert not file_of("cursor").exists()


def test_a_link_stays_a_link_and_a_mode_stays(strongroom: Program, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text('{"a": 1}')
    real.chmod(0o640)
    file_of("cursor").symlink_to(real)

    strongroom("connect", "cursor", "--yes")

    assert file_of("cursor").is_symlink()
    assert "strongroom" in servers_in("cursor")
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.with_name("dotfiles.json.before-strongroom").stat().st_mode & 0o777 == 0o640


def test_a_byte_order_mark_stays(strongroom: Program) -> None:
    before = '\ufeff{\r\n  "a": 1\r\n}\r\n'.encode()
    file_of("cursor").write_bytes(before)

    strongroom("connect", "cursor", "--yes")
    written = file_of("cursor").read_bytes()
    strongroom("connect", "cursor", "--remove", "--yes")

    assert written.startswith(b"\xef\xbb\xbf{\r\n")
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert file_of("cursor").read_bytes() == before


def test_two_servers_of_ours_are_two_vaults(strongroom: Program) -> None:
    strongroom("connect", "codex", "--yes", "--name", "work", "--box", "main")
    strongroom("connect", "codex", "--yes", "--name", "home", "--profile", "graph")
    assert servers_in("codex")["home"]["args"][-2:] == ["--profile", "graph"]

    strongroom("connect", "codex", "--yes", "--name", "work", "--remove")

    assert set(servers_in("codex")) == {"home"}


NAMES = st.text(max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ENTRY = {"command": "/bin/strongroom", "args": ["mcp"]}


@given(
    whole=st.dictionaries(NAMES, VALUES, max_size=4),
    servers=st.none() | st.dictionaries(NAMES, VALUES, min_size=1, max_size=3),
    indent=st.sampled_from([None, 0, 1, 2, "\t"]),
    plain=st.booleans(),
)
def test_whatever_json_there_was_comes_back(whole: Any, servers: Any, indent: Any, plain: bool) -> None:
    whole.pop("mcpServers", None)
    whole |= {} if servers is None else {"mcpServers": servers}
    if servers and "strongroom" in servers:
        return
    text = json.dumps(whole, indent=indent, ensure_ascii=plain)

    put = jsonc.put(text, "mcpServers", "strongroom", ENTRY)
    assert put is not None
    after = put.applied(text)
    assert json.loads(after) == whole | {"mcpServers": {**(servers or {}), "strongroom": ENTRY}}
    cut = jsonc.cut(after, "mcpServers", "strongroom")
    assert cut is not None

    assert cut.applied(after) == text


@given(st.text(alphabet='{}[]",:/*\n\\ a1-', max_size=40))
def test_any_text_is_read_as_json_reads_it_or_refused(text: str) -> None:
    try:
        expected = [json.loads(text)]
    except ValueError:
        expected = []  # but comments and trailing commas are allowed
    try:
        found = [jsonc.parse(text).value]
    except UneditableError:
        found = []

    assert found == expected or (found and not expected and any(mark in text for mark in ("//", "/*", ",")))


def no_pipe(path: Path) -> None:
    os.mkfifo(path)


def no_end(path: Path) -> None:
    path.symlink_to("/dev/zero")


def no_place(path: Path) -> None:
    path.symlink_to(path)


def no_file(path: Path) -> None:
    path.mkdir()


def no_configuration(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 << 30)  # a hole; whoever reads all of it has no memory left


@pytest.mark.skipif(sys.platform == "win32", reason="no such files on Windows")
@pytest.mark.parametrize("made", [no_pipe, no_end, no_place, no_file, no_configuration])
def test_what_is_no_file_is_neither_waited_for_nor_read_without_end(
    made: Callable[[Path], None], strongroom: Program
) -> None:
    path = file_of("cursor")
    made(path)

    for options in ([], ["--remove"]):
        done = strongroom("connect", "cursor", "--yes", *options)
        assert done.code in (3, 11), done
        assert "unexpected" not in done.err
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_link_to_nothing_yet_stays_a_link(strongroom: Program) -> None:
    path = file_of("cursor")
    path.symlink_to("elsewhere.json")

    assert strongroom("connect", "cursor", "--yes").code == 0
    assert path.is_symlink()
    assert "strongroom" in json.loads(path.read_text())["mcpServers"]


def test_a_link_where_the_old_file_is_kept_leads_nowhere(strongroom: Program, tmp_path: Path) -> None:
    path, victim = file_of("cursor"), tmp_path / "victim"
    path.write_text('{"mcpServers": {"other": {}}}')
    victim.write_text("mine")
    path.with_name(path.name + ".before-strongroom").symlink_to(victim)

    assert strongroom("connect", "cursor", "--yes").code == 0
    assert victim.read_text() == "mine"


def test_a_file_that_its_client_writes_meanwhile_is_left_to_the_client(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{}")
    found = Configuration.read(path)
    path.write_text('{"theirs": 1}')

    with pytest.raises(ConflictError):
        found.replace('{"ours": 1}', keep=True)
    with pytest.raises(ConflictError):
        found.delete()
    assert path.read_text() == '{"theirs": 1}'


@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" * 900 + "]" * 900, "/*" * 50_000, '{"a": "' + "\\\\" * 99_999])
def test_json_that_nobody_means_well_with_is_left_as_it_is(text: str, strongroom: Program) -> None:
    path = file_of("cursor")
    path.write_text(text)

    done = strongroom("connect", "cursor", "--yes")
    assert (done.code, path.read_text()) == (3, text)
    assert "unexpected" not in done.err
