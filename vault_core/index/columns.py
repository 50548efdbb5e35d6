"""Columns: what decides whether a memory may be a hit, and what it stands beside, as arrays.

So 100,000 rows are judged in a millisecond. One row for every unerased version, in log order; addresses only grow, so
a binary search finds a row.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgpack
import numpy as np
from numpy.typing import NDArray

from vault_core.index.growing import Growing

CURRENT, ARCHIVED, SUPERSEDED, SEARCHED, ERASED, ASKS, UNTRUSTED, GHOST = (1 << bit for bit in range(8))
NEVER = np.iinfo(np.int64).max
NOBODY = -1  # no thread, no source
_PACKED = {  # the arrays of a snapshot, in the order of `Entry`
    "address": "<i8", "namespace": "<i4", "flags": "u1", "expires": "<i8", "created": "<i8", "moment": "<i8",
    "thread": "<i4", "position": "<i8", "source": "<i4", "importance": "<f4",
}  # fmt: skip

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Entry(NamedTuple):
    """One row. `moment` is when it happened, else when the memory was first written; times in microseconds."""

    address: int
    namespace: int
    flags: int
    expires: int
    created: int
    moment: int
    thread: int
    position: int
    source: int
    importance: float


class Columns:
    """Growing arrays, one for each field of `Entry`."""

    def __init__(self) -> None:
        self._columns = {name: Growing(kind) for name, kind in _PACKED.items()}
        self.threads, self.sources = Names(), Names()  # labels: (namespace number, thread), and who said it

    @property
    def size(self) -> int:
        """How many rows there are, erased ones counted."""
        return self._columns["address"].size

    @property
    def address(self) -> Ints:
        """Addresses, ascending."""
        return self._columns["address"].values

    @property
    def flags(self) -> NDArray[np.uint8]:
        """Flags of each row."""
        return self._columns["flags"].values

    @property
    def created(self) -> Ints:
        """When each version was written, microseconds."""
        return self._columns["created"].values

    @property
    def moment(self) -> Ints:
        """When each happened, or was first written, microseconds."""
        return self._columns["moment"].values

    @property
    def namespace(self) -> NDArray[np.int32]:
        """The number of each row's namespace."""
        return self._columns["namespace"].values

    @property
    def thread(self) -> NDArray[np.int32]:
        """The number of each row's thread, or NOBODY."""
        return self._columns["thread"].values

    @property
    def position(self) -> Ints:
        """The place of each row in its thread."""
        return self._columns["position"].values

    @property
    def source(self) -> NDArray[np.int32]:
        """The number of each row's source, or NOBODY."""
        return self._columns["source"].values

    @property
    def importance(self) -> NDArray[np.float32]:
        """The importance of each row, 0 to 1; NaN for none."""
        return self._columns["importance"].values

    def threads_called(self, label: str) -> list[int]:
        """The numbers of the threads with this label, in whichever namespace."""
        return [number for number, (_, one) in enumerate(self.threads) if one == label]

    def append(self, rows: Sequence[Entry]) -> int:
        """Add rows; gives the number of the first."""
        first = self.size
        if rows:
            for column, values in zip(self._columns.values(), zip(*rows, strict=True), strict=True):
                column.append(values)
        return first

    @property
    def kept(self) -> Ints:
        """The rows that are not erased."""
        return np.flatnonzero((self.flags & ERASED) == 0)

    def pack(self) -> list[bytes]:
        """Everything about the rows that are left, for a snapshot."""
        kept = self.kept
        found = {name: self._columns[name].values[kept] for name in _PACKED}
        threads, found["thread"] = self.threads.only(found["thread"])
        sources, found["source"] = self.sources.only(found["source"])
        arrays = [found[name].astype(kind).tobytes() for name, kind in _PACKED.items()]
        return [*arrays, msgpack.packb([list(threads), list(sources)])]

    @classmethod
    def unpack(cls, packed: Sequence[bytes]) -> "Columns":
        """What `pack` gave, ready to grow.

        Raises:
            ValueError: the arrays don't fit each other.
        """
        *arrays, names = packed
        found = [np.frombuffer(raw, kind) for raw, kind in zip(arrays, _PACKED.values(), strict=True)]
        if len({len(array) for array in found}) != 1:
            raise ValueError("columns of different lengths")
        columns = cls()
        threads, sources = msgpack.unpackb(names)
        columns.threads, columns.sources = Names(map(tuple, threads)), Names(sources)
        for array, own in zip(found, columns._columns.values(), strict=True):
            own.append(array)
        return columns

    def row(self, address: int) -> int:
        """The row of an address that is known to be there."""
        return int(np.searchsorted(self.address, address))

    def rows(self, addresses: Iterable[int]) -> Ints:
        """The rows of addresses that are known to be there."""
        return np.searchsorted(self.address, np.fromiter(addresses, np.int64))

    def set(self, address: int, flag: int, on: bool) -> None:
        """Set or clear a flag."""
        row = self.row(address)
        self.flags[row] = self.flags[row] | flag if on else self.flags[row] & ~np.uint8(flag)

    def expire(self, address: int, moment: int | None) -> None:
        """Set when a row expires."""
        self._columns["expires"].values[self.row(address)] = NEVER if moment is None else moment

    def over(self, now: int) -> list[int]:
        """The addresses of current rows that have expired by now, or are ghosts."""
        current = (self.flags & (CURRENT | ERASED)) == CURRENT
        expired = self._columns["expires"].values <= now
        found: list[int] = self.address[current & (expired | ((self.flags & GHOST) != 0))].tolist()
        return found

    def visible(
        self,
        *,
        now: int,
        namespaces: Sequence[int] | None = None,
        superseded: bool = False,
        expired: bool = False,
        archived: bool = False,
        untrusted: bool = True,
        versions: bool = False,
        present: Sequence[int] = (),
    ) -> Mask:
        """Which rows count: current, and by default neither archived or ghosts nor superseded nor expired.

        The addresses in `present` hold still: what supersedes them has not begun.
        """
        hidden = ERASED | (0 if archived else ARCHIVED | GHOST) | (0 if superseded else SUPERSEDED)
        hidden |= 0 if untrusted else UNTRUSTED
        needed = 0 if versions else CURRENT
        flags = self.flags
        if present:
            flags = flags.copy()
            flags[self.rows(present)] &= ~np.uint8(SUPERSEDED)
        mask: Mask = (flags & (hidden | needed)) == needed
        if not expired:
            mask &= self._columns["expires"].values > now
        if namespaces is not None:
            mask &= np.isin(self.namespace, np.asarray(namespaces, np.int32))
        return mask


class Names:
    """Numbers for labels, in the order of their first use."""

    def __init__(self, labels: Iterable[Any] = ()) -> None:
        self._numbers = {label: number for number, label in enumerate(labels)}

    def number(self, label: Any) -> int:
        """The number of a label, given on first use."""
        return self._numbers.setdefault(label, len(self._numbers))

    def __iter__(self) -> Any:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def only(self, numbers: NDArray[np.int32]) -> "tuple[Names, NDArray[np.int32]]":
        """Only the labels that these numbers use, and the same with the numbers that they have then."""
        labels, used = list(self._numbers), np.unique(numbers[numbers != NOBODY])
        renumbered = np.full(len(labels) + 1, NOBODY, np.int32)  # the last one is NOBODY's own
        renumbered[used] = np.arange(len(used))
        return Names(labels[number] for number in used.tolist()), renumbered[numbers]
