"""Near-duplicates: memories that say nearly the same, found by their words. No model is asked, nothing is merged.

Rules:
- Two texts are compared by their stems and by their pairs of neighbouring stems: the share of both that they have in
  common (Jaccard). So punctuation, case, an inflection or one word in a sentence of ten leave them similar.
- Another number or name is another fact, and yet most alike: such a pair is reported as well, and the caller decides.
- Where both have vectors of one space, a cosine of 0.95 says the same with less than that in common.
- Candidates come from the rarest words of the text, so that a large vault costs what a small one does.
"""

from collections.abc import Sequence
from typing import NamedTuple

LIKE = 0.5  # of a text's stems and pairs; measured in tests/lifecycle/test_similar.py
RELATED = 0.25  # enough where the vectors agree
COSINE = 0.95
RARE = 6  # words of a text that are looked up
MOST_CANDIDATES = 200  # memories that are compared with one
MOST_REPORTED = 5
LONGEST = 400  # stems of a text that are compared: where two are longer and alike, their beginnings are


class Candidate(NamedTuple):
    """A memory that may say the same: its id, its stems, and the cosine of its vector if that is known."""

    id: str
    stems: Sequence[str]
    cosine: float | None = None


def likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """How much two texts have in common, 0 to 1."""
    ours, theirs = _features(one), _features(other)
    return len(ours & theirs) / len(ours | theirs) if ours and theirs else 0.0


def similar(stems: Sequence[str], candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """The ids of those candidates that say nearly the same, most alike first."""
    found = []
    for place, candidate in enumerate(candidates):
        alike = likeness(stems, candidate.stems)
        agrees = candidate.cosine is not None and candidate.cosine >= COSINE and alike >= RELATED
        if alike >= LIKE or agrees:
            found.append((-alike, place, candidate.id))
    return tuple(id_ for _, _, id_ in sorted(found)[:MOST_REPORTED])


def _features(stems: Sequence[str]) -> set[str]:
    kept = stems[:LONGEST]
    return {*kept, *(f"{one} {next_}" for one, next_ in zip(kept, kept[1:], strict=False))}
