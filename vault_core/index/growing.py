"""Growing arrays: room is doubled when it runs out, so that appending costs the same however much there is."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_FIRST = 1024


class Growing:
    """A one-dimensional array that grows at its end."""

    __slots__ = ("_room", "size")

    def __init__(self, dtype: DTypeLike) -> None:
        self._room: NDArray[Any] = np.zeros(_FIRST, dtype)
        self.size = 0

    @property
    def values(self) -> NDArray[Any]:
        """What is there, as a view that may be written to."""
        return self._room[: self.size]

    def append(self, values: ArrayLike) -> None:
        """Add values at the end."""
        fresh = np.asarray(values)
        end = self.size + len(fresh)
        if end > len(self._room):
            room = np.zeros(max(end, 2 * len(self._room)), self._room.dtype)
            room[: self.size] = self.values
            self._room = room
        self._room[self.size : end] = fresh
        self.size = end
