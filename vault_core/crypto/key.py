"""Keys in memory of their own: locked, left out of core dumps, zeroed in forked children, wiped when done.

A `Key` lives in an anonymous page of its own and never prints, pickles or copies itself. CPython can't promise
that no copy was ever made on the way (docs/threat-model.md, "Keys in memory"); the paths here make none that outlive
a call, and a test scans the process for leftovers.
"""

import ctypes
import mmap
import os
import secrets
import sys
from typing import NoReturn

KEY_BYTES = 32
_PAGE = mmap.PAGESIZE
_LIBC = ctypes.CDLL(None) if os.name == "posix" else None  # loaded once: it costs more than all else about a key
_WIPE_ON_FORK = 18  # MADV_WIPEONFORK of Linux, which Python does not name


def _private_page() -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, _PAGE)
    page = mmap.mmap(-1, _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        for advice in (mmap.MADV_DONTDUMP, _WIPE_ON_FORK):
            try:
                page.madvise(advice)
            except OSError:
                continue  # an older kernel: the key still works, without this protection
    return page


def _lock(page: mmap.mmap) -> None:
    """Keep the page out of swap, where the machine lets us (RLIMIT_MEMLOCK)."""
    if _LIBC is None:
        return
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    _LIBC.mlock(ctypes.c_void_p(address), ctypes.c_size_t(_PAGE))


class Key:
    """Thirty-two secret bytes. Use `view()` for the call that needs them; `wipe()` ends the key.

    Safe to read from several threads; wiping while another thread uses the key is the caller's mistake.
    """

    __slots__ = ("__weakref__", "_page")

    def __init__(self) -> None:
        self._page: mmap.mmap | None = _private_page()
        _lock(self._page)

    @classmethod
    def random(cls) -> "Key":
        """A new random key."""
        key = cls()
        fresh = secrets.token_bytes(KEY_BYTES)
        key.view()[:] = fresh
        wipe(fresh)
        return key

    @classmethod
    def taken_from(cls, source: bytearray | memoryview) -> "Key":
        """A key with the 32 bytes of `source`, which is left to the caller to wipe."""
        key = cls()
        key.view()[:] = source
        return key

    def view(self) -> memoryview:
        """The bytes themselves, not a copy.

        Raises:
            ValueError: the key was wiped. The session turns this into `SessionStateError` before it gets here.
        """
        if self._page is None:
            raise ValueError("the key was wiped")
        return memoryview(self._page)[:KEY_BYTES]

    def wipe(self) -> None:
        """Zero the key for good. Calling it twice does no harm."""
        page, self._page = self._page, None
        if page is not None:
            page[:KEY_BYTES] = bytes(KEY_BYTES)

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled or copied")

    def __del__(self) -> None:
        if getattr(self, "_page", None) is not None:
            self.wipe()


def wipe(buffer: bytes | bytearray) -> None:
    """Overwrite a buffer in place, `bytes` included.

    Some library calls can only answer with `bytes`. For an answer that nobody else holds, writing through the
    object's own buffer is the one way not to leave a key behind; never use this on a constant or a shared value.
    """
    if isinstance(buffer, bytearray):
        buffer[:] = bytes(len(buffer))
    elif len(buffer) > 1:  # CPython shares empty and one-byte values
        offset = bytes.__basicsize__ - 1
        ctypes.memset(id(buffer) + offset, 0, len(buffer))
