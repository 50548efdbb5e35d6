"""A vault as objects: one for every commit, made where none is.

Rules (docs/format.md §2, docs/adr/0018-objects.md):
- A commit is one object, and so is a commit with a new header: there is no state in between.
- Whether a create took effect is decided by reading back, not by the answer: answers get lost, doubled and invented.
- A number that was taken stays taken: erasing, packing and reclaiming leave an object at every number.
"""

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

from vault_core.errors import (
    ConflictError,
    InvalidInputError,
    SessionStateError,
    UnavailableError,
    VaultNotFoundError,
    VaultTamperedError,
)
from vault_core.memory.model import StoredHeader
from vault_core.store.base import Capabilities, Change, Head, named_once
from vault_core.store.object.blocks import TRIES, Blocks, concurrently
from vault_core.store.object.bucket import Bucket
from vault_core.store.object.erasing import ERASE, PACK, Rewriter
from vault_core.store.object.layout import (
    MAX_SEQ,
    PART,
    WINDOW,
    Commit,
    encode,
    log_name,
    part_name,
    part_of,
)
from vault_core.store.object.probe import probe
from vault_core.store.object.tip import Tip
from vault_core.store.object.url import open_bucket, parse

MAX_PART = 68 << 20  # bytes; larger ones are none of ours
MAX_PARTS = 100_000
_TRIES = 1_000  # commits of others that come first
_PARTS = 16  # that are put at the same time, a mebibyte each
_SETTLE = 5  # times that a create without a clear answer is looked for, and sent again
_PAUSE = 0.05  # seconds before the second time, doubled each time
_FOLDERS = ("log/", "pack/", "part/", "unfinished/")


class ObjectStore:
    """One vault under one prefix, shared by any number of processes on any number of machines."""

    def __init__(
        self, url: str, *, create: bool = False, read_only: bool = False, bucket: Bucket | None = None
    ) -> None:
        """Use the place that a URL names (docs/stores-objects.md), or one's own `bucket`.

        Raises:
            VaultNotFoundError: there is no vault there, or no bucket.
            InvalidInputError: the URL makes no sense; says why.
        """
        address = parse(url)
        self._bucket = bucket if bucket is not None else open_bucket(address, make=create)
        self._staleness = address.staleness
        self._read_only = read_only
        self._pid = os.getpid()
        self._closed = self._making = False
        self._blocks = Blocks(self._bucket)
        self._rewriter = Rewriter(self._bucket, self._blocks)
        self._tip = Tip(self._bucket, self._blocks)
        self._looked = float("-inf")
        self._stored_header: tuple[int, StoredHeader] | None = None
        self._fresh = set[str]()
        if not create:
            self._look()
            if self._tip.seq == 0:
                raise VaultNotFoundError(f"there is no vault at {self.location}; make one with: strongroom init")

    @property
    def capabilities(self) -> Capabilities:
        """See `Store.capabilities`. Nothing can keep other machines out, so nobody holds a vault alone."""
        return Capabilities(exclusive=False, durable=self._bucket.durable, lag=self._staleness)

    @property
    def location(self) -> str:
        """The URL, without its options."""
        return self._bucket.location

    @property
    def origin(self) -> "ObjectStore":
        """See `Store.origin`."""
        return self

    def create(self, header: StoredHeader, entry: bytes) -> None:
        """See `Store.create`: one object. The store is tried out first: does it keep what a vault needs?"""
        self._check_writing()
        self._look()
        if self._tip.seq:
            raise ConflictError("there is a vault in this place already; choose another prefix")
        if self._bucket.probed:
            probe(self._bucket)
        commit = Commit(seq=1, entry=entry, header=header, header_at=1)
        if self._settled(commit) is None:
            raise ConflictError("there is a vault in this place already; choose another prefix")
        self._look()

    def read_header(self) -> StoredHeader:
        """See `Store.read_header`."""
        self._look_unless_fresh("header")
        if self._tip.seq == 0:
            raise VaultNotFoundError("there is no vault in this place yet; make one with Vault.create")
        return self._read_header()

    def moved(self) -> bool:
        """See `Store.moved`. One round trip, unless the URL says that reads may be behind.

        Inside of `append` it tells of what came before: whatever comes meanwhile makes the append begin again.
        """
        self._check()
        if not self._making and time.monotonic() - self._looked >= self._staleness:
            self._blocks.forget()
            self._look()
            self._fresh = {"head", "header"}
        moved, self._tip.moved = self._tip.moved, False
        return moved

    def head(self) -> int:
        """See `Store.head`."""
        self._look_unless_fresh("head")
        return self._tip.seq

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        """See `Store.append`. The critical section is the next number: whoever makes its object has it."""
        self._check_writing()
        if self._making:
            raise SessionStateError("a commit is being made already; inside transact, write with its tx")
        for _ in range(_TRIES):
            self._blocks.forget()
            self._look()
            change = self._made(make)
            if change is None or self._carried_out(change):
                break
        else:
            raise UnavailableError("others write to this vault faster than this session can; try again")
        if change is not None and change.purge:
            self.purge()
        return change

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See `Store.entries`."""
        self._check()
        last = self.head() if upto is None else min(upto, MAX_SEQ)
        return self._blocks.entries(max(after, 0), last)

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """See `Store.records`."""
        self._check()
        return self._blocks.records(addresses)

    def addresses(self, after: int) -> Iterator[int]:
        """See `Store.addresses`. Every object is listed, one that nobody looks for too."""
        self._check()
        first = max(after >> 24, 0)
        found = sorted(self._tip.numbers(max(first - 1, 0)))
        self._check_contiguous(found)
        for start in range(0, len(found), WINDOW):
            batch = [seq for seq in found[start : start + WINDOW] if seq >= first]
            for seq in batch:
                front = self._blocks.find(seq)
                count = len(front.block.pieces[seq].lengths) if front is not None else 0
                yield from (address for n in range(count) if (address := seq << 24 | n) > after)

    def let_go(self, addresses: Iterable[int] | None) -> None:
        """See `Store.let_go`."""
        if addresses is None:
            self._blocks.let_go_of_all()
            return
        self._blocks.let_go({address >> 24 for address in addresses})

    def part(self, name: str) -> bytes | None:
        """See `Store.part`."""
        self._check()
        found = self._bucket.get(part_name(name), 0, MAX_PART)
        if found is None or found.size > MAX_PART or found.body[: len(PART)] != PART:
            return None
        return found.body[len(PART) :]

    def parts(self) -> list[str]:
        """See `Store.parts`."""
        self._check()
        found = list[str]()
        for name, _ in self._bucket.names("part/"):
            part = part_of(name)
            if part is not None:
                found.append(part)
            if len(found) > MAX_PARTS:
                raise VaultTamperedError("the vault's folder lists more parts than a vault can have")
        return sorted(found)

    def purge(self, *, wait: bool = True) -> bool:  # noqa: ARG002  nobody is in the way here
        """See `Store.purge`: finishes what sessions left that were broken off."""
        if self._read_only:
            return False
        self._check()
        try:
            self._bucket.tidy()
            markers = self._rewriter.markers()
            if markers:
                self._look()
            for folder, number in markers:
                self._finish(folder, number)
        except UnavailableError:
            return False
        return True

    def reclaim(self) -> None:
        """See `Store.reclaim`: what is erased has given its space back already; this makes few objects of many.

        Packs the small commits of every full window of 256 into one object, which makes opening without a snapshot
        faster and cheaper. Each number keeps an object, a stub of 12 bytes.
        """
        self._check_writing()
        self.purge()
        self._look()
        windows = set(range(self._tip.seq // WINDOW)) - self._rewriter.packed_windows()
        for window in sorted(windows):
            self._rewriter.pack(window)
        self._look()

    def size(self) -> int:
        """See `Store.size`: one listing of everything."""
        self._check()
        return sum(size for folder in _FOLDERS for _, size in self._bucket.names(folder))

    def lock(self, *, exclusive: bool) -> None:
        """See `Store.lock`."""
        self._check()
        if exclusive:
            raise InvalidInputError("a vault in an object store can't be held alone: other machines can't be kept out")

    def abandon(self) -> None:
        """See `Store.abandon`: the connections belong to the client, which refuses to work in a forked child."""
        self._closed = True

    def close(self) -> None:
        """See `Store.close`. Connections are the client's, which ends idle ones by itself."""
        self._closed = True
        self._blocks.forget()

    # looking

    def _look(self) -> None:
        """Find the head. Inside of `make` it stays what it was shown to be."""
        self._check()
        if self._making:
            return
        self._fresh = set[str]()
        self._tip.look()
        self._looked = time.monotonic()

    def _look_unless_fresh(self, what: str) -> None:
        """The look of `moved` serves the first `head` and the first header after it: who follows asks in that order."""
        self._check()
        if what in self._fresh:
            self._fresh.discard(what)
        else:
            self._blocks.forget()
            self._look()

    def _read_header(self) -> StoredHeader:
        """The header that holds at the head, read anew."""
        for _ in range(TRIES):
            at = self._tip.header_at
            header = self._blocks.header(at)
            if header is not None:
                self._stored_header = at, header
                return header
            if self._making:
                raise UnavailableError("the vault's header was replaced while it was read; try again")
            self._look()  # replaced and erased since: a commit says by which
            if self._tip.header_at == at:
                raise VaultTamperedError("the vault has no header")
        raise UnavailableError("the vault's header is replaced again and again; try again")

    def _header(self) -> StoredHeader:
        """The header that holds at the head. Where it lies names it: it changes only by another commit."""
        if self._stored_header is not None and self._stored_header[0] == self._tip.header_at:
            return self._stored_header[1]
        return self._read_header()

    # writing

    def _made(self, make: Callable[[Head], Change | None]) -> Change | None:
        header = self._header() if self._tip.seq else None  # may find a later head
        head = Head(self._tip.seq, header)
        self._making = True
        try:
            return make(head)  # what it raises is its own, and passes as it is
        finally:
            self._making = False

    def _carried_out(self, change: Change) -> bool:
        """Carry out a change; False if another session's came first, and `make` has to run again."""
        self._check_writing()  # `make`, a caller's code, may have forked
        if change.entry is None:
            if change.header is not None:
                raise InvalidInputError("in object storage a header comes with a commit")
            self._rewriter.erase(change.erase)
            return self._parts_changed(change)
        commit = self._commit_of(change)
        if change.seq == self._tip.seq and self._mark_at(change.seq) == commit.mark:
            with suppress(UnavailableError):  # sent again, by a caller who did not hear that it took effect
                self._rewriter.finish(change.seq)
            self._put_parts(change.put_parts)
            return True
        if change.seq != self._tip.seq + 1:
            raise VaultTamperedError("the place of the next commit is taken")
        if commit.leaves_something:
            self._rewriter.announce(commit.seq)
        tag = self._settled(commit)
        if tag is None:
            return False
        self._finished(commit, change, tag)
        return True

    def _commit_of(self, change: Change) -> Commit:
        assert change.entry is not None  # noqa: S101  asked before
        return Commit(
            seq=change.seq,
            entry=change.entry,
            records=change.records,
            erase=change.erase,
            header=change.header,
            header_at=self._tip.header_at if change.header is None else change.seq,
            header_before=0 if change.header is None or change.seq == self._tip.header_at else self._tip.header_at,
            drop_parts=change.drop_parts,
        )

    def _settled(self, commit: Commit) -> str | None:
        """Make a commit's object and give its tag; None if another has the number.

        What is there decides, not the answer: "exists" may be said of our own object, and silence of one that is there.
        """
        name, body = log_name(commit.seq), encode([commit])
        unclear: UnavailableError | None = None
        for attempt in range(_SETTLE):
            if attempt:
                time.sleep(_PAUSE * (1 << attempt) * random.uniform(0.5, 1))  # noqa: S311  no secret
            try:
                tag = self._bucket.create(name, body)
                if tag is not None:
                    return tag
            except UnavailableError as error:
                unclear = error
            self._blocks.let_go([commit.seq])
            there = self._mark_at(commit.seq)  # raises if the store is still away: nobody knows then
            if there is not None:
                return self._bucket.tag(name) or "" if there == commit.mark else None
        raise unclear or UnavailableError("the object store neither takes a commit nor has one there; try again")

    def _mark_at(self, seq: int) -> bytes | None:
        """What tells the commit at a number from every other one; None if there is none."""
        front = self._blocks.find(seq)
        return front.block.pieces[seq].mark if front is not None else None

    def _finished(self, commit: Commit, change: Change, tag: str) -> None:
        """What follows a commit that stands: this session knows it, and what it erases goes, now or by `purge`."""
        self._tip.go_to(commit, tag)
        if commit.header is not None:
            self._stored_header = commit.seq, commit.header
        with suppress(UnavailableError):
            if commit.leaves_something:
                self._rewriter.finish_with(commit.seq, commit.erase, commit.header_before, commit.drop_parts)
        self._put_parts(change.put_parts)
        with suppress(UnavailableError):
            self._tip.hint()

    def _parts_changed(self, change: Change) -> bool:
        """Put and drop parts; False if a commit has erased something meanwhile, which the parts may hold."""
        before, moved = self._tip.seq, self._tip.moved
        concurrently(self._bucket.delete, map(part_name, change.drop_parts))
        if not change.put_parts:
            return True
        put = self._put_parts(change.put_parts)
        self._look()
        if self._tip.seq >= before > 0 and not any(map(self._leaves_something, range(before + 1, self._tip.seq + 1))):
            self._tip.moved = self._tip.moved or moved
            return True
        concurrently(self._bucket.delete, put)
        return False

    def _put_parts(self, parts: Iterable[tuple[str, bytes]]) -> list[str]:
        """Put parts, several at a time; one that is put anew when all before it are there: it may name them."""
        put: list[str] = []
        some: list[tuple[str, bytes]] = []
        for name, body in parts:
            if len(some) == _PARTS or not named_once(name):
                concurrently(self._put_part, some)
                some = []
            some.append((part_name(name), body))
            put.append(part_name(name))
        concurrently(self._put_part, some)
        return put

    def _put_part(self, part: tuple[str, bytes]) -> None:
        self._bucket.put(part[0], PART + part[1])

    def _leaves_something(self, seq: int) -> bool:
        front = self._blocks.find(seq)
        return front is None or bool(front.block.pieces[seq].erase or front.block.pieces[seq].drop_parts)

    # checks

    def _finish(self, folder: str, number: int) -> None:
        """What a marker asks for."""
        if folder == PACK and (number + 1) * WINDOW <= self._tip.seq:
            self._rewriter.pack(number)
        elif folder == ERASE and number <= self._tip.seq:
            self._rewriter.finish(number)
        # else it belongs to a commit that is being made just now, or never was

    def _check_contiguous(self, numbers: Sequence[int]) -> None:
        """Nothing lies beyond a number that nobody has taken. A listing of a folder may miss what is made meanwhile."""
        for before, number in pairwise(numbers):
            if number > before + 1 and number > self._tip.seq and self._bucket.tag(log_name(number - 1)) is None:
                raise VaultTamperedError("a commit of the log is missing")

    def _check_writing(self) -> None:
        self._check()
        if self._read_only:
            raise SessionStateError("the vault is open read-only")

    def _check(self) -> None:
        if self._closed or os.getpid() != self._pid:
            raise SessionStateError("this session is closed, or belongs to the process that forked; open a new one")
