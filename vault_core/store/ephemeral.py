"""A vault in RAM, for tests and for programs that want to leave nothing behind. Shared by the sessions that open it."""

import copy
import threading
from collections.abc import Callable, Iterable, Iterator

from vault_core.errors import (
    ConflictError,
    SessionStateError,
    VaultAlreadyOpenError,
    VaultNotFoundError,
    VaultTamperedError,
)
from vault_core.store.base import Capabilities, Change, Head, StoredHeader


class _Hold:
    """That a session uses the store, alone or with others. Told apart by identity."""

    def __init__(self, *, exclusive: bool) -> None:
        self.exclusive = exclusive


class EphemeralStore:
    """A store whose bytes are dicts: `entry`, `record`, `part_bodies`, and `header`.

    Sessions of one process may share it; each has a store of its own on the same bytes, `another()`. The dicts may be
    changed directly, which is what tests of tampering do.
    """

    capabilities = Capabilities(exclusive=True, durable=False)
    location = "memory://"

    def __init__(self) -> None:
        self._headers: list[StoredHeader | None] = [None]  # one, in a list that all sessions share
        self.entry: dict[int, bytes] = {}
        self.record: dict[int, bytes] = {}
        self.part_bodies: dict[str, bytes] = {}
        self._lock = threading.RLock()
        self._sessions: list[_Hold] = []  # one for each open session
        self._hold: _Hold | None = None  # this one's
        self._making = [False]  # whether someone is inside the critical section

    @property
    def header(self) -> StoredHeader | None:
        """The header, None before the vault is made."""
        return self._headers[0]

    @header.setter
    def header(self, header: StoredHeader | None) -> None:
        self._headers[0] = header

    def another(self) -> "EphemeralStore":
        """A store for one more session, on the same bytes."""
        other = copy.copy(self)
        other._hold = None  # noqa: SLF001  one of our own
        return other

    @property
    def origin(self) -> "EphemeralStore":
        """See `Store.origin`."""
        return self

    def create(self, header: StoredHeader, entry: bytes) -> None:
        """See `Store.create`."""
        with self._lock:
            if self.header is not None or self.entry:
                raise ConflictError("there is a vault in this store already")
            self.header, self.entry[1] = header, entry

    def read_header(self) -> StoredHeader:
        """See `Store.read_header`."""
        if self.header is None:
            raise VaultNotFoundError("there is no vault in this store; make one with Vault.create")
        return StoredHeader(*self.header)

    def moved(self) -> bool:
        """See `Store.moved`."""
        return True

    def head(self) -> int:
        """See `Store.head`."""
        return max(self.entry, default=0)

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        """See `Store.append`."""
        with self._lock:
            if self._making[0]:
                raise SessionStateError("a commit is being made already; inside transact, write with its tx")
            self._making[0] = True
            try:
                change = make(Head(self.head(), self.read_header()))
            finally:
                self._making[0] = False
            if change is not None:
                self._carry_out(change)
            return change

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See `Store.entries`."""
        with self._lock:
            found = sorted(seq for seq in self.entry if seq > after and (upto is None or seq <= upto))
        for seq in found:
            yield seq, self.entry[seq]

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """See `Store.records`."""
        with self._lock:
            return {address: self.record[address] for address in addresses if address in self.record}

    def addresses(self, after: int) -> Iterator[int]:
        """See `Store.addresses`."""
        with self._lock:
            yield from sorted(address for address in self.record if address > after)

    def let_go(self, addresses: Iterable[int] | None) -> None:
        """See `Store.let_go`: there are no other copies."""

    def part(self, name: str) -> bytes | None:
        """See `Store.part`."""
        return self.part_bodies.get(name)

    def parts(self) -> list[str]:
        """See `Store.parts`."""
        return sorted(self.part_bodies)

    def purge(self, *, wait: bool = True) -> bool:  # noqa: ARG002  nothing to wait for
        """See `Store.purge`."""
        return True

    def reclaim(self) -> None:
        """See `Store.reclaim`."""

    def size(self) -> int:
        """See `Store.size`."""
        with self._lock:
            kept = (*self.entry.values(), *self.record.values(), *self.part_bodies.values())
            return sum(map(len, kept))

    def lock(self, *, exclusive: bool) -> None:
        """See `Store.lock`."""
        self.close()  # one hold each, the later one
        with self._lock:
            if any(hold.exclusive for hold in self._sessions) or (exclusive and self._sessions):
                raise VaultAlreadyOpenError("another session holds this vault; close it first")
            self._hold = _Hold(exclusive=exclusive)
            self._sessions.append(self._hold)

    def abandon(self) -> None:
        """See `Store.abandon`."""

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock:
            self._sessions[:] = [hold for hold in self._sessions if hold is not self._hold]
            self._hold = None

    def _carry_out(self, change: Change) -> None:
        addresses = [change.seq << 24 | n for n in range(len(change.records))]
        if change.entry is not None and (change.seq in self.entry or any(a in self.record for a in addresses)):
            raise VaultTamperedError("the place of the next commit is taken")
        parts = dict(change.put_parts)  # making them may fail: before anything has changed
        if change.entry is not None:
            self.entry[change.seq] = change.entry
        self.record.update(zip(addresses, change.records, strict=True))
        for address in change.erase:
            if address in self.record:
                self.record[address] = bytes(len(self.record[address]))
        if change.header is not None:
            self.header = change.header
        for name in change.drop_parts:
            self.part_bodies.pop(name, None)
        self.part_bodies.update(parts)
