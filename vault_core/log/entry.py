"""Entries: the bytes of one commit.

Rules (docs/format.md §5):
- The clear part holds what anyone may check without a key: order, and the hashes of the records.
- The ops are sealed in a context that ends in SHA-256 of the clear part, and an HMAC covers everything: whoever
  holds one box's key still notices forged entries of the others.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256

from vault_core.crypto import Key, mac, same
from vault_core.crypto.context import MAGIC
from vault_core.errors import VaultTamperedError
from vault_core.memory.limits import MAX_COMMIT_RECORDS

ENTRY_MAGIC = b"SRE1"
_FIXED = struct.Struct(">4sQ32s16sI16sQI")
_HASH = 32
_MAC = 32
_REFUSED = "a commit of the log is not what was written"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearPart:
    """The part of an entry that needs no key."""

    seq: int
    prev: bytes
    box: bytes
    generation: int
    writer: bytes
    counter: int
    hashes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The bytes, with no signature."""
        fixed = _FIXED.pack(
            ENTRY_MAGIC,
            self.seq,
            self.prev,
            self.box,
            self.generation,
            self.writer,
            self.counter,
            len(self.hashes),
        )
        return b"".join((fixed, *self.hashes, b"\0\0"))


def chain_start(vault: bytes) -> bytes:
    """What the first entry names as the one before it."""
    return sha256(MAGIC + vault).digest()


def chain_hash(entry: bytes) -> bytes:
    """What the next entry names: SHA-256 of the whole stored entry."""
    return sha256(entry).digest()


def close_entry(clear: bytes, sealed_ops: bytes, log_key: Key) -> bytes:
    """The whole entry, with its HMAC."""
    body = clear + len(sealed_ops).to_bytes(4, "big") + sealed_ops
    return body + mac(log_key, body)


def split_entry(entry: bytes) -> tuple[ClearPart, bytes, bytes]:
    """An entry taken apart, nothing verified yet: clear part, its bytes, the sealed ops.

    Raises:
        VaultTamperedError: the lengths don't fit.
    """
    if len(entry) < _FIXED.size + 2 + 4 + _MAC:
        raise VaultTamperedError(_REFUSED)
    magic, seq, prev, box, generation, writer, counter, count = _FIXED.unpack_from(entry)
    ops_at = _FIXED.size + count * _HASH + 2
    if magic != ENTRY_MAGIC or count > MAX_COMMIT_RECORDS or len(entry) < ops_at + 4 + _MAC:
        raise VaultTamperedError(_REFUSED)
    size = int.from_bytes(entry[ops_at : ops_at + 4], "big")
    if entry[ops_at - 2 : ops_at] != b"\0\0" or len(entry) != ops_at + 4 + size + _MAC:
        raise VaultTamperedError(_REFUSED)
    hashes = tuple(entry[at : at + _HASH] for at in range(_FIXED.size, ops_at - 2, _HASH))
    clear = ClearPart(seq=seq, prev=prev, box=box, generation=generation, writer=writer, counter=counter, hashes=hashes)
    return clear, entry[:ops_at], entry[ops_at + 4 : -_MAC]


def addresses_in(entry: bytes) -> range:
    """The addresses that an entry claims for its records, nothing verified: for who wants to fetch them ahead."""
    if len(entry) < _FIXED.size:
        return range(0)
    _, seq, *_, count = _FIXED.unpack_from(entry)
    return range(seq << 24, (seq << 24) + min(count, MAX_COMMIT_RECORDS)) if seq < 1 << 38 else range(0)


def check_mac(entry: bytes, log_key: Key) -> None:
    """Check the HMAC over an entry.

    Raises:
        VaultTamperedError: someone without the log key wrote it.
    """
    if not same(mac(log_key, entry[:-_MAC]), entry[-_MAC:]):
        raise VaultTamperedError(_REFUSED)
