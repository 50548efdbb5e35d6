"""Dense scores: cosines of a query's vector with those of memories. Pure."""

import numpy as np
from numpy.typing import NDArray

from vault_core.index import BoxIndex, Vectors
from vault_core.index.columns import Ints, Mask
from vault_core.memory.model import Vector

NOTHING = -2.0  # below every cosine: no vector, or not asked for
EXACT_PART = 8  # a query that may see less than an eighth of the memories has all of theirs compared

Cosines = NDArray[np.float32]


class Dense:
    """The vectors of one space, compared with a query."""

    def __init__(self, index: BoxIndex, space: str, query: Vector, mask: Mask) -> None:
        self._vectors: Vectors = index.vectors[space]
        self._query, self._mask, self._columns = query, mask, index.columns
        self._owners = self._vectors.owner_rows(index.columns)  # for each vector its row; -1 for an erased one
        self._size = index.columns.size
        self._all: Cosines | None = None

    def nearest(self, limit: int) -> Ints:
        """The rows of about the best vectors, ascending; exactly the best where the index is exact."""
        seen = int(self._mask.sum())
        if self._vectors.approximate and seen * EXACT_PART >= self._size and limit * EXACT_PART < self._size:
            found = self._owners[self._vectors.nearest(self._query, limit * self._size // max(seen, 1))]
            rows = np.unique(found[found >= 0])
            return rows[self._mask[rows]]
        if self._all is None:
            self._all = self.cosines(np.flatnonzero(self._mask))
        return top(self._all, limit, above=NOTHING)

    def cosines(self, rows: Ints) -> Cosines:
        """By row of the columns, for these rows at least: the cosine of its best vector, or NOTHING."""
        if self._all is not None:
            return self._all
        places = self._vectors.rows_owned_by(self._columns, rows)
        found = self._vectors.cosines(self._query, places)
        best = np.full(self._size, NOTHING, np.float32)
        if self._vectors.one_each:
            best[self._owners[places]] = found
        else:
            np.maximum.at(best, self._owners[places], found)
        return best


def top(scores: NDArray[np.floating], limit: int, *, above: float) -> Ints:
    """The rows with the best scores above a bound, ascending; of equal ones those that were written first."""
    rows = np.flatnonzero(scores > above)
    if len(rows) <= limit:
        return rows
    found = scores[rows]
    bar = np.partition(found, len(found) - limit)[len(found) - limit]
    better = np.flatnonzero(found > bar)
    equal = np.flatnonzero(found == bar)[: limit - len(better)]
    chosen: Ints = rows[np.sort(np.append(better, equal))]
    return chosen
