"""Anchors: what this machine last saw of a vault, kept outside the store.

Rules (docs/format.md §8):
- An anchor is written after the commit it names is durable, never before; so it is never ahead of an honest store.
- It never goes backwards, whatever order sessions finish in.
- Two slots, of which one is always durable: a session flushes the file once, then takes the older slot and stays with
  the newest from there on. A power cut spoils at most the slot that was written since the last flush.
"""

import contextlib
import os
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import platformdirs

from vault_core.crypto import Key, mac, same
from vault_core.errors import RollbackError, UnavailableError

if os.name == "posix":
    import fcntl

MAGIC = b"SRA1"
SLOT_BYTES = 128
SLOT_SPACING = 4096  # a torn sector spoils one slot at most
_FILE_BYTES = SLOT_SPACING + SLOT_BYTES
_LAYOUT = struct.Struct(">4s16sQQ32sQ20s")
_COUNTER = slice(20, 28)  # of a slot
GIVEN_UP_BYTES = 20  # of a chain hash: enough to know it again


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A place in the log: seq, chain hash, and the header generation that held there.

    `given_up` begins the chain hash of what the last accepted restore before that place had given up; zeros for none.
    A restore that a machine has seen already is no reason for it to go back once more.
    """

    seq: int
    hash: bytes
    header: int
    given_up: bytes = bytes(GIVEN_UP_BYTES)


def state_folder() -> Path:
    """Where anchors live: `STRONGROOM_STATE_DIR`, or the platform's folder for state of the user's programs."""
    override = os.environ.get("STRONGROOM_STATE_DIR")
    return Path(override) if override else Path(platformdirs.user_state_dir("strongroom", appauthor=False))


class AnchorFile:
    """The anchor of one vault on this machine. Safe to use from several processes at once."""

    def __init__(self, vault: bytes, key: Key, folder: Path | None = None) -> None:
        self._vault = vault
        self._key = key
        self.path = (folder or state_folder() / "anchors") / vault.hex()
        self._descriptor: int | None = None
        self._settled = False  # has this session made the other slot durable?
        self._last: _Found | None = None

    def read(self) -> Anchor | None:
        """The anchor, or None if this machine has never seen the vault.

        Raises:
            RollbackError: there is an anchor file, but nothing in it can be trusted.
        """
        try:
            with self.path.open("rb") as file:
                raw = file.read(_FILE_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnavailableError(f"the anchor can't be read ({error.strerror})") from None
        found = self._newest(raw)
        if found is None:
            raise RollbackError(
                "this machine's anchor for the vault is damaged, so an old state can't be told from the newest; "
                "if you trust the store, open with accept_rollback=True"
            )
        return found.anchor

    def write(self, anchor: Anchor, *, replace: bool = False) -> None:
        """Move the anchor forward to here; an older one is left out, unless `replace` accepts it.

        Raises:
            UnavailableError: the state folder can't be written.
        """
        try:
            with self._locked(anchor) as descriptor:
                found = self._known(os.pread(descriptor, _FILE_BYTES, 0))
                if found is not None and not replace and _order(found.anchor) >= _order(anchor):
                    return
                counter, at = (1, 0) if found is None else (found.counter + 1, found.at)
                if not self._settled:
                    os.fdatasync(descriptor)
                    at, self._settled = SLOT_SPACING - at, True
                slot = self._encode(counter, anchor)
                os.pwrite(descriptor, slot, at)
                self._last = _Found(counter, anchor, at, slot)
        except OSError as error:
            raise UnavailableError(f"the anchor can't be written ({error.strerror})") from None

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    @contextlib.contextmanager
    def _locked(self, first: Anchor) -> Iterator[int]:
        if self._descriptor is None:
            self._descriptor = self._open(first)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield self._descriptor
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _open(self, first: Anchor) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            self._create(first)
            return os.open(self.path, flags)

    def _create(self, first: Anchor) -> None:
        """Put a complete file in place at once: a half-written one would look like tampering."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".new-")
        try:
            os.pwrite(descriptor, self._encode(2, first), 0)
            os.ftruncate(descriptor, _FILE_BYTES)
            os.fsync(descriptor)
            with contextlib.suppress(FileExistsError):  # another session was first; its file serves both
                os.link(name, self.path)
        finally:
            os.close(descriptor)
            Path(name).unlink()
        _sync_folder(self.path.parent)

    def _encode(self, counter: int, anchor: Anchor) -> bytes:
        fields = _LAYOUT.pack(MAGIC, self._vault, counter, anchor.seq, anchor.hash, anchor.header, anchor.given_up)
        return fields + mac(self._key, fields)

    def _known(self, raw: bytes) -> "_Found | None":
        """The newest slot; one that this session wrote itself, still the newer of the two, needs no second MAC."""
        last = self._last
        if last is not None and raw[last.at : last.at + SLOT_BYTES] == last.slot:
            other = raw[SLOT_SPACING - last.at :][_COUNTER]
            if int.from_bytes(other, "big") < last.counter:
                return last
        return self._newest(raw)

    def _newest(self, raw: bytes) -> "_Found | None":
        slots = (self._decode(raw[at : at + SLOT_BYTES], at) for at in (0, SLOT_SPACING))
        return max((slot for slot in slots if slot is not None), key=lambda slot: slot.counter, default=None)

    def _decode(self, slot: bytes, at: int) -> "_Found | None":
        if len(slot) != SLOT_BYTES or not same(mac(self._key, slot[:96]), slot[96:]):
            return None
        magic, vault, counter, seq, chain_hash, header, given_up = _LAYOUT.unpack(slot[:96])
        if (magic, vault) != (MAGIC, self._vault):
            return None
        return _Found(counter, Anchor(seq=seq, hash=chain_hash, header=header, given_up=given_up), at, slot)


class _Found(NamedTuple):
    counter: int
    anchor: Anchor
    at: int
    slot: bytes


def _order(anchor: Anchor) -> tuple[int, int]:
    return anchor.header, anchor.seq


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
