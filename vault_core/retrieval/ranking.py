"""Ranking: lexical and dense candidates, fused by their normalised scores.

Weighted scores rather than reciprocal ranks: on turn-level LoCoMo recall cosine + 0.5 BM25/max finds 0.67 of the
evidence and reciprocal rank fusion 0.56 (docs/adr/0004-fusion.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vault_core.index import BoxIndex
from vault_core.index.columns import Ints, Mask
from vault_core.memory.model import Vector
from vault_core.retrieval import tiers
from vault_core.retrieval.scope import Scope, accept_all

LEXICAL_WEIGHT = 0.5  # of the best lexical score against a cosine of 1
RELATIVE_CUT = 0.2  # of the best score: what lies below is noise
MIN_COSINE = 0.1  # a vector this far away says nothing
_FIRST_LOOK = 200  # candidates; more are taken while a filter refuses them
_GROWTH = 8
_NOTHING = -2.0  # below every cosine: no vector, or out of scope
_SOMETHING = -1.5

Cosines = NDArray[np.float32]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hit:
    """One candidate: its address, its score and what the score is made of."""

    address: int
    score: float
    parts: dict[str, float] = field(default_factory=dict)


def rank(
    index: BoxIndex,
    query: str | None,
    vector: Vector | None,
    space: str,
    scope: Scope,
    *,
    wanted: int,
    cut: bool,
    pattern: bool = False,
) -> list[Hit]:
    """The best `wanted` hits, best first; equal scores in log order. `query` and `vector` may each be None.

    `pattern` says that the question asks for a pattern (`tiers.asks_for_pattern`).
    """
    mask = scope.mask(index, searched=vector is None)
    if not mask.any():
        return []
    limit = max(_FIRST_LOOK, wanted * 2)
    lexical = _lexical(index, query, mask, limit)
    cosines = None if vector is None else _best_cosines(index, space, vector, mask)
    while True:
        dense = _top(cosines, limit)
        tiered = partial(_tiered, index, scope, pattern=pattern, cut=cut)
        ranked = _fused(index, lexical, dense, cosines, tiered)
        if cut and len(ranked.scores):
            ranked = ranked.cut(must_say=query is not None)
        accepted = list(_accepted(ranked, scope, wanted))
        all_seen = lexical.complete and len(dense) < limit
        if len(accepted) >= wanted or all_seen or (cut and _best_unseen(lexical, dense, cosines) < ranked.floor):
            return accepted
        limit *= _GROWTH
        lexical = _lexical(index, query, mask, limit)


def nearest(index: BoxIndex, vector: Vector, space: str, scope: Scope, *, wanted: int) -> list[Hit]:
    """Plain cosine: min(wanted, n) hits, no cut and nothing else mixed in."""
    mask = scope.mask(index, searched=False)
    cosines = _best_cosines(index, space, vector, mask)
    if cosines is None:
        return []
    limit = max(_FIRST_LOOK, wanted)
    while True:
        rows = _top(cosines, limit)
        rows = rows[np.argsort(-cosines[rows], kind="stable")]
        near = cosines[rows].astype(np.float64)
        accepted = list(_accepted(_Ranked(index.columns.address[rows], near, None, near), scope, wanted))
        if len(accepted) >= wanted or len(rows) < limit:
            return accepted
        limit *= _GROWTH


@dataclass(frozen=True, slots=True)
class _Lexical:
    """Rows that match the words, with BM25 divided by that of the best atom; those left out have at most `unseen`."""

    rows: Ints
    scores: Scores
    complete: bool
    unseen: float = 0.0


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Candidates as arrays, best first; made into hits only as far as they are wanted."""

    addresses: Ints
    scores: Scores
    words: Scores | None
    near: Scores
    tier: Scores | None = None  # what the tier did to the score

    @property
    def floor(self) -> float:
        """What lies below is noise."""
        return float(self.scores[0]) * RELATIVE_CUT if len(self.scores) else 0.0

    def cut(self, *, must_say: bool) -> "_Ranked":
        """Without the noise; with `must_say` also without those that neither words nor vector speak for."""
        kept = self.scores >= self.floor
        if must_say and self.words is not None:
            kept &= (self.words > 0) | (self.near >= MIN_COSINE)
        words = None if self.words is None else self.words[kept]
        tier = None if self.tier is None else self.tier[kept]
        return _Ranked(self.addresses[kept], self.scores[kept], words, self.near[kept], tier)

    def hit(self, at: int) -> Hit:
        """The candidate at a place."""
        parts = {"cosine": float(self.near[at])}
        if self.words is not None:
            parts = {"lexical": float(self.words[at]), **parts}
        if self.tier is not None and self.tier[at]:
            parts["tier"] = float(self.tier[at])
        return Hit(int(self.addresses[at]), float(self.scores[at]), parts)


def _best_cosines(index: BoxIndex, space: str, vector: Vector, mask: Mask) -> Cosines | None:
    """For each row of the columns its best vector's cosine; −2 where it has none or doesn't count."""
    vectors = index.vectors.get(space)
    if vectors is None or not vectors.size:
        return None
    cosines = vectors.cosines(vector)
    rows = vectors.owner_rows(index.columns)
    if (rows < 0).any():
        rows, cosines = rows[rows >= 0], cosines[rows >= 0]
    best = np.full(index.columns.size, _NOTHING, np.float32)
    if vectors.one_each:
        best[rows] = cosines
    else:
        np.maximum.at(best, rows, cosines)
    best[~mask] = _NOTHING
    return best


def _top(best: Cosines | None, limit: int) -> Ints:
    """The rows with the best cosines, ascending."""
    if best is None:
        return np.zeros(0, np.int64)
    if limit < len(best):
        rows = np.sort(np.argpartition(best, len(best) - limit)[len(best) - limit :])
        return rows[best[rows] > _SOMETHING]
    return np.flatnonzero(best > _SOMETHING)


def _lexical(index: BoxIndex, query: str | None, mask: Mask, limit: int) -> _Lexical:
    found = index.catalogue.match(query, limit) if query is not None else []
    if not found:
        return _Lexical(np.zeros(0, np.int64), np.zeros(0), complete=True)
    rows = index.columns.rows(address for address, _ in found)
    # Measured by the best atom: composites and affinities gather words, and must not make the atoms' words count less.
    best = next((score for address, score in found if address not in index.tiers), found[0][1])
    scores = np.minimum(np.fromiter((score for _, score in found), np.float64) / (best or 1.0), 1.0)
    complete = len(found) < limit
    return _Lexical(rows[mask[rows]], scores[mask[rows]], complete, 0.0 if complete else float(scores[-1]))


def _fused(
    index: BoxIndex,
    lexical: _Lexical,
    dense: Ints,
    cosines: Cosines | None,
    tiered: Callable[[Scores, Ints], Scores],
) -> _Ranked:
    """All candidates, best first; equal scores in log order."""
    rows = np.union1d(lexical.rows, dense)
    words = np.zeros(len(rows))
    words[np.searchsorted(rows, lexical.rows)] = lexical.scores
    near = np.zeros(len(rows)) if cosines is None else np.clip(cosines[rows], 0.0, None).astype(np.float64)
    scores = words if cosines is None else LEXICAL_WEIGHT * words + near
    fused, scores = scores, tiered(scores, rows)
    order = np.argsort(-scores, kind="stable")
    return _Ranked(
        index.columns.address[rows[order]], scores[order], words[order], near[order], (scores - fused)[order]
    )


def _tiered(index: BoxIndex, scope: Scope, scores: Scores, rows: Ints, *, pattern: bool, cut: bool) -> Scores:
    """The scores with the tiers of the candidates taken into account; just before they are sorted."""
    standings = index.tiers.standings(index.columns.address[rows].tolist(), index.catalogue, atoms=pattern)
    return tiers.adjusted(scores, standings, pattern=pattern, now=scope.now, floor=RELATIVE_CUT if cut else 0.0)


def _best_unseen(lexical: _Lexical, dense: Ints, cosines: Cosines | None) -> float:
    """The best score that anything outside both lists could have."""
    if cosines is None:
        return lexical.unseen
    return LEXICAL_WEIGHT * lexical.unseen + (max(float(cosines[dense].min()), 0.0) if len(dense) else 0.0)


def _accepted(ranked: _Ranked, scope: Scope, wanted: int) -> Iterator[Hit]:
    judge = scope.predicate or accept_all
    taken = 0
    for start in range(0, len(ranked.addresses), _FIRST_LOOK):
        some = ranked.addresses[start : start + _FIRST_LOOK].tolist()
        for at, accepted in enumerate(judge(some), start):
            if accepted:
                yield ranked.hit(at)
                taken += 1
                if taken == wanted:
                    return
