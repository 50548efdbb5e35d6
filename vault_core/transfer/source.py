"""Sources: a stranger's file or folder, opened without trusting it.

Rules (docs/transfer.md): only regular files and folders; never a pipe, a device or a socket (reading one could hang
or act); a symbolic link is followed, one that leads nowhere or round in a circle is refused.
"""

import errno
import io
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from vault_core.errors import InvalidInputError, UnavailableError

HEAD_BYTES = 4096  # what recognising looks at
_BUFFER = 1 << 18


class Meter:
    """How far the reading has come, in bytes, for a progress bar. `total` 0: not known."""

    def __init__(self, total: int = 0) -> None:
        self.read, self.total = 0, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is imported: a file or folder, its first bytes, and the passphrase that was given for it."""

    path: Path
    is_folder: bool
    head: bytes = field(repr=False, default=b"")
    passphrase: str | None = field(repr=False, default=None)
    meter: Meter = field(repr=False, compare=False, default_factory=Meter)

    def open(self) -> BinaryIO:
        """The file, for reading bytes; what is read of it moves the meter. Use it in a `with` block.

        Raises:
            InvalidInputError: it is a folder, or no file that can be read.
        """
        return open_file(self.path, self.meter)


def open_source(path: str | os.PathLike[str], *, passphrase: str | None = None) -> Source:
    """Look at a path before anything is read of it.

    Raises:
        InvalidInputError: there is nothing, or something that is neither a file nor a folder.
        UnavailableError: it can't be read now.
    """
    where = _checked(path)
    try:
        mode = where.stat().st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(error) from None
    if stat.S_ISDIR(mode):
        return Source(path=where, is_folder=True, passphrase=passphrase)
    with open_file(where) as file:
        try:
            head, size = file.read(HEAD_BYTES), os.fstat(file.fileno()).st_size
        except OSError as error:
            raise _unreadable(error) from None
    return Source(path=where, is_folder=False, head=head, passphrase=passphrase, meter=Meter(size))


def open_file(path: str | os.PathLike[str], meter: Meter | None = None) -> BinaryIO:
    """A regular file, for reading bytes; anything else is refused without waiting for it.

    Raises:
        InvalidInputError: there is none, or it is not a regular file.
        UnavailableError: it can't be read now.
    """
    # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise InvalidInputError("this is not a regular file; give a file of exported memories")
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise _unreadable(error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # exchanged between the look and the opening
        os.close(descriptor)
        raise InvalidInputError("this is not a regular file; give a file of exported memories")
    with suppress(OSError, AttributeError):
        os.set_blocking(descriptor, True)
    return io.BufferedReader(_Metered(descriptor, meter or Meter()), _BUFFER)


class _Metered(io.FileIO):
    """A file that moves a meter as it is read."""

    def __init__(self, descriptor: int, meter: Meter) -> None:
        super().__init__(descriptor, "rb")
        self._meter = meter

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase.readinto`."""
        count = super().readinto(buffer)
        self._meter.read += count
        return count


def _checked(path: Any) -> Path:
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise InvalidInputError("path must be the path of a file")
    return Path(path)


def _unreadable(error: Exception) -> InvalidInputError | UnavailableError:
    if isinstance(error, OSError) and not isinstance(
        error, FileNotFoundError | NotADirectoryError | IsADirectoryError | PermissionError
    ):
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            return InvalidInputError("this path leads round in a circle or is too long; give another one")
        return UnavailableError(f"this file can't be read now ({type(error).__name__})")
    return InvalidInputError("there is no file here that can be read; check the path and its permissions")
