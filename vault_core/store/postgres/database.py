"""What all stores of one process share in one database: a few connections, and one that listens.

Rules:
- One pool per process and database, whatever number of vaults is open: `CONNECTIONS` at most, and none while idle.
- A connection is used by one call at a time, or by one append from its beginning to its end.
- After `fork()` the child makes its own; the parent's are left alone for ever, not even closed.
"""

import ctypes
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from vault_core.errors import SessionStateError, UnavailableError
from vault_core.store.postgres.address import Address
from vault_core.store.postgres.attended import Attended
from vault_core.store.postgres.listener import Listener
from vault_core.store.postgres.refusals import refusal
from vault_core.store.postgres.rows import DURABLE

CONNECTIONS = 4  # of one process; a server has a hundred by default, for everybody
_IDLE = 60.0  # seconds after which an unused connection is closed
_LOOK = 2.0  # seconds without a connection after which we look whether the server is there at all
_FIRST_LOOK = 0.25  # the first time: who gave a wrong password shall hear so at once
_PATIENCE = 30.0  # seconds to wait for a connection that others use
_EAR = 10.0  # seconds of silence after which the listening connection is given up
_GIVE_UP = 1.0  # the pool's own attempts to connect; the next call begins anew

Connection = Attended
logging.getLogger("psycopg").addHandler(logging.NullHandler())  # who asks hears of it by an exception
_ABANDONED: list[Any] = []  # of forked children: kept so that nothing ever closes them


class Database:
    """The connections of this process to one database. Closed when the last store lets go."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _shared: ClassVar[dict[tuple[str, bool], "Database"]] = {}

    def __init__(self, address: Address) -> None:
        conninfo, pooler = address.conninfo, address.pooler
        self._conninfo, self._pooler, self.users, self.pid = conninfo, pooler, 0, os.getpid()
        self._silence = address.silence
        self._pool = ConnectionPool(
            conninfo,
            connection_class=Connection,
            kwargs=self._options,
            min_size=0,
            max_size=CONNECTIONS,
            open=True,
            configure=self._configure,
            max_idle=_IDLE,
            reconnect_timeout=_GIVE_UP,
            num_workers=1,
            name="strongroom",
        )
        self.listener = None if pooler else Listener(self._ear)

    @classmethod
    def of(cls, address: Address) -> "Database":
        """The one that this process has, or a new one; `let_go` when done with it."""
        key = address.conninfo, address.pooler
        with cls._lock:
            if key not in cls._shared:
                cls._shared[key] = cls(address)
            cls._shared[key].users += 1
            return cls._shared[key]

    def let_go(self) -> None:
        """Say that one user less is left."""
        with self._lock:
            self.users -= 1
            if self.users:
                return
            self._shared.pop((self._conninfo, self._pooler), None)
        if self.listener is not None:
            self.listener.close()
        self._pool.close()

    def connect(self) -> Connection:
        """A connection beside the pool.

        Raises:
            psycopg.Error: there is none.
        """
        return Connection.connect(self._conninfo, **self._options)

    def reach(self) -> None:
        """See that the server is there and lets us in.

        Raises:
            InvalidInputError: it refuses us for good.
            UnavailableError: it can't be reached now.
        """
        try:
            self.connect().close()
        except psycopg.Error as error:
            raise refusal(error) from None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection of the pool, for a moment.

        Raises:
            InvalidInputError: the server refuses us.
            UnavailableError: it can't be reached, or others use all connections for too long.
        """
        db = self._take()
        try:
            yield db
        finally:
            if os.getpid() == self.pid:  # a caller's code that forked comes out of here twice
                self._pool.putconn(db)

    def _ear(self) -> Connection:
        """A connection that nobody waits for long on: it only makes hearing quicker."""
        db = self.connect()
        db.silence = _EAR
        return db

    def _configure(self, db: Connection) -> None:
        db.silence = self._silence
        if not self._pooler:
            db.execute(DURABLE, (False,))

    @property
    def _options(self) -> dict[str, Any]:
        # Statements that the server remembers belong to a connection, which a pooler changes.
        return {"autocommit": True, **({"prepare_threshold": None} if self._pooler else {})}

    def _take(self) -> Connection:
        end, patience = time.monotonic() + _PATIENCE, _FIRST_LOOK
        while True:
            try:
                return self._pool.getconn(timeout=patience)
            except PoolClosed:
                raise SessionStateError("this session is closed; open a new one") from None
            except PoolTimeout:
                self.reach()
                patience = _LOOK
                if time.monotonic() > end:
                    raise UnavailableError(
                        f"all {CONNECTIONS} connections of this program are in use for too long; try again"
                    ) from None

    @classmethod
    def _abandon(cls) -> None:
        """In a forked child: the parent's connections are not ours, and neither is a lock that it may hold."""
        for database in cls._shared.values():
            _ABANDONED.append(database)
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(database))  # interpreter shutdown would close it otherwise
        cls._shared, cls._lock = {}, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Database._abandon)  # noqa: SLF001  our own
