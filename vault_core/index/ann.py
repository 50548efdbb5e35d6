"""Approximate nearest neighbours: an HNSW graph over the first vectors of a space (package `usearch`, extra `ann`).

The graph proposes candidates, nothing more: their scores are exact cosines of the vectors themselves. It is made by one
thread, so that the same vectors in the same order make the same graph. It keeps half-precision copies of the vectors.

Rules (docs/format.md §7):
- What is kept of a graph is its links and which vector each node is. Vectors are not in it; loading puts them back.
- An erased vector is overwritten with zeros at once. What is kept has no link to or from it.
- Links are checked before the package reads them.
- Nothing is written to a file, and nothing is read from one.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
graphs", 2016. Why this package and these numbers: docs/adr/0010-approximate-vectors.md.
"""

import struct
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vault_core.index import links as _links
from vault_core.index.links import CONNECTIVITY, HEAD

EXPANSION_ADD = 100  # nodes looked at when one is added
EXPANSION_SEARCH = 300  # at least so many when searching: top 10 of 100,000 real vectors found to 0.999
ERASED_SHARE = 8  # when every eighth node is erased, a new graph is better than this one
ERASED_SINGLY = 50  # more at a time, and reading the whole graph anew without them is quicker
_GONE = -1  # the row of an erased node
_VECTORS = struct.Struct("<II")  # begins what the package writes: nodes, bytes of a vector; the vectors follow

Ints = NDArray[np.int64]
Matrix = NDArray[np.float32]


@cache
def version() -> str | None:
    """The package's version, or None where it isn't installed."""
    try:
        import usearch
    except ImportError:
        return None
    return str(usearch.__version__)


class Graph:
    """Nodes numbered as they came. `rows` says which vector row each is; −1 for an erased one."""

    def __init__(self, dimension: int) -> None:
        from usearch.index import Index

        self.dimension = dimension
        self.rows: Ints = np.zeros(0, np.int64)
        self.erased = 0
        self._index: Any = Index(
            ndim=dimension, metric="ip", dtype="f16", connectivity=CONNECTIVITY, expansion_add=EXPANSION_ADD
        )

    def add(self, rows: Ints, vectors: Matrix) -> None:
        """Add nodes for these rows and their unit vectors."""
        nodes = np.arange(len(self.rows), len(self.rows) + len(rows), dtype=np.uint64)
        self._index.add(nodes, _halved(vectors), threads=1)
        self.rows = np.concatenate([self.rows, rows])

    def search(self, query: Matrix, limit: int) -> Ints:
        """About the best `limit` rows for a unit vector, ascending; never an erased one."""
        wanted = min(limit + self.erased, 2 * limit, len(self.rows))  # zeros may stand before what points away
        if not wanted:
            return np.zeros(0, np.int64)
        self._index.expansion_search = max(EXPANSION_SEARCH, wanted * 3 // 2)
        nodes = self._index.search(_halved(query), wanted, threads=1).keys
        rows = self.rows[nodes.astype(np.int64)]
        return np.sort(rows[rows != _GONE])

    def erase(self, rows: Ints) -> "Graph | None":
        """The graph without the vectors of these rows; None if a new one would be better."""
        nodes = np.flatnonzero(np.isin(self.rows, rows))
        self.rows[nodes] = _GONE
        self.erased += len(nodes)
        if self.erased * ERASED_SHARE > len(self.rows):
            return None
        if len(nodes) > ERASED_SINGLY:
            return self._loaded_again()
        nothing = np.zeros(self.dimension, np.float16)
        for node in nodes.tolist():
            # The package gives the place of a removed node to the next one that is added, vector included.
            self._index.remove(node)
            self._index.add(node, nothing, threads=1)
        return self

    def links(self) -> bytes | None:
        """The graph without its vectors, and without a trace of the erased ones; None if a new one is needed."""
        every = bytes(memoryview(self._index.save())[self._vectors_end :])
        return _links.without(every, len(self.rows), self.rows == _GONE) if self.erased else every

    def _loaded_again(self) -> "Graph | None":
        links = self.links()
        if links is None:
            return None
        halves = np.frombuffer(self._index.save(), np.float16, self._vectors_end // 2 - 4, 8)
        vectors = halves.reshape(len(self.rows), self.dimension).copy()
        vectors[self.rows == _GONE] = 0
        return Graph.load(self.dimension, self.rows, links, vectors)

    @classmethod
    def load(cls, dimension: int, rows: Ints, links: bytes, vectors: NDArray[np.float16]) -> "Graph":
        """What `links` gave, with the row of each node and its vector, zeros for an erased one.

        Raises:
            ValueError: they don't fit each other.
        """
        _links.check(links, len(rows))
        graph = cls(dimension)
        empty = bytes(graph._index.save())[_VECTORS.size :]
        if links[:HEAD] != _links.head_of(empty, len(rows)):
            raise ValueError("a graph of another kind")
        graph.rows, graph.erased = rows.copy(), int((rows == _GONE).sum())
        head = _VECTORS.pack(len(rows), 2 * dimension)
        try:
            graph._index.load(b"".join([head, np.ascontiguousarray(vectors).data, links]))
        except (RuntimeError, ValueError, MemoryError) as exc:
            raise ValueError("a graph that can't be read") from exc
        graph._index.expansion_add = EXPANSION_ADD  # loading sets it back to the package's own
        loaded = graph._index
        if (len(loaded), loaded.ndim, loaded.connectivity) != (len(rows), dimension, CONNECTIVITY):
            raise ValueError("a graph of another shape")
        return graph

    @property
    def _vectors_end(self) -> int:
        return _VECTORS.size + len(self.rows) * 2 * self.dimension


def _halved(vectors: Matrix) -> NDArray[np.float16]:
    return vectors.astype(np.float16)
