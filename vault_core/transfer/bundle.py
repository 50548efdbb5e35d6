"""Bundles: an export under a passphrase of its own (docs/format.md §11).

Rules:
- The head is a stranger's until its slot has opened; every size and cost is bounded before it is used.
- Each segment says its number and whether it is the last, so that none can be cut off, moved, or put behind.
- Every segment is opened before any of it is used.
"""

import io
import secrets
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, BinaryIO

from vault_core.crypto import BUNDLE, OVERHEAD, KdfParameters, Key, Place, derive_key, seal, unseal, wipe
from vault_core.crypto.derive import BUNDLE_LABEL
from vault_core.errors import FormatTooNewError, VaultTamperedError, WrongPassphraseError
from vault_core.keys import Passphrase, Slot
from vault_core.keys.slots import exact, from_hex
from vault_core.memory.canonical import canonical_json, parse_json
from vault_core.transfer.arrival import Finding, Format
from vault_core.transfer.formats import register
from vault_core.transfer.jsonl import read_lines
from vault_core.transfer.source import Source

NAME = "bundle"
MAGIC = b"strongroom-bundle\n"
FORMAT_NUMBER = 1
SEGMENT = (1 << 20) - 4  # with its length in front a padded plaintext of exactly 1 MiB
MAX_HEAD = 1 << 16
ID_BYTES = 16
_SEALED = OVERHEAD + (1 << 20) + 16 * 64  # of every segment but the last: 64 chunks of 16 KiB and an empty one
_DIGEST = 32
_DAMAGED = "this bundle is not what was written: it was changed or cut off"


class BundleWriter:
    """Seals what is written to it; `close` seals the last segment. Not to be used when a write has failed."""

    def __init__(self, out: Callable[[bytes], object], passphrase: Passphrase, cost: KdfParameters | None) -> None:
        self._out, self._number, self._waiting = out, 0, bytearray()
        bundle, master = secrets.token_bytes(ID_BYTES), Key.random()
        try:
            slot = Slot.make(master, passphrase, bundle, cost)
            self._key = derive_key(master, BUNDLE_LABEL, bundle)
        finally:
            master.wipe()
        shown = {"bundle": bundle.hex(), "format": FORMAT_NUMBER, "slot": slot.to_json()}
        body = canonical_json(shown).encode("ascii")
        head = MAGIC + len(body).to_bytes(4, "big") + body
        digest = sha256(head).digest()
        self._place = _Segments(bundle, digest)
        out(head + digest)

    def write(self, plaintext: bytes) -> None:
        """Add to the bundle."""
        self._waiting += plaintext
        while len(self._waiting) > SEGMENT:  # not >=: the last one is never empty
            self._seal(self._waiting[:SEGMENT], last=False)
            del self._waiting[:SEGMENT]

    def close(self) -> None:
        """Write the last segment."""
        self._seal(self._waiting, last=True)
        self.wipe()

    def wipe(self) -> None:
        """Forget the key and what waits. Calling it twice does no harm."""
        self._key.wipe()
        wipe(self._waiting)

    def _seal(self, plaintext: bytearray, *, last: bool) -> None:
        self._out(seal(plaintext, self._key, self._place.context(self._number, last=last)))
        self._number += 1


class _Segments:
    """Where in which bundle a segment belongs."""

    def __init__(self, bundle: bytes, digest: bytes) -> None:
        self._bundle, self._digest = Place(vault=bundle), digest

    def context(self, number: int, *, last: bool) -> bytes:
        """The context of a segment."""
        return self._bundle.context(BUNDLE, seq=number, n=int(last), also=self._digest)


def read_bundle(file: BinaryIO, passphrase: str | None) -> Iterator[Finding]:
    """What is in a bundle. The file is read twice: everything is opened once before anything is given.

    Raises:
        WrongPassphraseError: it does not open with this passphrase, or there is none.
        VaultTamperedError: it is not what was written.
        FormatTooNewError: a newer version wrote it.
    """
    bundle, slot, digest = _head(file)
    if passphrase is None:
        raise WrongPassphraseError("this bundle is sealed, and no passphrase was given for it")
    try:
        master = slot.unlock(Passphrase(passphrase), bundle)
    except WrongPassphraseError:
        error = WrongPassphraseError("the bundle does not open with this passphrase")
        error.add_note("a bundle has a passphrase of its own, which is not the vault's")
        raise error from None
    try:
        key = derive_key(master, BUNDLE_LABEL, bundle)
    finally:
        master.wipe()
    try:
        place, start = _Segments(bundle, digest), file.tell()
        for _ in _opened(file, key, place):
            pass
        file.seek(start)
        yield from read_lines(io.BufferedReader(_Plaintext(_opened(file, key, place)), 1 << 18))
    finally:
        key.wipe()


def _opened(file: BinaryIO, key: Key, place: _Segments) -> Iterator[bytes]:
    """The plaintexts of the segments, one after the other."""
    sealed, number = file.read(_SEALED), 0
    while True:
        following = file.read(_SEALED) if len(sealed) == _SEALED else b""
        last = not following
        try:
            plaintext = unseal(sealed, key, place.context(number, last=last))
        except VaultTamperedError:
            raise _damaged() from None
        if not plaintext or (not last and len(plaintext) != SEGMENT):
            raise _damaged()
        yield plaintext
        if last:
            return
        sealed, number = following, number + 1


def _head(file: BinaryIO) -> tuple[bytes, Slot, bytes]:
    """The bundle id, its slot, and the digest that binds the segments to them."""
    start = file.read(len(MAGIC) + 4)
    length = int.from_bytes(start[len(MAGIC) :], "big")
    if len(start) != len(MAGIC) + 4 or not start.startswith(MAGIC) or length > MAX_HEAD:
        raise _damaged()
    body, digest = file.read(length), file.read(_DIGEST)
    given = _parsed(body)
    if isinstance(given, dict) and type(given.get("format")) is int and given["format"] > FORMAT_NUMBER:
        raise FormatTooNewError("a newer version of strongroom wrote this bundle; upgrade strongroom")
    if sha256(start + body).digest() != digest:
        raise _damaged()
    fields = exact(given, {"bundle": str, "format": int, "slot": dict})
    slot = Slot.from_json(fields["slot"])
    if fields["format"] != FORMAT_NUMBER or slot.kind != "passphrase" or canonical_json(given).encode() != body:
        raise _damaged()
    return from_hex(fields["bundle"], ID_BYTES), slot, digest


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body.decode("ascii"))
    except (ValueError, RecursionError):
        raise _damaged() from None


def _damaged() -> VaultTamperedError:
    error = VaultTamperedError(_DAMAGED)
    error.add_note("use another copy of the bundle; the vault is as it was")
    return error


class _Plaintext(io.RawIOBase):
    """What the segments hold, as a file that is read once."""

    def __init__(self, segments: Iterator[bytes]) -> None:
        super().__init__()
        self._segments, self._left = segments, memoryview(b"")

    def readable(self) -> bool:
        """See `io.RawIOBase.readable`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase.readinto`."""
        if not self._left:
            self._left = memoryview(next(self._segments, b""))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _read(source: Source) -> Iterator[Finding]:
    source.meter.total *= 2  # it is read twice
    with source.open() as file:
        yield from read_bundle(file, source.passphrase)


FORMAT = register(
    Format(
        name=NAME,
        title="an export of strongroom under a passphrase",
        recognise=lambda source: source.head.startswith(MAGIC),
        read=_read,
        sealed=True,
    )
)
