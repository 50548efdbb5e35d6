"""The log as one session sees it: follow what others commit, append what this one plans.

Rules (docs/format.md §5):
- Every entry is verified before anything in it is believed: order, chain, HMAC, ops, and then its records.
- A session only ever accepts what extends what it has seen; its own head is the strongest anchor.
- After a rotation nothing of an older key generation is accepted, and nothing is written under it.
- Appending happens inside the store's critical section: follow, plan, seal, write; the state changes after the commit.
"""

import secrets
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from weakref import WeakKeyDictionary

from vault_core.crypto import ENTRY_OPS, NO_BOX, RECORD, Key, Place, derive_key, same, seal, unseal
from vault_core.crypto.derive import VAULT_OPS_LABEL
from vault_core.errors import InvalidInputError, RollbackError, VaultTamperedError
from vault_core.keys import Anchor, Box, Header, Keyring
from vault_core.keys.anchor import GIVEN_UP_BYTES
from vault_core.log.entry import ClearPart, addresses_in, chain_hash, chain_start, check_mac, close_entry, split_entry
from vault_core.log.ops import Erase as EraseOp
from vault_core.log.ops import HeaderChange, Op, Put, Restored, decode_ops, encode_ops
from vault_core.memory.limits import MAX_COMMIT_BYTES, MAX_COMMIT_RECORDS
from vault_core.memory.model import Address, StoredHeader
from vault_core.store import Change, Head, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """Where a session stands in the log. Small enough to go into every snapshot."""

    seq: int
    hash: bytes
    header: int  # header generation
    header_digest: bytes
    generations: tuple[tuple[int, int], ...]  # (seq, key generation from there on), ascending
    restored: tuple[Restored, ...] = ()

    @classmethod
    def start(cls, vault: bytes) -> "LogState":
        """Before the first entry."""
        return cls(seq=0, hash=chain_start(vault), header=0, header_digest=b"", generations=())

    @property
    def generation(self) -> int:
        """The key generation that holds now."""
        return self.generations[-1][1] if self.generations else 0

    def generation_at(self, seq: int) -> int:
        """The key generation that held at `seq`."""
        at = bisect_right(self.generations, (seq, 1 << 32)) - 1
        if at < 0:
            raise VaultTamperedError("a record lies before the first key generation")
        return self.generations[at][1]

    def anchor(self) -> Anchor:
        """This place as an anchor."""
        anchor = Anchor(seq=self.seq, hash=self.hash, header=self.header)
        return replace(anchor, given_up=_given_up(self.restored[-1])) if self.restored else anchor

    def restored_since(self, anchor: Anchor) -> tuple[Restored, ...]:
        """The accepted restores that whoever wrote the anchor had not seen."""
        seen = [place for place, one in enumerate(self.restored, start=1) if _given_up(one) == anchor.given_up]
        return self.restored[max(seen, default=0) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A verified commit. `values` are what its records hold, where this session wrote them itself."""

    seq: int
    time: int
    box: bytes
    generation: int
    writer: bytes
    counter: int
    ops: Sequence[Op]
    hashes: Sequence[bytes]
    values: Sequence[object] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a session wants to commit. `box` is None for the vault itself."""

    box: Box | None
    ops: Sequence[Op]
    records: Sequence[bytes] = field(default=(), repr=False)
    values: Sequence[object] = field(default=(), repr=False)  # what the records hold, for the index
    header: StoredHeader | None = None
    keyring: Keyring | None = None  # the new header's, when it begins a key generation
    drop_parts: Sequence[str] = ()
    purge: bool = False


class Log:
    """One session's view. Not safe for several threads at once; the session holds the lock.

    `apply` is called with every verified commit, in order, this session's own included; `renew` is called when a new
    header has to be read, and gives the keyring that then holds; `ahead` hears which records the next commits bring,
    where they are several, so that a store far away is asked once for all of them; `complete` says whether every record
    that was not there when its commit was applied has been erased by a later one.
    """

    def __init__(
        self,
        store: Store,
        vault: bytes,
        keyring: Keyring,
        header: StoredHeader,
        state: LogState,
        *,
        apply: Callable[[Commit], None],
        renew: Callable[[StoredHeader], Keyring],
        complete: Callable[[], bool],
        now: Callable[[], int],
        ahead: Callable[[Sequence[int]], None] = lambda _: None,
    ) -> None:
        self.state = state
        self._store, self._vault, self._keyring, self._header = store, vault, keyring, header
        self._apply, self._renew, self._complete, self._now = apply, renew, complete, now
        self._ahead = ahead
        self._writer, self._counter = secrets.token_bytes(16), 0
        self._behind = True
        self._named: set[bytes] = set()  # digests of the headers that commits of this session's time have named
        self._vault_keys: WeakKeyDictionary[Key, Key] = WeakKeyDictionary()  # by the log key each comes from

    @property
    def writer(self) -> bytes:
        """This session's writer id."""
        return self._writer

    @property
    def header(self) -> StoredHeader:
        """The header that this session has read last."""
        return self._header

    def has_named(self, header: StoredHeader) -> bool:
        """Whether a commit has made this header the vault's, since this session began; there may be others since."""
        return header.digest in self._named

    def follow(self, *, anyway: bool = False) -> bool:
        """Apply what others committed since the last look. Cheap when there is nothing; True if there was.

        With `anyway` it looks even if the store has heard of nothing, which may lag behind (`Capabilities.lag`).

        Raises:
            RollbackError: the store no longer holds what this session has seen.
            VaultTamperedError: an entry is not what a holder of the keys wrote.
            SessionStateError: the keys were rotated, and this session can't get the new ones.
        """
        self._behind = self._store.moved() or self._behind or anyway
        if not self._behind:
            return False
        before = self.state.seq
        for _ in range(_TRIES):
            self._catch_up(self._store.head())
            header = self._store.read_header()
            settled = self._store.head() == self.state.seq
            if self._complete() and (header.digest == self.state.header_digest or (settled and self._succeeds(header))):
                self._check_generations(header)
                self._take_header(header)
                self._behind = False
                return self.state.seq != before
        self._check_header(self._store.read_header())
        raise VaultTamperedError("a record is missing that no commit has erased")

    def append(self, plan: Callable[[], Plan | None]) -> Commit | None:
        """Commit what `plan` returns; nothing if that is None. `plan` runs after this session has caught up.

        Durable when it returns. If `plan` raises, nothing was written; after `UnavailableError` it may be there all the
        same, and the next read or append finds out.
        """
        while True:
            commit, planned = self._append_once(plan)
            if commit is None or planned is plan:
                return commit

    def _append_once(self, plan: Callable[[], Plan | None]) -> tuple[Commit | None, Callable[[], Plan | None]]:
        """One change of the store: the plan's, or the commit that a waiting header still lacks; says which."""
        sealed: list[tuple[Commit, bytes, Plan, Callable[[], Plan | None]]] = []

        def make(head: Head) -> Change | None:
            sealed.clear()
            self._catch_up_for_writing(head)
            chosen = plan if self._header.digest == self.state.header_digest else self._completion
            planned = chosen()
            if planned is None:
                return None
            commit, entry, records = self._seal(planned)
            sealed.append((commit, entry, planned, chosen))
            return Change(
                seq=commit.seq,
                entry=entry,
                records=records,
                erase=[op.at.number for op in planned.ops if isinstance(op, EraseOp)],
                header=planned.header,
                drop_parts=planned.drop_parts,
                purge=planned.purge,
            )

        try:
            self._store.append(make)
        except BaseException:
            self._behind = True  # the store may have written all the same
            raise
        if not sealed:
            return None, plan
        commit, entry, planned, chosen = sealed[0]
        if planned.keyring is not None:
            self._keyring = planned.keyring
        self._counter = commit.counter
        self._advance(commit, chain_hash(entry))
        if planned.header is not None:
            self._header = planned.header
        return commit, chosen

    def _completion(self) -> Plan:
        """The commit for a header that a store could not write together with it (docs/format.md §5)."""
        return Plan(box=None, ops=[HeaderChange(self.state.header + 1, self._header.digest)], purge=True)

    def change_parts(self, plan: Callable[[], Change | None]) -> bool:
        """Change parts inside the critical section, after catching up, so that what is written is never behind."""

        def make(head: Head) -> Change | None:
            self._catch_up_for_writing(head)
            return plan()

        return self._store.append(make) is not None

    def unseal_record(self, stored: bytes, at: Address, digest: bytes, box: Box) -> bytes:
        """A record's plaintext, checked against the hash in its entry.

        Raises:
            VaultTamperedError: it is another record than the one committed.
        """
        if not same(sha256(stored).digest(), digest):
            raise VaultTamperedError("a record is not the one that was committed at its address")
        generation = self.state.generation_at(at.seq)
        place = Place(vault=self._vault, box=box.id, generation=generation)
        return unseal(stored, _key_of(box, generation), place.context(RECORD, at.seq, at.n))

    def check_anchor(self, anchor: Anchor) -> bool:
        """Whether the log extends what the anchor saw; False if the owner has given up what it saw.

        Raises:
            RollbackError: the log is older, or another one.
        """
        if self._extends(anchor):
            return True
        for one in self.state.restored_since(anchor):
            if anchor.seq < one.head or (anchor.seq == one.head and anchor.hash == one.hash):
                return False
        raise RollbackError(
            "the vault's store shows an older or other state than this machine has seen; "
            "if you restored a backup on purpose, open with accept_rollback=True"
        )

    def replay(self, upto: int) -> None:
        """Verify and apply everything up to a commit that another log has followed already."""
        self._catch_up(upto)

    def restart(self, state: LogState) -> None:
        """Begin again from another place, with indexes to match."""
        self.state, self._behind = state, True

    def wipe(self) -> None:
        """Wipe the keys derived here. The keyring belongs to the session."""
        for key in self._vault_keys.values():
            key.wipe()

    def _extends(self, anchor: Anchor) -> bool:
        running = anchor.hash
        if anchor.seq > self.state.seq:
            return False
        for _, entry in self._store.entries(anchor.seq, self.state.seq):
            if split_entry(entry)[0].prev != running:
                return False
            running = chain_hash(entry)
        return same(running, self.state.hash)

    def _catch_up_for_writing(self, head: Head) -> None:
        moved = self._store.moved()
        if moved or self._behind or head.seq != self.state.seq:  # behind still: the last look was refused
            self._behind = True
            self._catch_up(head.seq)
        if head.header is None:
            raise VaultTamperedError("the vault has no header")
        if not self._complete():
            raise VaultTamperedError("a record is missing that no commit has erased")
        if head.header != self._header or head.header.digest != self.state.header_digest:
            self._check_header(head.header)
            self._check_generations(head.header)
            self._take_header(head.header)
        self._behind = False

    def _catch_up(self, head: int) -> None:
        if head < self.state.seq:
            raise RollbackError("the vault's store went back behind what this session has seen")
        if self.state.seq:
            found = [entry for _, entry in self._store.entries(self.state.seq - 1, self.state.seq)]
            if len(found) != 1 or not same(chain_hash(found[0]), self.state.hash):
                raise RollbackError("the vault's store shows another log than this session has seen")
        for some in _batches(self._store.entries(self.state.seq, head)):
            if len(some) > 1:
                self._ahead([number for _, entry in some for number in addresses_in(entry)])
            for seq, entry in some:
                if seq != self.state.seq + 1:
                    raise VaultTamperedError("a commit of the log is missing")
                self._accept(entry)
        if self.state.seq != head or head == 0:
            raise VaultTamperedError("a commit of the log is missing")
        self._store.let_go(())  # nothing more: all of it has been followed

    def _accept(self, entry: bytes) -> None:
        clear, clear_bytes, sealed_ops = split_entry(entry)
        if clear.seq != self.state.seq + 1 or not same(clear.prev, self.state.hash):
            raise VaultTamperedError("a commit of the log does not follow the one before it")
        if clear.generation > self._keyring.generation:
            self._take_header(self._store.read_header())
        log_key = self._keyring.log_keys.get(clear.generation)
        if log_key is None or clear.generation < self.state.generation:
            raise VaultTamperedError("a commit of the log was written under keys that are not valid for it")
        check_mac(entry, log_key)
        key = self._ops_key(clear.box, clear.generation)
        place = Place(vault=self._vault, box=clear.box, generation=clear.generation)
        context = place.context(ENTRY_OPS, clear.seq, also=sha256(clear_bytes).digest())
        time, ops = decode_ops(unseal(sealed_ops, key, context))
        commit = Commit(
            seq=clear.seq,
            time=time,
            box=clear.box,
            generation=clear.generation,
            writer=clear.writer,
            counter=clear.counter,
            ops=ops,
            hashes=clear.hashes,
        )
        self._advance(commit, chain_hash(entry))
        if clear.writer == self._writer:  # our own, whose answer was lost
            self._counter = clear.counter

    def _advance(self, commit: Commit, digest: bytes) -> None:
        """Check what the ops mean for the log itself, let the index apply the rest, then move on."""
        state = replace(self.state, seq=commit.seq, hash=digest)
        state = _vault_ops(state, commit) if commit.box == NO_BOX else state
        if state.generation != commit.generation:
            raise VaultTamperedError("a commit of the log was written under keys that are not valid for it")
        _check_records(commit)
        self.state, before = state, self.state  # the index may ask for generations while it applies
        try:
            self._apply(commit)
        except BaseException:
            self.state = before
            raise
        if state.header != before.header:
            self._named.add(state.header_digest)

    def _seal(self, plan: Plan) -> tuple[Commit, bytes, list[bytes]]:
        if len(plan.records) > MAX_COMMIT_RECORDS or sum(map(len, plan.records)) > MAX_COMMIT_BYTES:
            raise InvalidInputError(
                f"one commit holds at most {MAX_COMMIT_RECORDS:,} records and 1 GiB; write in parts"
            )
        keyring = plan.keyring or self._keyring
        generation, seq = keyring.generation, self.state.seq + 1
        box_id = NO_BOX if plan.box is None else plan.box.id
        place = Place(vault=self._vault, box=box_id, generation=generation)
        records = [] if plan.box is None else _seal_records(plan.records, _key_of(plan.box, generation), place, seq)
        hashes = tuple(sha256(record).digest() for record in records)
        clear = ClearPart(
            seq=seq,
            prev=self.state.hash,
            box=box_id,
            generation=generation,
            writer=self._writer,
            counter=self._counter + 1,
            hashes=hashes,
        )
        time, clear_bytes = self._now(), clear.encode()
        ops_key = self._vault_key(generation, keyring) if plan.box is None else _key_of(plan.box, generation)
        context = place.context(ENTRY_OPS, seq, also=sha256(clear_bytes).digest())
        sealed_ops = seal(encode_ops(time, list(plan.ops)), ops_key, context)
        entry = close_entry(clear_bytes, sealed_ops, keyring.log_keys[generation])
        commit = Commit(
            seq=seq,
            time=time,
            box=box_id,
            generation=generation,
            writer=self._writer,
            counter=self._counter + 1,
            ops=plan.ops,
            hashes=hashes,
            values=plan.values,
        )
        return commit, entry, records

    def _ops_key(self, box_id: bytes, generation: int) -> Key:
        if box_id == NO_BOX:
            return self._vault_key(generation, self._keyring)
        box = next((box for box in self._keyring.boxes if box.id == box_id), None)
        if box is None:  # made by a header that this session has not read yet
            self._take_header(self._store.read_header())
            box = next((box for box in self._keyring.boxes if box.id == box_id), None)
        if box is None:
            raise VaultTamperedError("a commit of the log names a box that does not exist")
        return _key_of(box, generation)

    def _vault_key(self, generation: int, keyring: Keyring) -> Key:
        log_key = keyring.log_keys[generation]
        if log_key not in self._vault_keys:  # a rotation that failed has left another key of this generation
            self._vault_keys[log_key] = derive_key(log_key, VAULT_OPS_LABEL, self._vault)
        return self._vault_keys[log_key]

    def _check_header(self, header: StoredHeader) -> None:
        if header.digest != self.state.header_digest and not self._succeeds(header):
            raise RollbackError("the vault's header is not the one its log names")

    def _check_generations(self, header: StoredHeader) -> None:
        """The log is of the header's key generation; a header that waits for its commit may begin the next one."""
        said, held = Header.parse(header).key_generation, self.state.generation
        if said != held and not (said == held + 1 and header.digest != self.state.header_digest):
            raise VaultTamperedError("the header and the log are of different key generations")

    def _succeeds(self, header: StoredHeader) -> bool:
        """Whether a header is the next one, still waiting for its commit. Its MAC is checked when it is taken."""
        return Header.parse(header).generation == self.state.header + 1

    def _take_header(self, header: StoredHeader) -> None:
        if header == self._header:
            return
        self._keyring = self._renew(header)
        self._header = header


_HASH = 32
_AHEAD = 400  # records, or entries, that are read together
_TRIES = 100  # headers that change while being read; each try has seen one more change


def seal_first_entry(
    vault: bytes, keyring: Keyring, header: StoredHeader, writer: bytes, now: int
) -> tuple[bytes, LogState]:
    """The entry that begins a vault, naming its first header."""
    place = Place(vault=vault, generation=keyring.generation)
    clear = ClearPart(
        seq=1,
        prev=chain_start(vault),
        box=NO_BOX,
        generation=keyring.generation,
        writer=writer,
        counter=1,
        hashes=(),
    ).encode()
    ops = encode_ops(now, [HeaderChange(1, header.digest)])
    log_key = keyring.log_keys[keyring.generation]
    key = derive_key(log_key, VAULT_OPS_LABEL, vault)
    try:
        sealed = seal(ops, key, place.context(ENTRY_OPS, 1, also=sha256(clear).digest()))
    finally:
        key.wipe()
    entry = close_entry(clear, sealed, log_key)
    state = LogState(
        seq=1,
        hash=chain_hash(entry),
        header=1,
        header_digest=header.digest,
        generations=((1, keyring.generation),),
    )
    return entry, state


def _batches(entries: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Entries some at a time: as many as bring a few hundred records. One with more stands alone."""
    some: list[tuple[int, bytes]] = []
    records = 0
    for seq, entry in entries:
        more = len(addresses_in(entry))
        if some and (records + more > _AHEAD or len(some) == _AHEAD):
            yield some
            some, records = [], 0
        some.append((seq, entry))
        records += more
    if some:
        yield some


def _given_up(restored: Restored) -> bytes:
    return restored.hash[:GIVEN_UP_BYTES]


def _seal_records(plaintexts: Iterable[bytes], key: Key, place: Place, seq: int) -> list[bytes]:
    return [seal(plaintext, key, place.context(RECORD, seq, n)) for n, plaintext in enumerate(plaintexts)]


def _key_of(box: Box, generation: int) -> Key:
    key = box.keys.get(generation)
    if key is None:
        raise VaultTamperedError("a commit of the log was written under keys that are not valid for it")
    return key


def _vault_ops(state: LogState, commit: Commit) -> LogState:
    """The log's state after a commit of the vault itself."""
    if commit.hashes:
        raise VaultTamperedError("a commit of the vault itself brings records")
    if sum(isinstance(op, HeaderChange) for op in commit.ops) > 1:
        raise VaultTamperedError("a commit brings two headers")
    for op in commit.ops:
        match op:
            case HeaderChange():
                if op.generation != state.header + 1 or len(op.digest) != _HASH:
                    raise VaultTamperedError("the log's headers are out of order")
                state = replace(state, header=op.generation, header_digest=op.digest)
                if commit.generation == state.generation + 1:
                    state = replace(state, generations=(*state.generations, (commit.seq, commit.generation)))
            case Restored():
                if op.base != commit.seq - 1 or op.head < 1 or len(op.hash) != _HASH:
                    raise VaultTamperedError("the log accepts a rollback that makes no sense")
                state = replace(state, restored=(*state.restored, op))
            case _:
                raise VaultTamperedError("a commit of the vault itself holds ops of a box")
    if state.header == 0:
        raise VaultTamperedError("the log does not begin with a header")
    return state


def _check_records(commit: Commit) -> None:
    """Every record has exactly one put; ops of the vault stay out of boxes."""
    puts = [op.n for op in commit.ops if isinstance(op, Put)]
    if sorted(puts) != list(range(len(commit.hashes))):
        raise VaultTamperedError("a commit's records and ops don't agree")
    if commit.box != NO_BOX and any(isinstance(op, HeaderChange | Restored) for op in commit.ops):
        raise VaultTamperedError("a commit of a box holds ops of the vault")
