"""What a cache keeps on this machine: sealed entries, records and parts of one vault, in a SQLite file of their own.

Rules:
- Everything in it is a copy. Any trouble with the file means "not kept", never an error: the caller asks the store.
- Nothing is synced to disk: what a power cut takes away is read from the store again.
- `secure_delete` and `temp_store=MEMORY`, as for a vault: what is dropped leaves no bytes behind.
"""

import ctypes
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

LAYOUT = 1
MAX_BYTES = 2 << 30  # beyond it the records and parts go, and are fetched again as they are needed
PAGE_SIZE = 65_536  # parts of a mebibyte are read several times as quickly as with the pages of a vault
MAX_BLOB = 68 << 20  # as in a vault's file
_BATCH = 500  # rows for one query
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS record (address INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS part (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS heard (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL)",
    f"PRAGMA user_version={LAYOUT}",
)
_PRAGMAS = (
    f"PRAGMA page_size={PAGE_SIZE}",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=OFF",
    "PRAGMA busy_timeout=2000",
)
_ABANDONED: list[Any] = []  # connections of forked children: kept so that nothing ever closes them


class Kept:
    """The copies of one vault. Used by one thread at a time; several processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Open the file, or begin it. One that can't be used is begun anew, or done without."""
        self._path = path
        self._db: sqlite3.Connection | None = None
        for _ in range(2):
            with suppress(OSError, sqlite3.Error):
                self._db = _connect(path)
                return
            _remove(path)

    @property
    def usable(self) -> bool:
        """Whether anything is kept at all."""
        return self._db is not None

    def newest(self) -> int:
        """The highest seq whose entry is kept; 0 for none."""
        rows = self._rows("SELECT max(seq) FROM entry")
        return rows[0][0] or 0 if rows else 0

    def heard(self) -> int:
        """The seq up to which erasures were heard of; 0 for none."""
        rows = self._rows("SELECT seq FROM heard")
        return rows[0][0] if rows else 0

    def hear(self, seq: int) -> None:
        """Note that every erasure up to `seq` has been heard of. Never goes back."""
        self._run("INSERT INTO heard VALUES (1, ?) ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)", [(seq,)])

    def entries(self, after: int, before: int) -> Iterator[tuple[int, bytes]]:
        """The kept entries from `after` + 1 on, below `before`, as far as they follow each other without a gap."""
        while after + 1 < before:
            rows = self._rows(
                "SELECT seq, body FROM entry WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?", after, before, _BATCH
            )
            for seq, body in rows:
                if seq != after + 1 or not isinstance(body, bytes):
                    return
                yield seq, body
                after = seq
            if not rows:
                return

    def keep_entries(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Keep these."""
        self._run("INSERT OR REPLACE INTO entry VALUES (?, ?)", entries)

    def records(self, addresses: Sequence[int]) -> dict[int, bytes]:
        """Those of the records that are kept."""
        found: dict[int, bytes] = {}
        for start in range(0, len(addresses), _BATCH):
            some = addresses[start : start + _BATCH]
            marks = ",".join("?" * len(some))
            rows = self._rows(f"SELECT address, body FROM record WHERE address IN ({marks})", *some)
            found.update((address, body) for address, body in rows if isinstance(body, bytes))
        return found

    def keep_records(self, records: Iterable[tuple[int, bytes]]) -> None:
        """Keep these."""
        self._run("INSERT OR REPLACE INTO record VALUES (?, ?)", records)

    def drop_records(self, addresses: Iterable[int] | None) -> bool:
        """Drop the copies of these, or of all, and what the journal holds of them. False if that was not possible."""
        if addresses is None:
            done = self._run("DELETE FROM record", [()])
        else:
            done = self._run("DELETE FROM record WHERE address = ?", ((address,) for address in addresses))
        self.settle()
        return done

    def part(self, name: str) -> bytes | None:
        """A kept part."""
        rows = self._rows("SELECT body FROM part WHERE name = ?", name)
        return rows[0][0] if rows and isinstance(rows[0][0], bytes) else None

    def parts(self) -> list[str]:
        """The names of the kept parts."""
        return [name for (name,) in self._rows("SELECT name FROM part")]

    def keep_parts(self, parts: Iterable[tuple[str, bytes]]) -> None:
        """Keep these."""
        self._run("INSERT OR REPLACE INTO part VALUES (?, ?)", parts)

    def drop_parts(self, names: Iterable[str]) -> None:
        """Drop these."""
        self._run("DELETE FROM part WHERE name = ?", ((name,) for name in names))

    def clear(self) -> None:
        """Drop everything."""
        for table in ("entry", "record", "part", "heard"):
            self._run(f"DELETE FROM {table}", [()])
        self.settle()

    def settle(self) -> None:
        """Empty the journal, unless another process is in the way."""
        self._tried(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())

    def close(self) -> None:
        """Let go."""
        self._tried(lambda db: db.close())
        self._db = None

    def abandon(self) -> None:
        """In a forked child: never touch the connection again."""
        db, self._db = self._db, None
        if db is not None:
            _ABANDONED.append(db)
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(db))  # interpreter shutdown would close it otherwise

    def _rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._tried(lambda db: db.execute(sql, parameters).fetchall()) or []

    def _run(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> bool:
        """Whether it is done, or there is nothing left to do it to."""

        def run(db: sqlite3.Connection) -> bool:
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany(sql, rows)
            return True

        return self._tried(run) or self._db is None

    def _tried(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        if self._db is None:
            return None
        try:
            return work(self._db)
        except sqlite3.OperationalError:  # busy, or no room
            return None
        except (sqlite3.Error, OverflowError, UnicodeError):  # not ours any more
            db, self._db = self._db, None
            with suppress(sqlite3.Error):
                db.close()
            _remove(self._path)
            return None


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink():  # somebody else's file must not become our cache
        raise OSError("the cache's file is a link")
    if not path.exists():  # never through a link, which may lead anywhere
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BLOB)
        for pragma in _PRAGMAS:
            db.execute(pragma)
        _check_layout(db)
        for statement in _SCHEMA:
            db.execute(statement)
        if path.stat().st_size > MAX_BYTES:
            for table in ("record", "part"):
                db.execute(f"DELETE FROM {table}")
            db.execute("VACUUM")
    except BaseException:
        db.close()
        raise
    return db


def _check_layout(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] not in (0, LAYOUT):
        raise sqlite3.DatabaseError("another layout")


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        with suppress(OSError):
            Path(f"{path}{ending}").unlink()
