"""A vault in one SQLite file: the default.

Rules (docs/format.md §2; the measurements behind them are cited in docs/adr/0003-sqlite-settings.md):
- The file is opened through SQLite and nothing else, not even to look at it: closing any other descriptor would drop
  this process's POSIX locks, and another process could then remove a live WAL.
- `synchronous=EXTRA` before the first switch to WAL, `FULL` afterwards. NORMAL loses acknowledged commits.
- `temp_store=MEMORY` and `secure_delete=ON` on every connection.
- Erasing overwrites with zeros of the same length: nothing moves, so no copy is left in a rebalanced page.
- No cursor survives a call. In a forked child the connection is abandoned, never closed.
"""

import ctypes
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vault_core.errors import (
    ConflictError,
    FormatTooNewError,
    InvalidInputError,
    SessionStateError,
    UnavailableError,
    VaultAlreadyOpenError,
    VaultError,
    VaultNotFoundError,
    VaultTamperedError,
)
from vault_core.store.base import Capabilities, Change, Head, StoredHeader

if os.name == "posix":
    import fcntl

APPLICATION_ID = 0x53524F4D  # "SROM"
USER_VERSION = 1
PAGE_SIZE = 8192  # two-kilobyte records fill it well; docs/adr/0003-sqlite-settings.md
FILLING = bytes(PAGE_SIZE)  # in front of a part, so that its bytes lie in overflow pages only
SCHEMA = (
    "CREATE TABLE header (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL, mac BLOB NOT NULL)",
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE record (address INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE part (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
)
NEW_FILE = (  # in this order
    f"PRAGMA page_size={PAGE_SIZE}",
    "PRAGMA synchronous=EXTRA",
    "PRAGMA secure_delete=ON",
    "PRAGMA journal_mode=WAL",
)
EVERY_CONNECTION = (
    "PRAGMA synchronous=FULL",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA secure_delete=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=30000",
    "PRAGMA wal_autocheckpoint=1000",
    "PRAGMA fullfsync=ON",
    "PRAGMA cache_size=-8192",
)
MAX_BLOB = 68 << 20  # the largest sealed record, 64 MiB before padding: what one row of a hostile file may make us read
MAX_HEADER_ROW = 128 << 10  # likewise for the header, whose 64 KiB are read before any key
_BATCH = 500  # entries or addresses for one query
_PURGE_WAIT = 2000  # milliseconds: readers hold the WAL for the length of one query
_MANY = 10_000  # bare addresses for one query
_TAMPERED = "the vault's file is damaged"
_BUSY = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"}
_ABANDONED: list[Any] = []  # connections of forked children: kept so that nothing ever closes them


class SqliteStore:
    """One vault in one SQLite file, shared by any number of processes."""

    capabilities = Capabilities(exclusive=True, durable=True)

    def __init__(self, path: Path | str, *, read_only: bool = False, create: bool = False) -> None:
        """Open the file, or with `create` make it.

        Raises:
            VaultNotFoundError: there is no file, or it is not a vault.
            ConflictError: `create`, and there is a file.
        """
        self.path = Path(path).absolute()
        self._real = ""  # the path that SQLite and all sessions see, whatever links they came by
        self._read_only = read_only
        self._sidecar: int | None = None
        self._seen = -1
        self._begun = not create
        self._pid = os.getpid()
        self._db: sqlite3.Connection | None = None
        self._check_path(create)
        with _translated():
            self._db = self._connect(create)
            self._file = self._in_place()
            try:
                if not create:
                    self._check_identity()
            except BaseException:
                self._db.close()
                raise

    @property
    def location(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def origin(self) -> "SqliteStore":
        """See `Store.origin`."""
        return self

    def create(self, header: StoredHeader, entry: bytes) -> None:
        """See `Store.create`: tables, header and first entry in one transaction, never half a vault."""
        with _translated(), self._transaction() as db:
            if db.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise ConflictError("there is something in this file already")
            for statement in SCHEMA:
                db.execute(statement)
            db.execute(f"PRAGMA application_id={APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={USER_VERSION}")
            db.execute("INSERT INTO header VALUES (1, ?, ?)", header)
            db.execute("INSERT INTO entry VALUES (1, ?)", (entry,))
        self._begun = True

    def read_header(self) -> StoredHeader:
        """See `Store.read_header`."""
        if not self._begun:
            raise VaultNotFoundError("there is no vault in this file yet; make one with Vault.create")
        with _translated():
            return self._read_header(self._connection())

    def moved(self) -> bool:
        """See `Store.moved`. Own commits don't count: the session knows them.

        Raises:
            SessionStateError: another file has taken the place of the one that is open, which nobody will ever see
                again; restoring and synchronising do that. Nothing may be acknowledged from here on.
        """
        with _translated():
            if self._in_place() != self._file:
                raise SessionStateError("the vault's file was replaced or removed; close this session and look there")
            seen = self._connection().execute("PRAGMA data_version").fetchone()[0]
        moved, self._seen = seen != self._seen, seen
        return bool(moved)

    def head(self) -> int:
        """See `Store.head`."""
        with _translated():
            return _head(self._connection())

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        """See `Store.append`. The critical section is SQLite's write lock (`BEGIN IMMEDIATE`)."""
        if self._read_only:
            raise SessionStateError("the vault is open read-only")
        with self._transaction() as db:
            with _translated():
                head = Head(_head(db), self._read_header(db))
            change = make(head)  # what it raises is its own, and passes as it is
            if change is not None:
                with _translated():
                    _carry_out(self._connection(), change)  # refused if `make`, a caller's code, has forked
        if change is not None and change.purge:
            self.purge()
        return change

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See `Store.entries`."""
        last = upto if upto is not None else (1 << 62)
        while True:
            with _translated():
                rows = self._rows(
                    "SELECT seq, body FROM entry WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", (after, last, _BATCH)
                )
            for seq, body in rows:
                yield seq, _blob(body)
            if len(rows) < _BATCH:
                return
            after = rows[-1][0]

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """See `Store.records`."""
        wanted, found = list(addresses), dict[int, bytes]()
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            with _translated():
                rows = self._rows(f"SELECT address, body FROM record WHERE address IN ({marks})", batch)
            found.update((address, _blob(body)) for address, body in rows)
        return found

    def addresses(self, after: int) -> Iterator[int]:
        """See `Store.addresses`."""
        while True:
            with _translated():
                rows = self._rows(
                    "SELECT address FROM record WHERE address > ? ORDER BY address LIMIT ?", (after, _MANY)
                )
            yield from (address for (address,) in rows)
            if len(rows) < _MANY:
                return
            after = rows[-1][0]

    def let_go(self, addresses: Iterable[int] | None) -> None:
        """See `Store.let_go`: there are no other copies."""

    def part(self, name: str) -> bytes | None:
        """See `Store.part`."""
        with _translated():
            rows = self._rows("SELECT body FROM part WHERE name = ?", (name,))
        if not rows:
            return None
        return _blob(rows[0][0])[len(FILLING) :]

    def parts(self) -> list[str]:
        """See `Store.parts`."""
        with _translated():
            rows = self._rows("SELECT name FROM part ORDER BY name", ())
        return [name for (name,) in rows if isinstance(name, str)]

    def purge(self, *, wait: bool = True) -> bool:
        """See `Store.purge`: empties the WAL, which still holds what was erased from the file."""
        if self._read_only:
            return False
        try:
            with _translated():
                db = self._connection()
                db.execute(f"PRAGMA busy_timeout={_PURGE_WAIT if wait else 0}")
                try:
                    busy: int = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                finally:
                    db.execute("PRAGMA busy_timeout=30000")
        except UnavailableError:
            return False
        return busy == 0

    def reclaim(self) -> None:
        """See `Store.reclaim`."""
        if self._read_only:
            raise SessionStateError("the vault is open read-only")
        with _translated():
            db = self._connection()
            db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)  # VACUUM attaches the database that it copies into
            try:
                db.execute("VACUUM")
            finally:
                db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self.purge()

    def size(self) -> int:
        """See `Store.size`."""
        with _translated():
            db = self._connection()
            pages: int = db.execute("PRAGMA page_count").fetchone()[0]
            size: int = db.execute("PRAGMA page_size").fetchone()[0]
        return pages * size

    def lock(self, *, exclusive: bool) -> None:
        """See `Store.lock`. The lock is on a file beside the vault, never on the vault itself."""
        self._unlock()  # one lock each, the later one
        path = f"{self._real}.lock"
        try:  # never through a link, which may lead anywhere
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError as error:
            if self._read_only and not exclusive:
                return  # a read-only folder: nobody writes there
            raise UnavailableError(f"the lock file beside the vault can't be made ({error.strerror})") from None
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            who = "other sessions use this vault" if exclusive else "another session holds this vault exclusively"
            raise VaultAlreadyOpenError(f"{who}; close them, or try again later") from None
        self._sidecar = descriptor

    def abandon(self) -> None:
        """See `Store.abandon`."""
        db, self._db = self._db, None
        if db is not None:
            _ABANDONED.append(db)
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(db))  # interpreter shutdown would close it otherwise
        sidecar, self._sidecar = self._sidecar, None
        if sidecar is not None:
            os.close(sidecar)  # the lock stays with the parent, and is not the child's to outlive it

    def close(self) -> None:
        """See `Store.close`."""
        if os.getpid() != self._pid:
            self.abandon()
            return
        db, self._db = self._db, None
        if db is not None:
            with _translated():
                db.close()
        self._unlock()

    def _unlock(self) -> None:
        sidecar, self._sidecar = self._sidecar, None
        if sidecar is not None:
            fcntl.flock(sidecar, fcntl.LOCK_UN)  # a child forked this very moment still has the file open
            os.close(sidecar)

    def _check_path(self, create: bool) -> None:
        try:
            self._real = os.path.realpath(self.path)
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            if create and self.path.parent.is_dir():
                self._refuse_beside()
                return
            if create:
                raise VaultNotFoundError("the folder for the new vault does not exist; make it first") from None
            raise VaultNotFoundError(f"there is no vault at {self.path}; make one with: strongroom init") from None
        except OSError as error:
            raise InvalidInputError(f"this path can't be used ({error.strerror})") from None
        except ValueError as error:
            raise InvalidInputError(f"this path can't be used ({error})") from None
        if create:
            raise ConflictError(f"there is something at {self.path} already; choose another name")
        if not stat.S_ISREG(mode):
            raise VaultNotFoundError(f"{self.path} is not a file, so it can't be a vault")
        if os.path.lexists(f"{self._real}-journal"):
            # SQLite would play it back before anything else, and delete any file that it names.
            raise VaultTamperedError(
                "a rollback journal lies beside the vault, where a vault never has one; "
                "if making the vault was interrupted, remove both files and start again"
            )

    def _refuse_beside(self) -> None:
        """A vault named like what SQLite keeps beside another one would damage that one."""
        for ending in ("-journal", "-wal", "-shm", ".lock"):
            name = self.path.name.removesuffix(ending)
            if name not in ("", self.path.name) and self.path.with_name(name).exists():
                raise ConflictError(f"this name belongs to the vault {self.path.with_name(name)}; choose another name")

    def _connect(self, create: bool) -> sqlite3.Connection:
        mode = "ro" if self._read_only else "rwc" if create else "rw"
        db = sqlite3.connect(
            f"file://{quote(os.fsencode(self.path))}?mode={mode}",  # with //, or a path's own // would name a host
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        if create:
            self.path.chmod(0o600)  # empty so far; the WAL and its index take the same mode from it
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BLOB)
        db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        try:
            for pragma in (*NEW_FILE, *EVERY_CONNECTION) if create else EVERY_CONNECTION:
                db.execute(pragma)
        except sqlite3.Error as error:
            db.close()
            if create and _name(error).startswith("SQLITE_BUSY"):
                raise ConflictError("another program is making something at this place just now") from None
            raise
        return db

    def _check_identity(self) -> None:
        db = self._connection()
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise VaultNotFoundError(
                f"{self.path} is not a Strongroom vault; if making one was interrupted, remove the file and start again"
            )
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > USER_VERSION:
            raise FormatTooNewError("this vault has a newer format; upgrade strongroom to open it")
        found = tuple(sql for (sql,) in self._rows("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL", ()))
        if version != USER_VERSION or sorted(map(str, found)) != sorted(SCHEMA):
            raise VaultTamperedError("the vault's tables are not those of format 1")
        if not self._read_only and db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            raise VaultTamperedError("the vault's file is not in WAL mode any more")

    def _in_place(self) -> tuple[int, int] | None:
        """Which file is at the path; asked by name, for the file itself is SQLite's alone."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _connection(self) -> sqlite3.Connection:
        if self._db is None or os.getpid() != self._pid:
            raise SessionStateError("this session is closed, or belongs to the process that forked; open a new one")
        return self._db

    def _rows(self, sql: str, parameters: Iterable[Any]) -> list[tuple[Any, ...]]:
        return self._connection().execute(sql, tuple(parameters)).fetchall()

    def _read_header(self, db: sqlite3.Connection) -> StoredHeader:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_HEADER_ROW)
        try:
            row = db.execute("SELECT body, mac FROM header WHERE one = 1").fetchone()
        finally:
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BLOB)
        if row is None:
            raise VaultTamperedError("the vault has no header")
        return StoredHeader(_blob(row[0]), _blob(row[1]))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._connection().in_transaction:
            raise SessionStateError("a commit is being made already; inside transact, write with its tx")
        db = self._connection()
        try:  # from before BEGIN: an interruption right after it must not leave the write lock behind
            with _translated():
                db.execute("BEGIN IMMEDIATE")
            yield db
            with _translated():
                db.execute("COMMIT")
        except BaseException:
            if os.getpid() == self._pid and db.in_transaction:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
            raise


def _head(db: sqlite3.Connection) -> int:
    seq = db.execute("SELECT max(seq) FROM entry").fetchone()[0]
    if seq is None:
        return 0
    if not isinstance(seq, int) or not 0 < seq < 1 << 38:  # address = seq << 24 | n has to fit 63 bits
        raise VaultTamperedError(_TAMPERED)
    return seq


def _carry_out(db: sqlite3.Connection, change: Change) -> None:
    try:
        if change.entry is not None:
            db.execute("INSERT INTO entry VALUES (?, ?)", (change.seq, change.entry))
        first = change.seq << 24
        db.executemany("INSERT INTO record VALUES (?, ?)", enumerate(change.records, first))
    except sqlite3.IntegrityError:
        raise VaultTamperedError("the place of the next commit is taken") from None
    if change.erase:
        marks = ((address,) for address in change.erase)
        db.executemany("UPDATE record SET body = zeroblob(length(body)) WHERE address = ?", marks)
    if change.header is not None:
        db.execute("UPDATE header SET body = ?, mac = ?", change.header)
    for name in change.drop_parts:
        db.execute("UPDATE part SET body = zeroblob(length(body)) WHERE name = ?", (name,))
        db.execute("DELETE FROM part WHERE name = ?", (name,))
    for name, body in change.put_parts:
        db.execute("INSERT OR REPLACE INTO part VALUES (?, ?)", (name, FILLING + body))


def _blob(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise VaultTamperedError(_TAMPERED)
    return value


@contextmanager
def _translated() -> Iterator[None]:
    """Turn SQLite's errors into ours. Their texts name tables and files, never values."""
    try:
        yield
    except VaultError:
        raise
    except sqlite3.Error as error:
        raise _translation(error) from None
    except (MemoryError, OverflowError, UnicodeDecodeError):
        raise VaultTamperedError(_TAMPERED) from None


def _translation(error: sqlite3.Error) -> VaultError:
    name = _name(error)
    if name.split("_")[:2] == ["SQLITE", "NOTADB"]:
        return VaultNotFoundError("this file is not a Strongroom vault, or its first page is damaged")
    if any(name.startswith(busy) for busy in _BUSY):
        return UnavailableError("another program is writing to the vault for too long; try again")
    if name.startswith("SQLITE_FULL"):
        return UnavailableError("the disk is full; make room, nothing was half-written")
    if name.startswith("SQLITE_IOERR"):
        return UnavailableError("the disk reports an error; check it, nothing was half-written")
    if name.startswith("SQLITE_READONLY"):
        return UnavailableError("the vault's file or folder can't be written; check permissions")
    if name.startswith("SQLITE_CANTOPEN"):
        return UnavailableError("the vault's file can't be opened; check permissions")
    if name.startswith("SQLITE_NOMEM"):
        return UnavailableError("out of memory")
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return SessionStateError("this session is closed; open a new one")
    return VaultTamperedError(_TAMPERED)


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or ""
