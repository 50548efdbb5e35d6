"""The index of one box: catalogue, columns and vectors, moved forward commit by commit.

A commit is checked as a whole before anything changes, so that a refused one leaves the index as it was. The same
commits give the same index, whichever session applies them and however it got there.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from vault_core.errors import EmbedderMismatchError, VaultTamperedError
from vault_core.index.catalogue import Catalogue, Row
from vault_core.index.columns import ARCHIVED, CURRENT, ERASED, SEARCHED, SUPERSEDED, Columns
from vault_core.index.vectors import Vectors
from vault_core.log.log import Commit
from vault_core.log.ops import Erase, Mark, Put, Touch
from vault_core.memory.codec import ITEM, MEMORY, SPACE
from vault_core.memory.model import Address, Item, Memory, Space

_REFUSED = "a commit of the log does not fit what came before it"


class BoxIndex:
    """Everything needed to answer a query on one box. Not safe for several threads; the session holds the lock."""

    def __init__(self, catalogue: Catalogue | None = None, columns: Columns | None = None) -> None:
        self.catalogue = catalogue or Catalogue()
        self.columns = columns or Columns()
        self.vectors: dict[str, Vectors] = {}
        self.missing: set[int] = set()  # erased before we came, by a commit that we have not applied yet
        self.last_erase = 0
        self.spaces = self.catalogue.spaces()

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
            if isinstance(op, Touch | Mark):
                self._note(op)

    def settle(self, affected: set[tuple[int, str, str | None, str | None]]) -> None:
        """Work out anew who supersedes whom, for memories (namespace, id, subject, attribute) that changed."""
        for namespace, id_, subject, attribute in affected:
            group = {row.address: row for row in self._group(namespace, id_, subject, attribute)}
            for row in group.values():
                superseded = self._superseded_by(row)
                if superseded != row.superseded:
                    self.catalogue.update(row.address, superseded=superseded)
                    self.columns.set(row.address, SUPERSEDED, superseded is not None)

    def _superseded_by(self, row: Row) -> int | None:
        namers = self.catalogue.superseding(row.id, row.namespace)
        by_id = [one.address for one in namers if one.address != row.address and not one.archived]
        by_slot = []
        if row.subject is not None and row.attribute is not None:
            rivals = self.catalogue.in_slot(row.namespace, row.subject, row.attribute)
            by_slot = [one.address for one in rivals if not one.archived and since(one) > since(row)]
        return max(by_id + by_slot, default=None)

    def _group(self, namespace: int, id_: str, subject: str | None, attribute: str | None) -> list[Row]:
        rows = [row for row in [self.catalogue.current(id_, namespace)] if row is not None]
        if subject is not None and attribute is not None:
            rows += self.catalogue.in_slot(namespace, subject, attribute)
        return rows

    def _check(self, commit: Commit, kinds: dict[int, int], values: Sequence[Any]) -> None:
        for n, value in enumerate(values):
            expected = _KINDS.get(kinds[n])
            if expected is None or not isinstance(value, expected | None):
                raise VaultTamperedError(_REFUSED)
            if isinstance(value, Memory):
                self._check_vectors(value, values)
        erased: set[int] = set()
        for op in commit.ops:
            if isinstance(op, Erase):
                number = op.at.number
                known = number in self.missing or self.catalogue.is_live(number)
                if not known or number in erased or op.at.seq >= commit.seq:
                    raise VaultTamperedError(_REFUSED)
                erased.add(number)
            elif isinstance(op, Touch | Mark) and (op.at.seq >= commit.seq or self.catalogue.is_other(op.at.number)):
                raise VaultTamperedError(_REFUSED)
        self._check_unique(values, erased)
        brought = {value.name: value for value in values if isinstance(value, Space)}
        for space in self.catalogue.spaces_at(erased):
            if space.name not in brought or brought[space.name].dimension != space.dimension:
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

    def _check_vectors(self, memory: Memory, values: Sequence[Any]) -> None:
        for name, fields in memory.vectors.items():
            space = self.spaces.get(name)
            if space is None:  # declared by the same commit
                space = next((one for one in values if isinstance(one, Space) and one.name == name), None)
            if space is None or any(len(vector) != space.dimension for vector in fields.values()):
                raise VaultTamperedError(_REFUSED)

    def _erase(self, numbers: Sequence[int], seq: int) -> None:
        if not numbers:
            return
        self.last_erase = seq
        affected, gone = set(), []
        for number in numbers:
            if number in self.missing:
                self.missing.discard(number)
                continue
            row = self.catalogue.erase(number)
            if row is None:
                if self.catalogue.erase_space(number):
                    self.spaces = self.catalogue.spaces()
                else:
                    self.catalogue.erase_item(number)
                continue
            gone.append(number)
            self.columns.set(number, ERASED, True)
            affected |= self._touched_by(row)
            if row.current:
                self._promote(row)
        if gone:
            for vectors in self.vectors.values():
                vectors.erase(gone)
        self.settle(affected)

    def _promote(self, erased: Row) -> None:
        """Of the versions that are left, the newest holds again."""
        left = self.catalogue.versions(erased.id, erased.namespace)
        if left:
            self.catalogue.update(left[-1].address, current=1)
            self.columns.set(left[-1].address, CURRENT, True)

    def _put(self, commit: Commit, kinds: dict[int, int], values: Sequence[Any]) -> None:
        memories: list[Memory] = []
        digests: list[bytes] = []
        items: list[tuple[Item, bytes]] = []
        for n, value in enumerate(values):
            address, digest = Address(commit.seq, n), commit.hashes[n]
            if value is None:
                self.missing.add(address.number)
            elif kinds[n] == MEMORY:
                memories.append(value)
                digests.append(digest)
            elif kinds[n] == ITEM:
                items.append((value, digest))
            else:
                self.catalogue.put_space(value, address.number, digest)
                self.spaces[value.name] = value
        if items:
            self.catalogue.put_items([item for item, _ in items], [digest for _, digest in items])
        if memories:
            self._put_memories(memories, digests)

    def _put_memories(self, memories: list[Memory], digests: list[bytes]) -> None:
        affected = set()
        known = self.catalogue.currents([memory.id for memory in memories])
        for memory in memories if known else ():
            number = self.catalogue.known_namespace(memory.namespace)
            before = None if number is None else known.pop((number, memory.id), None)
            if before is not None:
                self.catalogue.retire(before.address)
                self.columns.set(before.address, CURRENT, False)
                affected |= self._touched_by(before)
        rows = self.catalogue.insert(memories, digests)
        self.columns.append([(row.address, row.namespace, _flags(row), row.expires, row.updated) for row in rows])
        self._put_vectors(memories)
        for row in rows:
            if row.subject is not None or row.supersedes is not None:
                affected |= self._touched_by(row)
        # A memory that arrives late may be superseded by one that named its id before it was there.
        if self.catalogue.any_supersedes():
            affected |= {_key(row) for row in rows if self.catalogue.superseding(row.id, row.namespace)}
        self.settle(affected)

    def _put_vectors(self, memories: Sequence[Memory]) -> None:
        owners: dict[str, list[int]] = defaultdict(list)
        fields: dict[str, list[str]] = defaultdict(list)
        rows: dict[str, list[Any]] = defaultdict(list)
        for memory in memories:
            for space, by_field in memory.vectors.items():
                for name, vector in by_field.items():
                    owners[space].append(memory.address.number)
                    fields[space].append(name)
                    rows[space].append(vector)
        for space, found in rows.items():
            if space not in self.vectors:
                self.vectors[space] = Vectors(self.spaces[space].dimension)
            self.vectors[space].append(owners[space], fields[space], np.stack(found))

    def _note(self, op: Touch | Mark) -> None:
        row = self.catalogue.row(op.at.number)
        if row is None:
            return  # erased meanwhile: nothing to note
        number = row.address
        if isinstance(op, Mark):
            if op.archived is not None:
                self.catalogue.update(number, archived=int(op.archived))
                self.columns.set(number, ARCHIVED, op.archived)
                self.settle(self._touched_by(row))
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

    def _touched_by(self, row: Row) -> set[tuple[int, str, str | None, str | None]]:
        """Whose supersession a change of this row may alter."""
        affected = {_key(row)}
        for id_ in self.catalogue.listed(row.supersedes):
            affected.add((row.namespace, id_, None, None))
        return affected

    @staticmethod
    def mismatch(space: Space, dimension: int) -> None:
        """Refuse a vector of another dimension than its space's."""
        if space.dimension != dimension:
            raise EmbedderMismatchError(
                f"the space {space.name!r} has {space.dimension} dimensions and this vector has {dimension}; "
                "use the embedder of that space, or another space"
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
                f"the space {name!r} was made by another embedder; open the vault with that one, or use another space"
            )
        return True


def since(row: Row) -> tuple[int, int, int]:
    """Since when a fact holds, for deciding which of two is newer: valid from, else event, else when it was learned."""
    begin = next(moment for moment in (row.valid_from, row.event, row.created) if moment is not None)
    return begin, row.created, row.address


def _key(row: Row) -> tuple[int, str, str | None, str | None]:
    return row.namespace, row.id, row.subject, row.attribute


def _flags(row: Row) -> int:
    return (
        (CURRENT if row.current else 0) | (ARCHIVED if row.archived else 0) | (SEARCHED if row.text is not None else 0)
    )


_KINDS: dict[int, Any] = {MEMORY: Memory, ITEM: Item, SPACE: Space}
