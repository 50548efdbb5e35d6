"""Vectors: one space's unit vectors in blocks, searched exactly or, where there are many, through a graph.

Rows are unit length, so that a dot product is the cosine. Blocks keep growth from copying everything. An erased
vector's row is zeroed at once and compacted away with the next snapshot.

The graph covers the first rows, erased ones left out. Later rows are compared one by one until they join it: a few with
every query, the rest when a snapshot is written. So adding costs what it does without one, and a vector is found at
once.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vault_core.index import ann
from vault_core.index.columns import Columns

BLOCK_ROWS = 4096  # 6 MiB at 384 dimensions: growth wastes little, and one matrix product still fills the cores
ANN_FROM = 50_000  # vectors; up to there comparing with all of them takes some 5 ms, and a graph wouldn't save 4
JOIN_ROWS = 32  # that a query adds to the graph; about as much work as comparing with 100,000 vectors
_LARGE_PART = 32  # a query for more than this part of all vectors is answered sooner, and better, without the graph

Matrix = NDArray[np.float32]
Ints = NDArray[np.int64]


class Vectors:
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
        self._graph: ann.Graph | None = None
        self._joined = 0  # rows before this one are in the graph, or erased

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

    def rows_owned_by(self, columns: Columns, column_rows: Ints) -> Ints:
        """The vector rows, ascending, whose owners are these rows of the columns."""
        wanted = np.zeros(columns.size + 1, np.bool_)  # the last one stands for −1, no owner
        wanted[column_rows] = True
        return np.flatnonzero(wanted[self.owner_rows(columns)])

    def erase(self, addresses: Iterable[int]) -> None:
        """Zero the rows that these addresses own."""
        rows = np.flatnonzero(np.isin(self.owners, np.fromiter(addresses, np.int64)))
        for row in rows:
            self._blocks[row // BLOCK_ROWS][row % BLOCK_ROWS] = 0
            self._owners[row] = 0
            if row < self._rows_known:
                self._rows[row] = -1
            self._fields.pop(int(row), None)
        if self._graph is not None:
            self._graph = self._graph.erase(rows[rows < self._joined])
            self._joined = 0 if self._graph is None else self._joined

    def cosines(self, query: Matrix, rows: Ints | None = None) -> NDArray[np.float32]:
        """The cosine of every row, or of these rows in their order, with the query (any length but zero).

        Erased rows give 0. A row's cosine is the same to the last bit whichever others are asked for with it.
        """
        unit = _unit(query)
        if rows is None:
            return self._cosines_from(0, unit)
        if 2 * len(rows) > self.size:  # gathering would copy more than there is to skip
            return self._cosines_from(0, unit)[rows]
        out = np.empty(len(rows), np.float32)
        ascending = len(rows) < 2 or bool((rows[1:] >= rows[:-1]).all())
        order = slice(None) if ascending else np.argsort(rows, kind="stable")
        out[order] = _products(self._gather(rows[order]), unit)
        return out

    def nearest(self, query: Matrix, limit: int) -> Ints:
        """The rows of the best `limit` vectors, best first; equal cosines in log order, erased ones left out.

        Exact, or of about the best where `approximate` says so: the best ten are found to 0.98 and better. The order
        is that of the exact cosines either way.
        """
        unit = _unit(query)
        if not self.approximate or limit * _LARGE_PART > self.size:
            return self._best(np.flatnonzero(self.owners), self._cosines_from(0, unit)[self.owners != 0], limit)
        self.join(JOIN_ROWS)
        found = np.zeros(0, np.int64) if self._graph is None else self._graph.search(unit, limit)
        tail = np.flatnonzero(self.owners[self._joined :]) + self._joined
        near = self._cosines_from(self._joined, unit)[tail - self._joined]
        cosines = np.concatenate([_products(self._gather(found), unit), near])
        return self._best(np.concatenate([found, tail]), cosines, limit)

    @property
    def approximate(self) -> bool:
        """Whether there are so many vectors that `nearest` goes through the graph, and its package is installed."""
        return self.size >= ANN_FROM and ann.version() is not None

    def join(self, most: int | None = None) -> None:
        """Let vectors join the graph, at most so many, if there are enough for one. About 0.3 ms each."""
        if not self.approximate:
            return
        if self._graph is None:
            self._graph, self._joined = ann.Graph(self.dimension), 0
        end = self.size if most is None else min(self._joined + most, self.size)
        while self._joined < end:
            stop = min(end, self._joined + BLOCK_ROWS)
            rows = np.flatnonzero(self.owners[self._joined : stop]) + self._joined
            if len(rows):
                self._graph.add(rows, self._gather(rows))
            self._joined = stop

    def packed_graph(self) -> tuple[int, Ints, bytes] | None:
        """For a snapshot: the graph's nodes, which of them are erased, its links. The others are the first rows.

        None where there is no graph, or none that would be used, or one that has to be made anew.
        """
        if self._graph is None or not self.approximate:
            return None
        links = self._graph.links()
        if links is None:
            self._graph, self._joined = None, 0
            return None
        return len(self._graph.rows), np.flatnonzero(self._graph.rows < 0), links

    def take_graph(self, nodes: int, gone: Ints, links: bytes) -> None:
        """Take what `packed_graph` gave, once the vectors themselves are here without the erased ones.

        Raises:
            ValueError: it does not fit the vectors.
        """
        if not 0 <= nodes - len(gone) <= self.size or (len(gone) and not 0 <= gone.min() <= gone.max() < nodes):
            raise ValueError("a graph of other vectors")
        live = np.setdiff1d(np.arange(nodes), gone)
        rows = np.full(nodes, -1, np.int64)
        rows[live] = np.arange(len(live))
        halves = np.zeros((nodes, self.dimension), np.float16)
        for at in range(0, len(live), BLOCK_ROWS):
            some = live[at : at + BLOCK_ROWS]
            halves[some] = self._gather(rows[some])
        self._graph = ann.Graph.load(self.dimension, rows, links, halves)
        self._joined = len(live)

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

    @staticmethod
    def _best(rows: Ints, cosines: NDArray[np.float32], limit: int) -> Ints:
        """Of ascending rows, those with the best cosines, best first; equal ones in log order."""
        if 0 < limit < len(rows):
            least = np.partition(cosines, len(cosines) - limit)[len(cosines) - limit]
            kept = np.flatnonzero(cosines >= least)
            rows, cosines = rows[kept], cosines[kept]
        return rows[np.argsort(-cosines, kind="stable")[: max(limit, 0)]]

    def _cosines_from(self, first: int, unit: Matrix) -> NDArray[np.float32]:
        """The cosines of the rows from `first` on."""
        out = np.empty(self.size - first, np.float32)
        for number in range(first // BLOCK_ROWS, len(self._blocks)):
            start, end = max(number * BLOCK_ROWS, first), min((number + 1) * BLOCK_ROWS, self.size)
            some = self._blocks[number][start - number * BLOCK_ROWS : end - number * BLOCK_ROWS]
            _products(some, unit, out[start - first : end - first])
        return out

    def _gather(self, rows: Ints) -> Matrix:
        """The vectors of ascending rows."""
        out = np.empty((len(rows), self.dimension), np.float32)
        borders = np.searchsorted(rows, np.arange(1, len(self._blocks) + 1) * BLOCK_ROWS)
        start = 0
        for number, end in enumerate(borders.tolist()):
            if end > start:
                places = rows[start:end] - number * BLOCK_ROWS
                self._blocks[number].take(places, axis=0, out=out[start:end], mode="clip")  # "raise" would copy twice
            start = end
        return out


def _unit(query: Matrix) -> Matrix:
    norm = float(np.sqrt(query @ query))
    return (query / (norm or 1.0)).astype(np.float32, copy=False)


def _products(matrix: Matrix, unit: Matrix, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    # Not `np.dot`: its BLAS threads wait for each other by spinning, and on a machine that has other work to
    # do the same product takes twenty times as long. One core does it at the speed of memory.
    out = np.empty(len(matrix), np.float32) if out is None else out
    np.einsum("ij,j->i", matrix, unit, out=out)
    return out
