"""Packing: the bytes are msgpack's own, and making them copies nothing whole."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import msgpack
import numpy as np
import pytest

from vault_core.index import words as words_room
from vault_core.index.packing import Field, packed, parts
from vault_core.index.words import Words

PART = 1 << 12

Pieces = Iterable[bytes | memoryview]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize("pieces", [1, 3])
def test_fields_are_packed_as_msgpack_packs_byte_strings(size: int, pieces: int) -> None:
    data = bytes(number % 251 for number in range(size))
    step = -(-size // pieces) or 1

    found = packed([Field(size, [data[at : at + step] for at in range(0, size, step)]), Field(3, [b"tea"])])

    assert b"".join(found) == msgpack.packb([data, b"tea"])


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_parts_are_the_same_bytes_and_all_but_the_last_are_full(size: int) -> None:
    data = bytes(range(200))
    for pieces in ([data], [data[:7], b"", data[7:14], data[14:]], [bytes([one]) for one in data]):
        found = [bytes(part) for part in parts(pieces, size)]

        assert found == [data[at : at + size] for at in range(0, len(data), size)]


def test_no_parts_come_of_nothing() -> None:
    assert [*parts([], 4)] == []


def in_pieces(pieces: Pieces) -> Iterator[bytes | memoryview]:
    yield from pieces


def copied_whole(pieces: Pieces) -> Iterator[bytes | memoryview]:
    yield b"".join(pieces)


@pytest.mark.parametrize(("way", "whole"), [(in_pieces, False), (copied_whole, True)], ids=["as it is", "seeded copy"])
def test_words_are_packed_without_a_copy_of_all_of_them(
    way: Callable[[Pieces], Pieces], whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words_room, "_RUN", PART)
    index, rows = Words(), np.arange(1_000)
    index.append(("", "tea and bread by the river " * 40) for _ in rows)
    size = 4 * int(index.lengths.sum())

    tracemalloc.start()
    try:
        taken = sum(len(part) for part in parts(way(packed(index.pack(rows))), PART))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken > size
    assert (peak > size) == whole
    assert whole or peak < size / 2
