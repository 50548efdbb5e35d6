"""Supersession: which memories are hidden because something newer holds.

Rules (docs/lifecycle.md):
- In a slot the newest value holds: the one that is true from later on, whichever was stored first. A value begins at
  `valid_from`, else at `event_time`, else when it was learned, which is when its memory began to say so.
- `supersedes=[ids]` hides what these memories say, and in a slot what was hidden by them comes back. One that says
  something else later counts again, until it is named anew. Of two that name each other the later one holds, and in a
  circle of several the earliest of its statements doesn't count. Later is what was written later, by its own time: an
  import brings memories in another order.
- What is archived supersedes nothing, and what is untrusted only what is untrusted too (vault_core.memory.trust).
- A value that begins later than now leaves the present one where it is until then.
- At an earlier time `t` the same rules hold for what was known and begun at `t`. A value that has ended by then is not
  true any more, and brings nothing older back.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol

from vault_core.index.catalogue import Catalogue, Row
from vault_core.index.columns import SUPERSEDED, Columns
from vault_core.memory.trust import UNTRUSTED

Key = tuple[int, str]  # namespace, id
Slot = tuple[int, str, str]  # namespace, subject, attribute
Judge = Callable[[list[Row]], list[bool]]
_CIRCLE = 256  # statements looked at for a circle: bounds what a file of memories that all name each other costs


@dataclass(slots=True)
class Affected:
    """The memories and slots that a change may alter, and the memories that it may turn a circle with."""

    keys: set[Key] = field(default_factory=set)
    slots: set[Slot] = field(default_factory=set)
    turned: set[Key] = field(default_factory=set)

    def add(self, other: "Affected") -> None:
        """Those of another change too."""
        self.keys |= other.keys
        self.slots |= other.slots
        self.turned |= other.turned


class _Versions(Protocol):
    """Which version of each memory counted at the time that is asked about."""

    def counting(self, rows: list[Row]) -> list[Row]:
        """Those of some versions that did."""

    def version(self, key: Key) -> Row | None:
        """The one of a memory."""


class Supersession:
    """Who supersedes whom in one box. A function of the rows that are there: order of arrival does not matter."""

    def __init__(self, catalogue: Catalogue, columns: Columns) -> None:
        self._catalogue, self._columns = catalogue, columns
        self._namers: dict[Key, set[int]] = defaultdict(set)  # versions that name a memory, by whom they name
        self._coming: dict[int, tuple[Slot, int]] = {}  # versions that were learned before they begin, and when they do
        for row in catalogue.naming_or_coming():
            self.add(row)

    def add(self, row: Row) -> None:
        """Take note of a version."""
        for id_ in self._catalogue.listed(row.supersedes):
            self._namers[row.namespace, id_].add(row.address)
        slot, begin = slot_of(row), _begin(row)
        if slot is not None and begin is not None and begin > row.updated:
            self._coming[row.address] = slot, begin

    def erase(self, row: Row) -> None:
        """Forget a version."""
        self._coming.pop(row.address, None)
        for id_ in self._catalogue.listed(row.supersedes):
            self._namers[row.namespace, id_].discard(row.address)
            if not self._namers[row.namespace, id_]:
                del self._namers[row.namespace, id_]

    def affected_by(self, row: Row) -> Affected:
        """What a change of this version may alter."""
        named = {(row.namespace, id_) for id_ in self._catalogue.listed(row.supersedes)}
        key, slot = (row.namespace, row.id), slot_of(row)
        return Affected(
            keys={key, *named},
            slots=set() if slot is None else {slot},
            turned=named if key in self._namers else set(),
        )

    def only_grows(self, row: Row) -> Slot | None:
        """The slot that a new memory joins, if that is all it does: it names nobody."""
        return None if row.supersedes is not None else slot_of(row)

    def concerns(self, row: Row) -> bool:
        """Whether a version can supersede, or be superseded."""
        return row.subject is not None or row.supersedes is not None or (row.namespace, row.id) in self._namers

    def settle(self, affected: Affected, grown: Collection[Slot] = ()) -> None:
        """Work out anew who is superseded, among these memories and in these slots.

        `grown` are slots in which memories that name nobody were added and nothing else happened. Who is superseded
        there stays so, and no value of them can be the newest: only what stands is compared, however long the history.
        """
        slots, now = set(affected.slots), _Now(self._catalogue)
        for namespace, id_ in affected.keys | self._below(affected.turned):
            row = self._catalogue.current(id_, namespace)
            if row is None:
                continue
            slot = slot_of(row)
            if slot is None:
                self._note(row, superseded=self._named(row, now) is not None)
            else:
                slots.add(slot)
        for slot in {*slots, *grown}:
            group = self._catalogue.in_slot(*slot, standing=slot not in slots)
            for row, by in self._judged(group, now):
                self._note(row, superseded=by is not None)

    def present(self, now: int) -> list[int]:
        """The versions that hold still, because what supersedes them has not begun, by address."""
        slots = {slot for address, (slot, begin) in self._coming.items() if begin > now and self._holds(address)}
        held = []
        for slot in slots:
            group = [row for row in self._catalogue.in_slot(*slot) if _begun(row, now)]
            held += [row.address for row, by in self._judged(group, _Now(self._catalogue)) if by is None]
        return held

    def at(self, moment: int, *, superseded: bool, archived: bool) -> Judge:
        """Tells which of some versions were what was believed, and true, at a time.

        It keeps what it has worked out: good for as long as nothing is written.
        """
        then = _Then(self._catalogue, moment)
        hidden: dict[Slot, set[int]] = {}

        def superseded_then(row: Row) -> bool:
            slot = slot_of(row)
            if slot is None:
                return self._named(row, then) is not None
            if slot not in hidden:
                values = then.counting(self._catalogue.in_slot(*slot, versions=True))
                judged = self._judged([one for one in values if _begun(one, moment)], then)
                hidden[slot] = {one.address for one, by in judged if by is not None}
            return row.address in hidden[slot]

        def judge(rows: list[Row]) -> list[bool]:
            return [
                true_at(row, moment)
                and bool(then.counting([row]))
                and (archived or not self._hidden(row))
                and (superseded or not superseded_then(row))
                for row in rows
            ]

        return judge

    def above(self, row: Row, now: int) -> list[Row]:
        """What stands in the way of a version being the one that holds. What is yet to begin is in nobody's way."""
        found = self._over(row, _Now(self._catalogue))
        slot = slot_of(row)
        if slot is not None:
            mine = self._since(row)
            found += [
                one
                for one in self._catalogue.in_slot(*slot)
                if not one.archived and _may(one, row) and self._since(one) > mine
                if _begun(one, now) or not _begun(row, now)
            ]
        return [one for one in {one.address: one for one in found}.values() if one.id != row.id]

    def answered(self, row: Row) -> set[str]:
        """The ids that a version names in vain: they have answered, by naming it later or saying something else."""
        now, answered = _Now(self._catalogue), set[str]()
        for id_ in self._catalogue.listed(row.supersedes):
            named = now.version((row.namespace, id_))
            over = [] if named is None else [one.address for one in self._over(named, now)]
            if named is not None and self._may_name(row, named) and row.address not in over:
                answered.add(id_)
        return answered

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

    def _below(self, keys: set[Key]) -> set[Key]:
        """These memories, and all that they hide one through the other."""
        found, todo = set[Key](), list(keys)
        while todo:
            key = todo.pop()
            if key not in found:
                found.add(key)
                row = self._catalogue.current(key[1], key[0])
                todo += [] if row is None else [(key[0], id_) for id_ in self._catalogue.listed(row.supersedes)]
        return found

    def _judged(self, group: list[Row], versions: _Versions) -> list[tuple[Row, Row | None]]:
        """Every value of a slot with what supersedes it."""
        named = {row.address: self._named(row, versions) for row in group}
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

    def _named(self, row: Row, versions: _Versions) -> Row | None:
        """The last that names this memory as superseded."""
        return max(self._over(row, versions), key=_written, default=None)

    def _over(self, row: Row, versions: _Versions) -> list[Row]:
        """What names this memory as superseded, and has had no answer."""
        found = [one for one in self._naming(row, versions) if not self._says_else(row, one)]
        if not found or row.supersedes is None or _written(row) < min(map(_written, found)):
            return found
        ways = self._ways(row, versions)
        return [one for one in found if ways.get((one.namespace, one.id), (0, 0)) <= _written(one)]

    def _naming(self, row: Row, versions: _Versions) -> list[Row]:
        addresses = self._namers.get((row.namespace, row.id), ())
        found = list(self._catalogue.rows(addresses).values()) if addresses else []
        return [one for one in versions.counting(found) if self._may_name(one, row)]

    def _may_name(self, namer: Row, row: Row) -> bool:
        return namer.id != row.id and not self._archived(namer) and _may(namer, row)

    def _says_else(self, row: Row, namer: Row) -> bool:
        """Whether a memory that was named has said something else since."""
        return row.created <= namer.updated < self._learned(row)[0]

    def _ways(self, row: Row, versions: _Versions) -> dict[Key, tuple[int, int]]:
        """What a memory hides, itself or through others: when the earliest statement on the latest way there was made.

        Whoever names the memory, earlier than that, has closed a circle that is open there.
        """
        ways: dict[Key, tuple[int, int]] = {}
        todo, steps = [(_reversed(_written(row)), row)], 0
        while todo and steps < _CIRCLE:
            since, one = heappop(todo)
            key = (one.namespace, one.id)
            if key in ways:
                continue
            ways[key] = _reversed(since)
            for id_ in self._catalogue.listed(one.supersedes):
                steps += 1
                named = versions.version((one.namespace, id_))
                if named is not None and self._may_name(one, named) and not self._says_else(named, one):
                    heappush(todo, (max(since, _reversed(_written(one))), named))
        return ways

    def _since(self, row: Row) -> tuple[int, int, int]:
        """Since when a fact holds, for deciding which of two is newer."""
        learned, address = self._learned(row)
        begin = next(moment for moment in (row.valid_from, row.event, learned) if moment is not None)
        return begin, learned, address

    def _learned(self, row: Row) -> tuple[int, int]:
        """When and where the memory began to say this: other tags or another importance don't make a fact newer."""
        return (row.updated, row.address) if row.updated == row.created else self._catalogue.said_since(row)

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

    def _holds(self, address: int) -> bool:
        row = self._catalogue.row(address)
        return row is not None and bool(row.current) and not row.archived


class _Now:
    """The versions that hold."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def counting(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row.current]

    def version(self, key: Key) -> Row | None:
        return self._catalogue.current(key[1], key[0])


class _Then:
    """The versions that were their memories' last at a time. Asks for each memory once, however many it has."""

    def __init__(self, catalogue: Catalogue, moment: int) -> None:
        self._catalogue, self._moment = catalogue, moment
        self._last: dict[Key, int | None] = {}

    def counting(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row.updated <= self._moment and (row.current or self._was_last(row))]

    def version(self, key: Key) -> Row | None:
        address = self._address((key[0], key[1]))
        return None if address is None else self._catalogue.row(address)

    def _was_last(self, row: Row) -> bool:
        return self._address((row.namespace, row.id)) == row.address

    def _address(self, key: Key) -> int | None:
        if key not in self._last:
            self._last[key] = self._catalogue.last_before(key[1], key[0], self._moment)
        return self._last[key]


def slot_of(row: Row) -> Slot | None:
    """The slot of a version, if it is a fact of one."""
    if row.subject is None or row.attribute is None:
        return None
    return row.namespace, row.subject, row.attribute


def _may(newer: Row, older: Row) -> bool:
    """Whether one is trusted enough to supersede the other."""
    return newer.trust != UNTRUSTED or older.trust == UNTRUSTED


def true_at(row: Row, moment: int) -> bool:
    """Whether what a version says has begun by then and not ended."""
    return _begun(row, moment) and (row.valid_to is None or row.valid_to > moment)


def _begin(row: Row) -> int | None:
    """When a version begins to be true, if that is not when it was learned; what happens on a day is no value."""
    return row.event if row.valid_from is None and slot_of(row) is not None else row.valid_from


def _begun(row: Row, moment: int) -> bool:
    begin = _begin(row)
    return begin is None or begin <= moment


def _written(row: Row) -> tuple[int, int]:
    """When a version was written, for deciding which of two came later."""
    return row.updated, row.address


def _reversed(moment: tuple[int, int]) -> tuple[int, int]:
    """So that a heap gives the latest first."""
    return -moment[0], -moment[1]
