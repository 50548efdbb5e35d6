"""The index of one box: catalogue, columns, words and vectors, moved forward commit by commit.

A commit is checked as a whole before anything changes, so that a refused one leaves the index as it was. The same
commits give the same index, whichever session applies them and however it got there.

Vectors belong to the space that held when they were written: once a commit declares a space anew, those of earlier
commits don't count any more (docs/format.md §6). Who comes later finds the old space's record erased; then the vectors
that were written under it are passed over.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from vault_core.errors import EmbedderMismatchError, VaultTamperedError
from vault_core.index.catalogue import Catalogue, Row
from vault_core.index.columns import (
    ARCHIVED,
    ASKS,
    CURRENT,
    ERASED,
    GHOST,
    NEVER,
    NOBODY,
    SEARCHED,
    UNTRUSTED,
    Columns,
    Entry,
)
from vault_core.index.supersession import Affected, Key, Slot, Supersession
from vault_core.index.threads import Threads
from vault_core.index.tiers import Tiers
from vault_core.index.tokens import stems
from vault_core.index.vectors import Vectors
from vault_core.index.words import Words
from vault_core.log.log import Commit
from vault_core.log.ops import Erase, Ghost, Mark, Put, Touch, Trust
from vault_core.memory import model, trust
from vault_core.memory.codec import ITEM, MEMORY, SPACE
from vault_core.memory.draft import DEFAULT_SPACE
from vault_core.memory.model import Address, Item, Memory, Space

_REFUSED = "a commit of the log does not fit what came before it"


class BoxIndex:
    """Everything needed to answer a query on one box. Not safe for several threads; the session holds the lock."""

    def __init__(
        self, catalogue: Catalogue | None = None, columns: Columns | None = None, words: Words | None = None
    ) -> None:
        self.catalogue = catalogue or Catalogue()
        self.columns = columns or Columns()
        self.words = words or Words()
        self.threads = Threads(self.columns)
        self.vectors: dict[str, Vectors] = {}
        self._source_stems: list[list[str]] = []  # by a source's number, as far as a question has asked
        self._called: dict[str, set[int]] = defaultdict(set)  # and the sources in whose label a stem is
        self.missing: set[int] = set()  # erased before we came, by a commit that we have not applied yet
        self.missing_spaces: set[int] = set()  # those of them that declared a space
        self.last_erase = 0
        self.spaces = self.catalogue.spaces()
        self.declared = {name: self.catalogue.space_address(name) or 0 for name in self.spaces}  # where
        self.tiers = Tiers(self.catalogue.tiered())
        self.supersession = Supersession(self.catalogue, self.columns)

    def apply(self, commit: Commit, values: Sequence[Any]) -> None:
        """Move forward by one commit. `values` are what its records hold; None for one that is erased already.

        Raises:
            VaultTamperedError: the commit makes no sense here.
        """
        kinds = {op.n: op.kind for op in commit.ops if isinstance(op, Put)}
        self._check(commit, kinds, values)
        erased = [op.at.number for op in commit.ops if isinstance(op, Erase)]
        self._erase(erased, commit.seq)
        self._put(commit, kinds, values)
        for op in commit.ops:
            if isinstance(op, Touch | Mark | Trust | Ghost):
                self._note(op)

    def sources_named(self, terms: Iterable[str]) -> dict[int, list[str]]:
        """The sources whose labels have any of these stems: by number, with all stems of the label."""
        for label in islice(self.columns.sources, len(self._source_stems), None):
            number, found = len(self._source_stems), stems(label)
            self._source_stems.append(found)
            for one in found:
                self._called[one].add(number)
        numbers = set().union(*(self._called[one] for one in terms if one in self._called))
        return {number: self._source_stems[number] for number in sorted(numbers)}

    def _check(self, commit: Commit, kinds: dict[int, int], values: Sequence[Any]) -> None:
        for n, value in enumerate(values):
            expected = _KINDS.get(kinds[n])
            if expected is None or not isinstance(value, expected | None):
                raise VaultTamperedError(_REFUSED)
        brought = {value.name: value for value in values if isinstance(value, Space)}
        unread = any(value is None and kinds[n] == SPACE for n, value in enumerate(values))  # maybe a successor
        for value in values:
            if isinstance(value, Memory) and value.vectors:
                self._check_vectors(value, brought, unread=unread)
        erased: set[int] = set()
        for op in commit.ops:
            if isinstance(op, Erase):
                number = op.at.number
                known = number in self.missing or self.catalogue.is_live(number)
                if not known or number in erased or op.at.seq >= commit.seq:
                    raise VaultTamperedError(_REFUSED)
                erased.add(number)
            elif isinstance(op, Touch | Mark | Trust | Ghost) and (
                op.at.seq >= commit.seq or self.catalogue.is_other(op.at.number)
            ):
                raise VaultTamperedError(_REFUSED)
        self._check_unique(values, erased)
        if not unread and any(space.name not in brought for space in self.catalogue.spaces_at(erased)):
            raise VaultTamperedError(_REFUSED)

    def _check_unique(self, values: Sequence[Any], erased: set[int]) -> None:
        """One live item for a key, one live space for a name."""
        seen: set[tuple[str, str]] = set()
        for value in values:
            if isinstance(value, Item):
                before = self.catalogue.item(value.collection, value.key)
                address, key = (None if before is None else before.address), (value.collection, value.key)
            elif isinstance(value, Space):
                address, key = self.catalogue.space_address(value.name), ("", value.name)
            else:
                continue
            if key in seen or (address is not None and address not in erased):
                raise VaultTamperedError(_REFUSED)
            seen.add(key)

    def _check_vectors(self, memory: Memory, brought: Mapping[str, Space], *, unread: bool) -> None:
        for name, fields in memory.vectors.items():
            space = brought.get(name, self.spaces.get(name))
            if space is None:  # its record may be one that was erased before we came
                if not self.missing_spaces and not unread:
                    raise VaultTamperedError(_REFUSED)
            elif any(len(vector) != space.dimension for vector in fields.values()):
                raise VaultTamperedError(_REFUSED)

    def _erase(self, numbers: Sequence[int], seq: int) -> None:
        if not numbers:
            return
        self.last_erase = seq
        affected, gone = Affected(), list[int]()
        for number in numbers:
            if number in self.missing:
                self.missing.discard(number)
                self.missing_spaces.discard(number)
                continue
            row = self.catalogue.erase(number)
            if row is None:
                if not self._erase_space(number):
                    self.catalogue.erase_item(number)
                continue
            gone.append(number)
            self.columns.set(number, ERASED, True)
            self.words.erase(self.columns.row(number))
            self.threads.changed(number)
            self.tiers.erase(row)
            affected.add(self.supersession.affected_by(row))
            self.supersession.erase(row)
            if row.current:
                self._promote(row)
        if gone:
            for vectors in self.vectors.values():
                vectors.erase(gone)
        self.supersession.settle(affected)

    def _erase_space(self, number: int) -> bool:
        """A space that is declared anew: the vectors that it has don't count any more."""
        gone = self.catalogue.spaces_at([number])
        for space in gone:
            self.vectors.pop(space.name, None)
            del self.spaces[space.name], self.declared[space.name]
        return self.catalogue.erase_space(number)

    def _promote(self, erased: Row) -> None:
        """Of the versions that are left, the newest holds again."""
        left = self.catalogue.versions(erased.id, erased.namespace)
        if left:
            self.catalogue.update(left[-1].address, current=1)
            self.columns.set(left[-1].address, CURRENT, True)
            self.threads.changed(left[-1].address)

    def _put(self, commit: Commit, kinds: dict[int, int], values: Sequence[Any]) -> None:
        memories: list[Memory] = []
        digests: list[bytes] = []
        items: list[tuple[Item, bytes]] = []
        for n, value in enumerate(values):
            address, digest = Address(commit.seq, n), commit.hashes[n]
            if value is None:
                self.missing.add(address.number)
                if kinds[n] == SPACE:
                    self.missing_spaces.add(address.number)
            elif kinds[n] == MEMORY:
                memories.append(value)
                digests.append(digest)
            elif kinds[n] == ITEM:
                items.append((value, digest))
            else:
                self.catalogue.put_space(value, address.number, digest)
                self.spaces[value.name] = value
                self.declared[value.name] = address.number
        if items:
            self.catalogue.put_items([item for item, _ in items], [digest for _, digest in items])
        if memories:
            self._put_memories(memories, digests)

    def _put_memories(self, memories: list[Memory], digests: list[bytes]) -> None:
        affected, grown = Affected(), set[Slot]()
        replaced = set[Key]()
        known = self.catalogue.currents([memory.id for memory in memories])
        for memory in memories if known else ():
            number = self.catalogue.known_namespace(memory.namespace)
            before = None if number is None else known.pop((number, memory.id), None)
            if before is not None:
                self.catalogue.retire(before.address)
                self.columns.set(before.address, CURRENT, False)
                self.threads.changed(before.address)
                replaced.add((before.namespace, before.id))
                affected.add(self.supersession.affected_by(before))
        rows = self.catalogue.insert(memories, digests)
        self.columns.append([self._entry(row) for row in rows])
        self.words.append(_words(row) for row in rows)
        self._put_vectors(memories)
        for row in rows:
            self.tiers.add(row)
            self.supersession.add(row)
        for row in rows:  # also one that comes later than what names it
            slot = self.supersession.only_grows(row)
            if slot is not None and row.current and (row.namespace, row.id) not in replaced:
                grown.add(slot)
            elif self.supersession.concerns(row):
                affected.add(self.supersession.affected_by(row))
        self.supersession.settle(affected, grown)

    def _entry(self, row: Row) -> Entry:
        columns = self.columns
        return Entry(
            row.address,
            row.namespace,
            _flags(row),
            NEVER if row.expires is None else row.expires,
            row.updated,
            row.created if row.event is None else row.event,
            NOBODY if row.thread is None else columns.threads.number((row.namespace, row.thread)),
            0 if row.position is None else row.position,
            NOBODY if row.source is None else columns.sources.number(row.source),
            math.nan if row.importance is None else row.importance,
        )

    def _put_vectors(self, memories: Sequence[Memory]) -> None:
        owners: dict[str, list[int]] = defaultdict(list)
        fields: dict[str, list[str]] = defaultdict(list)
        rows: dict[str, list[Any]] = defaultdict(list)
        for memory in memories:
            for space, by_field in memory.vectors.items():
                if space not in self.spaces:  # of a space that was declared anew since
                    continue
                for name, vector in by_field.items():
                    owners[space].append(memory.address.number)
                    fields[space].append(name)
                    rows[space].append(vector)
        for space, found in rows.items():
            if space not in self.vectors:
                self.vectors[space] = Vectors(self.spaces[space].dimension)
            self.vectors[space].append(owners[space], fields[space], np.stack(found))

    def _note(self, op: Touch | Mark | Trust | Ghost) -> None:
        row = self.catalogue.row(op.at.number)
        if row is None:
            return  # erased meanwhile: nothing to note
        number = row.address
        if isinstance(op, Ghost):
            self.catalogue.update(number, ghost=op.until)
            self.columns.set(number, GHOST, op.until is not None)
            return
        if isinstance(op, Trust):
            self.catalogue.update(number, trusted=int(op.trusted))
            self.columns.set(number, UNTRUSTED, trust.trust_of(row.origin, op.trusted) == trust.UNTRUSTED)
            self.supersession.settle(self.supersession.affected_by(row))
            return
        if isinstance(op, Mark):
            if op.archived is not None:
                self.catalogue.update(number, archived=int(op.archived))
                self.columns.set(number, ARCHIVED, op.archived)
                self.supersession.settle(self.supersession.affected_by(row))
            if op.pinned is not None:
                self.catalogue.update(number, pinned=int(op.pinned))
            return
        if op.uses or op.used is not None:
            used = max(filter(None, (row.used, op.used)), default=None)
            self.catalogue.update(number, uses=row.uses + op.uses, used=used)
        if op.refreshed is not None:
            self.catalogue.update(number, refreshed=op.refreshed)
        if op.expires is not None:
            expires = None if op.expires < 0 else op.expires
            self.catalogue.update(number, expires=expires)
            self.columns.expire(number, expires)

    def vectors_that_count(self, memory: Memory) -> model.Vectors:
        """A memory's vectors, without those of a space that was declared anew since they were written."""
        counting = {}
        for name, fields in memory.vectors.items():
            declared = self.declared.get(name)
            if declared is not None and Address.of(declared).seq <= memory.address.seq:
                counting[name] = fields
        return counting if len(counting) < len(memory.vectors) else memory.vectors

    def without_vector(self, space: str) -> list[int]:
        """The current memories that have no vector in a space, by address.

        Those that are searched, and those that may still hold one of the space as it was before it was declared anew.
        """
        flags, addresses = self.columns.flags, self.columns.address
        vectors, declared = self.vectors.get(space), self.declared.get(space)
        bare = (flags & (CURRENT | ERASED)) == CURRENT
        if vectors is not None:
            bare &= ~np.isin(addresses, vectors.owners)
        wanted = (flags & SEARCHED) != 0
        if declared is not None:
            wanted |= addresses < Address(Address.of(declared).seq, 0).number
        found: list[int] = addresses[bare & wanted].tolist()
        return found

    def current_addresses(self) -> list[int]:
        """The current memories, whatever else is noted about them, by address."""
        found: list[int] = self.columns.address[(self.columns.flags & (CURRENT | ERASED)) == CURRENT].tolist()
        return found

    @staticmethod
    def mismatch(space: Space, dimension: int) -> None:
        """Refuse a vector of another dimension than its space's."""
        if space.dimension != dimension:
            raise EmbedderMismatchError(
                f"the space {space.name!r} has {space.dimension} dimensions and this vector has {dimension}; "
                f"use the embedder of that space, or another space{_reembed(space.name)}"
            )

    def check_space(self, name: str, dimension: int, fingerprint: str) -> bool:
        """Whether the space is known; a known one has to fit.

        Raises:
            EmbedderMismatchError: another dimension or another embedder.
        """
        known = self.spaces.get(name)
        if known is None:
            return False
        self.mismatch(known, dimension)
        if fingerprint and known.fingerprint and fingerprint != known.fingerprint:
            raise EmbedderMismatchError(
                f"the vectors of the space {name!r} are those of {known.fingerprint}, not of {fingerprint}; "
                f"open the vault with that embedder{_reembed(name)}"
            )
        return True


def _reembed(space: str) -> str:
    return ", or make all vectors anew with this one: strongroom reembed (Vault.reembed)" * (space == DEFAULT_SPACE)


def _flags(row: Row) -> int:
    flags = (CURRENT if row.current else 0) | (ARCHIVED if row.archived else 0)
    flags |= GHOST if row.ghost is not None else 0
    flags |= UNTRUSTED if row.trust == trust.UNTRUSTED else 0
    if row.text is not None:
        flags |= SEARCHED | (ASKS if _QUESTION.search(row.text, max(0, len(row.text) - _ENDING)) else 0)
    return flags


def _words(row: Row) -> tuple[str, str]:
    """What stands in front of a row's text, and the text."""
    text = row.text or ""
    return text[: row.lead], text[row.lead :]


_ENDING = 300  # characters in which a question has to end
_QUESTION = re.compile(
    r"\?[^\w\[]*(?:\[[^\[\]]*\]\s*)?$"
)  # the last thing said, or the last before an attachment in brackets
_KINDS: dict[int, Any] = {MEMORY: Memory, ITEM: Item, SPACE: Space}
