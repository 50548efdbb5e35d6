"""Supersession: which memories are hidden because something newer holds.

Rules (docs/lifecycle.md):
- In a slot the newest value holds: the one that is true from later on, whichever was stored first. A value begins at
  `valid_from`, else at `event_time`, else when it was learned, which is when its memory began to say so.
- `supersedes=[ids]` hides what these memories say, and in a slot what was hidden by them comes back. One that says
  something else later counts again, until it is named anew. Of two that name each other the later one holds.
- What is archived supersedes nothing, and what is untrusted only what is untrusted too (vault_core.memory.trust).
- A value that begins later than now leaves the present one where it is until then.
- At an earlier time `t` the same rules hold for what was known and begun at `t`. A value that has ended by then is not
  true any more, and brings nothing older back.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from vault_core.index.catalogue import Catalogue, Row
from vault_core.index.columns import SUPERSEDED, Columns
from vault_core.memory.trust import UNTRUSTED

Key = tuple[int, str]  # namespace, id
Slot = tuple[int, str, str]  # namespace, subject, attribute
Versions = Callable[[list[Row]], list[Row]]  # those of some versions that counted at the time that is asked about


class Supersession:
    """Who supersedes whom in one box. A function of the rows that are there: order of arrival does not matter."""

    def __init__(self, catalogue: Catalogue, columns: Columns) -> None:
        self._catalogue, self._columns = catalogue, columns
        self._namers: dict[Key, set[int]] = defaultdict(set)  # versions that name a memory, by whom they name
        self._coming: dict[int, Slot] = {}  # versions that were learned before they begin
        for row in catalogue.naming_or_coming():
            self.add(row)

    def add(self, row: Row) -> None:
        """Take note of a version."""
        for id_ in self._catalogue.listed(row.supersedes):
            self._namers[row.namespace, id_].add(row.address)
        slot = slot_of(row)
        if slot is not None and row.valid_from is not None and row.valid_from > row.updated:
            self._coming[row.address] = slot

    def erase(self, row: Row) -> None:
        """Forget a version."""
        self._coming.pop(row.address, None)
        for id_ in self._catalogue.listed(row.supersedes):
            self._namers[row.namespace, id_].discard(row.address)
            if not self._namers[row.namespace, id_]:
                del self._namers[row.namespace, id_]

    def affected_by(self, row: Row) -> tuple[set[Key], set[Slot]]:
        """Which memories and slots a change of this version may alter."""
        keys = {(row.namespace, id_) for id_ in (row.id, *self._catalogue.listed(row.supersedes))}
        slot = slot_of(row)
        return keys, set() if slot is None else {slot}

    def only_grows(self, row: Row) -> Slot | None:
        """The slot that a new memory joins, if that is all it does: it names nobody."""
        return None if row.supersedes is not None else slot_of(row)

    def concerns(self, row: Row) -> bool:
        """Whether a version can supersede, or be superseded."""
        return row.subject is not None or row.supersedes is not None or (row.namespace, row.id) in self._namers

    def settle(self, keys: Iterable[Key], slots: Iterable[Slot], grown: Collection[Slot] = ()) -> None:
        """Work out anew who is superseded, among these memories and in these slots.

        `grown` are slots in which memories that name nobody were added and nothing else happened. Who is superseded
        there stays so, and no value of them can be the newest: only what stands is compared, however long the history.
        """
        slots = set(slots)
        for namespace, id_ in keys:
            row = self._catalogue.current(id_, namespace)
            if row is None:
                continue
            slot = slot_of(row)
            if slot is None:
                self._note(row, superseded=self._named(row, _current) is not None)
            else:
                slots.add(slot)
        for slot in {*slots, *grown}:
            group = self._catalogue.in_slot(*slot, standing=slot not in slots)
            for row, by in self._judged(group, _current):
                self._note(row, superseded=by is not None)

    def present(self, now: int) -> list[int]:
        """The versions that hold still, because what supersedes them has not begun, by address."""
        slots = {self._coming[address] for address in self._coming if self._begins_after(address, now)}
        held = []
        for slot in slots:
            group = [row for row in self._catalogue.in_slot(*slot) if _begun(row, now)]
            held += [row.address for row, by in self._judged(group, _current) if by is None]
        return held

    def at(self, moment: int, rows: list[Row], *, superseded: bool, archived: bool) -> list[bool]:
        """Which of these versions were what was believed, and true, at a time."""
        believed = self._believed_at(moment)
        hidden: dict[Slot, set[int]] = {}

        def superseded_then(row: Row) -> bool:
            slot = slot_of(row)
            if slot is None:
                return self._named(row, believed) is not None
            if slot not in hidden:
                values = believed(self._catalogue.in_slot(*slot, versions=True))
                judged = self._judged([one for one in values if _begun(one, moment)], believed)
                hidden[slot] = {one.address for one, by in judged if by is not None}
            return row.address in hidden[slot]

        return [
            _begun(row, moment)
            and (row.valid_to is None or row.valid_to > moment)
            and bool(believed([row]))
            and (archived or not self._hidden(row))
            and (superseded or not superseded_then(row))
            for row in rows
        ]

    def above(self, row: Row) -> list[str]:
        """The ids of what stands in the way of a version being the one that holds."""
        found = [one for one in self._naming(row, _current) if not self._answered(row, one)]
        slot = slot_of(row)
        if slot is not None:
            mine = self._since(row)
            found += [
                one
                for one in self._catalogue.in_slot(*slot)
                if not one.archived and _may(one, row) and self._since(one) > mine
            ]
        return list(dict.fromkeys(one.id for one in found if one.id != row.id))

    def line(self, row: Row) -> list[Row]:
        """Every version of what one memory is about: its slot's values, what they name, and what names them."""
        seen: dict[Key, list[Row]] = {}
        slots: set[Slot] = set()
        todo = [(row.namespace, row.id)]
        while todo:
            key = todo.pop()
            if key in seen:
                continue
            seen[key] = versions = self._catalogue.versions(key[1], key[0])
            for one in versions:
                slot = slot_of(one)
                rivals: list[Row] = []
                if slot is not None and slot not in slots:
                    slots.add(slot)
                    rivals = self._catalogue.in_slot(*slot, versions=True)
                namers = self._catalogue.rows(self._namers.get(key, ())).values()
                todo += [(other.namespace, other.id) for other in (*rivals, *namers)]
                todo += [(one.namespace, id_) for id_ in self._catalogue.listed(one.supersedes)]
        return sorted(
            (one for versions in seen.values() for one in versions), key=lambda one: (one.updated, one.address)
        )

    def _note(self, row: Row, *, superseded: bool) -> None:
        if superseded != (row.superseded is not None):
            self._catalogue.update(row.address, superseded=1 if superseded else None)
            self._columns.set(row.address, SUPERSEDED, superseded)

    def _judged(self, group: list[Row], counting: Versions) -> list[tuple[Row, Row | None]]:
        """Every value of a slot with what supersedes it."""
        named = {row.address: self._named(row, counting) for row in group}
        standing = [row for row in group if named[row.address] is None and not self._archived(row)]
        since = {row.address: self._since(row) for row in group}
        top_of_all = max(standing, key=lambda row: since[row.address], default=None)
        believed = [row for row in standing if row.trust != UNTRUSTED]
        top_believed = max(believed, key=lambda row: since[row.address], default=None)
        out = []
        for row in group:
            top = top_of_all if row.trust == UNTRUSTED else top_believed
            beaten = top is not None and since[top.address] > since[row.address]
            out.append((row, named[row.address] or (top if beaten else None)))
        return out

    def _named(self, row: Row, counting: Versions) -> Row | None:
        """The last that names this memory as superseded."""
        return max((one for one in self._naming(row, counting) if not self._answered(row, one)), default=None)

    def _naming(self, row: Row, counting: Versions) -> list[Row]:
        addresses = self._namers.get((row.namespace, row.id), ())
        found = list(self._catalogue.rows(addresses).values()) if addresses else []
        return [one for one in counting(found) if one.id != row.id and not self._archived(one) and _may(one, row)]

    def _answered(self, row: Row, namer: Row) -> bool:
        """Whether a memory that was named has, later, named the one that names it, or said something else."""
        if row.address > namer.address and namer.id in self._catalogue.listed(row.supersedes):
            return True
        return row.created <= namer.updated < self._learned(row)

    def _since(self, row: Row) -> tuple[int, int, int]:
        """Since when a fact holds, for deciding which of two is newer."""
        learned = self._learned(row)
        begin = next(moment for moment in (row.valid_from, row.event, learned) if moment is not None)
        return begin, learned, row.address

    def _learned(self, row: Row) -> int:
        """When the memory began to say this: other tags or another importance don't make a fact newer."""
        if row.updated == row.created:
            return row.updated
        learned = row.updated
        for one in reversed(self._catalogue.versions(row.id, row.namespace)):
            if one.address < row.address:
                if one.content_hash != row.content_hash:
                    break
                learned = min(learned, one.updated)
        return learned

    def _archived(self, row: Row) -> bool:
        """Whether the memory is archived now: it counts then at no time."""
        if row.current:
            return bool(row.archived)
        now = self._catalogue.current(row.id, row.namespace)
        return bool(now is not None and now.archived)

    def _hidden(self, row: Row) -> bool:
        """Whether the memory is archived or a ghost now."""
        now = row if row.current else self._catalogue.current(row.id, row.namespace)
        return now is not None and (bool(now.archived) or now.ghost is not None)

    def _begins_after(self, address: int, now: int) -> bool:
        row = self._catalogue.row(address)
        return row is not None and bool(row.current) and not row.archived and not _begun(row, now)

    def _believed_at(self, moment: int) -> Versions:
        """Keeps of each memory the version that was its last at a time."""

        def believed(rows: list[Row]) -> list[Row]:
            return [row for row in rows if row.updated <= moment and (row.current or self._was_last(row, moment))]

        return believed

    def _was_last(self, row: Row, moment: int) -> bool:
        known = [one.address for one in self._catalogue.versions(row.id, row.namespace) if one.updated <= moment]
        return max(known) == row.address


def slot_of(row: Row) -> Slot | None:
    """The slot of a version, if it is a fact of one."""
    if row.subject is None or row.attribute is None:
        return None
    return row.namespace, row.subject, row.attribute


def _current(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.current]


def _may(newer: Row, older: Row) -> bool:
    """Whether one is trusted enough to supersede the other."""
    return newer.trust != UNTRUSTED or older.trust == UNTRUSTED


def _begun(row: Row, moment: int) -> bool:
    return row.valid_from is None or row.valid_from <= moment
