"""Tiers in the ranking: a pattern for a question about patterns, an atom for every other.

Rules (DESIGN §6, docs/adr/0011-tiers.md):
- For a pattern question, score = α·significance + (1−α)·relevance. An atom has no significance; so that its score stays
  what it was, all are divided by 1−α.
- An affinity is as relevant as the most relevant of its atoms, if it is not more so itself.
- significance = (1 − e^(−κ·count)) · e^(−λ·days since last); λ by data class.
- For any other question, affinities stand below every atom that is not noise, so that no atom loses its place to them.
- Composites always do: they repeat what their atoms say.
"""

import math
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vault_core.index.tiers import Standing
from vault_core.memory.model import AFFINITY, TIERS

ALPHA = 0.5  # of significance against relevance; from 0.4 to 0.8 the corpora of tests/tiers come out the same
KAPPA = 0.3  # five times is 0.78 of certain, ten times 0.95
HALF_LIFE = 180.0  # days until a pattern that stopped counts half: a season may pass without it
HALF_LIVES: Mapping[str, float] = {  # by data class, where that says how long such things last
    "identity": 1095.0,
    "preference": 365.0,
    "health": 365.0,
    "work": 90.0,
    "transient": 30.0,
}
_BELOW = 0.99  # of the lowest atom
_DAY = 86_400_000_000  # microseconds
_ENOUGH = 2_000  # characters: a question asks early, and a regular expression must not walk a megabyte

Scores = NDArray[np.float64]

_DAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_TIMES = (
    rf"(?:morning|noon|afternoon|evening|night|day|week|weekday|weekend|month|year|summer|winter|spring|autumn|{_DAYS})"
)
_HABITUALLY = re.compile(
    r"\b(?:usually|normally|typically|generally|habitually|regularly|routinely|customarily|mostly|often|always"
    r"|as a rule|(?:most|much) of the time|how (?:often|frequently|regularly)|tends? to|keeps? \w+ing"
    rf"|(?:every|each|most) (?:other )?{_TIMES}s?)\b"
)
_HABIT = re.compile(
    r"\b(?:habits?|routines?|rituals?|customs?|traditions?|patterns?|go-?to|favou?rites?|usual|regular|customary"
    rf"|(?:in|at|on|over) (?:the )?(?:{_TIMES}s)|{_DAYS}s)\b"
)
_DOES = re.compile(
    r"\b(?:what|which|who|whom|where|when|how)\b.{0,80}?"
    r"\bdo (?:[\w']+ and )?(?:i|we|you) (?P<verb>[a-z]+)"  # others' doings are told in the plain present too
)
_STATIVE = """
agree believe belong call consist contain cost have hold know like live look mean need own owe prefer recall remember
say seem stand think understand want weigh work
"""
_LASTING = frozenset(_STATIVE.split())  # verbs for what is so, not for what is done again and again
_PAST = re.compile(r"\b(?:did|was|were|had|when (?:i|we)|last time)\b")
_ONCE = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|once|(?:next|last|this|coming) "
    rf"(?:time|{_TIMES})|first time|in (?:19|20)\d\d|instead)\b"
)


def asks_for_pattern(text: str) -> bool:
    """Whether a question asks for what happens again and again rather than for one thing that happened or is so.

    English, by general signs: an adverb of habit ("usually", "tend to", "every morning") always; a habit as a thing
    ("my routine", "my favourite", "on Fridays") or a plain present ("what do I drink …") unless the question is about
    one time.
    """
    asked = " ".join(text[:_ENOUGH].lower().replace("\u2019", "'").split())
    if _HABITUALLY.search(asked):
        return True
    if _PAST.search(asked) or _ONCE.search(asked):
        return False
    does = _DOES.search(asked)
    return bool(_HABIT.search(asked)) or (does is not None and does["verb"] not in _LASTING)


def significance(count: int, days: float, data_class: str | None = None) -> float:
    """How much a pattern counts that was seen so many times, the last time so many days ago: 0 to 1."""
    decay = math.log(2) / HALF_LIVES.get((data_class or "").lower(), HALF_LIFE)
    return -math.expm1(-KAPPA * count) * math.exp(-decay * max(days, 0.0))


def affinity_score(relevance: float, significance: float) -> float:
    """The score of an affinity whose relevance to the question is 0 to 1."""
    return ALPHA * significance + (1 - ALPHA) * relevance


def adjusted(
    scores: Scores, standings: Mapping[int, Standing], *, pattern: bool, now: int, floor: float = 0.0
) -> Scores:
    """The scores of all candidates with their tiers taken into account, on the scale that they came on.

    `standings` are the composites and affinities, by place; `now` is in microseconds; atoms below `floor` of the best
    are noise. Without composites and affinities nothing changes.
    """
    if not standings or not len(scores):
        return scores
    out, below = scores.astype(np.float64), set(standings)
    best = float(scores.max())
    if pattern and best > 0:
        for at, one in standings.items():
            if TIERS[one.tier] == AFFINITY:
                below.discard(at)
                seen = significance(one.times, (now - one.last) / _DAY, one.data_class)
                relevance = max(float(scores[place]) for place in (at, *one.atoms)) / best
                out[at] = best * affinity_score(min(relevance, 1.0), seen) / affinity_score(1.0, 0.0)
    return _lowered(out, sorted(below), sorted(standings), floor)


def _lowered(scores: Scores, below: list[int], tiers: list[int], floor: float) -> Scores:
    """Some candidates put under every atom that is not noise, in the order they have among themselves."""
    atoms = np.delete(scores, tiers)
    if not below or not len(atoms):
        return scores
    noise = floor * max(float(atoms.max()), 0.0)
    lowest = float(atoms[atoms >= noise].min(initial=atoms.max()))
    highest = float(scores[below].max())
    if highest > 0 and highest >= lowest:
        scores[below] *= _BELOW * max(lowest, 0.0) / highest
    return scores
