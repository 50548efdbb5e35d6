"""Erasing and packing: rewriting objects so that whatever breaks off in between is finished by whoever comes next.

Rules:
- Before a commit that leaves something to be erased, a marker says so; it goes when all is done. `purge` does the rest.
- An object is only ever rewritten into the same one with less in it, on the condition that it is the one that was read.
- A pack is filled before its commits become stubs, and each only if nothing was erased from it since it was read.
"""

from collections.abc import Iterable

from vault_core.errors import UnavailableError, VaultTamperedError
from vault_core.store.object.blocks import TRIES, Blocks, concurrently
from vault_core.store.object.bucket import Bucket, Found
from vault_core.store.object.layout import (
    DIGITS,
    MAX_OBJECT,
    SMALL,
    STUB,
    blanked,
    decode,
    encode_stub,
    log_name,
    number_in,
    pack_name,
    packed,
    part_name,
    seqs_of,
    stub_in,
)

ERASE, PACK = "unfinished/erase-", "unfinished/pack-"
_NOTHING = b"SRM1"  # a marker says all that it has to say by its name
Wanted = dict[int, set[int]]


class Rewriter:
    """What is done to objects after their commits. Safe to repeat, to break off, and to run in many places at once."""

    def __init__(self, bucket: Bucket, blocks: Blocks) -> None:
        self._bucket, self._blocks = bucket, blocks

    def announce(self, seq: int) -> None:
        """Leave the marker for a commit that is about to be made."""
        self._bucket.put(_marker(ERASE, seq), _NOTHING)

    def finish(self, seq: int) -> None:
        """Do what the commit at `seq` leaves to be done, and take its marker away.

        The commit says what that is; the marker, which anyone can write, says only where to look.
        """
        front = self._blocks.find(seq, keep=False)
        if front is not None:
            piece = front.block.pieces[seq]
            before = piece.header_before if piece.header_at == seq else 0
            self.finish_with(seq, piece.erase, before, piece.drop_parts)
        else:
            self._bucket.delete(_marker(ERASE, seq))

    def erase(self, addresses: Iterable[int]) -> None:
        """Take these records' bytes away, without a commit that says so."""
        self.blank(_by_seq(addresses), set())

    def finish_with(self, seq: int, erase: Iterable[int], header_before: int, drop_parts: Iterable[str]) -> None:
        """The same, for a commit that is known."""
        self.blank(_by_seq(erase), {header_before} - {0, seq})
        concurrently(self._bucket.delete, map(part_name, drop_parts))
        self._bucket.delete(_marker(ERASE, seq))

    def blank(self, wanted: Wanted, headers: set[int]) -> None:
        """Take the bytes of records and headers out of the objects that hold them."""
        left = {*wanted, *headers}
        self._blocks.let_go(left)
        for _ in range(TRIES):
            homes: dict[str, set[int]] = {}
            for seq, name in zip(left, concurrently(self._home, left), strict=True):
                if name is not None:
                    homes.setdefault(name, set()).add(seq)
            tasks = [
                (name, {seq: wanted.get(seq, set[int]()) for seq in seqs}, seqs & headers)
                for name, seqs in homes.items()
            ]
            done = concurrently(self._blank_one, tasks)
            left = {seq for (_, some, _), ok in zip(tasks, done, strict=True) if not ok for seq in some}
            if not left:
                return
        raise UnavailableError("others rewrite the same objects again and again; try again")

    def markers(self) -> list[tuple[str, int]]:
        """What was left unfinished: folder and number."""
        found = list[tuple[str, int]]()
        for name, _ in self._bucket.names("unfinished/"):
            for folder in (ERASE, PACK):
                number = number_in(name, folder) if name.startswith(folder) else None
                if number is not None:
                    found.append((folder, number))
        return found

    def pack(self, window: int) -> None:
        """Put the small commits of a window, all of which have been made, into one object.

        Begins where another broke off.
        """
        marker = _marker(PACK, window)
        self._bucket.put(marker, _NOTHING)
        for _ in range(TRIES):
            if self._pack_once(window):
                self._bucket.delete(marker)
                return
        raise UnavailableError("others rewrite the same objects again and again; try again")

    def packed_windows(self) -> set[int]:
        """The windows that have a pack."""
        numbers = (number_in(name, "pack/") for name, _ in self._bucket.names("pack/"))
        return {number for number in numbers if number is not None}

    def _pack_once(self, window: int) -> bool:
        """One try; False if something was rewritten meanwhile, and all is to be looked at again."""
        seqs = list(seqs_of(window))
        loose = {seq: found for seq, found in zip(seqs, concurrently(self._small, seqs), strict=True) if found}
        limit = len(seqs) * SMALL  # that many bytes went in; it never grows
        pack = self._bucket.get(pack_name(window), 0, limit)
        if pack is None:
            if not loose:
                return True
            self._bucket.create(pack_name(window), packed(found.body for found in loose.values()))
            return False  # looked at again in any case: it may be another's
        if pack.size > limit:
            raise VaultTamperedError("a pack is larger than the commits of its window can be")
        inside = decode(pack.body, pack.size).pieces
        erased, headers = Wanted(), set[int]()
        for seq, found in loose.items():
            piece = decode(found.body, found.size).pieces.get(seq)
            if piece is None:
                raise VaultTamperedError("an object of the vault's log does not hold the commit of its name")
            if seq in inside:
                if inside[seq].lengths != piece.lengths:
                    raise VaultTamperedError("a pack does not hold the commits of its window")
                erased[seq] = set(piece.erased)
                headers |= {seq} if piece.header_erased else set()
        less = blanked(pack.body, erased, headers)
        if less is not None:
            self._replace(pack_name(window), less, pack.tag)
            return False
        if any(
            seq in inside and pack.body[slice(*inside[seq].entry)] != _entry_in(found) for seq, found in loose.items()
        ):
            raise VaultTamperedError("a pack does not hold the commits of its window")
        stub = encode_stub(window)
        tasks = [(log_name(seq), stub, found.tag) for seq, found in loose.items() if seq in inside]
        self._blocks.let_go(loose)
        return all(concurrently(lambda task: self._replace(*task), tasks))

    def _small(self, seq: int) -> Found | None:
        """A commit that is small enough for a pack and not in one yet."""
        found = self._bucket.get(log_name(seq), 0, SMALL)
        if found is None:
            raise VaultTamperedError("a commit of the log is missing")
        return None if found.size > SMALL or stub_in(found.body, seq) is not None else found

    def _home(self, seq: int) -> str | None:
        """The name of the object that holds a commit's bytes."""
        found = self._bucket.get(log_name(seq), 0, 64)
        if found is None:
            return None
        window = stub_in(found.body, seq)
        return log_name(seq) if window is None else pack_name(window)

    def _blank_one(self, task: tuple[str, Wanted, set[int]]) -> bool:
        name, wanted, headers = task
        found = self._bucket.get(name, 0, MAX_OBJECT)
        if found is None or found.size > MAX_OBJECT:
            raise VaultTamperedError("an object of the vault's log is missing or too large")
        if found.body[: len(STUB)] == STUB:
            return False  # packed since
        less = blanked(found.body, wanted, headers)
        return less is None or self._replace(name, less, found.tag)

    def _replace(self, name: str, body: bytes, tag: str) -> bool:
        """Replace, or False when it has to be looked at again: also when nobody knows whether it took effect."""
        try:
            return self._bucket.replace(name, body, tag)
        except UnavailableError:
            now = self._bucket.get(name, 0, len(body) + 1)  # raises if the store is still away
            return now is not None and now.body == body


def _entry_in(found: Found) -> bytes:
    (piece,) = decode(found.body, found.size).pieces.values()
    return found.body[slice(*piece.entry)]


def _by_seq(addresses: Iterable[int]) -> Wanted:
    wanted: Wanted = {}
    for address in addresses:
        if address >= 0:
            wanted.setdefault(address >> 24, set()).add(address & 0xFFFFFF)
    return wanted


def _marker(folder: str, number: int) -> str:
    return f"{folder}{number:0{DIGITS}d}"
