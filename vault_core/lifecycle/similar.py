"""Near-duplicates: memories that say nearly the same, found by their words. No model is asked, nothing is merged.

Rules:
- Two texts are compared by their stems and by their pairs of neighbouring stems: the share of both that they have in
  common (Jaccard). So punctuation, case, an inflection or one word in a sentence of ten leave them similar.
- Another number or name is another fact, and yet most alike: such a pair is reported as well, and the caller decides.
- Where both have vectors of one space, a cosine of 0.95 says the same with less than that in common.
- Candidates come from the rarest words of the text, and of each word from its newest uses, so that a large vault costs
  what a small one does.
"""

from collections.abc import Collection, Hashable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from vault_core.index import BoxIndex
from vault_core.index.columns import ARCHIVED, CURRENT, ERASED, GHOST, SUPERSEDED, Ints
from vault_core.memory import Memory
from vault_core.memory.draft import DEFAULT_SPACE

LIKE = 0.5  # of a text's stems and pairs; measured in tests/lifecycle/test_similar.py
RELATED = 0.25  # enough where the vectors agree
COSINE = 0.95
RARE = 6  # words of a text that are looked up
USES = 2_000  # of a word that are looked up: where all of a text's words are this common, only newer ones are found
MOST_CANDIDATES = 24  # memories that are compared with one: those that share most of these words
MOST_REPORTED = 5
LONGEST = 400  # stems of a text that are compared: where two are longer and alike, their beginnings are


Said = Sequence[Hashable]  # the stems of a text in order, or what stands for them


class Candidate(NamedTuple):
    """A memory that may say the same: its address, its stems, and the cosine of its vector if that is known."""

    address: int
    said: Said
    cosine: float | None = None


def features(said: Said) -> set[Hashable]:
    """What of a text is compared: its stems, and its pairs of neighbouring stems."""
    kept = said[:LONGEST]
    return {*kept, *pairwise(kept)}


def likeness(ours: set[Hashable], theirs: set[Hashable]) -> float:
    """How much two texts have in common by their features, 0 to 1."""
    common = len(ours & theirs)
    return common / (len(ours) + len(theirs) - common) if common else 0.0


def similar_to(index: BoxIndex, memory: Memory, apart: Collection[int]) -> tuple[str, ...]:
    """The ids of memories that say nearly the same as one of the index's, in its namespace.

    Those at the addresses `apart` are left out: what was added together with it.
    """
    namespace = index.catalogue.known_namespace(memory.namespace)
    if namespace is None:
        return ()
    said = index.words.said_by(np.array([index.columns.row(memory.address.number)]))[0]
    rows = _candidates(index, said, namespace)
    cosines = _cosines(index, memory, rows)
    candidates = [
        Candidate(address, other, cosines.get(row))
        for row, address, other in zip(
            rows.tolist(), index.columns.address[rows].tolist(), index.words.said_by(rows), strict=True
        )
        if address not in apart
    ]
    found = similar(said, candidates)
    keys = index.catalogue.keys(found)
    return tuple(keys[address][1] for address in found)


def similar(said: Said, candidates: Sequence[Candidate]) -> tuple[int, ...]:
    """The addresses of those candidates that say nearly the same, most alike first."""
    found, ours = [], features(said)
    for place, candidate in enumerate(candidates):
        alike = likeness(ours, features(candidate.said))
        agrees = candidate.cosine is not None and candidate.cosine >= COSINE and alike >= RELATED
        if alike >= LIKE or agrees:
            found.append((-alike, place, candidate.address))
    return tuple(address for _, _, address in sorted(found)[:MOST_REPORTED])


def _candidates(index: BoxIndex, said: Sequence[int], namespace: int) -> Ints:
    """Rows that share rare words, those with most of them first."""
    rare = index.words.rarest(said, RARE)
    needed = 2 if len(rare) > 3 else 1  # of two texts that are alike, at most two words in nine differ
    rows, shared = index.words.sharing(rare, USES)
    rows, shared = rows[shared >= needed], shared[shared >= needed]
    hidden = ARCHIVED | GHOST | SUPERSEDED | ERASED
    columns = index.columns
    counting = ((columns.flags[rows] & (hidden | CURRENT)) == CURRENT) & (columns.namespace[rows] == namespace)
    rows, shared = rows[counting], shared[counting]
    return np.asarray(rows[np.lexsort((rows, -shared))][:MOST_CANDIDATES])


def _cosines(index: BoxIndex, memory: Memory, rows: Ints) -> dict[int, float]:
    """The best cosine of each of these rows with a memory's first vector in the default space."""
    fields, vectors = memory.vectors.get(DEFAULT_SPACE), index.vectors.get(DEFAULT_SPACE)
    if not fields or vectors is None:
        return {}
    places = vectors.rows_owned_by(index.columns, rows)
    owners = vectors.owner_rows(index.columns)[places].tolist()
    out: dict[int, float] = {}
    for owner, cosine in zip(owners, vectors.cosines(next(iter(fields.values())), places).tolist(), strict=True):
        out[owner] = max(cosine, out.get(owner, -1.0))
    return out
