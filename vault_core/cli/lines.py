"""Lines of a byte stream, in batches that never wait for more than is there.

Rules:
- A batch ends after 256 lines, after 4 MiB, or when nothing more can be read without waiting: so a person or a program
  that writes line by line gets each one acknowledged at once, and a file needs few commits.
- A line that can't be a memory is given with what is wrong with it; it spoils neither its batch nor the memory of this
  process, however long it is.
"""

import os
import select
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from vault_core.errors import InvalidInputError, UnavailableError
from vault_core.memory.draft import check_content
from vault_core.memory.limits import MAX_CONTENT_BYTES

BATCH_LINES = 256  # a commit of so many costs little more than one of a single line
BATCH_BYTES = 4 << 20
CHUNK = 1 << 16
_TOO_LONG = f"the line has more than {MAX_CONTENT_BYTES:,} bytes; split it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line and its number, from 1. With a `problem` there is no text; without either it was blank."""

    number: int
    text: str = field(default="", repr=False)
    problem: str = ""


class LineReader:
    """The lines of a stream. `read_bytes` says how far it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._descriptor = stream, _descriptor(stream)
        self._rest, self._number, self._skipping = b"", 0, False
        self.read_bytes = 0

    def size(self) -> int | None:
        """How many bytes there are, where that is known: in a file, not in a pipe."""
        if self._descriptor is None:
            return None
        found = os.fstat(self._descriptor)
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def batches(self) -> Iterator[list[Line]]:
        """The lines, in batches as they come."""
        batch: list[Line] = []
        held = 0
        for chunk in self._chunks():
            for line in self._lines(chunk):
                batch.append(line)
                held += len(line.text)
                if len(batch) >= BATCH_LINES or held >= BATCH_BYTES:
                    yield batch
                    batch, held = [], 0
            if batch and not self._ready():
                yield batch
                batch, held = [], 0
        if batch:
            yield batch

    def _chunks(self) -> Iterator[bytes]:
        """What can be read, piece by piece; at the end a line break for a last line that has none."""
        if self._descriptor is None:
            self._rest = b""
            yield self._counted(self._stream.read())
        else:
            while chunk := self._read(self._descriptor):
                yield self._counted(chunk)
        if self._rest or self._skipping:
            yield b"\n"

    def _read(self, descriptor: int) -> bytes:
        try:
            return os.read(descriptor, CHUNK)
        except OSError as error:
            raise UnavailableError(f"standard input can't be read ({error.strerror})") from None

    def _counted(self, chunk: bytes) -> bytes:
        self.read_bytes += len(chunk)
        return chunk

    def _lines(self, chunk: bytes) -> Iterator[Line]:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for raw in whole:
            skipped, self._skipping = self._skipping, False
            if not skipped:  # the end of a line that was refused when it grew too long is no line of its own
                self._number += 1
                yield _line(self._number, raw)
        if len(self._rest) > MAX_CONTENT_BYTES + 2:  # a carriage return may follow, or half a character
            if not self._skipping:
                self._number += 1
                yield Line(number=self._number, problem=_TOO_LONG)
            self._rest, self._skipping = b"", True

    def _ready(self) -> bool:
        if self._descriptor is None:
            return False
        return bool(select.select([self._descriptor], [], [], 0)[0])


def _line(number: int, raw: bytes) -> Line:
    if len(raw) > MAX_CONTENT_BYTES + 2:
        return Line(number=number, problem=_TOO_LONG)
    try:
        text = raw.removesuffix(b"\r").decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        return Line(number=number, problem="the line is not UTF-8 text; convert it, such as with: iconv -t UTF-8")
    if not text.strip():
        return Line(number=number)
    try:
        check_content(text)
    except InvalidInputError as error:
        return Line(number=number, problem=str(error))
    return Line(number=number, text=text)


def _descriptor(stream: BinaryIO) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, OSError):
        return None
