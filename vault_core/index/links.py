"""Links: the bytes that usearch writes of a graph, without the vectors that stand before them.

A head of 64 bytes (versions, kinds, counts), the shape (nodes, two connectivities, highest level, node to enter by),
the level of each node, then the nodes: key, level, and for each level from the ground up a count and room for so many
links.

The package's reader trusts what it reads: one flipped bit, and it reads elsewhere. So `check` comes first.
"""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

HEAD = 64
CONNECTIVITY = 16  # links of a node; twice as many on the ground
_COUNT = 17  # where in the head the number of nodes is
_SHAPE = struct.Struct("<5Q")
_KEY = 10  # of a node, with its level
_GROUND = 4 + 4 * 2 * CONNECTIVITY
_ABOVE = 4 + 4 * CONNECTIVITY

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


def head_of(empty: bytes, nodes: int) -> bytes:
    """The head of a graph of so many nodes, given an empty one's."""
    return empty[:_COUNT] + nodes.to_bytes(8, "little") + empty[_COUNT + 8 : HEAD]


def check(links: bytes, nodes: int) -> None:
    """Whether the package may read these links, apart from the head: every length, count and target.

    Raises:
        ValueError: it may not.
    """
    start = HEAD + _SHAPE.size + 2 * nodes
    if not nodes or len(links) < start:
        raise ValueError("a graph cut short")
    size, above, ground, highest, entry = _SHAPE.unpack_from(links, HEAD)
    levels = _levels(links, nodes)
    if (size, above, ground) != (nodes, CONNECTIVITY, 2 * CONNECTIVITY) or levels.min() < 0:
        raise ValueError("a graph of another shape")
    if entry >= nodes or levels[entry] != highest or levels.max() != highest:
        raise ValueError("a graph without a way in")
    if len(links) != start + int(_sizes(levels).sum()):
        raise ValueError("a graph of another length")
    tape = np.frombuffer(links, np.uint8)
    keys = _taken(tape, _begins(levels), _KEY)
    if (keys[:, :8].copy().view("<u8")[:, 0] != np.arange(nodes)).any():
        raise ValueError("a graph of other nodes")
    if (keys[:, 8:].copy().view("<i2")[:, 0] != levels).any():
        raise ValueError("a graph of other levels")
    for level, _, places, length in _lists(levels):
        words = _taken(tape, places, length).view("<u4").astype(np.int64)
        counts, targets = words[:, 0], words[:, 1:]
        if counts.max() > targets.shape[1]:
            raise ValueError("a graph with too many links")
        used = targets[np.arange(targets.shape[1]) < counts[:, None]]
        if len(used) and (used.max() >= nodes or levels[used].min() < level):
            raise ValueError("a graph with a link to nowhere")


def without(links: bytes, nodes: int, gone: NDArray[np.bool_]) -> bytes | None:
    """The links of a sound graph, none of them to or from a node that is gone. None if its highest level is empty now.

    Nothing tells any more where the vectors of those nodes lay.
    """
    changed_links, levels = bytearray(links), _levels(links, nodes)
    *shape, entry = _SHAPE.unpack_from(links, HEAD)
    if gone[entry]:
        left = np.flatnonzero((levels == levels.max()) & ~gone)
        if not len(left):
            return None
        _SHAPE.pack_into(changed_links, HEAD, *shape, left[0])
    tape = np.frombuffer(changed_links, np.uint8)
    for _, owners, places, length in _lists(levels):
        words = _taken(tape, places, length).view("<u4")
        targets = words[:, 1:]
        used = np.arange(targets.shape[1]) < words[:, :1]
        lost = used & gone[np.where(used, targets, 0)]
        lost |= used & gone[owners][:, None]
        # What is left behind the count of a list counts for nothing, but may be an old link.
        changed = np.flatnonzero(lost.any(axis=1) | (~used & (targets != 0)).any(axis=1))
        kept = (used & ~lost)[changed]
        first = np.argsort(~kept, axis=1, kind="stable")
        moved = np.take_along_axis(np.where(kept, targets[changed], 0), first, axis=1)
        fresh = np.concatenate([kept.sum(axis=1, dtype=np.uint32)[:, None], moved.astype(np.uint32)], axis=1)
        tape[places[changed][:, None] + np.arange(length)] = fresh.astype("<u4").view(np.uint8)
    return tape.tobytes()


def _levels(links: bytes, nodes: int) -> Ints:
    return np.frombuffer(links, "<i2", nodes, HEAD + _SHAPE.size).astype(np.int64)


def _sizes(levels: Ints) -> Ints:
    return _KEY + _GROUND + _ABOVE * levels


def _begins(levels: Ints) -> Ints:
    sizes = _sizes(levels)
    return HEAD + _SHAPE.size + 2 * len(levels) + np.cumsum(sizes) - sizes


def _lists(levels: Ints) -> Iterator[tuple[int, Ints, Ints, int]]:
    """For each level: the nodes that are on it, where their lists begin and how many bytes each has."""
    begins = _begins(levels) + _KEY
    yield 0, np.arange(len(levels)), begins, _GROUND
    for level in range(1, int(levels.max()) + 1):
        there = np.flatnonzero(levels >= level)
        yield level, there, begins[there] + _GROUND + _ABOVE * (level - 1), _ABOVE


def _taken(tape: Bytes, places: Ints, length: int) -> Bytes:
    """So many bytes from each place."""
    return np.lib.stride_tricks.sliding_window_view(tape, length)[places]
