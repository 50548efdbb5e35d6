"""A folder as a place for objects: one file each, made whole and durable before its name is seen.

obstore's own files are not synchronised to the disk, and can't be replaced on condition: here a vault's words hold.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vault_core.errors import InvalidInputError, UnavailableError, VaultNotFoundError
from vault_core.store.object.bucket import ChangedError, Found

if os.name == "posix":
    import fcntl

NEW = ".new"  # the subfolder for files that are still being written
LOCK = ".lock"
_NEW = re.compile("[0-9a-f]{32}")


class FolderBucket:
    """The files of a folder, shared by processes that see the same file system."""

    durable = True
    probed = False

    def __init__(self, folder: Path, *, make: bool) -> None:
        """Use a folder, or with `make` make it, in one that exists."""
        self.location = folder.as_uri()
        self._folder = folder
        with _translated():
            if make and not folder.parent.is_dir():
                raise VaultNotFoundError("the folder for the new vault does not exist; make it first")
            if make and not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                _sync_folder(folder.parent)
            elif not folder.is_dir():
                raise VaultNotFoundError(f"there is no vault at {self.location}; make one with: strongroom init")

    def get(self, name: str, start: int, length: int, tag: str | None = None) -> Found | None:
        """See `Bucket.get`."""
        with _translated():
            try:
                file = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                about = os.fstat(file)
                if not stat.S_ISREG(about.st_mode):
                    return None
                if tag is not None and tag != _tag(about):
                    raise ChangedError
                body = _pread(file, min(length, max(about.st_size - start, 0)), start)
            finally:
                os.close(file)
        return Found(body, _tag(about), about.st_size)

    def tag(self, name: str) -> str | None:
        """See `Bucket.tag`."""
        with _translated():
            try:
                return _tag((self._folder / name).stat())
            except (FileNotFoundError, NotADirectoryError):
                return None

    def create(self, name: str, body: bytes) -> str | None:
        """See `Bucket.create`: a link to a whole file, which fails where there is one."""
        with _translated(), self._new(name, body) as new:
            try:
                os.link(new, self._folder / name)
            except FileExistsError:
                return None
            self._sync(name)
            return _tag(new.stat())

    def replace(self, name: str, body: bytes, tag: str) -> bool:
        """See `Bucket.replace`: compared and renamed under a lock, which all who replace files here take."""
        with _translated(), self._new(name, body) as new, self._locked():
            if self.tag(name) != tag:
                return False
            new.rename(self._folder / name)
            self._sync(name)
        return True

    def put(self, name: str, body: bytes) -> None:
        """See `Bucket.put`."""
        with _translated(), self._new(name, body) as new:
            new.rename(self._folder / name)
            self._sync(name)

    def delete(self, name: str) -> None:
        """See `Bucket.delete`."""
        with _translated(), suppress(FileNotFoundError, NotADirectoryError):
            (self._folder / name).unlink()

    def tidy(self) -> None:
        """See `Bucket.tidy`: files that nobody is writing any more, for whoever writes one holds its lock."""
        with _translated():
            if (self._folder / NEW).is_symlink():
                return  # whoever can write here would have us remove files elsewhere
            for new in (self._folder / NEW).glob("*"):
                if not _NEW.fullmatch(new.name):
                    continue
                with suppress(FileNotFoundError, BlockingIOError):
                    file = os.open(new, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        new.unlink()
                    finally:
                        os.close(file)

    def names(self, folder: str, after: str = "") -> Iterator[tuple[str, int]]:
        """See `Bucket.names`."""
        found = list[tuple[str, int]]()
        with _translated():
            try:
                with os.scandir(self._folder / folder) as files:
                    for file in files:
                        if (name := folder + file.name) > after and file.is_file():
                            with suppress(FileNotFoundError):
                                found.append((name, file.stat().st_size))
            except (FileNotFoundError, NotADirectoryError):
                return
        yield from sorted(found)

    @contextmanager
    def _new(self, name: str, body: bytes) -> Iterator[Path]:
        """A file with these bytes, on the disk, under a name that nobody reads."""
        for folder in (self._folder / NEW, (self._folder / name).parent):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                _sync_folder(folder.parent)
        new = self._folder / NEW / secrets.token_hex(16)
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            rest = memoryview(body)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
            yield new
        finally:
            with suppress(FileNotFoundError):
                new.unlink()
            os.close(file)

    def _sync(self, name: str) -> None:
        _sync_folder((self._folder / name).parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        file = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


def _pread(file: int, length: int, start: int) -> bytes:
    chunks = list[bytes]()
    while length > 0:
        chunk = os.pread(file, min(length, 1 << 30), start)
        if not chunk:
            raise UnavailableError("a file of the vault was cut while it was read; try again")
        chunks.append(chunk)
        length, start = length - len(chunk), start + len(chunk)
    return b"".join(chunks)


def _tag(about: os.stat_result) -> str:
    return f"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}"


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except OSError as error:
        raise _translation(error) from None
    except ValueError:
        raise InvalidInputError("this folder's name can't be used") from None


def _translation(error: OSError) -> UnavailableError | InvalidInputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError("the disk is full; make room, nothing was half-written")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UnavailableError("the vault's folder can't be used; check its permissions and who owns it")
    if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR):
        return InvalidInputError(f"this folder can't be used ({error.strerror})")
    if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
        return InvalidInputError("this file system has no hard links, which a vault in a folder needs; choose another")
    return UnavailableError(f"the vault's folder can't be used ({error.strerror})")
