"""Packing: the long byte fields of a snapshot as msgpack, made a piece at a time, so that none is copied whole."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgpack


class Field(NamedTuple):
    """Bytes to come: how many, and the pieces that they come in."""

    size: int
    pieces: Iterable[bytes | memoryview]


def packed(fields: Sequence[Field]) -> Iterator[bytes | memoryview]:
    """The bytes of a msgpack array of byte strings, as `msgpack.packb` gives them."""
    yield msgpack.Packer().pack_array_header(len(fields))
    for field in fields:
        yield _head(field.size)
        yield from field.pieces


def parts(pieces: Iterable[bytes | memoryview], size: int) -> Iterator[bytearray]:
    """The same bytes cut into parts of this size, the last one shorter."""
    part = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        while view:
            taken = min(len(view), size - len(part))
            part += view[:taken]
            view = view[taken:]
            if len(part) == size:
                yield part
                part = bytearray()
    if part:
        yield part


def _head(size: int) -> bytes:
    """What stands before so many bytes."""
    for mark, width in ((0xC4, 1), (0xC5, 2), (0xC6, 4)):
        if size < 1 << 8 * width:
            return bytes([mark]) + size.to_bytes(width, "big")
    raise ValueError("more bytes than msgpack has numbers for")
