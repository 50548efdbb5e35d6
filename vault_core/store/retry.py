"""A store that tries again: the wrapper around one that lies beyond a network.

Rules (`Store.append` is what makes them hard):
- An answer that was lost says nothing about the write. The *same* change is sent again until it is settled: its entry
  stands at its seq (it took effect), another one stands there (it did not and can't any more), or nothing does (the
  first sending may still be on its way, so that only the same bytes are safe to send).
- `make` is run anew only when its change is certainly lost, and for changes that bring no entry.
- What `make` raises passes as it is. A read that fails inside `make` is not repeated there, where others wait for the
  critical section to end: the section is entered anew.
- Every wait is random below a bound that doubles ("full jitter"), so that many clients of a server that comes back do
  not all come at once.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from vault_core.errors import (
    ConflictError,
    RollbackError,
    SessionStateError,
    UnavailableError,
    VaultNotFoundError,
    VaultTamperedError,
)
from vault_core.store.base import Capabilities, Change, Head, Store, StoredHeader

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and for how long a call is tried. Times in seconds."""

    attempts: int = 10
    first: float = 0.05  # the bound of the first wait; each one after it is twice as long
    longest: float = 5.0
    total: float = 30.0  # from the first try; as long as SQLite waits for a lock

    def bound(self, failures: int) -> float:
        """The longest that may be waited after so many failures."""
        return min(self.longest, self.first * 2.0 ** (failures - 1))


class RetryingStore:
    """A store whose calls are repeated while the place can't serve. Keeps the `Store` protocol.

    Everything else about it is the inner store's. When a call is given up, the last `UnavailableError` says how often
    it was tried.
    """

    def __init__(
        self,
        inner: Store,
        *,
        policy: RetryPolicy | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap `inner`. `chance` gives a number from 0 to 1; it, `sleep` and `clock` are there for tests."""
        self.inner = inner
        self._policy = policy or RetryPolicy()
        self._chance, self._sleep, self._clock = chance, sleep, clock
        self._making = self._doubt = False
        self._failed_reads: list[UnavailableError] = []  # inside of `make`, told apart by identity

    @property
    def capabilities(self) -> Capabilities:
        """See `Store.capabilities`."""
        return self.inner.capabilities

    @property
    def location(self) -> str:
        """See `Store.location`."""
        return self.inner.location

    @property
    def origin(self) -> Store:
        """See `Store.origin`. Whoever verifies tries again as well."""
        behind = self.inner.origin
        if behind is self.inner:
            return self
        return RetryingStore(behind, policy=self._policy, chance=self._chance, sleep=self._sleep, clock=self._clock)

    def create(self, header: StoredHeader, entry: bytes) -> None:
        """See `Store.create`. A vault that is there already, and is ours, is one whose answer was lost."""
        patience, lost = self._patience(), False
        while True:
            try:
                return self.inner.create(header, entry)
            except UnavailableError as error:
                lost = True
                patience.wait(error)
            except ConflictError:
                if not lost or not self._begun_with(header, entry):
                    raise
                return None

    def read_header(self) -> StoredHeader:
        """See `Store.read_header`."""
        return self._read(self.inner.read_header)

    def moved(self) -> bool:
        """See `Store.moved`. After a failure there is doubt: what was asked may have been answered, and forgotten."""
        patience = self._patience()
        while True:
            try:
                moved = self.inner.moved() or self._doubt
                self._doubt = False
                return moved
            except UnavailableError as error:
                self._doubt = True
                self._wait_outside(error, patience)

    def head(self) -> int:
        """See `Store.head`."""
        return self._read(self.inner.head)

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        """See `Store.append`, and the rules above.

        Raises:
            UnavailableError: given up. Unless its message says otherwise, nothing was sent.
            RollbackError: the store has gone back behind the commit that the change follows.
        """
        if self._making:
            raise SessionStateError("a commit is being made already; inside transact, write with its tx")
        patience, sending = self._patience(), _Sending(self, make)
        while True:
            try:
                self.inner.append(sending)
                return sending.change
            except UnavailableError as error:
                if error is sending.raised:
                    raise
                patience.wait(error, sent=sending.change is not None)

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See `Store.entries`. After a failure it goes on behind the last entry that was given."""
        patience = self._patience()
        while True:
            try:
                for seq, entry in self.inner.entries(after, upto):
                    after, patience = seq, self._patience()
                    yield seq, entry
                return
            except UnavailableError as error:
                self._wait_outside(error, patience)

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """See `Store.records`."""
        wanted = list(addresses)
        return self._read(lambda: self.inner.records(wanted))

    def addresses(self, after: int) -> Iterator[int]:
        """See `Store.addresses`. After a failure it goes on behind the last address that was given."""
        patience = self._patience()
        while True:
            try:
                for address in self.inner.addresses(after):
                    after, patience = address, self._patience()
                    yield address
                return
            except UnavailableError as error:
                self._wait_outside(error, patience)

    def let_go(self, addresses: Iterable[int] | None) -> None:
        """See `Store.let_go`."""
        self.inner.let_go(addresses)

    def part(self, name: str) -> bytes | None:
        """See `Store.part`."""
        return self._read(lambda: self.inner.part(name))

    def parts(self) -> list[str]:
        """See `Store.parts`."""
        return self._read(self.inner.parts)

    def purge(self, *, wait: bool = True) -> bool:
        """See `Store.purge`. Purging twice is purging once."""
        return self._read(lambda: self.inner.purge(wait=wait))

    def reclaim(self) -> None:
        """See `Store.reclaim`. Twice is once."""
        self._read(self.inner.reclaim)

    def size(self) -> int:
        """See `Store.size`."""
        return self._read(self.inner.size)

    def lock(self, *, exclusive: bool) -> None:
        """See `Store.lock`. A store that is locked twice holds one lock, the later one."""
        self._read(lambda: self.inner.lock(exclusive=exclusive))

    def abandon(self) -> None:
        """See `Store.abandon`."""
        self.inner.abandon()

    def close(self) -> None:
        """See `Store.close`."""
        self.inner.close()

    def run(self, make: Callable[[Head], Change | None], head: Head) -> Change | None:
        """Run `make` with everything that reads from this store meanwhile tried once."""
        self._making = True
        self._failed_reads.clear()
        try:
            return make(head)
        finally:
            self._making = False

    def failed_here(self, error: BaseException) -> bool:
        """Whether an error came from a read of this store inside of the last `make`."""
        return any(error is one for one in self._failed_reads)

    def _read(self, work: Callable[[], T]) -> T:
        patience = self._patience()
        while True:
            try:
                return work()
            except UnavailableError as error:
                self._wait_outside(error, patience)

    def _wait_outside(self, error: UnavailableError, patience: "_Patience") -> None:
        """Wait before a read is repeated; inside of `make` let it fail, for the section to be entered anew."""
        if self._making:
            self._failed_reads.append(error)
            raise error
        patience.wait(error)

    def _begun_with(self, header: StoredHeader, entry: bytes) -> bool:
        try:
            first = dict(self.entries(0, 1)).get(1)
            return first == entry and self.read_header() == header
        except VaultNotFoundError:
            return False

    def _patience(self) -> "_Patience":
        return _Patience(self._policy, self._chance, self._sleep, self._clock)


class _Patience:
    """How much is left of it, for one call."""

    def __init__(
        self,
        policy: RetryPolicy,
        chance: Callable[[], float],
        sleep: Callable[[float], object],
        clock: Callable[[], float],
    ) -> None:
        self._policy, self._chance, self._sleep, self._clock = policy, chance, sleep, clock
        self._began, self._failures = clock(), 0

    def wait(self, error: UnavailableError, *, sent: bool = False) -> None:
        """Wait before the next try.

        Raises:
            UnavailableError: there is none; `error`, with how often it was tried and whether a change was `sent`.
        """
        self._failures += 1
        delay = self._chance() * self._policy.bound(self._failures)
        out_of_time = self._clock() - self._began + delay > self._policy.total
        if self._failures >= self._policy.attempts or out_of_time:
            doubt = "; what was being written may be there or not, so look before writing it again" if sent else ""
            tried = "once" if self._failures == 1 else f"{self._failures} times"
            raise UnavailableError(f"{error} (tried {tried}{doubt})") from error
        self._sleep(delay)


class _Sending:
    """One change on its way: what the inner store runs in the place of `make`."""

    def __init__(self, store: RetryingStore, make: Callable[[Head], Change | None]) -> None:
        self._store, self._make = store, make
        self._header: StoredHeader | None = None  # the one that `make` was shown
        self.change: Change | None = None  # what was sent, or is about to be
        self.raised: BaseException | None = None  # by `make` itself

    def __call__(self, head: Head) -> Change | None:
        sent = self.change
        if sent is not None and sent.entry is not None:
            if self._took_effect(sent, head):
                return _rest(sent)
            if not self._lost(sent, head):
                return sent
        self.change, self.raised = None, None
        try:
            self.change = self._store.run(self._make, head)
        except BaseException as error:
            self.raised = None if self._store.failed_here(error) else error
            raise
        self._header = head.header
        return self.change

    def _took_effect(self, sent: Change, head: Head) -> bool:
        return head.seq >= sent.seq and self._standing(sent.seq) == sent.entry

    def _lost(self, sent: Change, head: Head) -> bool:
        """Whether it can't take effect any more: its seq is another's, or the header after the one it was made for."""
        if head.seq < sent.seq - 1:
            raise RollbackError("the vault's store went back behind what this session has seen")
        other_header = sent.header is not None and head.header not in (self._header, sent.header)
        return head.seq >= sent.seq or other_header

    def _standing(self, seq: int) -> bytes:
        for _, entry in self._store.inner.entries(seq - 1, seq):
            return entry
        raise VaultTamperedError("a commit of the log is missing")


def _rest(sent: Change) -> Change | None:
    """What may be left to do of a change whose entry stands: its store may not write everything at once."""
    if not (sent.drop_parts or sent.put_parts or sent.purge):
        return None
    return Change(drop_parts=sent.drop_parts, put_parts=sent.put_parts, purge=sent.purge)
