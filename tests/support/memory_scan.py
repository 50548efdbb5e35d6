"""Looking for keys in the memory of this very process, without holding a copy of what is looked for.

A needle is kept XORed with a mask of its own; what is compared is put together byte by byte. The memory is read
through /proc/self/mem into one buffer, which is left out of the scan.
"""

import ctypes
import errno
import gc
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vault_core.crypto import Key

# A freed block of memory soon holds other things at its beginning, so half a key counts as one.
PIECE = 16
_CHUNK = 1 << 20
_WIPED = "wiped by "


@dataclass(frozen=True, slots=True, kw_only=True)
class Needle:
    """A piece of a key, masked; `key` is the key's number."""

    key: int
    mask: bytes
    masked: bytes

    def start(self) -> int:
        """Its first two bytes, as a number: too few to be worth anything."""
        return (self.masked[0] ^ self.mask[0]) << 8 | self.masked[1] ^ self.mask[1]

    def is_at(self, memory: bytearray | memoryview, place: int) -> bool:
        """Whether the piece stands there."""
        return all(memory[place + i] ^ self.mask[i] == self.masked[i] for i in range(PIECE))


class KeyWatch:
    """Takes note of every key that is wiped, and finds what is left of them in this process."""

    def __init__(self) -> None:
        self._needles: list[Needle] = []
        self._names: list[str] = []

    def watch_wiping(self) -> None:
        """From now on every `Key` of the process is noted just before it is wiped."""
        wipe = Key.wipe

        def noted(key: Key) -> None:
            if key._page is not None:
                self.note(_WIPED + _caller(), key.view())
            wipe(key)

        Key.wipe = noted  # type: ignore[method-assign,assignment]  # every path to a wipe goes through here

    def note(self, name: str, key: memoryview) -> None:
        """Look for this key from now on. A key that has only been seen wiped gets the better name."""
        for known in self._needles:
            if known.is_at(key, 0):
                if self._names[known.key].startswith(_WIPED):
                    self._names[known.key] = name
                return
        for start in range(0, len(key), PIECE):
            mask = os.urandom(PIECE)
            masked = bytes(key[start + i] ^ mask[i] for i in range(PIECE))
            self._needles.append(Needle(key=len(self._names), mask=mask, masked=masked))
        self._names.append(name)

    @property
    def names(self) -> list[str]:
        """What has been noted."""
        return sorted(self._names)

    def left(self) -> dict[str, str]:
        """Keys of which a piece is still in memory, and in which mapping."""
        gc.collect()
        memory, found = bytearray(_CHUNK + PIECE), {}
        by_start: dict[int, list[Needle]] = {}
        for needle in self._needles:
            by_start.setdefault(needle.start(), []).append(needle)
        starts = np.zeros(1 << 16, np.bool_)
        starts[list(by_start)] = True
        descriptor = os.open("/proc/self/mem", os.O_RDONLY)
        try:
            for low, high, mapping in _ranges(memory):
                try:
                    size = os.preadv(descriptor, [memoryview(memory)[: high - low]], low)
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                    continue  # the scan's own arrays come and go meanwhile
                for place in _candidates(memory, size, starts):
                    for needle in by_start[memory[place] << 8 | memory[place + 1]]:
                        if needle.is_at(memory, place):
                            found[self._names[needle.key]] = mapping
        finally:
            os.close(descriptor)
        return found


def live_keys() -> list[Key]:
    """Every key of this process that has not been wiped."""
    gc.collect()
    keys = [thing for thing in gc.get_objects() if isinstance(thing, Key)]
    return [key for key in keys if key._page is not None]


def page_flags(key: Key) -> set[str]:
    """What the kernel says of the page a key lives on: the two-letter VmFlags of proc(5)."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(key.view()))
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            low, high = (int(bound, 16) for bound in words[0].split("-"))
            inside = low <= address < high
        elif inside and words[0] == "VmFlags:":
            return set(words[1:])
    raise AssertionError("the page is in no mapping")


def _caller() -> str:
    return sys._getframe(2).f_code.co_qualname


def _ranges(buffer: bytearray) -> Iterator[tuple[int, int, str]]:
    """Pieces of the writable mappings, each short enough for the buffer, without the buffer itself."""
    hole = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    for line in Path("/proc/self/maps").read_text().splitlines():
        bounds, rights, _, _, _, *name = line.split(maxsplit=5)
        if not rights.startswith("rw"):
            continue
        low, high = (int(bound, 16) for bound in bounds.split("-"))
        for start, end in ((low, min(high, hole)), (max(low, hole + len(buffer)), high)):
            for at in range(start, end, _CHUNK):
                yield at, min(end, at + _CHUNK + PIECE), name[0] if name else "anonymous"


def _candidates(memory: bytearray, size: int, starts: np.ndarray[Any, np.dtype[np.bool_]]) -> list[int]:
    """Where a piece may begin: everything is looked at two bytes at a time, whatever the number of needles."""
    read = np.frombuffer(memory, np.uint8, size)
    if size < PIECE or not read.any():
        return []
    pairs = read[:-1].astype(np.uint16) << 8 | read[1:]
    places: list[int] = np.flatnonzero(starts[pairs[: size - PIECE + 1]]).tolist()
    return places
