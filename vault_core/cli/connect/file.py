"""A client's file: read whole, kept beside, replaced at once."""

import contextlib
import errno
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vault_core.cli.connect.splice import UneditableError
from vault_core.errors import ConflictError, UnavailableError

MAX_BYTES = 32 * 1024 * 1024  # Claude Code's file holds its history and does get large
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A file as it was read; `raw` is None if there is none."""

    path: Path
    raw: bytes | None

    @classmethod
    def read(cls, path: Path) -> "Configuration":
        """Read it. A link is followed, so that the link stays one.

        Raises:
            UnavailableError: it can't be read.
        """
        try:
            path = path.resolve()
            return cls(path=path, raw=_content(path))
        except RuntimeError:  # before Python 3.13
            raise UnavailableError(f"{path} is a link that leads to itself") from None
        except OSError as error:
            raise UnavailableError(f"{path} can't be read ({error.strerror})") from None

    @property
    def text(self) -> str:
        """Its text, without a byte order mark.

        Raises:
            UneditableError: it is none.
        """
        if self.raw is not None and len(self.raw) > MAX_BYTES:
            raise UneditableError("it is too large to be a configuration")
        try:
            return (self.raw or b"").decode().removeprefix(_MARK)
        except UnicodeDecodeError:
            raise UneditableError("it is not UTF-8 text") from None

    @property
    def kept_at(self) -> Path:
        """Where the file is kept as it was before."""
        return self.path.with_name(self.path.name + ".before-strongroom")

    def replace(self, text: str, *, keep: bool) -> Path | None:
        """Put a new text in its place; gives where the old file is kept, if it is to be.

        Raises:
            ConflictError: somebody has changed the file since it was read.
            UnavailableError: it can't be written.
        """
        marked = self.raw is not None and self.raw.startswith(_MARK.encode())
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if keep and self.raw is not None:
                self._put(self.kept_at, self.raw)
            self._check_unchanged()
            self._put(self.path, ((_MARK if marked else "") + text).encode())
        except OSError as error:
            raise UnavailableError(f"{self.path} can't be written ({error.strerror})") from None
        return self.kept_at if keep and self.raw is not None else None

    def delete(self) -> None:
        """Remove a file in which nothing is left, and that was not there before."""
        try:
            self._check_unchanged()
            self.path.unlink()
        except OSError as error:
            raise UnavailableError(f"{self.path} can't be removed ({error.strerror})") from None

    def _check_unchanged(self) -> None:
        if _content(self.path) != self.raw:
            raise ConflictError(f"{self.path} was changed meanwhile; close the client and try again")

    def _put(self, path: Path, content: bytes) -> None:
        mode = self.path.stat().st_mode & 0o777 if self.raw is not None else 0o600
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as out:
                os.fchmod(out.fileno(), mode)
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise


def _content(path: Path) -> bytes | None:
    """The bytes of a file, as many as a configuration can have and one more; None if there is no file.

    What is no file is not waited for: a pipe may never have anything to say, and a device never ends.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        return file.read(MAX_BYTES + 1)
