"""A store that fails where a test tells it to: before a write, after it took effect, or for good; or now and then.

Two ways: `fail` arms one `Fault` for one call; `follow` lets a seeded `FaultPlan` strike any call with `NetworkFault`s,
as a network does to a store that lies beyond one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TypeVar

from vault_core.errors import ConflictError, SessionStateError, UnavailableError, VaultTamperedError
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


class NetworkFault(StrEnum):
    """What a network does to one call. All but `TWICE` raise `UnavailableError`."""

    REFUSED = "fails before anything is done"
    LOST = "fails at the last moment, and does not take effect"
    CUT = "gives some of what is asked for, then fails"  # of what is walked; else like LOST
    AMBIGUOUS = "takes effect, and the answer is lost"
    LATE = "fails, and takes effect some calls later if its place is still free"  # of `append`; else like LOST
    TWICE = "takes effect, and is delivered once more"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """How often which faults strike, repeatable by its seed."""

    seed: int
    chance: float  # of each call, from 0 to 1
    faults: tuple[NetworkFault, ...] = tuple(NetworkFault)
    calls: frozenset[str] = frozenset(
        {"create", "read_header", "moved", "head", "append", "entries", "records", "addresses", "part", "parts"}
        | {"purge", "reclaim", "size", "lock"}
    )


class Crashed(BaseException):
    """The process ended here, as far as the store is concerned. No handler of errors may catch it."""


class FaultyStore:
    """Any store, with a fault in one of its calls. Keeps the `Store` protocol; the store inside stays usable directly.

    `calls` names the calls so far, those in `counted` (by default the ones that write); `fail(fault, at=n)` arms a
    fault for the n-th counted call from there on (0 for the next). After a crash every call raises `Crashed`, except
    `close` and `abandon`: the operating system does those for a dead process.

    `follow(plan)` lets faults strike by chance until `follow(None)`, which also delivers what is still on its way.
    """

    def __init__(self, inner: Store, *, counted: Iterable[str] = WRITES) -> None:
        """Wrap `inner`; no fault is armed yet."""
        self.inner = inner
        self.calls: list[str] = []
        self._counted = frozenset(counted)
        self._fault: Fault | None = None
        self._at = 0
        self._crashed = False
        self._plan: FaultPlan | None = None
        self._random = Random()  # noqa: S311  of a test
        self._late: list[_Late] = []

    def follow(self, plan: FaultPlan | None) -> None:
        """Let a plan's faults strike from here on, or none."""
        self._plan = plan
        if plan is not None:
            self._random.seed(plan.seed)
        else:
            self._deliver_late()

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
        if fault is None and (trouble := self._trouble("append")) is not None:
            return self._troubled_append(trouble, make)

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
        return self._walk("entries", lambda: self.inner.entries(after, upto))

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """See `Store.records`."""
        return self._call("records", lambda: self.inner.records(addresses))

    def addresses(self, after: int) -> Iterator[int]:
        """See `Store.addresses`."""
        return self._walk("addresses", lambda: self.inner.addresses(after))

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
            trouble = self._trouble(name)
            return work() if trouble is None else _troubled(trouble, work)
        if fault.persists:
            work()
        raise self._struck(fault)

    def _walk(self, name: str, work: Callable[[], Iterator[T]]) -> Iterator[T]:
        fault = self._next(name)
        if fault is not None:
            raise self._struck(fault)
        trouble = self._trouble(name)
        if trouble is NetworkFault.CUT:
            return _cut(work(), self._random.randrange(4))
        return work() if trouble is None else _troubled(trouble, work)

    def _trouble(self, name: str) -> NetworkFault | None:
        """What the plan has for this call. What is on its way may arrive before it."""
        if self._plan is None or name not in self._plan.calls:
            return None
        if self._late and self._random.random() < _ARRIVES:
            self._deliver_late()
        if self._random.random() >= self._plan.chance:
            return None
        return self._random.choice(self._plan.faults)

    def _troubled_append(self, trouble: NetworkFault, make: Callable[[Head], Change | None]) -> Change | None:
        def failing(head: Head) -> Change | None:
            change = make(head)
            if trouble is NetworkFault.LATE and change is not None and change.entry is not None:
                self._late.append(_Late(head, change))
            raise _unavailable()

        if trouble is NetworkFault.REFUSED:
            raise _unavailable()
        if trouble not in (NetworkFault.AMBIGUOUS, NetworkFault.TWICE):
            return self.inner.append(failing)
        change = self.inner.append(make)
        if trouble is NetworkFault.AMBIGUOUS:
            raise _unavailable()
        if change is not None:
            with suppress(VaultTamperedError):  # refused: its place is taken, by itself
                self.inner.append(lambda _: change)
        return change

    def _deliver_late(self) -> None:
        """What was on its way arrives: written if nothing has changed that it was made for."""
        late, self._late = self._late, []
        for one in late:
            try:
                self.inner.append(one.arriving)
            except SessionStateError:  # someone is inside of the critical section: it waits outside
                self._late.append(one)

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
        return _unavailable()


_ARRIVES = 0.3  # the chance, before each call, of what is late


@dataclass(frozen=True, slots=True)
class _Late:
    """A change on its way, and the head it was made for."""

    head: Head
    change: Change

    def arriving(self, head: Head) -> Change | None:
        return self.change if head == self.head else None


def _troubled(trouble: NetworkFault, work: Callable[[], T]) -> T:
    if trouble in (NetworkFault.AMBIGUOUS, NetworkFault.TWICE):
        result = work()
        if trouble is NetworkFault.TWICE:
            with suppress(ConflictError):
                work()
            return result
    raise _unavailable()


def _cut(items: Iterator[T], after: int) -> Iterator[T]:
    for number, item in enumerate(items):
        if number == after:
            break
        yield item
    raise _unavailable()


def _unavailable() -> UnavailableError:
    return UnavailableError("the store failed, as the test told it to")
