"""A store that fails where a test tells it to: before a write, after it took effect, or for good."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

from vault_core.errors import UnavailableError
from vault_core.store import Change, Head, Store, StoredHeader
from vault_core.store.base import Capabilities

T = TypeVar("T")

WRITES = frozenset({"create", "append", "purge", "reclaim"})


class Fault(StrEnum):
    """What happens to one call."""

    LOST = "fails and does not persist"  # a full disk, a conflict that never ends
    AMBIGUOUS = "fails but persists"  # the answer was lost on the way
    CRASH_BEFORE = "the process ends before it persists"
    CRASH_AFTER = "the process ends after it persists"

    @property
    def persists(self) -> bool:
        """Whether the write takes effect."""
        return self in (Fault.AMBIGUOUS, Fault.CRASH_AFTER)

    @property
    def ends(self) -> bool:
        """Whether nothing works any more afterwards."""
        return self in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)


class Crashed(BaseException):
    """The process ended here, as far as the store is concerned. No handler of errors may catch it."""


class FaultyStore:
    """Any store, with a fault in one of its calls. Keeps the `Store` protocol; the store inside stays usable directly.

    `calls` names the calls so far, those in `counted` (by default the ones that write); `fail(fault, at=n)` arms a
    fault for the n-th counted call from there on (0 for the next). After a crash every call raises `Crashed`, except
    `close` and `abandon`: the operating system does those for a dead process.
    """

    def __init__(self, inner: Store, *, counted: Iterable[str] = WRITES) -> None:
        """Wrap `inner`; no fault is armed yet."""
        self.inner = inner
        self.calls: list[str] = []
        self._counted = frozenset(counted)
        self._fault: Fault | None = None
        self._at = 0
        self._crashed = False

    def fail(self, fault: Fault, *, at: int = 0) -> None:
        """Arm a fault."""
        self._fault, self._at = fault, len(self.calls) + at

    @property
    def armed(self) -> bool:
        """Whether a fault is still to come."""
        return self._fault is not None

    @property
    def capabilities(self) -> Capabilities:
        """See `Store.capabilities`."""
        return self.inner.capabilities

    @property
    def location(self) -> str:
        """See `Store.location`."""
        return self.inner.location

    @property
    def origin(self) -> "FaultyStore":
        """See `Store.origin`. The faults stay in the way of who verifies."""
        return self

    def create(self, header: StoredHeader, entry: bytes) -> None:
        """See `Store.create`."""
        self._call("create", lambda: self.inner.create(header, entry))

    def read_header(self) -> StoredHeader:
        """See `Store.read_header`."""
        return self._call("read_header", self.inner.read_header)

    def moved(self) -> bool:
        """See `Store.moved`."""
        return self._call("moved", self.inner.moved)

    def head(self) -> int:
        """See `Store.head`."""
        return self._call("head", self.inner.head)

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        """See `Store.append`. A fault that does not persist strikes at the end of the critical section."""
        fault = self._next("append")

        def failing(head: Head) -> Change | None:
            make(head)
            raise self._struck(fault)

        if fault is not None and not fault.persists:
            return self.inner.append(failing)
        change = self.inner.append(make)
        if fault is not None:
            raise self._struck(fault)
        return change

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See `Store.entries`."""
        return self._call("entries", lambda: self.inner.entries(after, upto))

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """See `Store.records`."""
        return self._call("records", lambda: self.inner.records(addresses))

    def addresses(self, after: int) -> Iterator[int]:
        """See `Store.addresses`."""
        return self._call("addresses", lambda: self.inner.addresses(after))

    def let_go(self, addresses: Iterable[int] | None) -> None:
        """See `Store.let_go`."""
        self.inner.let_go(addresses)

    def part(self, name: str) -> bytes | None:
        """See `Store.part`."""
        return self._call("part", lambda: self.inner.part(name))

    def parts(self) -> list[str]:
        """See `Store.parts`."""
        return self._call("parts", self.inner.parts)

    def purge(self, *, wait: bool = True) -> bool:
        """See `Store.purge`."""
        return self._call("purge", lambda: self.inner.purge(wait=wait))

    def reclaim(self) -> None:
        """See `Store.reclaim`."""
        self._call("reclaim", self.inner.reclaim)

    def size(self) -> int:
        """See `Store.size`."""
        return self._call("size", self.inner.size)

    def lock(self, *, exclusive: bool) -> None:
        """See `Store.lock`."""
        self._call("lock", lambda: self.inner.lock(exclusive=exclusive))

    def abandon(self) -> None:
        """See `Store.abandon`."""
        self.inner.abandon()

    def close(self) -> None:
        """See `Store.close`."""
        self.inner.close()

    def _call(self, name: str, work: Callable[[], T]) -> T:
        fault = self._next(name)
        if fault is None:
            return work()
        if fault.persists:
            work()
        raise self._struck(fault)

    def _next(self, name: str) -> Fault | None:
        """Count a call; gives the fault that strikes it."""
        if self._crashed:
            raise Crashed(name)
        if name not in self._counted:
            return None
        strikes = self._fault is not None and len(self.calls) == self._at
        self.calls.append(name)
        if not strikes:
            return None
        fault, self._fault = self._fault, None
        return fault

    def _struck(self, fault: Fault | None) -> BaseException:
        if fault is not None and fault.ends:
            self._crashed = True
            return Crashed(fault.value)
        return UnavailableError("the store failed, as the test told it to")
