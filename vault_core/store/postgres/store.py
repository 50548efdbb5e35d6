"""A vault in a PostgreSQL database, among others.

Rules (docs/format.md §2; docs/stores-postgres.md):
- One transaction per commit, under a lock on the vault's row. Two round trips: lock and look; write and commit.
- Who wrote last and has heard of nobody else makes a plain commit beforehand, and writes it on condition that the vault
  is still where it was: one round trip. Where it is not, the commit is made anew in the critical section.
- A commit whose answer was lost is looked for: the row's lock waits for whatever the server is still doing.
- Reading is repeated on another connection when one turns out dead; writing never is, unless nothing was sent yet.
- While `make` runs, everything is read on the connection that holds the lock, so that no store waits for itself.
- In a forked child the connections are abandoned, never closed.
"""

import ctypes
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg

from vault_core.errors import (
    ConflictError,
    InvalidInputError,
    SessionStateError,
    UnavailableError,
    VaultError,
    VaultNotFoundError,
)
from vault_core.store.base import Capabilities, Change, Head, StoredHeader
from vault_core.store.postgres import rows, schema
from vault_core.store.postgres.address import Address
from vault_core.store.postgres.database import CONNECTIONS, Connection, Database
from vault_core.store.postgres.listener import TRUSTED, Ear
from vault_core.store.postgres.refusals import LOST, translated
from vault_core.store.postgres.rows import BATCH, BATCH_BYTES, MANY, blob
from vault_core.store.postgres.vacuum import vacuum

T = TypeVar("T")

_TRIES = CONNECTIONS + 2  # all that a pool may hold can be dead at once
_MAX_PARTS = 100_000
_MISSING = "there is no vault of this name that this role can see; make one with: strongroom init --vault URL"
_TAKEN = "there is a vault of this name already; choose another name"
_TWICE = "several roles have a vault of this name; choose one of them with the URL's option options=-crole%3DROLE"
_FIND = "SELECT id FROM strongroom.vault WHERE name = %b LIMIT 2"
_ABANDONED: list[Any] = []  # connections of forked children: kept so that nothing ever closes them


class PostgresStore:
    """One vault in a database, shared by any number of processes on any number of machines."""

    def __init__(self, url: str, *, create: bool = False, read_only: bool = False) -> None:
        """Find the vault, or with `create` a free name for it.

        Raises:
            VaultNotFoundError: the database has no such vault.
            ConflictError: `create`, and it has one.
            InvalidInputError: the URL is wrong, the server refuses us, or has no tables for vaults.
            FormatTooNewError: a newer version made the tables.
            UnavailableError: the server can't be reached.
        """
        self._address = Address.parse(url)
        self._read_only, self._pid = read_only, os.getpid()
        self._making = False
        self._held: Connection | None = None  # while `make` runs in the critical section
        self._written: int | None = None  # the last commit of this store
        self._expected: Head | None = None  # where the vault is, unless somebody else has written
        self._id, self._begun = uuid4(), False
        self._ear = Ear("", secrets.token_hex(8))
        self._left = False  # whether something was erased here that no VACUUM has removed
        self._database: Database | None = Database.of(self._address)
        try:
            self._open(create=create)
        except BaseException:
            self.close()
            raise

    @property
    def capabilities(self) -> Capabilities:
        """Notifications travel beside the answers, so that another session's commit is heard of a moment later."""
        return Capabilities(exclusive=False, durable=True, lag=0.0 if self._address.pooler else TRUSTED)

    @property
    def location(self) -> str:
        """The URL without secrets."""
        return self._address.location

    @property
    def origin(self) -> "PostgresStore":
        """See `Store.origin`."""
        return self

    def create(self, header: StoredHeader, entry: bytes) -> None:
        """See `Store.create`: one transaction, never half a vault."""
        self._check_writable()
        if self._begun:
            raise ConflictError(_TAKEN)
        lost: psycopg.Error | None = None
        with translated(), self._alive().connection() as db:
            try:
                rows.create(db, self._id, self._address.vault, header, entry)
            except psycopg.errors.UniqueViolation:
                _roll_back(db)
                raise ConflictError(_TAKEN) from None
            except psycopg.OperationalError as error:
                dead = db.closed
                _roll_back(db)
                if not dead:
                    raise
                lost = error
        if lost is not None and self._find() != self._id:
            raise UnavailableError(LOST)
        self._begin(self._id)

    def read_header(self) -> StoredHeader:
        """See `Store.read_header`."""
        if not self._begun:
            raise VaultNotFoundError(_MISSING)
        return rows.header_of(self._read(rows.HEADER, (self._id,), most=1))

    def moved(self) -> bool:
        """See `Store.moved`. Costs no round trip; own commits don't count."""
        listener = self._alive().listener
        return listener is None or listener.moved(self._ear)

    def head(self) -> int:
        """See `Store.head`."""
        self._listen()
        seq = rows.seq_of(self._read(rows.HEAD, (self._id,), most=1))
        if self._expected is not None and self._expected.seq != seq:
            self._expected = None
        return seq

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        """See `Store.append`. The critical section is the lock on the vault's row."""
        self._check_writable()
        if self._making:
            raise SessionStateError("a commit is being made already; inside transact, write with its tx")
        self._listen()
        change, done = self._added_at_once(make)
        if not done:
            change = self._added_in_turn(make)
        if change is None:
            return None
        if listener := self._alive().listener:
            listener.tell(self._ear)
        self._left = self._left or bool(change.erase or change.drop_parts)
        if change.purge:
            self.purge()
        return change

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See `Store.entries`. By keys, in batches of bounded size."""
        last = upto if upto is not None else 1 << 62
        while True:
            found = self._read(rows.ENTRIES, (self._id, after, last, BATCH, BATCH_BYTES), most=BATCH)
            size = 0
            for seq, body in found:
                size += len(blob(body))
                yield seq, body
            if len(found) < BATCH and size < BATCH_BYTES:
                return
            after = found[-1][0]

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """See `Store.records`."""
        wanted, found = list(addresses), dict[int, bytes]()
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            some = self._read(rows.RECORDS, (self._id, batch), most=len(batch))
            found.update((address, blob(body)) for address, body in some)
        return found

    def addresses(self, after: int) -> Iterator[int]:
        """See `Store.addresses`."""
        while True:
            found = self._read(rows.ADDRESSES, (self._id, after, MANY), most=MANY)
            yield from (address for (address,) in found)
            if len(found) < MANY:
                return
            after = found[-1][0]

    def let_go(self, addresses: Iterable[int] | None) -> None:
        """See `Store.let_go`: there are no other copies."""

    def part(self, name: str) -> bytes | None:
        """See `Store.part`."""
        found = self._read(rows.PART, (self._id, name), most=1)
        return blob(found[0][0]) if found else None

    def parts(self) -> list[str]:
        """See `Store.parts`."""
        found = self._read(rows.PARTS, (self._id,), most=_MAX_PARTS)
        return [name for (name,) in found]

    def purge(self, *, wait: bool = True) -> bool:
        """See `Store.purge`: vacuums the tables, where the role may and they are small enough.

        True says that no query can bring back what was erased. Write-ahead log, replicas, backups and the free space of
        pages keep it for a while all the same (docs/stores-postgres.md), sealed as it is.
        """
        if self._read_only or self._making:
            return False
        if not wait:
            return not self._left
        with suppress(VaultError), translated(), self._alive().connection() as db:
            self._left = not vacuum(db)
            return not self._left
        return False

    def reclaim(self) -> None:
        """See `Store.reclaim`: what VACUUM frees is used again by the same database."""
        self._check_writable()
        self.purge()

    def size(self) -> int:
        """See `Store.size`: of the bodies. Their rows add about a tenth."""
        return int(self._read(f"SELECT {rows.SIZE}", {"vault": self._id}, most=1)[0][0])

    def lock(self, *, exclusive: bool) -> None:
        """See `Store.lock`. Nobody can hold a vault alone here, and all others need no lock for being there.

        Raises:
            InvalidInputError: asked to hold it alone.
        """
        self._alive()
        if exclusive:
            raise InvalidInputError("a vault in a database can't be held alone; open it without exclusive")

    def abandon(self) -> None:
        """See `Store.abandon`."""
        kept, self._database, self._held = (self._database, self._held), None, None
        _ABANDONED.append(kept)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))  # interpreter shutdown would close them otherwise

    def close(self) -> None:
        """See `Store.close`."""
        if os.getpid() != self._pid:
            self.abandon()
            return
        database, self._database = self._database, None
        if database is not None:
            if database.listener is not None:
                database.listener.leave(self._ear)
            database.let_go()

    def _open(self, *, create: bool) -> None:
        found = self._find()
        if found is None and not create:
            raise VaultNotFoundError(_MISSING)
        if found is not None and create:
            raise ConflictError(_TAKEN)
        if found is not None:
            self._begin(found)

    def _find(self) -> UUID | None:
        """The vault's id, after a look at the tables."""

        def look(db: Connection) -> UUID | None:
            schema.check(db)
            found = db.execute(_FIND, (self._address.vault,)).fetchall()
            if len(found) > 1:
                raise InvalidInputError(_TWICE)
            return found[0][0] if found else None

        return self._repeated(look)

    def _begin(self, vault: UUID) -> None:
        self._id, self._begun = vault, True
        self._ear.channel = f"strongroom_{vault.hex}"
        if listener := self._alive().listener:
            listener.join(self._ear)
            self._listen()

    def _listen(self) -> None:
        if listener := self._alive().listener:
            listener.listen()

    @contextmanager
    def _locked(self) -> Iterator[tuple[Connection, Head]]:
        """The critical section. Left by COMMIT, or whatever was done in it is taken back."""
        database = self._alive()
        for left in reversed(range(_TRIES)):
            with database.connection() as db:
                try:
                    with translated():
                        head = self._entered(db, last=not left)
                    if head is not None:
                        yield db, head
                        return
                finally:
                    if os.getpid() == self._pid:  # in a forked child it is the parent's transaction
                        _roll_back(db)
            database.reach()
        raise UnavailableError(LOST)

    def _entered(self, db: Connection, *, last: bool) -> Head | None:
        try:
            return rows.begin(db, self._id, pooler=self._address.pooler)
        except psycopg.OperationalError:
            if not db.closed or last:
                raise
            return None  # the connection was dead before anything happened: take another

    def _added_at_once(self, make: Callable[[Head], Change | None]) -> tuple[Change | None, bool]:
        """Make a change for where the vault should be, and add it if it is there; False if it has to take its turn."""
        head, self._expected = self._expected, None
        if head is None:
            return None, False
        try:
            change = self._made(None, head, make)
        except Exception:
            if self._is_at(head):
                raise
            return None, False  # it was made for a state that is past: what it says is not true any more
        if change is None:
            return None, self._is_at(head)
        if not rows.is_plain(change):
            return None, False
        added = self._commit_at(head, change)
        if added is None:
            added = self._added_after_all(head, change)
        if added:
            self._wrote(head, change)
        return change, added

    def _is_at(self, head: Head) -> bool:
        """Whether the vault is still there. A round trip."""
        if self.head() != head.seq:
            return False
        self._expected = head
        return True

    def _commit_at(self, head: Head, change: Change) -> bool | None:
        """Write and commit if the vault is at `head`; None if the answer was lost."""
        how: Any = {"pooler": self._address.pooler, "channel": self._ear.channel, "token": self._ear.token}
        with translated(), self._alive().connection() as db:  # refused if `make`, a caller's code, has forked
            try:
                return rows.commit_at(db, self._id, head, change, **how)
            except psycopg.OperationalError:
                if not db.closed:
                    raise
                self._ear.moved = True
                return None
            finally:
                _roll_back(db)

    def _added_after_all(self, head: Head, change: Change) -> bool:
        """Add a change that may be there already, or on its way yet: whatever takes its number bars it for ever.

        Raises:
            UnavailableError: nobody knows whether it is there.
        """
        with self._locked() as (db, now):
            if now.seq >= change.seq:
                with translated():
                    return self._entry(db, change.seq) == change.entry
            if now != head or not self._commit(db, change):
                raise UnavailableError(LOST)
            return True

    def _added_in_turn(self, make: Callable[[Head], Change | None]) -> Change | None:
        """Make a change in the critical section, and add it."""
        with self._locked() as (db, head):
            undisturbed = self._written in (None, head.seq)
            change = self._made(db, head, make)
            if change is None:
                return None
            settled = self._commit(db, change)
        if not settled and not self._stands(change):
            raise UnavailableError(f"{LOST}, nothing was written")
        self._wrote(head, change)
        if not undisturbed:
            self._expected = None  # others write as well: making it beforehand would mostly be in vain
        return change

    def _wrote(self, head: Head, change: Change) -> None:
        seq = head.seq if change.entry is None else change.seq
        self._written, self._expected = seq, Head(seq, change.header or head.header)

    def _made(self, db: Connection | None, head: Head, make: Callable[[Head], Change | None]) -> Change | None:
        self._making, self._held = True, db
        try:
            return make(head)  # what it raises is its own, and passes as it is
        finally:
            self._making, self._held = False, None

    def _commit(self, db: Connection, change: Change) -> bool:
        """Write and commit; False if the answer was lost."""
        self._alive()  # refused if `make`, a caller's code, has forked
        with translated():
            try:
                rows.commit(db, self._id, change, channel=self._ear.channel, token=self._ear.token)
            except psycopg.OperationalError:
                if not db.closed:
                    raise
                self._ear.moved = True
                return False
        return True

    def _stands(self, change: Change) -> bool:
        """Whether a commit of the critical section whose answer was lost is there. If not, it never will be.

        Raises:
            UnavailableError: nobody knows.
        """
        if change.entry is None:
            raise UnavailableError(LOST)
        with self._locked() as (db, _), translated():
            return self._entry(db, change.seq) == change.entry

    def _entry(self, db: Connection, seq: int) -> bytes | None:
        found = rows.read(db, rows.ENTRY, (self._id, seq), most=1)
        return found[0][0] if found else None

    def _read(self, query: str, values: Any, *, most: int) -> list[tuple[Any, ...]]:
        return self._repeated(lambda db: rows.read(db, query, values, most=most))

    def _repeated(self, work: Callable[[Connection], T]) -> T:
        """Read something, on another connection when one is dead; inside of `make` on the one that it holds."""
        database = self._alive()
        with translated():
            if self._held is not None:
                return work(self._held)
            for left in reversed(range(_TRIES)):
                with database.connection() as db:
                    try:
                        return work(db)
                    except psycopg.OperationalError:
                        if not db.closed or not left:
                            raise
                database.reach()
        raise UnavailableError(LOST)

    def _check_writable(self) -> None:
        self._alive()
        if self._read_only:
            raise SessionStateError("the vault is open read-only")

    def _alive(self) -> Database:
        if self._database is None or os.getpid() != self._pid:
            raise SessionStateError("this session is closed, or belongs to the process that forked; open a new one")
        return self._database


def _roll_back(db: Connection) -> None:
    """Leave no transaction behind. Where one has failed the connection goes too.

    For the driver then takes statements for prepared which the server has skipped, in the same pipeline behind the one
    that failed.
    """
    status = psycopg.pq.TransactionStatus.IDLE if db.closed else db.info.transaction_status
    if status == psycopg.pq.TransactionStatus.INERROR:
        db.close()
    elif status != psycopg.pq.TransactionStatus.IDLE:
        with suppress(psycopg.Error):
            db.execute("ROLLBACK")
