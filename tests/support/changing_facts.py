"""Facts that change, and in plain Python what is true of them: the judge of supersession, which knows no index.

A fact's value is written once or more (versions of an id), in a slot or outside of one. `Facts` makes them at random;
`Truth` says, from what was written alone, what is current, what was believed at a time, and what belongs together.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

START = datetime(2020, 1, 1, tzinfo=UTC)
SLOTS, MOST = 210, 6
Slot = tuple[str, str]


def day(number: float) -> datetime:
    """A time, counted in days."""
    return START + timedelta(days=number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One version of one memory; times in days."""

    id: str
    text: str
    learned: float
    slot: Slot | None = None
    valid_from: float | None = None
    valid_to: float | None = None
    supersedes: tuple[str, ...] = ()

    def begun(self, time: float) -> bool:
        """Whether it holds by then."""
        return self.valid_from is None or self.valid_from <= time


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Archive a memory that the same writer has written, or bring it back."""

    id: str
    undo: bool = False


@dataclass(slots=True)
class Facts:
    """Work for several writers. No two values are learned at the same moment, and each id has one writer."""

    seed: int
    writers: int = 3
    work: list[list[Value | Archive]] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = Random(self.seed)
        self.work = [[] for _ in range(self.writers)]
        values = sum(1 + number % MOST for number in range(SLOTS)) * 3
        moments = iter(chance.sample(range(1, 20 * 2_000), values))  # twentieths of a day, in no order
        plans = [self._slot(number, moments, chance) for number in range(SLOTS)]
        jobs = [job for plan in plans for job in plan]
        chance.shuffle(jobs)  # arrival has nothing to do with what is newer
        for job in jobs:
            self.work[chance.randrange(self.writers)] += job

    def _slot(self, number: int, moments: Iterable[int], chance: Random) -> list[list[Value | Archive]]:
        slot = (f"person{number}", "home city")
        ids = [f"{number}-{which}" for which in range(1 + number % MOST)]
        return [self._value(id_, slot, ids, iter(moments), chance) for id_ in ids]

    def _value(
        self, id_: str, slot: Slot, ids: Sequence[str], moments: Iterable[int], chance: Random
    ) -> list[Value | Archive]:
        learned = next(iter(moments)) / 20
        begin = None if chance.random() < 0.3 else chance.randrange(0, 3_500) + chance.random()
        ends = begin is not None and chance.random() < 0.2
        others = [one for one in ids if one != id_]
        value = Value(
            id=id_,
            text=f"{slot[0]} lives in town {id_}",
            learned=learned,
            slot=slot if chance.random() < 0.97 else None,
            valid_from=begin,
            valid_to=begin + chance.randrange(1, 900) if ends and begin is not None else None,
            supersedes=(chance.choice(others),) if others and chance.random() < 0.06 else (),
        )
        job: list[Value | Archive] = [value]
        if chance.random() < 0.15:  # said again, otherwise or with nothing new
            again = replace(value, learned=learned + chance.randrange(1, 900) + 0.01 + chance.random() / 100)
            job.append(replace(again, text=again.text + ", at the lake") if chance.random() < 0.7 else again)
        if chance.random() < 0.08:
            job.append(Archive(id=id_))
            job += [Archive(id=id_, undo=True)] if chance.random() < 0.3 else []
        return job


class Truth:
    """What is true of everything that was written, in whichever order it came."""

    def __init__(self, work: Iterable[Value | Archive]) -> None:
        self.versions: dict[str, list[Value]] = defaultdict(list)
        self.archived: set[str] = set()
        for one in work:
            if isinstance(one, Value):
                self.versions[one.id].append(one)
            elif one.undo:
                self.archived.discard(one.id)
            else:
                self.archived.add(one.id)

    def as_of(self, time: float) -> dict[str, str]:
        """What was believed then and true then, by id."""
        believed = self._believed(time)
        begun = [one for one in believed if one.begun(time)]
        holding = self._holding(believed, begun)
        return {one.id: one.text for one in holding if one.valid_to is None or one.valid_to > time}

    def current(self, now: float) -> dict[str, str]:
        """What holds: the newest of each slot, and until that begins the one before it."""
        believed = self._believed(now)
        newest = self._holding(believed, believed)
        present = self._holding(believed, [one for one in believed if one.begun(now)])
        return {one.id: one.text for one in (*newest, *present)}

    def everything(self, now: float) -> dict[str, str]:
        """With what is superseded."""
        return {one.id: one.text for one in self._believed(now)}

    def above(self, value: Value, now: float) -> tuple[str, ...]:
        """Whose values are newer than one."""
        return tuple(
            one.id for one in self._believed(now) if one.slot == value.slot and self._since(one) > self._since(value)
        )

    def line(self, id_: str) -> list[tuple[str, str]]:
        """All that was ever said in its slot, and by what names or is named by it: (id, text) as it was learned."""
        seen, todo = set(), [id_]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += [other for other in self.versions if self._related(one, other)]
        values = sorted((value for one in seen for value in self.versions[one]), key=lambda value: value.learned)
        return [(value.id, value.text) for value in values]

    def _related(self, one: str, other: str) -> bool:
        slots = {value.slot for value in self.versions[one]} & {value.slot for value in self.versions[other]}
        named = {id_ for value in self.versions[one] for id_ in value.supersedes}
        naming = {id_ for value in self.versions[other] for id_ in value.supersedes}
        return bool(slots - {None}) or other in named or one in naming

    def _believed(self, time: float) -> list[Value]:
        known = [[value for value in each if value.learned <= time] for each in self.versions.values()]
        return [each[-1] for each in known if each and each[-1].id not in self.archived]

    def _holding(self, believed: list[Value], candidates: list[Value]) -> list[Value]:
        standing = [one for one in candidates if not any(self._names(other, one) for other in believed)]
        newest: dict[Slot, Value] = {}
        for one in standing:
            if one.slot is not None and (one.slot not in newest or self._since(one) > self._since(newest[one.slot])):
                newest[one.slot] = one
        return [one for one in standing if one.slot is None or newest[one.slot] is one]

    def _names(self, namer: Value, named: Value) -> bool:
        if namer.id == named.id or named.id not in namer.supersedes:
            return False
        if namer.id in named.supersedes and self._written(named) > self._written(namer):
            return False
        return not (self.versions[named.id][0].learned <= namer.learned < self._said_since(named))

    def _written(self, value: Value) -> float:
        """Of two that name each other the tests write the later one later by the clock as well."""
        return value.learned

    def _since(self, value: Value) -> tuple[float, float]:
        said = self._said_since(value)
        return (said if value.valid_from is None else value.valid_from), said

    def _said_since(self, value: Value) -> float:
        said = value.learned
        for earlier in reversed([one for one in self.versions[value.id] if one.learned < value.learned]):
            if earlier.text != value.text:
                break
            said = earlier.learned
        return said
