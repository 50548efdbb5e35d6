"""Copying a vault from one store to another without unlocking it.

Rules (docs/format.md §3 and §5):
- Everything that is copied is checked in clear: order, chain and record hashes. What was erased is zeros, and stays so.
- Until the end the copy has a header that no session opens. The vault's own header comes with the last commit, after
  all else that the destination holds was read back and matched.
- A copy goes on where it was interrupted. What is there already is compared first; another vault, or a log that went
  another way, is refused and left as it was.
- What the source erases while it is copied is erased in the copy before that is finished.
- Without a key nobody can tell a source that was rolled back to an earlier state from one that never went on: opening
  the copy on a machine that has seen more does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from vault_core.errors import (
    ConflictError,
    InvalidInputError,
    UnavailableError,
    VaultNotFoundError,
    VaultTamperedError,
)
from vault_core.keys import Header, unfinished_copy
from vault_core.log.entry import ClearPart
from vault_core.memory.model import StoredHeader
from vault_core.store import Change, Head, Store, open_store
from vault_core.transfer.chain import BATCH, Chain, is_erased, read_records, records_of

Progress = Callable[[int, int], None]
_ROUNDS = 10  # how often a source that moved while it was looked at or copied is followed
_BUSY = "something else writes to the destination; let that end, then run the copy again"
_UNSTEADY = "the source is written to all the time; stop what writes to it and run the copy again, it goes on from here"
_NOT_HELD = "the destination does not hold what was written to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """What a copy holds. `copied` are the commits that this run brought; all of them were read back."""

    vault: str
    commits: int
    copied: int
    records: int
    erased: int
    parts: int
    chain_hash: str
    source: str
    destination: str


def copy_vault(source: Any, destination: Any, *, progress: Progress | None = None) -> CopyReport:
    """Copy a vault to another place, or go on with a copy that was interrupted. No key is needed.

    `source` and `destination` are paths, URLs or stores. Afterwards both are the same vault, with the same id, keys and
    history: use one of them from then on. If both go on, whoever has seen one refuses the other (`RollbackError`), and
    a further copy between them is a `ConflictError`. Stores that are given are closed at the end.

    The source may be written to meanwhile: what it commits is brought too. Memory is bounded by its largest commit.
    Snapshots come along as they are when the source has come to rest; a session drops what it can't use. `progress`
    gets how far the work is, and how far it goes.

    Raises:
        ConflictError: the destination holds something else, or has gone on by itself.
        VaultTamperedError: the source, or what came back from the destination, is not what a vault's bytes can be.
        VaultNotFoundError: there is no vault at the source, or only an unfinished copy.
        UnavailableError: a store can't serve, or the source never comes to rest. What is copied stays; run it again.
    """
    if source is destination:
        raise InvalidInputError(_SAME)
    with closing(open_store(source, read_only=True)) as origin:
        origin.lock(exclusive=False)
        work = _Copy(origin.origin, progress)  # a cache in front may still hold what others have erased
        with closing(_destination(destination, origin)) as target:
            target.lock(exclusive=target.capabilities.exclusive)
            return work.run(target.origin)


_SAME = "source and destination are the same place"


def _destination(location: Any, source: Store) -> Store:
    try:
        found = open_store(location)
    except VaultNotFoundError:
        return open_store(location, create=True)
    if found.capabilities.durable and _same_place(found.location, source.location):
        found.close()
        raise InvalidInputError(_SAME)
    return found


def _same_place(one: str, other: str) -> bool:
    """Whether two locations are one, also through links."""
    if one == other:
        return True
    paths = _path(one), _path(other)
    if paths[0] is None or paths[1] is None:
        return False
    with suppress(OSError, ValueError):
        return paths[0].samefile(paths[1])
    return False


def _path(location: str) -> Path | None:
    """The file or folder that a location is, or None."""
    if location.startswith("file://"):
        return Path(url2pathname(urlsplit(location).path))
    return Path(location) if "://" not in location else None


def _at_rest(store: Store) -> tuple[StoredHeader, int]:
    """The header and the head that held at one moment."""
    for _ in range(_ROUNDS):
        before, header = store.head(), store.read_header()
        if store.head() == before:
            return header, before
    raise UnavailableError(_UNSTEADY)


class _Copy:
    """One run. What the source shows is checked before there is anything at the destination."""

    def __init__(self, source: Store, progress: Progress | None) -> None:
        self._source, self._progress = source, progress
        self._stored, self._head = _at_rest(source)
        self._header = Header.parse(self._stored)
        self._vault, self._began_at = self._header.vault, self._head
        self._first = self._first_entry()
        self._held = Chain(self._vault)  # what the target holds
        self._fresh = False  # this run has brought all of it
        self._copied = self._done = 0

    def run(self, target: Store) -> CopyReport:
        """Begin or go on, catch up until the source is at rest, finish."""
        self._target = target
        finished = self._begin()
        self._compare()
        for _ in range(_ROUNDS):
            self._look_at_source()
            self._bring(self._head - 1)  # the last commit takes along what is to be erased
            tally = self._read_back(Chain(self._vault))
            if self._moved():
                continue
            parts = self._bring_parts() if self._held.seq < self._head or not finished else len(target.parts())
            tally = self._bring_last(tally)
            if not self._moved():
                return self._report(tally, parts)
        raise UnavailableError(_UNSTEADY)

    # beginning

    def _first_entry(self) -> bytes:
        chain = Chain(self._vault)
        entries = [entry for seq, entry in self._source.entries(0, 1) if not chain.follow(seq, entry).hashes]
        if not entries:
            raise VaultTamperedError("the log does not begin as a vault's does")
        return entries[0]

    def _begin(self) -> bool:
        """See that the target holds a copy of this vault, or begin one; says whether it was finished once."""
        unfinished = unfinished_copy(self._vault)
        try:
            there = self._target.read_header()
        except VaultNotFoundError:
            self._fresh = True
            self._target.create(unfinished if self._head > 1 else self._stored, self._first)
            return False
        if there == unfinished:
            return False
        try:
            vault = Header.parse(there).vault
        except VaultNotFoundError:  # an unfinished copy of another vault
            vault = b""
        if vault != self._vault:
            raise ConflictError("there is another vault at the destination; choose another place")
        return True

    def _compare(self) -> None:
        """Everything that is there already, beside the source."""
        theirs = self._source.entries(0)
        for seq, entry in self._target.entries(0):
            if next(theirs, None) != (seq, entry):
                raise ConflictError(
                    f"the destination and the source went different ways at commit {seq:,}, or the destination has "
                    "gone on; choose another place, or copy the other way"
                )
            self._held.follow(seq, entry)

    # bringing

    def _look_at_source(self) -> None:
        self._stored, self._head = _at_rest(self._source)
        self._header = Header.parse(self._stored)
        if self._header.vault != self._vault or self._head < self._held.seq:
            raise VaultTamperedError("the source went back, or became another vault, while it was copied")

    def _moved(self) -> bool:
        return (self._source.read_header(), self._source.head()) != (self._stored, self._head)

    def _bring(self, upto: int, erase: Sequence[int] = (), header: StoredHeader | None = None) -> None:
        """Copy commits, checked; the last one erases as well, and brings the header."""
        for batch in _batches(self._held, self._source.entries(self._held.seq, upto)):
            records = dict(read_records(self._source, batch.hashes))
            for clear, entry in batch.commits:
                self._append(
                    Change(
                        seq=clear.seq,
                        entry=entry,
                        records=[records.pop(number) for number in records_of(clear)],
                        erase=erase if clear.seq == upto else (),
                        header=header if clear.seq == upto else None,
                        purge=bool(erase),
                    )
                )
        if self._held.seq < upto:
            raise VaultTamperedError("a commit of the log is missing")

    def _append(self, change: Change) -> None:
        def make(head: Head) -> Change:
            if head.seq != change.seq - 1:
                raise ConflictError(_BUSY)
            return change

        self._target.append(make)
        self._copied += 1
        self._tell()

    def _bring_last(self, tally: "_Tally") -> "_Tally":
        """The last commit, with the header and what the source has erased meanwhile: from here on it is a vault.

        Gives what the target then holds.
        """
        before, stale = copy(self._held), tally.stale
        self._check_end(before)
        if before.seq < self._head:
            self._bring(self._head, stale, self._stored)
            tally = tally.plus(self._read_back(before))
        elif stale:
            self._write(Change(erase=stale, purge=True))
        if self._target.read_header() != self._stored:
            raise VaultTamperedError(_NOT_HELD)
        if not all(map(is_erased, self._target.records(stale).values())):
            raise VaultTamperedError(_NOT_HELD)
        return tally

    def _bring_parts(self) -> int:
        """Make the target's parts the source's. A manifest names others, and comes after them."""
        names, there = self._source.parts(), set(self._target.parts())
        self._write(Change(drop_parts=sorted(there.difference(names))))
        brought = 0
        for name in sorted(names, key=_is_manifest):
            if name in there and not _is_manifest(name):
                brought += 1
            elif (body := self._source.part(name)) is not None:
                self._write(Change(put_parts=[(name, body)]))
                brought += 1
        return brought

    def _write(self, change: Change) -> None:
        self._target.append(lambda _: change)

    # ending

    def _read_back(self, chain: Chain) -> "_Tally":
        """Read what the target holds, from the place itself, and compare it with what the source has erased."""
        tally, target = _Tally(), self._target
        beside = not self._fresh or self._head != self._began_at  # else nothing can have been erased meanwhile
        for batch in _batches(chain, target.entries(chain.seq, self._held.seq)):
            theirs = read_records(self._source, batch.hashes) if beside else ()
            gone = {number for number, body in theirs if is_erased(body)}
            for number, body in read_records(target, batch.hashes):
                ours = is_erased(body)
                tally.count(number, ours=ours, theirs=number in gone if beside else ours)
            self._tell(len(batch.commits))
        if (chain.seq, chain.hash) != (self._held.seq, self._held.hash):
            raise VaultTamperedError(_NOT_HELD)
        return tally

    def _check_end(self, held: Chain) -> None:
        """The header is one that the log's end can have, and nothing of the source lies beyond that end."""
        end = copy(held)
        for seq, entry in self._source.entries(held.seq, self._head):
            end.follow(seq, entry)
        end.check_end(self._header)
        if any(True for _ in self._source.addresses((self._head + 1 << 24) - 1)) and not self._moved():
            raise VaultTamperedError("there are records beyond the end of the source's log: its end was cut off")

    def _report(self, tally: "_Tally", parts: int) -> CopyReport:
        return CopyReport(
            vault=self._vault.hex(),
            commits=self._head,
            copied=self._copied,
            records=tally.live,
            erased=tally.erased,
            parts=parts,
            chain_hash=self._held.hash.hex(),
            source=self._source.location,
            destination=self._target.location,
        )

    def _tell(self, more: int = 1) -> None:
        self._done += more
        if self._progress is not None:
            self._progress(self._done, max(self._done, 2 * self._head))


@dataclass(slots=True)
class _Batch:
    """Commits whose records are few enough to be asked for at once; or one that has more."""

    commits: list[tuple[ClearPart, bytes]] = field(default_factory=list)
    hashes: dict[int, bytes] = field(default_factory=dict)


def _batches(chain: Chain, entries: Iterable[tuple[int, bytes]]) -> Iterator[_Batch]:
    """Entries, followed on a chain."""
    batch = _Batch()
    for seq, entry in entries:
        clear = chain.follow(seq, entry)
        size = len(batch.commits) + len(batch.hashes)
        if batch.commits and size + 1 + len(clear.hashes) > BATCH:
            yield batch
            batch = _Batch()
        batch.commits.append((clear, entry))
        batch.hashes |= records_of(clear)
    if batch.commits:
        yield batch


@dataclass(slots=True)
class _Tally:
    """What was read back. `stale` are records that the source has erased and the target still holds."""

    live: int = 0
    erased: int = 0
    stale: list[int] = field(default_factory=list)

    def count(self, number: int, *, ours: bool, theirs: bool) -> None:
        """One record, and whether each side holds it erased."""
        if ours and not theirs:
            raise VaultTamperedError("the destination has lost a record that the source still holds")
        if theirs and not ours:
            self.stale.append(number)
        self.live += not theirs
        self.erased += theirs

    def plus(self, other: "_Tally") -> "_Tally":
        return _Tally(self.live + other.live, self.erased + other.erased)


def _is_manifest(name: str) -> bool:
    return name.endswith("/manifest")
