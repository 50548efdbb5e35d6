"""Columns: what decides whether a memory may be a hit, as arrays, so that 100,000 rows are judged in a millisecond.

One row for every unerased version, in log order; addresses only grow, so a binary search finds a row.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

CURRENT, ARCHIVED, SUPERSEDED, SEARCHED, ERASED = 1, 2, 4, 8, 16
NEVER = np.iinfo(np.int64).max
_FIRST = 1024
_PACKED = ("<i8", "<i4", "u1", "<i8", "<i8")  # the arrays of a snapshot, in the order of `Columns`

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Columns:
    """Growing arrays: address, namespace number, flags, expiry, creation."""

    def __init__(self) -> None:
        self.size = 0
        self._address = np.zeros(_FIRST, np.int64)
        self._namespace = np.zeros(_FIRST, np.int32)
        self._flags = np.zeros(_FIRST, np.uint8)
        self._expires = np.zeros(_FIRST, np.int64)
        self._created = np.zeros(_FIRST, np.int64)

    @property
    def address(self) -> Ints:
        """Addresses, ascending."""
        return self._address[: self.size]

    @property
    def flags(self) -> NDArray[np.uint8]:
        """Flags of each row."""
        return self._flags[: self.size]

    @property
    def created(self) -> Ints:
        """When each version was written, microseconds."""
        return self._created[: self.size]

    def append(self, rows: Sequence[tuple[int, int, int, int | None, int]]) -> int:
        """Add rows of (address, namespace number, flags, expires, created); gives the number of the first."""
        first, end = self.size, self.size + len(rows)
        self._grow(end)
        if rows:
            address, namespace, flags, expires, created = zip(*rows, strict=True)
            self._address[first:end] = address
            self._namespace[first:end] = namespace
            self._flags[first:end] = flags
            self._expires[first:end] = [NEVER if moment is None else moment for moment in expires]
            self._created[first:end] = created
        self.size = end
        return first

    def pack(self) -> list[bytes]:
        """Everything about the rows that are left, for a snapshot."""
        kept = np.flatnonzero((self.flags & ERASED) == 0)
        return [array[kept].astype(kind).tobytes() for array, kind in zip(self._arrays(), _PACKED, strict=True)]

    @classmethod
    def unpack(cls, packed: Sequence[bytes]) -> "Columns":
        """What `pack` gave, ready to grow.

        Raises:
            ValueError: the arrays don't fit each other.
        """
        found = [np.frombuffer(raw, kind) for raw, kind in zip(packed, _PACKED, strict=True)]
        if len({len(array) for array in found}) != 1:
            raise ValueError("columns of different lengths")
        columns = cls()
        columns._grow(len(found[0]))
        for array, own in zip(found, columns._arrays(), strict=True):
            own[: len(array)] = array
        columns.size = len(found[0])
        return columns

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self._address, self._namespace, self._flags, self._expires, self._created

    def _grow(self, end: int) -> None:
        while end > len(self._address):
            for name in ("_address", "_namespace", "_flags", "_expires", "_created"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros_like(old)]))

    def row(self, address: int) -> int:
        """The row of an address that is known to be there."""
        return int(np.searchsorted(self.address, address))

    def rows(self, addresses: Iterable[int]) -> Ints:
        """The rows of addresses that are known to be there."""
        return np.searchsorted(self.address, np.fromiter(addresses, np.int64))

    def set(self, address: int, flag: int, on: bool) -> None:
        """Set or clear a flag."""
        row = self.row(address)
        self._flags[row] = self._flags[row] | flag if on else self._flags[row] & ~np.uint8(flag)

    def expire(self, address: int, moment: int | None) -> None:
        """Set when a row expires."""
        self._expires[self.row(address)] = NEVER if moment is None else moment

    def visible(
        self,
        *,
        now: int,
        namespaces: Sequence[int] | None = None,
        superseded: bool = False,
        expired: bool = False,
        archived: bool = False,
        versions: bool = False,
    ) -> Mask:
        """Which rows count: current, and by default neither archived nor superseded nor expired."""
        hidden = ERASED | (0 if archived else ARCHIVED) | (0 if superseded else SUPERSEDED)
        needed = 0 if versions else CURRENT
        mask: Mask = (self.flags & (hidden | needed)) == needed
        if not expired:
            mask &= self._expires[: self.size] > now
        if namespaces is not None:
            mask &= np.isin(self._namespace[: self.size], np.asarray(namespaces, np.int32))
        return mask
