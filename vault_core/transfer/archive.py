"""Packed exports: a file that may be plain, gzip, or one member of a zip; read as a stream, never written anywhere.

Rules:
- Only the member with the expected name is read, wherever it lies in the archive. Names in an archive are compared, and
  never used as paths.
- What unpacks to more than 200 times its packed size (and more than a mebibyte), or to more than 64 GiB, is a bomb: by
  what the archive says of itself it is refused before a byte is unpacked, by what really comes out reading stops there.
- An archive that is damaged or encrypted gives what is whole, then says so.
"""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, cast

from vault_core.errors import InvalidInputError, VaultError
from vault_core.transfer.jsonparts import Reading
from vault_core.transfer.source import HEAD_BYTES, Source

RATIO = 200  # JSON of text packs to a tenth, at best to a fiftieth
ALWAYS = 1 << 20  # unpacked bytes that are no bomb, whatever the ratio
MAX_UNPACKED = 64 << 30
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
_BOMB = f"it unpacks to more than {RATIO} times its size, as nobody's memories do"
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)


class Stream:
    """The bytes of a file. What goes wrong on the way ends it; `problem` then says what."""

    def __init__(self, file: Reading, packed: int | None = None) -> None:
        # `read1` gives what was unpacked before the damage; `read` would keep it to itself and raise.
        self._read: Callable[[int], bytes] = getattr(file, "read1", file.read)
        self._packed, self._given = packed, 0
        self.problem: str | None = None

    def read(self, size: int, /) -> bytes:
        """At most so many bytes, none at the end."""
        if self.problem is not None:
            return b""
        try:
            chunk = self._read(size)
        except _BROKEN:
            self.problem = "from here on it is damaged, or can't be read"
            return b""
        self._given += len(chunk)
        if self._packed is not None and not _possible(self._given, self._packed):
            self.problem = _BOMB
            return b""
        return chunk


def _possible(unpacked: int, packed: int) -> bool:
    return unpacked <= min(max(ALWAYS, RATIO * packed), MAX_UNPACKED)


@contextmanager
def opened(source: Source, members: Sequence[str] = ()) -> Iterator[Stream]:
    """A source as a stream, unpacked; of a zip the first of these members that it has.

    Raises:
        InvalidInputError: it is a folder, or a zip that has none of them or can't be read.
    """
    with ExitStack() as stack:
        file = stack.enter_context(source.open())
        packed: int | None = None
        inner: BinaryIO = file
        if source.head.startswith(ZIP):
            archive, member = _member(file, members)
            stack.enter_context(archive)
            packed, inner = member.compress_size, stack.enter_context(_opened(archive, member))
            if member.filename.endswith(".gz"):
                inner = stack.enter_context(_gunzip(inner))
        elif source.head.startswith(GZIP):
            packed, inner = source.meter.total, stack.enter_context(_gunzip(file))
        yield Stream(inner, packed)


def _gunzip(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=file))


def _member(file: BinaryIO, members: Sequence[str]) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN:
        raise InvalidInputError("this is not a zip file that can be read; unpack it and give the file in it") from None
    for name in members:
        for one in archive.infolist():
            if one.filename.rpartition("/")[2] == name:
                return archive, one
    raise InvalidInputError(f"this zip file has none of: {', '.join(members) or 'the files that are looked for'}")


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> BinaryIO:
    if member.flag_bits & 1:
        raise InvalidInputError("this zip file is encrypted; unpack it and give the file in it")
    if not _possible(member.file_size, member.compress_size):
        raise InvalidInputError(f"this zip file is refused: {_BOMB}")
    try:
        return cast("BinaryIO", archive.open(member))
    except _BROKEN:
        raise InvalidInputError("this zip file is damaged; unpack it and give the file in it") from None


def head_of(source: Source, members: Sequence[str] = ()) -> bytes:
    """The first bytes of a source, unpacked; b"" if there are none. Never raises."""
    if source.is_folder or not source.head.startswith((ZIP, GZIP)):
        return source.head
    try:
        with opened(source, members) as stream:
            return stream.read(HEAD_BYTES)
    except VaultError:
        return b""
