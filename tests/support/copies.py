"""States of a vault, taken and put back the way whoever stores the bytes can: without a key, from another process.

Never from a process that has the vault open: closing a second descriptor of the file would drop that process's locks.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from support.processes import Other


class Storage:
    """The storage side of a vault. Copies are whole: file and journal become one file."""

    def __init__(self, other: Other) -> None:
        self._other = other

    def copy(self, source: Path, target: Path) -> Path:
        """Make `target` the state of `source`, through SQLite: sessions that have it open see it change."""
        self._other.ask(("copy", source, target))
        return target

    def rows(self, vault: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
        """What a query gives."""
        rows: list[tuple[object, ...]] = self._other.ask(("rows", vault, sql, values))
        return rows

    def change(self, vault: Path, sql: str, *values: object) -> None:
        """Change something."""
        self._other.ask(("change", vault, sql, values))

    def bytes_of(self, vault: Path, *, alone: bool = False) -> bytes:
        """All bytes of the vault's files: the database, its journal, what lies beside it; or of the database alone."""
        raw: bytes = self._other.ask(("bytes", vault, vault.name if alone else f"{vault.name}*"))
        return raw


@contextmanager
def storage() -> Iterator[Storage]:
    """The storage side, in a process of its own."""
    with Other(_serve, state=os.devnull) as other:  # it opens no vault
        yield Storage(other)
        other.say(("end",))


def _serve(pipe: Connection) -> None:
    while True:
        match pipe.recv():
            case ("copy", source, target):
                _copy(source, target)
                pipe.send(None)
            case ("rows", vault, sql, values):
                with closing(sqlite3.connect(vault)) as db:
                    pipe.send(db.execute(sql, values).fetchall())
            case ("change", vault, sql, values):
                with closing(sqlite3.connect(vault)) as db, db:
                    pipe.send(db.execute(sql, values).rowcount)
            case ("bytes", vault, pattern):
                pipe.send(b"".join(path.read_bytes() for path in sorted(vault.parent.glob(pattern))))
            case _:
                return


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        new.execute("PRAGMA synchronous=OFF")  # a copy for a test has no power cut to fear
        old.backup(new)
