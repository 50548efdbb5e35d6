"""A log and its records, followed without a key: what anyone may check (docs/format.md §5)."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from vault_core.crypto import possible_size
from vault_core.errors import VaultTamperedError
from vault_core.keys import Header
from vault_core.log.entry import ClearPart, chain_hash, chain_start, split_entry
from vault_core.memory.model import Address
from vault_core.store import Store

BATCH = 500  # records asked for at once


class Chain:
    """How far a log was followed: order, chain and key generations hold up to `seq`."""

    def __init__(self, vault: bytes) -> None:
        """Before the first entry."""
        self.seq, self.hash = 0, chain_start(vault)
        self._generation = 1

    def follow(self, seq: int, entry: bytes) -> ClearPart:
        """Take the next entry, and give its clear part.

        Raises:
            VaultTamperedError: it is not the next one.
        """
        clear = split_entry(entry)[0]
        if seq != self.seq + 1 or clear.seq != seq or clear.prev != self.hash or clear.generation < self._generation:
            raise VaultTamperedError("a commit of the log is missing, or does not follow the one before it")
        self.seq, self.hash, self._generation = seq, chain_hash(entry), clear.generation
        return clear

    def check_end(self, header: Header) -> None:
        """Check that a header can be the one that holds here, or the next.

        Raises:
            VaultTamperedError: it is of other keys than the log.
        """
        if header.key_generation not in (self._generation, self._generation + 1):
            raise VaultTamperedError("the header and the log are of different key generations")


def records_of(clear: ClearPart) -> dict[int, bytes]:
    """The addresses of an entry's records, and the hash that each was stored with."""
    return {Address(clear.seq, n).number: digest for n, digest in enumerate(clear.hashes)}


def read_records(store: Store, hashes: Mapping[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """The stored records at these addresses, in order, each one whole or erased; no more than `BATCH` in memory.

    Raises:
        VaultTamperedError: one is missing, or is another than the one committed.
    """
    wanted = list(hashes)
    for start in range(0, len(wanted), BATCH):
        found = store.records(wanted[start : start + BATCH])
        for number in wanted[start : start + BATCH]:
            body = found.pop(number, None)
            if body is None:
                raise VaultTamperedError("a record is missing that a commit names")
            if is_erased(body):
                if not possible_size(len(body)):
                    raise VaultTamperedError("what an erased record left is not of a record's size")
            elif sha256(body).digest() != hashes[number]:
                raise VaultTamperedError("a record is not the one that was committed at its address")
            yield number, body


def is_erased(body: bytes) -> bool:
    """Whether a stored record is what erasing leaves."""
    return not any(body)
