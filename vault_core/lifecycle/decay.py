"""Decay: how strong a memory still is, worked out when it is asked for; nothing in the background rewrites anything.

Rules:
- strength = 2^(−age / half-life), 1 for what is new and for what was confirmed just now, whatever came before. What is
  pinned stays at 1.
- age is the time since the memory was written or last confirmed. Half of the time that it went on being used since
  then doesn't count: use is weaker evidence than a confirmation.
- The half-life is that of the data class where it is known, else of the type. It is stretched by weight and by use.
- weight = 0.4·importance + 0.3·emotional intensity + 0.3·valence, not below 0: what is important, moving or pleasant
  stays. (The weights are those of the Unified Memory System, memory_dynamics.py; importance that is not given is 0.5.)
- A policy makes ghosts of the weakest: they are out of every answer, and come back when they are confirmed, said again
  or pinned. After their time `expire` erases them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from vault_core.errors import InvalidInputError
from vault_core.memory import Memory
from vault_core.memory.arguments import check_number, check_place
from vault_core.memory.times import to_micros
from vault_core.retrieval.tiers import HALF_LIVES as CLASSES

IMPORTANCE, INTENSITY, VALENCE = 0.4, 0.3, 0.3
USUAL = 0.5  # importance of what nobody has weighed
SHORTEST = 0.5  # a weightless memory's half-life, as a part of its type's
TYPES: Mapping[str, float] = {  # half-lives by memory type, days
    "WORKING": 1.0,
    "EPISODIC": 90.0,
    "SEMANTIC": 365.0,
    "PROCEDURAL": 730.0,
    "PERSONA": 1095.0,
}
OTHER = 180.0  # of any other type
_DAY = 86_400_000_000  # microseconds
_MOST_DAYS = 36_500


class Facts(NamedTuple):
    """What strength is made of. Times in microseconds; None where nothing is known."""

    type: str
    data_class: str | None
    importance: float | None
    intensity: float | None
    valence: float | None
    updated: int
    refreshed: int | None
    uses: int
    used: int | None
    pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetPolicy:
    """Which memories may be forgotten because they have grown weak.

    Those of less strength than `below`, weakest first; but at least `min_total` memories and at least the part
    `retain_fraction` of all are kept. Ghosts are counted among all until they are erased, so that doing it twice takes
    no more than once. Pinned ones, composites and affinities are never chosen. For `ghost_days` they can be brought
    back; with 0 they are erased at once.
    """

    below: float = 0.05
    min_total: int = 1_000
    retain_fraction: float = 0.8
    ghost_days: float = 30.0

    def __post_init__(self) -> None:
        for name, most in (("below", 1.0), ("retain_fraction", 1.0), ("ghost_days", _MOST_DAYS)):
            value = getattr(self, name)
            check_number(value, name)
            if value is None or not 0 <= value <= most:
                raise InvalidInputError(f"{name} must be a number from 0 to {most:,g}")
        check_place(self.min_total, "min_total")

    @property
    def ghost_micros(self) -> int:
        """How long they stay ghosts, microseconds."""
        return round(self.ghost_days * _DAY)

    def chosen(self, strengths: Sequence[tuple[float, int]], total: int, ghosts: int = 0) -> list[int]:
        """The addresses that go, weakest first, oldest first among equals; of (strength, address) pairs.

        `total` is how many memories there are, also those that can't be chosen; `ghosts` how many have gone already
        and can still be brought back.
        """
        part = Fraction(str(self.retain_fraction))  # as it was written: 0.55 of 100 is 55, and not a little more
        keep = max(self.min_total, math.ceil(part * (total + ghosts)))
        weak = sorted(one for one in strengths if one[0] < self.below)
        return [address for _, address in weak[: max(0, total - keep)]]


def strength(memory: Memory, now: datetime) -> float:
    """How strong a memory is at a moment: 1 when it is new or just confirmed, and towards 0 from then on."""
    state = memory.state
    facts = Facts(
        type=memory.memory_type,
        data_class=memory.data_class,
        importance=memory.importance,
        intensity=memory.emotional_intensity,
        valence=memory.valence,
        updated=to_micros(memory.updated_at),
        refreshed=None if state.refreshed_at is None else to_micros(state.refreshed_at),
        uses=state.uses,
        used=None if state.used_at is None else to_micros(state.used_at),
        pinned=state.pinned,
    )
    return strength_of(facts, to_micros(now))


def strength_of(facts: Facts, now: int) -> float:
    """The same, of what the index knows; `now` in microseconds."""
    if facts.pinned:
        return 1.0
    confirmed = max(facts.updated, facts.refreshed or facts.updated)
    in_use = max(0, min(facts.used or confirmed, now) - confirmed)
    age = max(0, now - confirmed) - in_use / 2
    return math.exp2(-age / (half_life(facts) * _DAY))


def half_life(facts: Facts) -> float:
    """In how many days half of the strength goes."""
    usual = CLASSES.get((facts.data_class or "").lower()) or TYPES.get(facts.type, OTHER)
    weight = _weight(facts.importance, facts.intensity, facts.valence) / _weight(None, None, None)
    return usual * max(SHORTEST, weight) * (1 + math.log2(1 + facts.uses) / 4)


def _weight(importance: float | None, intensity: float | None, valence: float | None) -> float:
    given = IMPORTANCE * (USUAL if importance is None else importance) + INTENSITY * (intensity or 0.0)
    return max(0.0, given + VALENCE * (valence or 0.0))
