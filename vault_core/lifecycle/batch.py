"""A batch: changes to one box that become one commit.

Rules (DESIGN §7):
- An explicit id is an upsert: everything replaced, `created_at` and the memory's state kept, never deduplicated.
- Without an id, identical content in the same namespace refreshes the memory that is there, if that says all that the
  new one does: of which slot it is, when it is true, what it supersedes. It is kept for as long as either asks.
- Overwriting an item erases the one before; `keep_history=False` erases a memory's earlier versions.
- `rewrite` and `declare_anew` are for embedding again: the versions stay as they were, with other vectors at other
  addresses, and the records that held the vectors before are erased.
- `bring` and `bring_item` take what comes from elsewhere as it is, by the rules of `lifecycle.merge`.
- What names an erased memory as its atom goes with it, every version: a composite or affinity holds words of its atoms.
- Each change builds on those before it in the batch. What a batch wrote it can't take back: a record of the log is
  never erased by its own commit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from vault_core.errors import InvalidInputError, MemoryNotFoundError
from vault_core.index import BoxIndex, Row
from vault_core.index.catalogue import attributes_text
from vault_core.index.tiers import atoms_in
from vault_core.keys import Box
from vault_core.lifecycle.merge import (
    ELSEWHERE,
    Brought,
    Outcome,
    fresh_of,
    moment_and_content,
    newer_item,
    said,
    wherever,
    without,
)
from vault_core.log import Erase, Ghost, Mark, Op, Plan, Put, Touch, Trust
from vault_core.memory import (
    ITEM,
    MEMORY,
    SPACE,
    Address,
    Item,
    Memory,
    Namespace,
    Space,
    encode_item,
    encode_memory,
    encode_space,
)
from vault_core.memory.model import ATOM, FactSlot, State, placed
from vault_core.memory.times import from_micros, to_micros
from vault_core.memory.trust import TRUSTED, UNTRUSTED, check_next


class Batch:
    """Collects changes; `plan()` gives the commit. Made inside the critical section, so its index is up to date.

    `fetch` opens versions by their rows; `fingerprint` gives the name of the embedder that fills a space.
    """

    def __init__(
        self,
        index: BoxIndex,
        box: Box,
        *,
        seq: int,
        now: int,
        fetch: Callable[[Sequence[Row]], dict[int, Memory]],
        fingerprint: Callable[[str], str],
    ) -> None:
        self._index, self._box, self._seq, self._now = index, box, seq, now
        self._fetch, self._fingerprint = fetch, fingerprint
        self._ops: list[Op] = []
        self._records: list[bytes] = []
        self._values: list[object] = []
        self._mine: dict[tuple[Namespace, str], Memory] = {}
        self._summarised: set[tuple[Namespace, str]] = set()  # the atoms of composites and affinities among those
        self._stale: dict[tuple[Namespace, str], None] = {}
        self._hashes: dict[tuple[Namespace, bytes], dict[FactSlot | None, Memory]] = {}
        self._known: dict[tuple[int, bytes], list[Row]] | None = None
        self._there: dict[tuple[int, str], Row] | None = None
        self._positions: dict[tuple[Namespace, str], int] = {}
        self._items: dict[tuple[str, str], Item | None] = {}
        self._erased: set[int] = set()
        self.purges = False  # whether what it erases is also removed from the store's journal at once
        self._declared: dict[str, Space] = {}
        self._brought: dict[tuple[Namespace, str], list[Memory]] = {}

    @property
    def stale(self) -> Sequence[str]:
        """The ids of composites and affinities that are erased because one of their atoms is."""
        return list(dict.fromkeys(id_ for _, id_ in self._stale))

    def plan(self, *, purge: bool = False, uses: Mapping[int, tuple[int, int]] | None = None) -> Plan | None:
        """The commit, or None if nothing changes. `uses` ride along: by address, how often and when last."""
        if not self._ops:
            return None
        for address, (number, last) in (uses or {}).items():
            if address not in self._erased and self._index.catalogue.row(address) is not None:
                self._ops.append(Touch(Address.of(address), number, last))
        purge = purge or self.purges
        return Plan(box=self._box, ops=self._ops, records=self._records, values=self._values, purge=purge)

    def expect(self, named: Sequence[str], unnamed: Sequence[bytes]) -> None:
        """Look up what is there already for all of a long batch at once, rather than one by one.

        Nothing is added after this but memories with these ids, and without an id memories of these contents.
        """
        self._there = self._index.catalogue.currents(named)
        self._known = self._index.catalogue.same_content(unnamed)

    def add(self, memory: Memory, *, explicit_id: bool, keep_history: bool) -> Memory:
        """Add a memory that `memory_from` made; gives it as it is stored, or the one that was there already."""
        if not explicit_id:
            same = self._same_content(memory)
            if same is not None:
                return same
        else:
            memory = self._upsert(memory)
        if memory.thread is not None and memory.position is None:
            memory = placed(
                memory, memory.address, self._next_position(memory.namespace, memory.thread), self._box.name
            )
        return self.revise(memory, keep_history=keep_history)

    def revise(self, memory: Memory, *, keep_history: bool) -> Memory:
        """Write a version of a memory after those there are, or instead of them."""
        if memory.state.trusted or memory.state.ghost_until:
            # The owner vouched for the version before, and this one may say something else. And nobody writes a ghost.
            memory = replace(memory, state=replace(memory.state, trusted=False, ghost_until=None))
        self._declare(memory)
        mine = self._mine.get((memory.namespace, memory.id))
        if not keep_history:
            self._erase_versions(memory.id, memory.namespace)
        if mine is not None and not keep_history:  # twice in one batch: the last one holds, in the place of the first
            memory = placed(memory, mine.address, memory.position, self._box.name)
            self._records[mine.address.n] = encode_memory(memory)
            self._values[mine.address.n] = memory
        else:
            memory = placed(memory, self._place(), memory.position, self._box.name)
            self._append(encode_memory(memory), memory, MEMORY)
        self._mine[memory.namespace, memory.id] = memory
        if memory.tier != ATOM:
            self._summarised.update((memory.namespace, atom) for atom in atoms_in(memory.metadata))
        self._hashes.setdefault((memory.namespace, memory.content_hash), {})[memory.slot] = memory
        return memory

    def rewrite(self, versions: Sequence[tuple[Row, Memory]]) -> bool:
        """Write the last versions of a memory again, with other vectors; the records they had are erased.

        They have to be all versions from the first of them on, oldest first: their order is that of their addresses.
        False if the memory has changed since they were read; then nothing is written.
        """
        rows = [row for row, _ in versions]
        there = self._index.catalogue.versions(rows[-1].id, rows[-1].namespace)
        by_address = {row.address: row for row in there}
        if [row.address for row in there[-len(rows) :]] != [row.address for row in rows]:
            return False
        for row, memory in versions:
            self._declare(memory)
            self._erase(row.address)
            known = overlaid(memory, by_address[row.address])  # pinned or used meanwhile
            again = placed(replace(known), self._place(), known.position, self._box.name)
            self._append(encode_memory(again), again, MEMORY)
        return True

    def bring(self, versions: Sequence[Memory], spaces: Mapping[str, Space]) -> Brought:
        """Take in a memory from elsewhere, all its versions, oldest first; what the vault has already is left as it is.

        Ids, times, provenance, state and positions stay as they are. `spaces` says whose the vectors are; those that
        don't fit the vault's own space are left out.
        """
        last = versions[-1]
        key = last.namespace, last.id
        mine = self._brought.get(key, [])
        number = self._index.catalogue.known_namespace(last.namespace)
        rows = [] if number is None else self._index.catalogue.versions(last.id, number)
        fresh, reasons = list(versions), list[str]()
        if rows or mine:
            fresh, reasons = self._unknown(versions, rows, mine)
        lost = dict[str, None]()
        for memory in fresh:
            unfit = [name for name in memory.vectors if not self._fits(name, memory, spaces.get(name))]
            lost.update(dict.fromkeys(unfit))
            own = replace(memory, vectors=without(memory.vectors, unfit), similar=())
            position = own.position
            if position is None and own.thread is not None:  # other systems keep no order
                position = self._next_position(own.namespace, own.thread)
            own = placed(own, self._place(), position, self._box.name)
            self._append(encode_memory(own), own, MEMORY)
            self._mine[key] = own
            self._brought.setdefault(key, []).append(own)
            self._hashes.setdefault((own.namespace, own.content_hash), {})[own.slot] = own
        outcome: Outcome = "unchanged" if not fresh else "updated"
        if fresh and not rows and not mine:
            outcome = "added"
        return Brought(outcome=outcome, reasons=reasons, lost=list(lost))

    def known(self, memory: Memory, *, undated: bool, unique: bool) -> Brought | None:
        """What becomes of a memory from another system that is here already; None if it has to be brought.

        It is here if the version of its id says the same, whatever file it came from (and, `undated`, whenever); and
        with `unique` if its namespace has its content under another id.
        """
        number = self._index.catalogue.known_namespace(memory.namespace)
        rows = [] if number is None else self._index.catalogue.versions(memory.id, number)
        mine = self._mine.get((memory.namespace, memory.id))
        if rows or mine is not None:
            current = mine or (self.open(rows[-1]) if rows[-1].content_hash == memory.content_hash else None)
            same = current is not None and said(wherever(memory, current, undated=undated)) == said(current)
            return Brought(outcome="unchanged") if same else None
        if unique and self._is_there(memory, number):
            return Brought(outcome="unchanged", reasons=[ELSEWHERE])
        return None

    def _is_there(self, memory: Memory, number: int | None) -> bool:
        if (memory.namespace, memory.content_hash) in self._hashes:
            return True
        found = {} if number is None else self._index.catalogue.same_content([memory.content_hash])
        rows = found.get((number, memory.content_hash), ()) if number is not None else ()
        return any(not row.archived and row.superseded is None for row in rows)

    def bring_item(self, item: Item) -> Brought:
        """Take in an item from elsewhere, with its times; a newer one stays."""
        before = self._index.catalogue.item(item.collection, item.key)
        earlier = self._items.get((item.collection, item.key))
        if earlier is not None:
            replaces, reason = newer_item(item, earlier.updated_at, earlier.value == item.value)
        elif before is not None:
            like = before.size == len(item.value) and before.attributes == attributes_text(item)
            replaces, reason = newer_item(item, from_micros(before.updated), like)
        else:
            replaces, reason = True, None
        if not replaces:
            return Brought(outcome="unchanged", reasons=[reason] if reason else [])
        self.put_item(item)
        return Brought(outcome="added" if before is None and earlier is None else "updated")

    def declare_anew(self, space: Space) -> None:
        """Give a space another embedder or dimension. The vectors that it has don't count from this commit on."""
        before = self._index.catalogue.space_address(space.name)
        if before is not None:
            self._erase(before)
        self._bring(space)

    def touch(self, row: Row, *, expires: int | None = None, uses: int = 0, refreshed: bool = False) -> None:
        """Note a use, a confirmation or another expiry; no new version. What is confirmed is a ghost no more."""
        if refreshed and row.ghost is not None:
            self._ops.append(Ghost(row.at, None))
        used = self._now if uses else None
        self._ops.append(Touch(row.at, uses, used, self._now if refreshed else None, expires))

    def mark(self, row: Row, *, archived: bool | None = None, pinned: bool | None = None) -> None:
        """Archive or pin, or undo it; no new version. A ghost that is pinned or brought back is one no more."""
        if row.ghost is not None and (archived is False or pinned):
            self._ops.append(Ghost(row.at, None))
        self._ops.append(Mark(row.at, archived, pinned))

    def trust(self, row: Row, *, trusted: bool) -> None:
        """Note that the owner vouches for a version, or does no more."""
        self._ops.append(Trust(row.at, trusted))

    def fade(self, row: Row, until: int) -> None:
        """Make a ghost of a memory, until then in microseconds."""
        self._ops.append(Ghost(row.at, until))

    def forget(self, id: str, namespace: Namespace) -> int:
        """Erase every version of a memory; gives how many.

        Raises:
            MemoryNotFoundError: there is none.
            InvalidInputError: this batch wrote to it.
        """
        if (namespace, id) in self._mine:
            raise InvalidInputError("a memory can't be forgotten by the transaction that wrote to it")
        number = self._index.catalogue.known_namespace(namespace)
        versions = [] if number is None else self._index.catalogue.versions(id, number)
        if not versions:
            raise MemoryNotFoundError("there is no memory with this id in this namespace")
        self._erase_summaries(versions[0])
        return sum(self._erase(row.address) for row in versions)

    def put_item(self, item: Item) -> Item:
        """Write an item; the one before is erased, its `created_at` kept."""
        before = self._index.catalogue.item(item.collection, item.key)
        if before is not None:
            self._erase(before.address)
            item = replace(item, created_at=from_micros(before.created))
        earlier = self._items.get((item.collection, item.key))
        if earlier is not None:  # twice in one batch: the last one holds, in the place of the first
            item = replace(item, created_at=earlier.created_at, address=earlier.address)
            self._records[earlier.address.n] = encode_item(item)
            self._values[earlier.address.n] = item
        else:
            item = replace(item, address=self._place())
            self._append(encode_item(item), item, ITEM)
        self._items[item.collection, item.key] = item
        return item

    def delete_item(self, collection: str, key: str) -> bool:
        """Erase an item; False if there is none.

        Raises:
            InvalidInputError: this batch wrote it.
        """
        if (collection, key) in self._items:
            raise InvalidInputError("an item can't be deleted by the transaction that wrote it")
        before = self._index.catalogue.item(collection, key)
        return before is not None and self._erase(before.address)

    def row(self, id: str, namespace: Namespace) -> Row:
        """The current version of a memory.

        Raises:
            MemoryNotFoundError: there is none.
        """
        number = self._index.catalogue.known_namespace(namespace)
        row = None if number is None else self._index.catalogue.current(id, number)
        if row is None or row.address in self._erased:
            raise MemoryNotFoundError("there is no memory with this id in this namespace")
        return row

    def current(self, id: str, namespace: Namespace) -> Memory:
        """The current version of a memory, this batch's own included.

        Raises:
            MemoryNotFoundError: there is none.
        """
        mine = self._mine.get((namespace, id))
        return self.open(self.row(id, namespace)) if mine is None else mine

    def open(self, row: Row) -> Memory:
        """The version at a row."""
        found = self._fetch([row])
        if row.address not in found:
            raise MemoryNotFoundError("this version was erased a moment ago")
        return found[row.address]

    def _same_content(self, memory: Memory) -> Memory | None:
        for mine in self._hashes.get((memory.namespace, memory.content_hash), {}).values():
            says_it_still = self._mine[mine.namespace, mine.id] is mine
            lasting = not _lives_longer(memory, mine) and (memory.trust != TRUSTED or mine.trust == TRUSTED)
            if says_it_still and lasting and _adds_nothing(memory, _claims(mine), trusted=mine.trust == TRUSTED):
                return mine
        number = self._index.catalogue.known_namespace(memory.namespace)
        if number is None:
            return None
        known = self._known
        if known is None:
            known = self._index.catalogue.same_content([memory.content_hash])
        for row in known.get((number, memory.content_hash), ()):
            alive = row.expires is None or row.expires > self._now
            alive = alive and (memory.namespace, row.id) not in self._mine  # says something else by now
            if alive and not row.archived and row.superseded is None and row.address not in self._erased:
                claims = _claims_of(row, self._index.catalogue.listed(row.supersedes))
                if not _adds_nothing(memory, claims, trusted=row.trust == TRUSTED):
                    continue
                same = self.open(row)
                longer = _lives_longer(memory, same)
                until = None if memory.expires_at is None else to_micros(memory.expires_at)
                self.touch(row, refreshed=True, expires=(-1 if until is None else until) if longer else None)
                if longer:
                    same = replace(same, expires_at=memory.expires_at)
                state = replace(same.state, refreshed_at=from_micros(self._now), ghost_until=None)
                if memory.trust == TRUSTED and same.trust != TRUSTED:  # the user says it too
                    self.trust(row, trusted=True)
                    state = replace(state, trusted=True)
                return replace(same, state=state)
        return None

    def _upsert(self, memory: Memory) -> Memory:
        mine = self._mine.get((memory.namespace, memory.id))
        if mine is not None:
            check_next(memory.trust, mine.origin)
            position = mine.position if mine.thread == memory.thread else memory.position
            return replace(memory, created_at=mine.created_at, state=mine.state, position=position)
        row = self._before(memory.id, memory.namespace)
        if row is None or row.address in self._erased:
            return memory
        check_next(memory.trust, row.origin)
        position = memory.position
        if position is None and row.thread == memory.thread:
            position = row.position  # the same turn, said better: it keeps its place in the conversation
        return replace(memory, created_at=from_micros(row.created), state=state_of(row), position=position)

    def _before(self, id: str, namespace: Namespace) -> Row | None:
        """The version of a memory to be added that held before this batch."""
        number = self._index.catalogue.known_namespace(namespace)
        if number is None:
            return None
        return self._index.catalogue.current(id, number) if self._there is None else self._there.get((number, id))

    def _unknown(
        self, versions: Sequence[Memory], rows: Sequence[Row], mine: Sequence[Memory]
    ) -> tuple[list[Memory], list[str]]:
        """Of versions from elsewhere those to be added to a memory that is there, and why others are not."""
        wanted = {moment_and_content(memory) for memory in versions}
        alike = {row.address: row for row in rows if (from_micros(row.updated), row.content_hash) in wanted}
        if not mine:
            alike[rows[-1].address] = rows[-1]
        opened = self._fetch(list(alike.values()))  # only what may be the same, however long the history
        newest = mine[-1] if mine else opened.get(rows[-1].address)
        if newest is None:
            raise MemoryNotFoundError("this version was erased a moment ago")
        there = {said(one) for one in (*opened.values(), *mine)}
        spoken, ends = [said(memory) for memory in versions], said(newest)
        ends_at = max((at for at, one in enumerate(spoken) if one == ends), default=None)
        known = [one in there for one in spoken]
        return fresh_of(versions, known, newest, ends_at=ends_at)

    def _fits(self, name: str, memory: Memory, given: Space | None) -> bool:
        """Whether a memory's vectors may be in this space of the box; one that is not there yet is declared."""
        lengths = {len(vector) for vector in memory.vectors[name].values()}
        fingerprint, own = "" if given is None else given.fingerprint, self._fingerprint(name)
        known = self._declared.get(name) or self._index.spaces.get(name)
        theirs = own if known is None else known.fingerprint
        if len(lengths) != 1 or (fingerprint and theirs and fingerprint != theirs):
            return False
        if known is None:
            self._bring(Space(name=name, dimension=min(lengths), fingerprint=fingerprint))
            return True
        return lengths == {known.dimension}

    def _declare(self, memory: Memory) -> None:
        """Bring a record for every space that the box does not know yet."""
        for name, fields in memory.vectors.items():
            dimension = len(next(iter(fields.values())))
            declared = self._declared.get(name)
            if declared is not None and declared.dimension == dimension:
                continue
            fingerprint = self._fingerprint(name)
            if declared is None and self._index.check_space(name, dimension, fingerprint):
                continue
            if declared is not None:
                BoxIndex.mismatch(declared, dimension)
            self._bring(Space(name=name, dimension=dimension, fingerprint=fingerprint))

    def _bring(self, space: Space) -> None:
        self._declared[space.name] = space
        self._append(encode_space(space), space, SPACE)

    def _append(self, record: bytes, value: object, kind: int) -> None:
        self._ops.append(Put(len(self._records), kind))
        self._records.append(record)
        self._values.append(value)

    def _place(self) -> Address:
        return Address(self._seq, len(self._records))

    def _next_position(self, namespace: Namespace, thread: str) -> int:
        key = (namespace, thread)
        if key not in self._positions:
            number = self._index.catalogue.known_namespace(namespace)
            self._positions[key] = 0 if number is None else self._index.catalogue.thread_length(thread, number)
        position = self._positions[key]
        self._positions[key] += 1
        return position

    def _erase_versions(self, id: str, namespace: Namespace) -> None:
        row = self._before(id, namespace)
        if row is None:
            return
        self._erase_summaries(row)
        for version in self._index.catalogue.versions(id, row.namespace):
            self._erase(version.address)

    def _erase_summaries(self, atom: Row) -> None:
        namespace = self._index.catalogue.labels(atom.namespace)
        if (namespace, atom.id) in self._summarised:
            raise InvalidInputError("a memory can't be erased by the transaction that wrote a summary of it")
        for id_ in self._index.tiers.naming(atom.namespace, atom.id):
            if (namespace, id_) not in self._stale:
                self._stale[namespace, id_] = None
                versions = self._index.catalogue.versions(id_, atom.namespace)
                self._erase_summaries(versions[0])  # a caller may have made a summary of summaries
                for version in versions:
                    self._erase(version.address)

    def _erase(self, address: int) -> bool:
        if address in self._erased:
            return False
        self._erased.add(address)
        self._ops.append(Erase(Address.of(address)))
        return True


_Claims = tuple[tuple[str, str] | None, int | None, int | None, frozenset[str]]  # slot, valid from and to, supersedes


def _claims(memory: Memory) -> _Claims:
    """What a memory says beside its content: of which slot it is, when it is true, and what it supersedes."""
    slot = None if memory.slot is None else (memory.slot.subject, memory.slot.attribute)
    begin, end = (None if at is None else to_micros(at) for at in (memory.valid_from, memory.valid_to))
    return slot, begin, end, frozenset(memory.supersedes)


def _claims_of(row: Row, supersedes: Sequence[str]) -> _Claims:
    slot = None if row.subject is None or row.attribute is None else (row.subject, row.attribute)
    return slot, row.valid_from, row.valid_to, frozenset(supersedes)


def _adds_nothing(memory: Memory, claims: _Claims, *, trusted: bool) -> bool:
    """Whether a memory of the same content says no more than one that is there, which claims that.

    The user's word for the content is no word for what somebody else's memory claims beside it: there both have to be
    the same.
    """
    own = _claims(memory)
    if memory.trust == TRUSTED and not trusted:
        return own == claims
    compared = zip(own[:3], claims[:3], strict=True)
    return own[3] <= claims[3] and all(one is None or one == other for one, other in compared)


def _lives_longer(memory: Memory, same: Memory) -> bool:
    """Whether what is said again is to be kept for longer than what is there; the user's memories only if it may."""
    if same.expires_at is None or (memory.trust == UNTRUSTED and same.trust != UNTRUSTED):
        return False
    return memory.expires_at is None or memory.expires_at > same.expires_at


def overlaid(memory: Memory, row: Row) -> Memory:
    """A version with what the index knows since it was written."""
    state = state_of(row)
    expires = None if row.expires is None else from_micros(row.expires)
    if memory.state == state and memory.expires_at == expires:
        return memory
    return replace(memory, state=state, expires_at=expires)


def state_of(row: Row) -> State:
    """The state that a new version carries over."""
    return State(
        archived=bool(row.archived),
        pinned=bool(row.pinned),
        uses=row.uses,
        used_at=None if row.used is None else from_micros(row.used),
        refreshed_at=None if row.refreshed is None else from_micros(row.refreshed),
        trusted=bool(row.trusted),
        ghost_until=None if row.ghost is None else from_micros(row.ghost),
    )
