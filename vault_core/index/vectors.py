"""Vectors: one space's unit vectors in blocks, searched exactly.

Rows are unit length, so that a dot product is the cosine. Blocks keep growth from copying everything. An erased
vector's row is zeroed at once and compacted away with the next snapshot.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vault_core.index.columns import Columns

BLOCK_ROWS = 4096  # 6 MiB at 384 dimensions: growth wastes little, and one matrix product still fills the cores

Matrix = NDArray[np.float32]
Ints = NDArray[np.int64]


class ExactVectors:
    """The vectors of one space. `owners` are addresses of memories; a memory may own several vectors."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.size = 0
        self._blocks: list[Matrix] = []
        self._owners = np.zeros(BLOCK_ROWS, np.int64)
        self._fields: dict[int, str] = {}  # only of rows whose field has a name
        self._rows: Ints = np.zeros(0, np.int64)
        self._rows_known = 0
        self.one_each = True  # does every memory own at most one vector?

    @property
    def owners(self) -> Ints:
        """The address that owns each row; 0 for an erased row."""
        return self._owners[: self.size]

    def append(self, owners: Sequence[int] | Ints, fields: Sequence[str], vectors: Matrix) -> None:
        """Add vectors, of any length but zero; they are brought to unit length. Shape (len(owners), dimension)."""
        if len(vectors) == 1:
            norm = float(np.sqrt(vectors[0] @ vectors[0]))
            self.append_unit(owners, fields, vectors / np.float32(norm or 1.0))
            return
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        unit = vectors / np.where(norms == 0, 1, norms)[:, None]
        self.append_unit(owners, fields, unit.astype(np.float32, copy=False))

    def append_unit(self, owners: Sequence[int] | Ints, fields: Sequence[str], vectors: Matrix) -> None:
        """Add vectors that are unit length already."""
        end = self.size + len(owners)
        while end > len(self._owners):
            self._owners = np.concatenate([self._owners, np.zeros_like(self._owners)])
        self._owners[self.size : end] = owners
        if any(fields):
            self._fields.update((self.size + place, name) for place, name in enumerate(fields) if name)
        taken = 0
        while taken < len(vectors):
            if self.size % BLOCK_ROWS == 0:
                self._blocks.append(np.zeros((BLOCK_ROWS, self.dimension), np.float32))
            at = self.size % BLOCK_ROWS
            some = min(BLOCK_ROWS - at, len(vectors) - taken)
            self._blocks[-1][at : at + some] = vectors[taken : taken + some]
            self.size, taken = self.size + some, taken + some

    def owner_rows(self, columns: Columns) -> Ints:
        """For each vector the row of its owner in the columns; -1 for an erased one."""
        if self._rows_known < self.size:
            owners = self._owners[self._rows_known : self.size]
            fresh = np.where(owners == 0, -1, np.searchsorted(columns.address, owners))
            # Owners only grow, so that the vectors of one memory are neighbours.
            ends = np.concatenate([self._rows[max(self._rows_known - 1, 0) : self._rows_known], fresh])
            self.one_each = self.one_each and bool(((ends[1:] != ends[:-1]) | (ends[1:] < 0)).all())
            if self.size > len(self._rows):
                self._rows = np.concatenate([self._rows, np.empty(self.size, np.int64)])
            self._rows[self._rows_known : self.size] = fresh
            self._rows_known = self.size
        return self._rows[: self.size]

    def erase(self, addresses: Iterable[int]) -> None:
        """Zero the rows that these addresses own."""
        for row in np.flatnonzero(np.isin(self.owners, np.fromiter(addresses, np.int64))):
            self._blocks[row // BLOCK_ROWS][row % BLOCK_ROWS] = 0
            self._owners[row] = 0
            if row < self._rows_known:
                self._rows[row] = -1
            self._fields.pop(int(row), None)

    @property
    def approximate(self) -> bool:
        """Whether `nearest` may miss some."""
        return False

    def nearest(self, query: Matrix, limit: int) -> Ints:
        """The rows of the best `limit` vectors, ascending."""
        near = self.cosines(query)
        near[self.owners == 0] = -2.0
        return np.sort(np.argsort(-near, kind="stable")[:limit])

    def cosines(self, query: Matrix, rows: Ints | None = None) -> NDArray[np.float32]:
        """The cosine of every row, or of these ascending ones, with the query (any length but zero); 0 if erased."""
        norm = float(np.sqrt(query @ query))
        unit = (query / (norm or 1.0)).astype(np.float32, copy=False)
        # Not `np.dot`: its BLAS threads wait for each other by spinning, and on a machine that has other work to
        # do the same product takes twenty times as long. One core does it at the speed of memory.
        if rows is not None and len(rows) < self.size:
            some: NDArray[np.float32] = np.einsum("ij,j->i", self._gather(rows), unit)
            return some
        out = np.empty(self.size, np.float32)
        for number, block in enumerate(self._blocks):
            start = number * BLOCK_ROWS
            end = min(start + BLOCK_ROWS, self.size)
            np.einsum("ij,j->i", block[: end - start], unit, out=out[start:end])
        return out

    def rows_of(self, address: int) -> list[tuple[str, Matrix]]:
        """The unit vectors that an address owns, each with its field."""
        rows = np.flatnonzero(self.owners == address)
        return [(self._fields.get(int(row), ""), self._blocks[row // BLOCK_ROWS][row % BLOCK_ROWS]) for row in rows]

    def segments(self, rows: int, start: int = 0) -> Iterator[tuple[Ints, list[str], Matrix]]:
        """The rows from `start` on, in runs of at most so many, erased ones left out."""
        for first in range(start, self.size, rows):
            end = min(first + rows, self.size)
            kept = np.flatnonzero(self.owners[first:end]) + first
            if len(kept):
                fields = [self._fields.get(int(row), "") for row in kept] if self._fields else []
                yield self.owners[kept], fields, self._gather(kept)

    def _gather(self, rows: Ints) -> Matrix:
        out = np.empty((len(rows), self.dimension), np.float32)
        if not len(rows):
            return out
        for number in range(int(rows[0]) // BLOCK_ROWS, int(rows[-1]) // BLOCK_ROWS + 1):
            inside = (rows // BLOCK_ROWS) == number
            out[inside] = self._blocks[number][rows[inside] % BLOCK_ROWS]
        return out
