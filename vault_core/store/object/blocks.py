"""Reading what lies in objects: commits by seq, wherever they are, and many at a time.

Rules:
- An object read for its entries is kept until the next look at the head, so that following a commit is one request.
- Indexes are kept longer, with their tag: a range is asked for only of the object that the index is of.
- Everything kept is bounded, and nothing read is believed.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from vault_core.errors import UnavailableError, VaultTamperedError
from vault_core.memory.model import StoredHeader
from vault_core.store.object.bucket import Bucket, ChangedError, Found
from vault_core.store.object.layout import (
    FRONT,
    MAX_OBJECT,
    WINDOW,
    Block,
    Span,
    decode,
    index_end,
    log_name,
    pack_name,
    stub_in,
    window_of,
)

WORKERS = 16  # requests at once: enough to hide the way to the server, few enough for its limits
AHEAD = 32  # commits read ahead while following
KEPT_BYTES = 32 << 20  # of objects between two looks
KEPT_NUMBERS = 2_000_000  # of indexes
GAP = 64 << 10  # two records this near are one range: the bytes between cost less than a request
RANGE = 8 << 20  # the longest range: what a worker holds at once
MAX_WHOLE_PACK = WINDOW * (FRONT + 1024)
TRIES = 20  # readings of an object that others rewrite meanwhile
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The beginning of an object with commits: at least its index."""

    name: str
    tag: str
    block: Block
    body: bytes = field(repr=False)


class Blocks:
    """The commits of one bucket. Safe from one thread at a time."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._fronts: OrderedDict[str, Front] = OrderedDict()
        self._front_bytes = 0
        self._indexes: OrderedDict[str, tuple[str, Block]] = OrderedDict()
        self._numbers = 0

    def forget(self) -> None:
        """Forget what was read for this look."""
        self._fronts.clear()
        self._front_bytes = 0

    def let_go(self, seqs: Iterable[int]) -> None:
        """Forget what is held of these commits: something in them was erased."""
        for seq in seqs:
            self._drop(log_name(seq))
            self._drop(pack_name(window_of(seq)))

    def let_go_of_all(self) -> None:
        """Forget everything."""
        self.forget()
        self._indexes.clear()
        self._numbers = 0

    def find(self, seq: int, *, keep: bool = True) -> Front | None:
        """The object that holds a commit, or None."""
        kept = self._kept(seq)
        if kept is not None:
            return kept
        front = self._fetch(seq)
        if front is not None and keep:
            self.keep(front)
        return front

    def _kept(self, seq: int) -> Front | None:
        for name in (log_name(seq), pack_name(window_of(seq))):
            front = self._fronts.get(name)
            if front is not None and seq in front.block.pieces:
                return front
        return None

    def entry(self, seq: int) -> bytes | None:
        """An entry, or None."""
        for _ in range(TRIES):
            front = self.find(seq)
            if front is None:
                return None
            try:
                return self._span(front, front.block.pieces[seq].entry)
            except ChangedError:
                self._drop(front.name)
        raise _busy()

    def entries(self, after: int, upto: int) -> Iterator[tuple[int, bytes]]:
        """Entries with after < seq <= upto, up to the first that is missing."""
        for seq in range(after + 1, upto + 1):
            kept = self._kept(seq)
            front = kept or self.find(seq)
            if front is None:
                return
            if front.name.startswith("pack/"):
                self._whole(front, seq, upto)
            elif kept is None:
                self._read_ahead(range(seq + 1, min(seq + AHEAD, upto + 1)))
            entry = self.entry(seq)
            if entry is None:
                return
            yield seq, entry

    def header(self, seq: int) -> StoredHeader | None:
        """The header that a commit brought, read anew."""
        for _ in range(TRIES):
            front = self.find(seq)
            if front is None:
                return None
            piece = front.block.pieces[seq]
            if piece.header_erased or piece.header[0] == piece.header[1]:
                return None
            try:
                raw = self._span(front, piece.header)
            except ChangedError:
                self._drop(front.name)
                continue
            return StoredHeader(raw[: len(raw) - piece.mac], raw[len(raw) - piece.mac :])
        raise _busy()

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """Stored records by address."""
        wanted: dict[int, set[int]] = {}
        for address in addresses:
            if address >= 0:
                wanted.setdefault(address >> 24, set()).add(address & 0xFFFFFF)
        found = dict[int, bytes]()
        for _ in range(TRIES):
            fresh = {seq: self._fronts.pop(log_name(seq)) for seq in wanted if log_name(seq) in self._fronts}
            self._front_bytes -= sum(len(front.body) for front in fresh.values())
            held = {seq: self._held(seq) for seq in wanted if seq not in fresh}
            loaded = concurrently(
                lambda seq: (seq, self._fetch(seq)), [seq for seq, one in held.items() if one is None]
            )
            fronts = {**fresh, **{seq: one for seq, one in (*held.items(), *loaded) if one is not None}}
            for front in fronts.values():
                self._remember(front)
            again = self._read(wanted, fronts, found)
            wanted = {seq: wanted[seq] for seq in again}
            if not wanted:
                return found
        raise _busy()

    def _read(self, wanted: Mapping[int, set[int]], fronts: Mapping[int, Front], found: dict[int, bytes]) -> set[int]:
        """Read records of known objects into `found`; gives the seqs whose objects were rewritten meanwhile."""
        spans: dict[str, list[tuple[Span, int]]] = {}
        by_name, zeros = dict[str, Front](), _Zeros()
        for seq, ns in wanted.items():
            front = fronts.get(seq)
            if front is None:
                continue
            piece = front.block.pieces[seq]
            for n in ns:
                if n < len(piece.lengths):
                    if n in piece.erased:
                        found[seq << 24 | n] = zeros.of(piece.lengths[n])
                    else:
                        by_name.setdefault(front.name, front)
                        spans.setdefault(front.name, []).append((piece.record(n), seq << 24 | n))
        tasks = [(by_name[name], run) for name, some in spans.items() for run in _runs(sorted(some), by_name[name])]
        again = set[int]()
        for (front, run), read in zip(tasks, concurrently(self._read_run, tasks), strict=True):
            if read is None:
                self._drop(front.name)
                again.update(address >> 24 for _, address in run)
            else:
                found.update(read)
        return again

    def _read_run(self, task: tuple[Front, list[tuple[Span, int]]]) -> dict[int, bytes] | None:
        front, run = task
        start, end = run[0][0][0], max(stop for (_, stop), _ in run)
        try:
            raw = self._span(front, (start, end))
        except ChangedError:
            return None
        return {address: raw[a - start : b - start] for (a, b), address in run}

    def _span(self, front: Front, span: Span) -> bytes:
        start, end = span
        if end <= len(front.body):
            return front.body[start:end]
        found = self._bucket.get(front.name, start, end - start, front.tag)
        if found is None:
            raise ChangedError
        if len(found.body) != end - start or found.size != front.block.size:
            raise VaultTamperedError("an object of the vault's log is cut short")
        return found.body

    def _held(self, seq: int) -> Front | None:
        """An object known from earlier, without its bytes."""
        for name in (log_name(seq), pack_name(window_of(seq))):
            if name in self._indexes:
                self._indexes.move_to_end(name)
                tag, block = self._indexes[name]
                if seq in block.pieces:
                    kept = self._fronts.get(name)
                    body = kept.body if kept is not None and kept.tag == tag else b""
                    return Front(name=name, tag=tag, block=block, body=body)
        return None

    def keep(self, front: Front) -> None:
        """Keep an object until the next look."""
        self._remember(front)
        before = self._fronts.pop(front.name, None)
        self._fronts[front.name] = front
        self._front_bytes += len(front.body) - (len(before.body) if before else 0)
        while self._front_bytes > KEPT_BYTES and len(self._fronts) > 1:
            _, dropped = self._fronts.popitem(last=False)
            self._front_bytes -= len(dropped.body)

    def _fetch(self, seq: int) -> Front | None:
        """The object with a commit, from the store. Touches nothing that is kept: many may run at once."""
        for _ in range(TRIES):
            found = self._bucket.get(log_name(seq), 0, FRONT)
            if found is None:
                return None
            window = stub_in(found.body, seq)
            name = log_name(seq) if window is None else pack_name(window)
            if window is not None:
                kept = self._fronts.get(name)
                if kept is not None and seq in kept.block.pieces:
                    return kept
                found = self._bucket.get(name, 0, FRONT)
            if found is None:
                raise VaultTamperedError("a pack of the vault's log is missing")
            try:
                front = self._front(name, found)
            except ChangedError:
                continue
            if seq not in front.block.pieces:
                raise VaultTamperedError("an object of the vault's log does not hold the commit of its name")
            return front
        raise _busy()

    def _front(self, name: str, found: Found) -> Front:
        """The index of an object of which the beginning is here; its rest is read, if there is any."""
        body, size = found.body, found.size
        if size > MAX_OBJECT:
            raise VaultTamperedError("an object of the vault's log is larger than a commit can be")
        end = index_end(body)
        if end > len(body):
            more = self._bucket.get(name, len(body), end - len(body), found.tag)
            if more is None:
                raise ChangedError
            body += more.body
        return Front(name=name, tag=found.tag, block=decode(body, size), body=body)

    def _whole(self, front: Front, seq: int, upto: int) -> None:
        """Read a pack whole when most of it is about to be followed: one request then serves entries and records."""
        several = sum(seq <= one <= upto for one in front.block.pieces) > WINDOW // 16
        rest = front.block.size - len(front.body)
        if several and rest > 0 and front.block.size <= MAX_WHOLE_PACK:
            try:
                found = self._bucket.get(front.name, len(front.body), rest, front.tag)
            except ChangedError:
                return  # read anew by whoever wants it
            if found is not None:
                self.keep(Front(name=front.name, tag=front.tag, block=front.block, body=front.body + found.body))

    def _read_ahead(self, seqs: Iterable[int]) -> None:
        missing = [seq for seq in seqs if log_name(seq) not in self._fronts]
        for front in concurrently(self._fetch, missing):
            if front is not None:
                self.keep(front)

    def _remember(self, front: Front) -> None:
        before = self._indexes.pop(front.name, None)
        self._numbers += front.block.weight - (before[1].weight if before else 0)
        self._indexes[front.name] = (front.tag, front.block)
        while self._numbers > KEPT_NUMBERS and len(self._indexes) > 1:
            _, (_, block) = self._indexes.popitem(last=False)
            self._numbers -= block.weight

    def _drop(self, name: str) -> None:
        front = self._fronts.pop(name, None)
        self._front_bytes -= len(front.body) if front else 0
        held = self._indexes.pop(name, None)
        self._numbers -= held[1].weight if held else 0


class _Zeros:
    """Zeros of many lengths, which cost whoever stores the bytes nothing, and must not cost us all our memory."""

    def __init__(self) -> None:
        self._made: dict[int, bytes] = {}
        self._left = MAX_OBJECT

    def of(self, length: int) -> bytes:
        """So many zeros."""
        if length not in self._made:
            self._left -= length
            if self._left < 0:
                raise VaultTamperedError("the vault's log claims more erased bytes than a commit can have")
            self._made[length] = bytes(length)
        return self._made[length]


def _runs(spans: list[tuple[Span, int]], front: Front) -> Iterator[list[tuple[Span, int]]]:
    """Spans in runs that are worth one range each."""
    run = list[tuple[Span, int]]()
    for span, address in spans:
        if run and (span[0] - run[-1][0][1] > GAP or span[1] - run[0][0][0] > RANGE) and span[1] > len(front.body):
            yield run
            run = []
        run.append((span, address))
    if run:
        yield run


def concurrently(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """What `work` gives for each item, in order, several at a time. The first error ends it.

    `work` waits for the network and nothing else, or the workers could wait for one another.
    """
    some = list(items)
    if len(some) < 2:
        return [work(one) for one in some]
    return list(_workers().map(work, some))


def at_once(one: Callable[[], Item], other: Callable[[], Result]) -> tuple[Item, Result]:
    """What both give, asked together."""
    ahead = _workers().submit(other)
    try:
        return one(), ahead.result()
    finally:
        ahead.cancel()


_pool: list[tuple[int, ThreadPoolExecutor]] = []  # one for all stores of this process; a forked child begins anew


def _workers() -> ThreadPoolExecutor:
    if not _pool or _pool[0][0] != os.getpid():
        _pool[:] = [(os.getpid(), ThreadPoolExecutor(WORKERS, thread_name_prefix="strongroom-objects"))]
    return _pool[0][1]


def _busy() -> UnavailableError:
    return UnavailableError("an object of the vault's log is being rewritten again and again; try again")
