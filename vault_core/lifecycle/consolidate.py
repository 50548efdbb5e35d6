"""Consolidating: what atoms say together, as composites and affinities. Values in, values out; no model is asked.

Rules (DESIGN §2 and §6, docs/adr/0011-tiers.md):
- A COMPOSITE says briefly what at least three similar atoms of one type say. Its text is taken from theirs.
- An AFFINITY is what recurs on at least three days, whatever the types: atoms that share two words, or say little but
  one. Its text has the words they share, the atom nearest to all of them, how often, from when to when, and on which
  weekday if it is mostly one.
- What is put together has one namespace, source, sensitivity and data class, and either all of it is trusted or none:
  nobody's words become another's, nothing secret becomes less so, and no summary is trusted more than its atoms. It
  lives no longer than the first of them. What is untrusted is not put together at all.
- A group that has grown or shrunk keeps the id of the memory that named most of its atoms; a new one's id is made from
  its tier, its namespace and its atoms. So the same atoms give the same memories, and running twice changes nothing.
- Only what was made here is changed or erased here; it is known by its tier and by how its id begins.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from hashlib import sha256
from itertools import count
from typing import Any, Protocol

from vault_core.index.english import stem
from vault_core.index.tokens import words
from vault_core.lifecycle.groups import ENOUGH, Weights, centrality, groups, likeness, weights
from vault_core.memory import Namespace
from vault_core.memory.model import AFFINITY, COMPOSITE
from vault_core.memory.trust import USER

LEAST = 3  # atoms of a composite, and days of an affinity: twice may be chance
MOST = 10_000  # atoms named: with ids of 24 letters a quarter of what metadata may hold
LEAST_SHARED = 2  # words of an affinity's atoms: one alone is a way of speaking …
LIKE = 0.25  # … unless the atoms say little else: the mean cosine between two of them
QUOTED = 5  # atoms that a composite quotes
EXCERPT = 160  # characters of each: a sentence or two
CORE = 6  # words that an affinity begins with
_MOSTLY = 2 / 3  # of the days: on one weekday
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_HASH = 12  # bytes of an id's hash


class Summariser(Protocol):
    """Says in one text what several say; anything callable, such as a function that asks a language model."""

    def __call__(self, texts: Sequence[str], /) -> str:
        """The summary of at least three texts, which are in order of time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Atom:
    """What consolidating needs to know of an atom."""

    id: str
    text: str
    memory_type: str
    moment: datetime  # when it happened, else when it was learned
    content_hash: bytes = b""
    expires: datetime | None = None
    source: str | None = None
    sensitivity: str | None = None
    data_class: str | None = None
    origin: str = USER  # or AGENT, for what nobody has vouched for


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A composite or affinity, as it is to be stored or as it is there. `atoms` are ids, in order of time."""

    id: str
    tier: str
    text: str = field(repr=False)
    memory_type: str
    atoms: tuple[str, ...]
    first: date
    last: date
    days: int
    expires: datetime | None = None
    source: str | None = None
    sensitivity: str | None = None
    data_class: str | None = None
    origin: str = USER
    summarised: str | None = None  # a hash of what a summariser was given; None for a text of our own

    @property
    def metadata(self) -> dict[str, Any]:
        """What the memory says of itself."""
        said = {
            "atoms": list(self.atoms),
            "count": len(self.atoms),
            "days": self.days,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
        }
        return said if self.summarised is None else {**said, "summarised": self.summarised}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What consolidating a namespace comes to."""

    made: Sequence[Summary] = ()
    updated: Sequence[Summary] = ()
    stale: Sequence[str] = ()  # ids of what no atoms stand for any more
    unchanged: Sequence[str] = ()


def tier_of(id: str) -> str | None:
    """The tier that an id made here begins with; None if it was not made here."""
    return next((tier for tier in (COMPOSITE, AFFINITY) if id.startswith(_begin(tier))), None)


def consolidated(
    atoms: Sequence[Atom], there: Sequence[Summary], namespace: Namespace, summarise: Summariser | None = None
) -> Changes:
    """What to write and erase in a namespace, so that it has the composites and affinities of its atoms.

    `there` are those that it has. `summarise` gives the texts of composites whose atoms it has not seen as they are.
    """
    ordered = sorted(atoms, key=lambda atom: (atom.moment, atom.id))
    found = [
        *_summaries(ordered, COMPOSITE, lambda atom: (atom.memory_type, *_alike(atom))),
        *_summaries(ordered, AFFINITY, _alike),
    ]
    known = {one.id: one for one in there}
    named = _identified(found, there, namespace)
    texts = {atom.id: atom for atom in ordered}
    final = [_worded(one, known.get(one.id), texts, summarise) for one in named]
    return Changes(
        made=[one for one in final if one.id not in known],
        updated=[one for one in final if one.id in known and known[one.id] != one],
        stale=sorted(known.keys() - {one.id for one in final}),
        unchanged=[one.id for one in final if known.get(one.id) == one],
    )


def _alike(atom: Atom) -> tuple[Hashable, ...]:
    return atom.source, atom.sensitivity, atom.data_class, atom.origin


def _summaries(atoms: Sequence[Atom], tier: str, kind: Callable[[Atom], Hashable]) -> list[Summary]:
    kinds: dict[Hashable, list[Atom]] = defaultdict(list)
    for atom in atoms:
        kinds[kind(atom)].append(atom)
    found = []
    for some in kinds.values():
        weighted = weights([atom.text for atom in some])
        for places in groups(weighted):
            group, heavy = [some[at] for at in places], [weighted[at] for at in places]
            days = {atom.moment.date() for atom in group}
            if _is_pattern(heavy, days) if tier == AFFINITY else len(group) >= LEAST:
                found.append(_summary(tier, group[-MOST:], heavy[-MOST:], days))
    return found


def _is_pattern(weighted: Sequence[Weights], days: set[date]) -> bool:
    return len(days) >= LEAST and (len(_shared(weighted)) >= LEAST_SHARED or likeness(weighted) >= LIKE)


def _summary(tier: str, group: Sequence[Atom], weighted: Sequence[Weights], days: set[date]) -> Summary:
    nearest = centrality(weighted)
    by_nearness = sorted(range(len(group)), key=lambda at: (-nearest[at], at))
    first, last = min(days), max(days)
    if tier == AFFINITY:
        text = _pattern(group, weighted, group[by_nearness[0]], days)
    else:
        text = _digest(group, sorted(by_nearness[:QUOTED]), first, last)
    types = Counter(atom.memory_type for atom in group)
    return Summary(
        id="",
        tier=tier,
        text=text,
        memory_type=max(sorted(types), key=lambda name: types[name]),
        atoms=tuple(atom.id for atom in group),
        first=first,
        last=last,
        days=len(days),
        expires=min((atom.expires for atom in group if atom.expires is not None), default=None),
        source=group[0].source,
        sensitivity=group[0].sensitivity,
        data_class=group[0].data_class,
        origin=group[0].origin,
    )


def _pattern(group: Sequence[Atom], weighted: Sequence[Weights], central: Atom, days: set[date]) -> str:
    """Such as "Usually on Fridays: pizza, film. Pizza at home and a film (5 times, 2025-01-17 to 2025-05-09)"."""
    weekdays = Counter(day.weekday() for day in days)
    weekday, often = min(weekdays.items(), key=lambda one: (-one[1], one[0]))
    when = f" on {_WEEKDAYS[weekday]}" if often >= max(LEAST, _MOSTLY * len(days)) else ""
    core = ", ".join(_core(group, weighted))
    begin = f"Usually{when}: {core}. " if core else f"Usually{when}: "
    return f"{begin}{_excerpt(central.text)} ({len(group)} times, {min(days)} to {max(days)})"


def _core(group: Sequence[Atom], weighted: Sequence[Weights]) -> list[str]:
    """The words that at least half of the atoms share, weightiest first, in the form they mostly have."""
    total: Weights = defaultdict(float)
    for text in weighted:
        for one, weight in text.items():
            total[one] += weight
    shared = sorted(_shared(weighted), key=lambda one: (-total[one], one))[:CORE]
    forms: dict[str, Counter[str]] = {one: Counter() for one in shared}
    for atom in group:
        for word in words(atom.text[:ENOUGH]):
            if (one := stem(word)) in forms:
                forms[one][word] += 1
    return [min(forms[one], key=lambda word: (-forms[one][word], word)) for one in shared]


def _shared(weighted: Sequence[Weights]) -> list[str]:
    """The stems that at least half of the atoms have."""
    having = Counter(one for text in weighted for one in text)
    return [one for one, number in having.items() if 2 * number >= len(weighted)]


def _digest(group: Sequence[Atom], quoted: Sequence[int], first: date, last: date) -> str:
    """Such as "3 memories, 2025-01-17 to 2025-05-09: Pizza at home. · Film and pizza." for what they quote."""
    span = f"{first}" if first == last else f"{first} to {last}"
    said = dict.fromkeys(_excerpt(group[at].text) for at in quoted)
    more = " · …" if len(group) > len(quoted) else ""
    return f"{len(group)} memories, {span}: {' · '.join(said)}{more}"


def _excerpt(text: str) -> str:
    """The beginning of a text, on one line, ending with a word."""
    line = " ".join(text[: 4 * EXCERPT].split())
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT].rsplit(' ', 1)[0]} …"


def _identified(found: Sequence[Summary], there: Sequence[Summary], namespace: Namespace) -> list[Summary]:
    """With ids: of the memory that names most of the same atoms, each taken once; else new ones."""
    homes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, one in enumerate(there):
        for atom in one.atoms:
            homes[one.tier, atom].append(place)
    shared = Counter(
        (at, place) for at, one in enumerate(found) for atom in one.atoms for place in homes[one.tier, atom]
    )
    ids, taken = dict[int, str](), set[str]()
    for (at, place), _ in sorted(shared.items(), key=lambda pair: (-pair[1], there[pair[0][1]].id, pair[0][0])):
        if at not in ids and there[place].id not in taken:
            ids[at] = there[place].id
            taken.add(ids[at])
    for at, one in enumerate(found):
        if at not in ids:
            ids[at] = next(id_ for id_ in (_id(one, namespace, salt) for salt in count()) if id_ not in taken)
            taken.add(ids[at])
    return [replace(one, id=ids[at]) for at, one in enumerate(found)]


def _begin(tier: str) -> str:
    return f"{tier.lower()}-"


def _id(one: Summary, namespace: Namespace, salt: int) -> str:
    """Salt only where the id that the atoms give is in use: by a memory that began with them and has others now."""
    parts = [one.tier, *namespace, "", *sorted(one.atoms), *([""] * salt)]
    return _begin(one.tier) + sha256("\0".join(parts).encode()).digest()[:_HASH].hex()


def _worded(one: Summary, before: Summary | None, atoms: Mapping[str, Atom], summarise: Summariser | None) -> Summary:
    """With a summariser's text, where there is one: asked for if the atoms are not those of the text that is there."""
    if one.tier != COMPOSITE:
        return one
    seen = sha256(b"".join(sha256(id_.encode()).digest() + atoms[id_].content_hash for id_ in one.atoms)).hexdigest()
    if before is not None and before.summarised == seen:
        return replace(one, text=before.text, summarised=seen)
    if summarise is None:
        return one
    return replace(one, text=summarise([atoms[id_].text for id_ in one.atoms]), summarised=seen)
