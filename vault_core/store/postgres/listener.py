"""Hearing of commits without asking: one listening connection for all vaults of a process in one database.

Rules:
- Asking whether a vault moved costs no round trip: what has arrived is read, nothing is waited for.
- In doubt it moved: while the connection is new or lost, and `TRUSTED` seconds after the last look. So a connection
  that is dead without saying so, or a writer that was killed before it told anybody, delays by that much at most.
- The name of a vault's channel is its id, which only those know who may read the vault.
- A store of our own that commits tells the others of the same process directly.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

TRUSTED = 5.0  # seconds after which silence is no proof any more
_AGAIN = 1.0  # between two attempts to connect
_NEVER = 60.0  # a standby takes no LISTEN: ask it again that rarely


class Ear:
    """What one store has heard of its vault. Its own commits don't count: their payload is its token."""

    def __init__(self, channel: str, token: str) -> None:
        self.channel, self.token, self.moved = channel, token, True
        self.looked = float("-inf")


class Listener:
    """One connection that listens, and the ears of the stores that want to hear. Any thread may use it."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._lock, self._connecting = threading.Lock(), threading.Lock()
        self._db: psycopg.Connection[Any] | None = None
        self._ears: dict[str, list[Ear]] = {}
        self._next = float("-inf")

    def join(self, ear: Ear) -> None:
        """Let a store hear, from now on."""
        with self._lock:
            ears = self._ears.setdefault(ear.channel, [])
            ears.append(ear)
            if self._db is not None and len(ears) == 1:
                with self._losing():
                    self._say(self._db, "LISTEN", [ear.channel])

    def leave(self, ear: Ear) -> None:
        """Let a store hear no more."""
        with self._lock:
            ears = self._ears.get(ear.channel, [])
            if ear not in ears:
                return
            ears.remove(ear)
            if not ears:
                del self._ears[ear.channel]
                if self._db is not None:
                    with self._losing():
                        self._say(self._db, "UNLISTEN", [ear.channel])

    def moved(self, ear: Ear) -> bool:
        """Whether anything may have changed since this was asked last. Waits for nothing."""
        with self._lock:
            self._take()
            now = time.monotonic()
            moved = ear.moved or self._db is None or now - ear.looked > TRUSTED
            if moved:
                ear.moved, ear.looked = False, now
            return moved

    def tell(self, ear: Ear) -> None:
        """Tell the other stores of this process that this one committed."""
        with self._lock:
            for other in self._ears.get(ear.channel, ()):
                if other is not ear:
                    other.moved = True

    def listen(self) -> None:
        """Connect if there is no connection. To be called before looking at the vault, where waiting is no harm."""
        if self._db is not None or time.monotonic() < self._next:
            return
        if not self._connecting.acquire(blocking=False):
            return  # another thread is at it
        try:
            db = self._connect()
            db.add_notify_handler(self._hear_late)
            with self._lock:
                self._say(db, "LISTEN", list(self._ears))
                self._db = db
        except psycopg.Error as error:
            refused = isinstance(
                error, psycopg.errors.ReadOnlySqlTransaction | psycopg.errors.ObjectNotInPrerequisiteState
            )
            self._next = time.monotonic() + (_NEVER if refused else _AGAIN)
        finally:
            self._connecting.release()

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._lose()

    def _take(self) -> None:
        """Read what has arrived."""
        if self._db is None:
            return
        with self._losing():
            wire = self._db.pgconn
            for _ in range(2):  # the first may bring what the server said last, the second that it hung up then
                wire.consume_input()
            while (notice := wire.notifies()) is not None:
                self._hear(notice.relname.decode(), notice.extra.decode())

    def _say(self, db: psycopg.Connection[Any], verb: str, channels: list[str]) -> None:
        if channels:
            commands = [sql.SQL("{} {}").format(sql.SQL(verb), sql.Identifier(channel)) for channel in channels]
            db.execute(sql.SQL("; ").join(commands))

    def _hear(self, channel: str, token: str) -> None:
        for ear in self._ears.get(channel, ()):
            if ear.token != token:
                ear.moved = True

    def _hear_late(self, notice: psycopg.Notify) -> None:
        """What arrives while the driver itself waits for an answer."""
        self._hear(notice.channel, notice.payload)

    @contextmanager
    def _losing(self) -> Iterator[None]:
        """Whatever goes wrong with the connection, it is lost and nothing worse."""
        try:
            yield
        except psycopg.Error:
            self._lose()

    def _lose(self) -> None:
        db, self._db = self._db, None
        for ears in self._ears.values():
            for ear in ears:
                ear.moved = True
        if db is not None:
            with suppress(psycopg.Error):
                db.close()
