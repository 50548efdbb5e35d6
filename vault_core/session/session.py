"""A session: an unlocked vault, followed and written under one lock.

Rules (DESIGN §4):
- A read looks at the store's head first; if it moved, the new commits are applied; then the index answers.
- A write plans inside the store's critical section, after catching up. The index changes only after the commit.
- The anchor is written after the commit is durable.
- After `fork()` the child's session is dead, and its connection is never closed.
"""

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from vault_core.crypto import NO_BOX, Key
from vault_core.errors import (
    InvalidInputError,
    RollbackError,
    SessionStateError,
    UnavailableError,
    VaultError,
    VaultTamperedError,
)
from vault_core.index import BoxIndex, snapshot
from vault_core.keys import Anchor, AnchorFile, Box, Header, KeyProvider, Keyring
from vault_core.log import Commit, Erase, Log, LogState, Plan, Put, Restored
from vault_core.memory import decode_item, decode_memory, decode_space
from vault_core.memory.codec import ITEM, MEMORY
from vault_core.memory.model import Address, StoredHeader
from vault_core.session.uses import Uses
from vault_core.store import Change, Store

T = TypeVar("T")

_SESSIONS: "weakref.WeakSet[Session]" = weakref.WeakSet()
_TAIL = 500  # records: replaying fewer is cheaper than writing a snapshot
_TAIL_PART = 20  # and so is replaying a twentieth of what the snapshot holds
_LONG_TAIL = 5_000  # a session that never closes (a server that is killed) must not leave more behind
_LONG_TAIL_PART = 4
_JOIN = 4_096  # vectors that join a graph at a checkpoint nobody asked for: a second or two
_BESIDE = ("", "-wal", "-shm", "-journal", ".lock")  # what a store in a file may consist of
_CLOSED = "this session is closed; open a new one"
_WRITERS: ContextVar[Mapping[bytes, Mapping[str, str]]] = ContextVar("strongroom_writers", default=MappingProxyType({}))


def microseconds() -> int:
    """The present, as the log counts it."""
    return time.time_ns() // 1000


class Session:
    """An open vault. Every method may be called from any thread."""

    def __init__(
        self,
        store: Store,
        header: Header,
        stored: StoredHeader,
        mek: Key,
        *,
        provider: KeyProvider | None,
        read_only: bool,
        now: Callable[[], int] = microseconds,
    ) -> None:
        self.store, self.header, self.mek, self.read_only = store, header, mek, read_only
        self.keyring: Keyring = header.open_keyring(mek)
        self.lock = threading.RLock()
        self.now = now
        self.accepted_rollback = False
        self.uses = Uses()
        # A passphrase is not kept; a machine's secret can be asked for again after a rotation.
        self._provider = provider if provider is not None and provider.kind not in ("passphrase", "recovery") else None
        self.next_mek: Key | None = None  # of a rotation under way; another session may complete its commit
        self._dead: str | None = None
        self._planning = False  # inside the critical section of a commit, caught up
        self._kept: dict[bytes, snapshot.Kept] = {}
        self._fetched: dict[int, bytes] = {}  # stored records of commits that are about to be applied
        self._tail = 0  # records since the newest snapshot
        self._snapshot = 0  # and the seq of that one
        self.indexes: dict[bytes, BoxIndex] = {}
        self.log = self._new_log(stored, LogState.start(header.vault))
        self._anchor = AnchorFile(header.vault, self.keyring.anchor_key) if store.capabilities.durable else None
        self._provenance = {"program": _program(), "session": self.log.writer.hex()}
        _SESSIONS.add(self)

    @classmethod
    def open(
        cls,
        store: Store,
        providers: Iterable[KeyProvider],
        *,
        read_only: bool = False,
        accept_rollback: bool = False,
        now: Callable[[], int] = microseconds,
    ) -> "Session":
        """Unlock, load the newest snapshot that can be used, replay the tail, and compare with the anchor."""
        stored = store.read_header()
        header = Header.parse(stored)
        mek, provider = header.unlock(providers)
        header.check(stored, mek)
        session = cls(store, header, stored, mek, provider=provider, read_only=read_only, now=now)
        try:
            session._load(accept_rollback)
        except BaseException:
            session._end(_CLOSED)
            raise
        return session

    @classmethod
    def unlocked(cls, store: Store, header: Header, stored: StoredHeader, mek: Key, provider: KeyProvider) -> "Session":
        """The session of a vault that was made just now."""
        session = cls(store, header, stored, mek, provider=provider, read_only=False)
        session._load(accept_rollback=False)
        return session

    @property
    def provenance(self) -> Mapping[str, str]:
        """Who writes: this program and session, and whom it writes for just now."""
        return _WRITERS.get().get(self.log.writer, self._provenance)

    @contextmanager
    def writing_as(self, who: Mapping[str, str]) -> Iterator[None]:
        """What this thread (or task) writes meanwhile says so in its provenance."""
        token = _WRITERS.set({**_WRITERS.get(), self.log.writer: {**self.provenance, **who}})
        try:
            yield
        finally:
            _WRITERS.reset(token)

    # reading and writing

    @contextmanager
    def reading(self) -> Iterator["Session"]:
        """Hold the lock, caught up with the store. Inside a plan that is so already: its reads are of that state."""
        with self.lock:
            self._check_alive()
            if not self._planning and self._guarded(self.log.follow):
                self._remember()
            yield self

    def commit(self, plan: Callable[[], Plan | None], after: Callable[[], None] | None = None) -> Commit | None:
        """Commit what `plan` returns, durable when this returns. `plan` sees the caught-up indexes, and may rerun.

        `after` runs once the commit is durable, before anyone else can use the session.
        """
        with self.lock:
            self._check_alive()
            self.check_writable()
            refused: list[BaseException] = []

            def planned() -> Plan | None:
                self._planning = True
                try:
                    return self._with_drops(plan())
                except BaseException as error:  # a plan moves nothing: the session goes on, and the caller hears why
                    refused.append(error)
                    raise
                finally:
                    self._planning = False

            before = self.log.state.seq
            commit = self._guarded(lambda: self.log.append(planned), passing=refused)
            if commit is not None and after is not None:
                after()
            if self.log.state.seq != before:
                self._remember()
            if commit is not None:
                self.checkpoint_if_it_pays(least=_LONG_TAIL, part=_LONG_TAIL_PART)
            return commit

    def box(self, name: str) -> Box:
        """The box with this name."""
        return self.keyring.box(name)

    def index(self, box: Box) -> BoxIndex:
        """The index of a box."""
        if box.id not in self.indexes:
            self.indexes[box.id] = BoxIndex()
        return self.indexes[box.id]

    def plaintexts(self, box: Box, wanted: dict[int, bytes]) -> dict[int, bytes]:
        """The plaintexts of live records, by address; `wanted` gives the hash of each stored record.

        One that was erased a moment ago is left out; one that is missing while still live is tampering.
        """
        box = self.box(box.name)  # a header taken meanwhile has brought the keys anew
        found = self.store.records(wanted)
        out, gone = {}, []
        for number, digest in wanted.items():
            stored = found.get(number)
            plaintext = self._plaintext(stored, Address.of(number), digest, box) if stored is not None else None
            if plaintext is None:
                gone.append(number)
            else:
                out[number] = plaintext
        if gone:
            self._guarded(self.log.follow)
            if any(self.index(box).catalogue.is_live(number) for number in gone):
                raise VaultTamperedError("a record is missing that no commit has erased")
        return out

    def follow_now(self) -> None:
        """Catch up even when the store sees no reason to."""
        with self.lock:
            self._check_alive()
            self._guarded(lambda: self.log.follow(anyway=True))

    def refuse_own(self, path: Any) -> None:
        """Refuse to read or replace a file of a vault that is open in this process.

        Closing a descriptor of it would drop SQLite's locks, and a live journal with them.

        Raises:
            InvalidInputError: it is one.
        """
        for session in list(_SESSIONS):
            if session.closed or not session.store.capabilities.durable:
                continue
            if any(_same_file(session.store.location + ending, path) for ending in _BESIDE):
                raise InvalidInputError("this is a file of a vault that is open; give the path of an export")

    # snapshots

    def checkpoint(self, *, join: int | None = None) -> bool:
        """Write snapshots of all boxes at the present commit. False if the store refused.

        Where there are many vectors, those that are not in their graph join it first: all, or at most `join`.
        """
        with self.lock:
            self._check_alive()
            self.check_writable()
            for index in self.indexes.values():  # not in the store's critical section: others want to write
                for vectors in index.vectors.values():
                    vectors.join(join)
            built: dict[bytes, snapshot.Kept] = {}

            def plan() -> Change:
                boxes, state = self.keyring.boxes, self.log.state
                ids, stored = [box.id for box in boxes], set(self.store.parts())
                building: list[snapshot.Building] = []
                for box in boxes:
                    kept = self._kept.get(box.id, snapshot.Kept())
                    if not kept.names() <= stored:
                        kept = snapshot.Kept()  # another session has dropped them
                    writer = snapshot.Writer(self.header.vault, box, state)
                    building.append(snapshot.Building(writer, self.index(box), ids, kept))
                    built[box.id] = building[-1].clean
                needed = {snapshot.manifest_of(box) for box in boxes}  # which is put in place of the one before
                needed.update(*(one.clean.names() for one in building))
                return Change(drop_parts=sorted(stored - needed), put_parts=chain.from_iterable(map(_parts, building)))

            self._guarded(lambda: self.log.change_parts(plan))
            self._kept, self._tail, self._snapshot = dict(built), 0, self.log.state.seq
            return self.store.purge()

    def checkpoint_if_it_pays(self, *, least: int = _TAIL, part: int = _TAIL_PART) -> None:
        """Write snapshots when replaying would cost more.

        What can't be written now (no room, keys rotated by another session) is left to a later session: it is a cache,
        and nobody should hear that an opening, a durable commit or a closing failed because of it.
        """
        live = sum(index.columns.size for index in self.indexes.values())
        if not self.read_only and self._tail >= least + live // part:
            with suppress(UnavailableError, SessionStateError):
                self._checkpoint_unless_done(least + live // part)

    def _checkpoint_unless_done(self, enough: int) -> None:
        newest = snapshot.newest(self.store, self.keyring.boxes[0])
        if newest > self._snapshot:  # another session was quicker
            self._snapshot, self._tail = newest, self.log.state.seq - newest
        if self._tail >= enough:
            self.checkpoint(join=_JOIN)

    # the end

    def close(self) -> None:
        """Write a snapshot if it pays, wipe the keys, let go. Calling it twice does no harm."""
        with self.lock:
            if self._dead is not None:
                return
            try:
                self.checkpoint_if_it_pays()
            finally:
                self._end(_CLOSED)

    @property
    def closed(self) -> bool:
        """Whether this session has ended."""
        return self._dead is not None

    def _end(self, why: str) -> None:
        self._dead = why
        self.log.wipe()
        self.keyring.wipe()
        self.mek.wipe()
        for index in self.indexes.values():
            index.catalogue.close()
        self.indexes.clear()
        if self._anchor is not None:
            self._anchor.close()
        self.store.close()

    def forked(self) -> None:
        """In a forked child: this session is dead here, and its connection is never touched."""
        self._dead = "this session belongs to the process that forked; open a new one in this process"
        self.lock = threading.RLock()  # the parent's threads, which may hold the old one, are not here
        self.store.abandon()
        if self._anchor is not None:
            self._anchor.close()  # a lock that the parent holds at this moment must not outlive it here

    def _check_alive(self) -> None:
        if self._dead is not None:
            raise SessionStateError(self._dead)

    def check_writable(self) -> None:
        """Refuse what a read-only session can't do.

        Raises:
            SessionStateError: this is one.
        """
        if self.read_only:
            raise SessionStateError("the vault is open read-only; open it without read_only to write")

    def _guarded(self, work: Callable[[], T], *, passing: Sequence[BaseException] = ()) -> T:
        """Run something that moves the index; a failure that may have left it half-way ends the session.

        An interruption (Ctrl-C) is such a failure too. Errors in `passing` come from where nothing moves.
        """
        try:
            return work()
        except VaultError:
            raise
        except BaseException as error:
            if any(error is one for one in passing):
                raise
            self._end("this session was interrupted or met an internal error; open a new one")
            if not isinstance(error, Exception):
                raise
            raise SessionStateError(f"an internal error ended this session ({type(error).__name__})") from error

    def _new_log(self, stored: StoredHeader, state: LogState) -> Log:
        return Log(
            self.store,
            self.header.vault,
            self.keyring,
            stored,
            state,
            apply=self._apply,
            renew=self._renew,
            complete=lambda: not any(index.missing for index in self.indexes.values()),
            now=self.now,
            ahead=self._fetch,
        )

    def _fetch(self, numbers: Sequence[int]) -> None:
        """Read the records of the commits that come next."""
        self._fetched = self.store.records(numbers)

    def _apply(self, commit: Commit) -> None:
        if commit.box == NO_BOX:
            return
        box = next(box for box in self.keyring.boxes if box.id == commit.box)
        values = commit.values if commit.values is not None else self._values(commit, box)
        self.index(box).apply(commit, values)
        self._tail += max(1, len(values))
        if erased := [op.at.number for op in commit.ops if isinstance(op, Erase)]:
            self.store.let_go(erased)

    def _values(self, commit: Commit, box: Box) -> Sequence[Any]:
        kinds = {op.n: op.kind for op in commit.ops if isinstance(op, Put)}
        addresses = [Address(commit.seq, n) for n in range(len(commit.hashes))]
        found = {at.number: self._fetched.pop(at.number) for at in addresses if at.number in self._fetched}
        if len(found) < len(addresses):
            found.update(self.store.records([at.number for at in addresses if at.number not in found]))
        values: list[Any] = []
        for address, digest in zip(addresses, commit.hashes, strict=True):
            stored = found.get(address.number)
            if stored is None:
                raise VaultTamperedError("a record is missing that no commit has erased")
            plaintext = self._plaintext(stored, address, digest, box)
            values.append(decode(kinds[address.n], plaintext, address, box.name) if plaintext is not None else None)
        return values

    def _plaintext(self, stored: bytes, at: Address, digest: bytes, box: Box) -> bytes | None:
        """A record's plaintext, None if it was erased. What a cache has spoilt is read once more from the store."""
        if not any(stored):
            return None
        try:
            return self.log.unseal_record(stored, at, digest, box)
        except VaultTamperedError:
            self.store.let_go([at.number])
            fresh = self.store.records([at.number]).get(at.number, stored)
            if fresh == stored:
                raise
            return self.log.unseal_record(fresh, at, digest, box) if any(fresh) else None

    def _with_drops(self, plan: Plan | None) -> Plan | None:
        """A commit that erases takes the snapshots along that may still hold what it erases."""
        if plan is None or plan.box is None or not any(isinstance(op, Erase) for op in plan.ops):
            return plan
        erased = [op.at.number for op in plan.ops if isinstance(op, Erase)]
        index = self.index(plan.box)
        if any(index.catalogue.row(number) is not None for number in erased) or index.catalogue.spaces_at(erased):
            self._kept.pop(plan.box.id, None)
        clean = self._kept.get(plan.box.id, snapshot.Kept()).names()
        prefix = snapshot.prefix_of(plan.box)
        drop = [name for name in self.store.parts() if name.startswith(prefix) and name not in clean]
        return replace(plan, drop_parts=[*plan.drop_parts, *drop])

    def _renew(self, stored: StoredHeader) -> Keyring:
        """Read a header that someone else has written."""
        header = Header.parse(stored)
        if header.vault != self.header.vault:
            raise VaultTamperedError("the header is another vault's")
        if header.key_generation > self.header.key_generation:
            self._unlock_again(header, stored)
        header.check(stored, self.mek)
        keyring = header.open_keyring(self.mek)
        self.take_header(header, keyring)
        return keyring

    def _unlock_again(self, header: Header, stored: StoredHeader) -> None:
        if self.next_mek is not None and header.made_under(stored, self.next_mek):
            self.mek.wipe()
            self.mek = self.next_mek
            return
        if self._provider is None:
            raise SessionStateError("the vault's keys were rotated; open it again with the present secret")
        try:
            mek, _ = header.unlock([self._provider])
        except VaultError:
            raise SessionStateError("the vault's keys were rotated; open it again with the present secret") from None
        self.mek.wipe()
        self.mek = mek

    def take_header(self, header: Header, keyring: Keyring) -> None:
        """Go on with a new header and its keyring; the one before is wiped."""
        before, self.keyring, self.header = self.keyring, keyring, header
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = AnchorFile(header.vault, keyring.anchor_key)
        before.wipe()

    def _load(self, accept_rollback: bool) -> None:
        anchor, damaged = None, False
        try:
            anchor = self._anchor.read() if self._anchor is not None else None
        except RollbackError:
            if not accept_rollback:
                raise
            damaged = True
        self._replay()
        if anchor is not None:
            try:
                self.accepted_rollback = not self.log.check_anchor(anchor)
            except RollbackError:
                if not accept_rollback:
                    raise
                self.accepted_rollback = True
                if not self.read_only:
                    seen = anchor
                    self._guarded(lambda: self.log.append(lambda: self._accepting(seen)))
        if not self.read_only:
            self._remember(replace_it=self.accepted_rollback or damaged)
            self.store.purge(wait=False)
            self._drop_stale_snapshot()
            self.checkpoint_if_it_pays()

    def _accepting(self, anchor: Anchor) -> Plan:
        return Plan(box=None, ops=[Restored(self.log.state.seq, anchor.seq, anchor.hash)])

    def _replay(self) -> None:
        """From the newest snapshot if it can be used, else from the beginning, and without what a cache has spoilt."""
        begun = self._load_snapshot()
        try:
            self._guarded(self.log.follow)
        except VaultTamperedError:
            self._forget_snapshot()
            if not begun and self.store.origin is self.store:
                raise
            self.store.let_go(None)
            self._guarded(self.log.follow)

    def _load_snapshot(self) -> bool:
        """Whether there was one, if only one that can't be used."""
        try:
            loaded = snapshot.load(self.store, self.header.vault, self.keyring.boxes)
        except VaultTamperedError:
            self.store.let_go(None)
            return True
        if loaded is None:
            return False
        state, self.indexes, self._kept = loaded
        self.log.restart(state)
        self._snapshot = state.seq
        return True

    def _drop_stale_snapshot(self) -> None:
        """A snapshot that is older than an erase goes: it may still hold what was erased."""
        last_erase = max((index.last_erase for index in self.indexes.values()), default=0)
        if self._snapshot and last_erase > self._snapshot:
            self._guarded(lambda: self.log.change_parts(lambda: Change(drop_parts=self.store.parts(), purge=True)))
            self._kept, self._snapshot = {}, 0

    def _forget_snapshot(self) -> None:
        self.indexes, self._kept, self._tail, self._snapshot = {}, {}, 0, 0
        self.log.restart(LogState.start(self.header.vault))

    def _remember(self, *, replace_it: bool = False) -> None:
        if self._anchor is not None and not self.read_only:
            self._anchor.write(self.log.state.anchor(), replace=replace_it)


def _parts(building: snapshot.Building) -> Iterator[snapshot.Named]:
    return building.parts()


def _same_file(one: str, other: Any) -> bool:
    with suppress(OSError, ValueError, TypeError):
        return Path(one).samefile(other)
    return False


def decode(kind: int, plaintext: bytes, address: Address, box: str) -> Any:
    """What a record of this kind holds."""
    if kind == MEMORY:
        return decode_memory(plaintext, address, box)
    if kind == ITEM:
        return decode_item(plaintext, address)
    return decode_space(plaintext)


def _program() -> str:
    """The name of the running program, without its folder."""
    name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] not in ("", "-c", "-m") else "python"
    return name[:64] or "python"


def _end_in_child() -> None:
    for session in list(_SESSIONS):
        with suppress(Exception):
            session.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_end_in_child)
