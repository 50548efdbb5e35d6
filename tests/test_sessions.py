"""Sessions: read-only ones, exclusive ones, closed ones; and what every open vault says of itself."""

import copy
import os
import pickle  # noqa: TID251  to see it refused
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.copies import storage
from support.processes import Other
from test_fork import NOT_ASKED, VERBS
from vault_core import (
    ConflictError,
    EphemeralStore,
    InvalidInputError,
    SessionStateError,
    Vault,
    VaultAlreadyOpenError,
    VaultNotFoundError,
)

READS = {
    "briefing", "changes", "export_memories", "seal", "unseal",
    "get", "get_many", "history", "search", "search, dense", "find_similar", "list", "stream", "count", "namespaces",
    "items.get", "items.scan", "items.count", "items.keys", "stats", "verify", "slots", "boxes", "forget, dry",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with vaults.create(tmp_path) as vault:
        vault.add("memory", id="kept", vector=[1.0, 0.0])
        vault.items("chat").put("row", b"1")
    return tmp_path


# read-only


@pytest.mark.parametrize("verb", VERBS)
def test_a_read_only_session_reads_everything_and_writes_nothing(home: Path, verb: str) -> None:
    with vaults.reopen(home, read_only=True) as vault:
        if verb in READS:
            VERBS[verb](vault)
        else:
            with pytest.raises(SessionStateError):
                VERBS[verb](vault)

        assert vaults.texts(vault) == ["memory"]


def test_a_read_only_session_changes_no_byte_of_the_vault(home: Path) -> None:
    with storage() as side:
        before = side.bytes_of(home / vaults.NAME, alone=True)
        with vaults.reopen(home, read_only=True) as vault:
            for verb in READS:
                VERBS[verb](vault)

        assert side.bytes_of(home / vaults.NAME, alone=True) == before


def test_a_read_only_session_follows_those_who_write(home: Path) -> None:
    with vaults.reopen(home) as writer, vaults.reopen(home, read_only=True) as reader:
        for number in range(5):
            writer.add(f"news {number}")
            assert vaults.found(reader, f"{number}") == [f"news {number}"]
        writer.rotate(vaults.key_in(home))
        writer.add("after the rotation")
        assert vaults.found(reader, "rotation") == ["after the rotation"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_vault_in_a_folder_that_can_not_be_written_is_opened_read_only(home: Path) -> None:
    home.chmod(0o500)
    try:
        with vaults.reopen(home, read_only=True) as vault:
            assert vault.count() == 1
    finally:
        home.chmod(0o700)


# exclusive


def hold(pipe: Connection, folder: Path, exclusive: bool) -> None:
    with vaults.reopen(folder, exclusive=exclusive):
        pipe.send("open")
        pipe.recv()


WAYS: dict[str, dict[str, Any]] = {"shared": {}, "read-only": {"read_only": True}, "exclusive": {"exclusive": True}}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["in this process", "in another process"])
def test_an_exclusive_session_keeps_all_others_out_until_it_is_closed(home: Path, where: str, way: str) -> None:
    if where == "in another process":
        with Other(hold, home, True) as other:
            other.hear()
            with pytest.raises(VaultAlreadyOpenError):
                vaults.reopen(home, **WAYS[way])
            other.say("close")
    else:
        with vaults.reopen(home, exclusive=True) as vault:
            with pytest.raises(VaultAlreadyOpenError):
                vaults.reopen(home, **WAYS[way])
            vault.add("goes on")

    vaults.reopen(home, **WAYS[way]).close()


@pytest.mark.parametrize("way", ["shared", "read-only"])
def test_an_exclusive_session_is_refused_while_another_is_open(home: Path, way: str) -> None:
    with vaults.reopen(home, **WAYS[way]) as vault:
        for _ in range(2):
            with pytest.raises(VaultAlreadyOpenError):
                vaults.reopen(home, exclusive=True)
        assert vault.count() == 1
    vaults.reopen(home, exclusive=True).close()


def test_a_process_that_is_killed_leaves_no_lock(home: Path) -> None:
    other = Other(hold, home, True)
    other.hear()
    other.kill()

    vaults.reopen(home, exclusive=True).close()


def test_a_vault_is_held_even_by_a_session_that_came_through_a_link(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.vault"
    link.symlink_to(home / vaults.NAME)
    with vaults.reopen(home, exclusive=True), pytest.raises(VaultAlreadyOpenError):
        vaults.reopen(home, link.name)


def test_sessions_of_one_store_in_ram_share_it_and_can_hold_it_alone() -> None:
    store = EphemeralStore()
    with Vault.create(store, passphrase=vaults.PASSPHRASE, kdf=vaults.CHEAP) as vault:
        vault.add("memory")
        with pytest.raises(VaultAlreadyOpenError):
            Vault.open(store, passphrase=vaults.PASSPHRASE, exclusive=True)
        with Vault.open(store, passphrase=vaults.PASSPHRASE) as other:
            other.add("another")
        assert vault.count() == 2


# the end


@pytest.mark.parametrize("verb", VERBS)
def test_a_closed_vault_says_so(home: Path, verb: str) -> None:
    vault = vaults.reopen(home)
    vault.close()

    with pytest.raises(SessionStateError, match="closed"):
        VERBS[verb](vault)


def fail_in(vault: Vault) -> None:
    with vault:
        vault.add("durable all the same")
        raise ZeroDivisionError


def test_closing_twice_or_in_a_with_block_that_raises_is_no_error(home: Path) -> None:
    vault = vaults.reopen(home)
    with pytest.raises(ZeroDivisionError):
        fail_in(vault)
    vault.close()

    assert repr(vault).endswith("closed>")
    with vaults.reopen(home) as again:
        assert vaults.texts(again) == ["memory", "durable all the same"]


def test_a_program_that_forgets_to_close_loses_nothing_it_was_promised(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from support import vaults\n"
        "vault = vaults.reopen(Path(sys.argv[1]))\n"
        "for number in range(20): vault.add(f'memory {number}')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, home], check=True, env=environment)

    with vaults.reopen(home) as vault:
        assert vault.count() == 21
        vault.verify(full=True)


def test_a_scan_or_stream_that_is_half_read_when_the_vault_closes_says_so(home: Path) -> None:
    vault = vaults.reopen(home)
    for number in range(600):
        vault.add(f"memory {number}")
    vault.items("chat").put_many([(f"row {number}", b"") for number in range(600)])
    readings = [vault.stream(), vault.items("chat").scan()]
    for reading in readings:
        next(reading)
    vault.close()

    for reading in readings:
        with pytest.raises(SessionStateError):
            list(reading)


# creating and finding


def test_creating_where_there_is_something_changes_nothing(home: Path) -> None:
    (home / "letter.txt").write_text("Dear Anna")
    for name in vaults.NAME, "letter.txt":
        with pytest.raises(ConflictError):
            vaults.create(home, name)

    assert (home / "letter.txt").read_text() == "Dear Anna"
    vaults.reopen(home).close()


LOCATIONS: dict[str, tuple[Any, type[Exception]]] = {
    "nothing there": ("nothing.vault", VaultNotFoundError),
    "a folder": (".", VaultNotFoundError),
    "no vault": ("letter.txt", VaultNotFoundError),
    "another database": ("other.db", VaultNotFoundError),
    "an empty file": ("empty", VaultNotFoundError),
    "an empty path": ("", InvalidInputError),
    "a NUL in the path": ("a\0b", InvalidInputError),
    "an unknown scheme": ("gopher://vault", InvalidInputError),
    "a number": (7, InvalidInputError),
    "nothing in RAM": ("memory://", InvalidInputError),
}


@pytest.mark.parametrize("case", LOCATIONS)
def test_a_location_that_is_no_vault_is_refused_in_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(home)
    Path("letter.txt").write_text("Dear Anna, " * 2_000)
    Path("empty").touch()
    with storage() as side:
        side.change(Path("other.db"), "CREATE TABLE header (body)")
    location, error = LOCATIONS[case]

    with pytest.raises(error):
        Vault.open(location, unlock=vaults.key_in(home))


def test_a_vault_describes_itself_without_saying_what_it_holds(tmp_path: Path) -> None:
    with vaults.create(tmp_path, owner="Anna Arbor") as vault:
        vault.add("secret tea", memory_type="PERSONA", namespace=("garden",), vector=[1.0, 0.0])
        stats = vault.stats()

        assert (stats.memories, stats.by_type, stats.namespaces, stats.items) == (1, {"PERSONA": 1}, 1, 0)
        assert (stats.owner, stats.commits, stats.key_generation) == ("Anna Arbor", 2, 1)
        assert stats.spaces["default"].dimension == 2
        assert stats.location == str(tmp_path / vaults.NAME)
        assert stats.store_bytes == (tmp_path / vaults.NAME).stat().st_size or stats.store_bytes > 0
        assert len(vault.id) == 32
        for thing in vault, vault.get(vault.list()[0].id, namespace=("garden",)), *vault.slots():
            assert "secret" not in repr(thing)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"])
def test_an_open_vault_is_not_copied(tmp_path: Path, way: Any) -> None:
    with vaults.create(tmp_path) as vault, pytest.raises(SessionStateError, match="open it anew"):
        way(vault)


def test_every_method_of_a_vault_is_a_reading_or_a_writing_one() -> None:
    public = {name for name in vars(Vault) if not name.startswith("_")}

    assert {verb.partition(",")[0].partition(".")[0] for verb in VERBS} | NOT_ASKED == public
