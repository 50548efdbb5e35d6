"""A file that is there whole or not at all: written beside its place, flushed, and put there at the end."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from vault_core.errors import ConflictError, InvalidInputError, UnavailableError

_BUFFER = 1 << 18
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}


class NewFile:
    """Use it in a `with` block: at its end the file is in its place and durable; after an error nothing is there.

    Only its owner may read it (mode 0600). What is there already stays, unless `overwrite`.

    Raises:
        ConflictError: there is something already.
        InvalidInputError: the folder is not there, or what is to be replaced is no file.
        UnavailableError: it can't be written.
    """

    def __init__(self, path: Any, *, overwrite: bool = False) -> None:
        if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str) or not os.fspath(path):
            raise InvalidInputError("path must be the path of a file")
        self.path, self._overwrite = Path(path), overwrite
        self.size = 0
        self._beside = self.path.with_name(f".{self.path.name[:64]}.{secrets.token_hex(8)}.part")
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Add bytes."""
        try:
            self._open_file.write(data)
        except OSError as error:
            raise _unwritable(error) from None
        self.size += len(data)

    @property
    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise UnavailableError("the file is not open; use it in a `with` block")
        return self._file

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._check_place()
            self._file = os.fdopen(os.open(self._beside, flags, 0o600), "wb", buffering=_BUFFER)
        except (OSError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            raise _unwritable(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as problem:
            raise _unwritable(problem) from None
        finally:
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
            with suppress(OSError):
                self._beside.unlink()

    def _finish(self) -> None:
        self._open_file.flush()
        os.fsync(self._open_file.fileno())
        self._open_file.close()
        self._put()
        with suppress(OSError):  # not every system lets a folder be flushed
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _put(self) -> None:
        if self._overwrite:
            self._beside.replace(self.path)
            return
        try:
            os.link(self._beside, self.path)  # unlike a rename it never replaces what came there meanwhile
        except FileExistsError:
            raise _taken() from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._check_place()
            self._beside.rename(self.path)

    def _check_place(self) -> None:
        if not os.path.lexists(self.path):
            return
        if not self._overwrite:
            raise _taken()
        if self.path.is_symlink() or not self.path.is_file():
            raise InvalidInputError("what is to be overwritten is not a regular file; give another path")


def _taken() -> ConflictError:
    return ConflictError("there is something at this path already; give another one, or allow to overwrite it")


def _unwritable(error: Exception) -> InvalidInputError | UnavailableError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
        return UnavailableError(f"the file can't be written ({error.strerror}); nothing is left of it")
    reason = f" ({error.strerror})" if isinstance(error, OSError) else ""
    return InvalidInputError(f"there can be no file at this path{reason}; check the folder and its permissions")
