"""No byte of a memory is in the clear in a database: not in its tables, its dumps, its files or its write-ahead log."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from crash.leaks import ask, canary, drafts, needles, vector
from support.postgres import Server, server
from support.vaults import CHEAP
from vault_core import Draft, Vault

MEMORIES = 1_500


@pytest.fixture(scope="module")
def place() -> Iterator[Server]:
    """A server whose files hold nothing but one vault, full of canaries in everything it takes."""
    with server() as running, pytest.MonkeyPatch.context() as patch:
        running.database("vaults")
        patch.setenv("STRONGROOM_STATE_DIR", str(running.folder / "state"))
        url, secret = running.url("vaults", "bird"), f"{canary('passphrase')} correct horse"
        with Vault.create(url, passphrase=secret, kdf=CHEAP, owner=canary("owner")) as vault:
            _fill(vault)
        with Vault.open(url, passphrase=secret) as vault:
            ask(vault)
        with running.connect("vaults") as db:
            db.execute("CHECKPOINT")
        yield running


def _fill(vault: Vault) -> None:
    vault.add(
        f"I met {canary('text')} yesterday",
        id=canary("id"),
        namespace=("people", canary("namespace")),
        tags=[canary("tag")],
        metadata={canary("key"): canary("value")},
        source=canary("source"),
        thread=canary("thread"),
        vector=vector(),
    )
    vault.items(canary("collection")).put(canary("item"), canary("bytes").encode() * 100)
    given: Iterator[Draft] = drafts(range(MEMORIES))
    while batch := list(islice(given, 500)):
        vault.add_many(batch)
    ask(vault)
    vault.checkpoint()
    vault.forget(canary("id"), namespace=("people", canary("namespace")))


def test_no_canary_is_in_a_dump(place: Server) -> None:
    dump = place.run("pg_dump", "vaults")

    assert len(dump) > 1_000_000
    assert needles().find(dump) == needles().find(b"")


@pytest.mark.parametrize("table", ["vault", "entry", "record", "part"])
def test_no_canary_is_in_what_a_table_is_copied_to(place: Server, table: str) -> None:
    with place.connect("vaults") as db, db.cursor().copy(f"COPY strongroom.{table} TO STDOUT (FORMAT binary)") as copy:
        copied = b"".join(bytes(block) for block in copy)

    assert copied
    assert needles().find(copied) == needles().find(b"")


def test_no_canary_is_in_any_file_of_the_server(place: Server) -> None:
    assert _hits(place.data) == []
    assert any(path.stat().st_size > 1_000_000 for path in (place.data / "pg_wal").iterdir())


def test_a_canary_written_on_purpose_is_found_in_all_of_these(place: Server) -> None:
    with place.connect("vaults") as db:
        db.execute("CREATE TABLE plain (text text)")
        db.execute("INSERT INTO plain VALUES (%s)", (f"remember: {canary('text')}!",))
        db.execute("CHECKPOINT")
        try:
            found = _hits(place.data)

            assert needles().find(place.run("pg_dump", "vaults"))
            assert any(hit.startswith("base/") for hit in found)
            assert any(hit.startswith("pg_wal/") for hit in found)
        finally:
            db.execute("DROP TABLE plain")


def _hits(folder: Path) -> list[str]:
    looked = needles()
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_socket()]
    return [str(path.relative_to(folder)) for path in files if looked.find(path.read_bytes())]
