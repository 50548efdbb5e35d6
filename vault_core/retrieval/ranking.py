"""Ranking: lexical and dense candidates, fused by their normalised scores.

Weighted scores rather than reciprocal ranks: on turn-level LoCoMo recall cosine + 0.5 BM25/max finds 0.67 of the
evidence and reciprocal rank fusion 0.56 (docs/adr/0004-fusion.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vault_core.index import BoxIndex
from vault_core.index.columns import Mask
from vault_core.memory.model import Vector
from vault_core.retrieval.scope import Scope, accept_all

LEXICAL_WEIGHT = 0.5  # of the best lexical score against a cosine of 1
RELATIVE_CUT = 0.2  # of the best score: what lies below is noise
MIN_COSINE = 0.1  # a vector this far away says nothing
_FIRST_LOOK = 200  # candidates; more are taken while a filter refuses them
_GROWTH = 8
_NOTHING = -2.0  # below every cosine: no vector, or out of scope
_SOMETHING = -1.5


@dataclass(frozen=True, slots=True)
class Hit:
    """One candidate: its address, its score and what the score is made of."""

    address: int
    score: float
    parts: dict[str, float] = field(default_factory=dict)


def rank(
    index: BoxIndex, query: str | None, vector: Vector | None, space: str, scope: Scope, *, wanted: int, cut: bool
) -> list[Hit]:
    """The best `wanted` hits, best first; equal scores in log order. `query` and `vector` may each be None."""
    mask = scope.mask(index, searched=vector is None)
    if not mask.any():
        return []
    cosines = None if vector is None else _best_cosines(index, space, vector, mask)
    limit = max(_FIRST_LOOK, wanted * 2)
    while True:
        lexical, all_lexical = _lexical(index, query, mask, limit) if query is not None else ({}, True)
        dense = _top(cosines, limit) if cosines is not None else {}
        ranked = _fused(index, lexical, dense, cosines, must_say=cut and query is not None)
        if cut and ranked:
            floor = ranked[0].score * RELATIVE_CUT
            ranked = [hit for hit in ranked if hit.score >= floor]
        accepted = list(_accepted(ranked, scope, wanted))
        if len(accepted) >= wanted or (all_lexical and len(dense) < limit):
            return accepted
        limit *= _GROWTH


def nearest(index: BoxIndex, vector: Vector, space: str, scope: Scope, *, wanted: int) -> list[Hit]:
    """Plain cosine: min(wanted, n) hits, no cut and nothing else mixed in."""
    mask = scope.mask(index, searched=False)
    cosines = _best_cosines(index, space, vector, mask)
    if cosines is None:
        return []
    limit = max(_FIRST_LOOK, wanted)
    while True:
        dense = _top(cosines, limit)
        ranked = [Hit(int(index.columns.address[row]), score, {"cosine": score}) for row, score in dense.items()]
        ranked.sort(key=lambda hit: (-hit.score, hit.address))
        accepted = list(_accepted(ranked, scope, wanted))
        if len(accepted) >= wanted or len(dense) < limit:
            return accepted
        limit *= _GROWTH


def _best_cosines(index: BoxIndex, space: str, vector: Vector, mask: Mask) -> NDArray[np.float32] | None:
    """For each row of the columns its best vector's cosine; −2 where it has none or doesn't count."""
    vectors = index.vectors.get(space)
    if vectors is None or not vectors.size:
        return None
    cosines = vectors.cosines(vector)
    rows = vectors.owner_rows(index.columns)
    best = np.full(index.columns.size, _NOTHING, np.float32)
    if vectors.one_each:
        best[rows[rows >= 0]] = cosines[rows >= 0]
    else:
        np.maximum.at(best, rows[rows >= 0], cosines[rows >= 0])
    best[~mask] = _NOTHING
    return best


def _top(best: NDArray[np.float32], limit: int) -> dict[int, float]:
    """The rows with the best cosines."""
    count = int((best > _SOMETHING).sum())
    take = min(limit, count)
    if take == 0:
        return {}
    rows = np.argpartition(-best, take - 1)[:take] if take < len(best) else np.flatnonzero(best > _SOMETHING)
    return {int(row): float(best[row]) for row in rows}


def _lexical(index: BoxIndex, query: str, mask: Mask, limit: int) -> tuple[dict[int, float], bool]:
    """The rows that match the words, with BM25 divided by the best of them; and whether these are all."""
    found = index.catalogue.match(query, limit)
    if not found:
        return {}, True
    rows = index.columns.rows(address for address, _ in found)
    best = found[0][1] or 1.0
    scores = {int(row): score / best for row, (_, score) in zip(rows, found, strict=True) if mask[row]}
    return scores, len(found) < limit


def _fused(
    index: BoxIndex,
    lexical: dict[int, float],
    dense: dict[int, float],
    cosines: NDArray[np.float32] | None,
    *,
    must_say: bool,
) -> list[Hit]:
    """All candidates, best first; with `must_say` without those that neither words nor vector speak for."""
    rows = sorted(lexical.keys() | dense.keys())
    words = np.array([lexical.get(row, 0.0) for row in rows])
    near = np.zeros(len(rows)) if cosines is None else np.clip(cosines[rows], 0.0, None)
    scores = words if cosines is None else LEXICAL_WEIGHT * words + near
    order = np.argsort(-scores, kind="stable")  # equal scores stay in log order
    addresses = index.columns.address
    return [
        Hit(int(addresses[rows[at]]), float(scores[at]), {"lexical": float(words[at]), "cosine": float(near[at])})
        for at in order.tolist()
        if not must_say or words[at] > 0 or near[at] >= MIN_COSINE
    ]


def _accepted(ranked: list[Hit], scope: Scope, wanted: int) -> Iterator[Hit]:
    judge = scope.predicate or accept_all
    taken = 0
    for start in range(0, len(ranked), _FIRST_LOOK):
        some = ranked[start : start + _FIRST_LOOK]
        for hit, accepted in zip(some, judge([hit.address for hit in some]), strict=True):
            if accepted:
                yield hit
                taken += 1
                if taken == wanted:
                    return
