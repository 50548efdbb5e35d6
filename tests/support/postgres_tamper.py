"""The scene of tests/support/tamper.py in a database, and what its operator does to it.

The operator's changes are those of tests/support/strangers.py: each is made in a copy of the rows in SQLite, and what
is different then is carried over. So both kinds of store are tried with one table of attacks.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psycopg import sql

from support.postgres import Server
from support.strangers import Edit, Tables
from support.tamper import _FORK_AT, OTHER_STEPS, QUESTIONS, STATE, STEPS, Scene
from support.vaults import key_in
from vault_core import Vault
from vault_core.store.sqlite import SCHEMA

KEYS = {"entry": "seq", "record": "address", "part": "name"}
Rows = dict[tuple[str, Any], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class DatabaseScene(Scene):
    """A vault in a database of its own, where the operator has taken away what would hinder him."""

    server: Server | None = None
    database: str = ""
    id: str = ""

    def open(self, **options: Any) -> Vault:
        """A session on this machine."""
        return _open(self.server, self.database, self.folder, **options)

    def restore(self) -> None:
        """Put everything back."""
        self.change(_replaced_by(self.earlier[-1]))
        self.anchor_path.write_bytes(self.anchor)

    def change(self, edit: Edit) -> bool:
        """Change the rows; False if that comes to nothing a database can hold."""
        present = self.image()
        with closing(_loaded(present)) as db:
            edit(db)
            wanted = _rows(db)
        changes = list(_differences(_rows_of(present), wanted))
        assert self.server is not None
        with self.server.connect(self.database) as db, db.transaction():
            for statement, values in changes:
                db.execute(statement, {"vault": self.id} | values)
        return bool(changes)

    def image(self) -> bytes:
        """The vault's rows as a SQLite file."""
        assert self.server is not None
        return _image(self.server, self.database, self.id)


def build(server: Server, database: str, folder: Path) -> DatabaseScene:
    """The scene, in a database where nothing is yet and a folder that is not there yet."""
    folder.mkdir()
    key_in(folder)
    with server.connect(database) as db:  # an operator can
        for (statement,) in db.execute(_CHECKS).fetchall():
            db.execute(statement)
        db.execute("ALTER TABLE strongroom.record DISABLE ROW LEVEL SECURITY")
    sibling, _ = _made(server, database, folder, "sibling", STEPS)
    earlier, vault = _made(server, database, folder, "alice", STEPS)
    scene = DatabaseScene(folder, tuple(earlier), b"", sibling[-1], server=server, database=database, id=vault)
    scene.change(_replaced_by(earlier[_FORK_AT]))
    with _machine(folder.with_name(f"{folder.name} fork")):
        for step in OTHER_STEPS:
            with Vault.open(_url(server, database, "alice"), unlock=key_in(folder)) as opened:
                step(opened)
    scene = replace(scene, fork=scene.image())
    scene.change(_replaced_by(earlier[-1]))
    with scene.open() as opened:
        truth = {name: question(opened) for name, question in QUESTIONS.items()}
        scene = replace(scene, vault=opened.id, truth=truth)
    return replace(scene, anchor=scene.anchor_path.read_bytes())


_CHECKS = """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'strongroom'::regnamespace
"""


def _made(
    server: Server, database: str, folder: Path, name: str, steps: tuple[Callable[[Vault], object], ...]
) -> tuple[list[bytes], str]:
    """The rows at first and after every step, and the id of the vault's rows."""
    url, key, states = _url(server, database, name), key_in(folder), []
    with _machine(folder):
        Vault.create(url, unlock=key, owner="alice").close()
        with server.connect(database) as db:
            found = db.execute("SELECT id::text FROM strongroom.vault WHERE name = %s", (name,)).fetchone()
        assert found is not None
        states.append(_image(server, database, found[0]))
        for step in steps:
            with Vault.open(url, unlock=key) as vault:
                step(vault)
            states.append(_image(server, database, found[0]))
    return states, found[0]


def _url(server: Server, database: str, name: str) -> str:
    return server.url(database, name)


def _open(server: Server | None, database: str, folder: Path, **options: Any) -> Vault:
    assert server is not None
    os.environ["STRONGROOM_STATE_DIR"] = str(folder / STATE)
    return Vault.open(_url(server, database, "alice"), unlock=key_in(folder), **options)


@contextmanager
def _machine(folder: Path) -> Iterator[None]:
    before = os.environ["STRONGROOM_STATE_DIR"]
    os.environ["STRONGROOM_STATE_DIR"] = str(folder / STATE)
    yield
    os.environ["STRONGROOM_STATE_DIR"] = before


def _image(server: Server, database: str, vault: str) -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as image, server.connect(database) as db:
        for statement in SCHEMA:
            image.execute(statement)
        header = db.execute("SELECT header, mac FROM strongroom.vault WHERE id = %s", (vault,)).fetchall()
        image.executemany("INSERT INTO header VALUES (1, ?, ?)", header)
        for table, key in KEYS.items():
            query = sql.SQL("SELECT {}, body FROM strongroom.{} WHERE vault = %s AND body IS NOT NULL")
            found = db.execute(query.format(sql.Identifier(key), sql.Identifier(table)), (vault,)).fetchall()
            image.executemany(f"INSERT INTO {table} VALUES (?, ?)", found)  # noqa: S608  our own names
        return image.serialize()


def _loaded(image: bytes) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(image)
    return db


def _replaced_by(image: bytes) -> Edit:
    def edit(db: sqlite3.Connection) -> None:
        tables = Tables.of(image)
        db.execute("DELETE FROM header")
        db.execute("INSERT INTO header VALUES (1, ?, ?)", tables.header)
        for table in KEYS:
            db.execute(f"DELETE FROM {table}")  # noqa: S608  our own names
            db.executemany(f"INSERT INTO {table} VALUES (?, ?)", getattr(tables, table).items())  # noqa: S608

    return edit


def _rows_of(image: bytes) -> Rows:
    with closing(_loaded(image)) as db:
        return _rows(db)


def _rows(db: sqlite3.Connection) -> Rows:
    found: Rows = {}
    if header := db.execute("SELECT body, mac FROM header").fetchone():
        found["header", 1] = header
    for table in KEYS:
        found |= {(table, key): (body,) for key, body in db.execute(f"SELECT * FROM {table}")}  # noqa: S608
    return found


def _differences(present: Rows, wanted: Rows) -> Iterator[tuple[sql.Composed, dict[str, Any]]]:
    """The statements that make one of the other. A column of bytes can't hold a text or a number."""
    for table, key in present.keys() - wanted.keys():
        yield (
            _statement("DELETE FROM strongroom.{table} WHERE {vault} = %(vault)s", table, " AND {key} = %(key)s"),
            {"key": key},
        )
    for (table, key), row in wanted.items():
        if present.get((table, key)) == row or not all(isinstance(value, bytes) for value in row):
            continue
        if table == "header":
            yield _statement(_HEADER, table), {"body": row[0], "mac": row[1]}
        else:
            yield _statement(_ROW, table), {"key": key, "body": row[0]}


_HEADER = """
    INSERT INTO strongroom.vault (id, name, header, mac) VALUES (%(vault)s, 'alice', %(body)s, %(mac)s)
    ON CONFLICT (id) DO UPDATE SET header = EXCLUDED.header, mac = EXCLUDED.mac
"""
_ROW = """
    INSERT INTO strongroom.{table} (vault, {key}, body) VALUES (%(vault)s, %(key)s, %(body)s)
    ON CONFLICT (vault, {key}) DO UPDATE SET body = EXCLUDED.body
"""


def _statement(text: str, table: str, of_a_row: str = "") -> sql.Composed:
    header = table == "header"
    return sql.SQL(text if header else text + of_a_row).format(  # type: ignore[arg-type]  # our own texts
        table=sql.Identifier("vault" if header else table),
        vault=sql.Identifier("id" if header else "vault"),
        key=sql.Identifier("id" if header else KEYS[table]),
    )
