"""Near-duplicates: memories that say nearly the same, found by their words. No model is asked, nothing is merged.

Rules:
- Two texts are compared by their stems and by their pairs of neighbouring stems: the share of both that they have in
  common (Jaccard). So punctuation, case, an inflection or one word in a sentence of ten leave them similar.
- Another number or name is another fact, and yet most alike: such a pair is reported as well, and the caller decides.
- Where both have vectors of one space, a cosine of 0.95 says the same with less than that in common.
- Candidates come from the rarest words of the text, so that a large vault costs what a small one does.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from vault_core.index import BoxIndex
from vault_core.index.columns import ARCHIVED, CURRENT, ERASED, GHOST, SUPERSEDED
from vault_core.memory import Memory
from vault_core.memory.draft import DEFAULT_SPACE

LIKE = 0.5  # of a text's stems and pairs; measured in tests/lifecycle/test_similar.py
RELATED = 0.25  # enough where the vectors agree
COSINE = 0.95
RARE = 6  # words of a text that are looked up
MOST_CANDIDATES = 24  # memories that are compared with one: those that share most of these words
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


def similar_to(index: BoxIndex, memory: Memory, apart: Collection[str]) -> tuple[str, ...]:
    """The ids of memories that say nearly the same as one of the index's, in its namespace; `apart` are left out."""
    said = index.words.stems_of(index.columns.row(memory.address.number))
    number = index.catalogue.known_namespace(memory.namespace)
    rows = _candidates(index, said, number)
    if number is None or not rows:
        return ()
    keys = index.catalogue.keys(index.columns.address[rows].tolist())
    cosines = _cosines(index, memory, rows)
    candidates = [
        Candidate(keys[address][1], index.words.stems_of(row), cosines.get(row))
        for row, address in zip(rows, index.columns.address[rows].tolist(), strict=True)
        if keys[address][1] not in apart
    ]
    return similar(said, candidates)


def similar(said: Sequence[str], candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """The ids of those candidates that say nearly the same, most alike first."""
    found = []
    for place, candidate in enumerate(candidates):
        alike = likeness(said, candidate.stems)
        agrees = candidate.cosine is not None and candidate.cosine >= COSINE and alike >= RELATED
        if alike >= LIKE or agrees:
            found.append((-alike, place, candidate.id))
    return tuple(id_ for _, _, id_ in sorted(found)[:MOST_REPORTED])


def _candidates(index: BoxIndex, said: Sequence[str], namespace: int | None) -> list[int]:
    """Rows that share rare words, those with most of them first."""
    found = [index.words.counts(token).rows for token in index.words.rarest(said, RARE)]
    needed = 2 if len(found) > 3 else 1  # of two texts that are alike, at most two words in nine differ
    if not found or namespace is None:
        return []
    rows, shared = np.unique(np.concatenate(found), return_counts=True)
    rows, shared = rows[shared >= needed], shared[shared >= needed]
    hidden = ARCHIVED | GHOST | SUPERSEDED | ERASED
    columns = index.columns
    counting = ((columns.flags[rows] & (hidden | CURRENT)) == CURRENT) & (columns.namespace[rows] == namespace)
    rows, shared = rows[counting], shared[counting]
    best: list[int] = rows[np.lexsort((rows, -shared))][:MOST_CANDIDATES].tolist()
    return best


def _cosines(index: BoxIndex, memory: Memory, rows: Sequence[int]) -> dict[int, float]:
    """The best cosine of each of these rows with a memory's first vector in the default space."""
    fields, vectors = memory.vectors.get(DEFAULT_SPACE), index.vectors.get(DEFAULT_SPACE)
    if not fields or vectors is None:
        return {}
    places = vectors.rows_owned_by(index.columns, np.array(rows))
    owners = vectors.owner_rows(index.columns)[places].tolist()
    out: dict[int, float] = {}
    for owner, cosine in zip(owners, vectors.cosines(next(iter(fields.values())), places).tolist(), strict=True):
        out[owner] = max(cosine, out.get(owner, -1.0))
    return out


def _features(stems: Sequence[str]) -> set[str]:
    kept = stems[:LONGEST]
    return {*kept, *(f"{one} {next_}" for one, next_ in pairwise(kept))}
