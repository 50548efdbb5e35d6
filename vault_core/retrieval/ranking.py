"""Ranking: from a question to hits, each with what its score is made of. Pure functions over an index.

Top to bottom:
1. Words: what the question's words say, of a memory, of the turns around it and of its conversation (`lexical`).
2. Vectors: the cosine with the question's vector, where there is one (`dense`).
3. The two are added up, for the best of each and the turns beside them.
4. Context: a turn takes over a part of what the turns beside it say, above all an answer of what was asked.
5. Who and when: what the person said whom the question names; what happened when the question says; a date or number
   where the question wants one; importance and freshness, gently.
6. Tiers: a pattern for a question about patterns, a fact for one about facts (`tiers`).
7. Cut: what lies far below the best is noise.

Weighted scores rather than reciprocal ranks (docs/adr/0004-fusion.md); what each part is worth is measured in
docs/recall.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vault_core.index import BoxIndex
from vault_core.index.columns import ASKS, NOBODY, Ints, Mask
from vault_core.memory.model import Vector
from vault_core.retrieval import tiers
from vault_core.retrieval.dense import Dense, top
from vault_core.retrieval.lexical import Lexical, Scores, lexical, with_phrases
from vault_core.retrieval.question import NUMBER_WORDS, TIME_WORDS, Question
from vault_core.retrieval.scope import Scope, accept_all

WORDS = 1.0  # weights: of the lexical score
COSINE = 1.0
ANSWER = 0.3  # of the score of the question that a turn follows
BESIDE = 0.25  # of the score of the next turn, and a quarter of it of the turn before
BEFORE = 0.25
NAMED = 0.15  # the rest are parts of the best score so far: said by the person whom the question names
WANTED = 0.1  # holds a date or a number, where one is asked for
ASKING = 0.15  # taken off a turn that asks: it says little itself
DATED = 0.15  # happened in the time that the question names
IMPORTANT = 0.05  # most that importance does, up or down
FRESH = 0.02  # most that freshness does
FRESH_DAYS = 90.0  # after which half of it is gone
RELATIVE_CUT = 0.2  # of the best score: what lies below is noise
MIN_WORDS = 0.02  # what no words and no vector speak for is no hit, wherever it stands
MIN_COSINE = 0.2
YEAR_DIGITS = 4
FIRST_LOOK = 200  # candidates; more are taken while a filter refuses them
_GROWTH = 8
_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Hit:
    """One candidate: its address, its score and what the score is made of."""

    address: int
    score: float
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Candidates as arrays, best first; made into hits only as far as they are wanted."""

    rows: Ints
    scores: Scores
    parts: Mapping[str, Scores]

    def hit(self, index: BoxIndex, at: int) -> Hit:
        """The candidate at a place."""
        parts = {name: float(values[at]) for name, values in self.parts.items()}
        return Hit(int(index.columns.address[self.rows[at]]), float(self.scores[at]), parts)


def rank(
    index: BoxIndex,
    question: Question | None,
    vector: Vector | None,
    space: str,
    scope: Scope,
    *,
    wanted: int,
    cut: bool,
) -> list[Hit]:
    """The best `wanted` hits, best first; equal scores in log order. `question` and `vector` may each be None."""
    mask = scope.mask(index, searched=vector is None)
    if question is not None and question.phrases:
        mask = with_phrases(index, question, mask)
    seen = int(mask.sum())
    if not seen:
        return []
    named = {} if question is None else _named(index, question, mask)
    words = None if question is None else lexical(index, _without_names(question, named), mask)
    dense = None if vector is None or space not in index.vectors else Dense(index, space, vector, mask)
    limit = max(FIRST_LOOK, wanted * 2)
    while True:
        rows = _candidates(index, words, dense, mask, limit)
        ranked = _ranked(index, question, words, dense, scope, rows, named)
        noise = 0
        if cut:
            found = len(ranked.rows)
            ranked = _cut(ranked, must_say=question is not None)
            noise = found - len(ranked.rows)
        accepted = list(_accepted(index, ranked, scope, wanted))
        if len(accepted) >= wanted or limit >= seen or noise > limit // 2:
            return accepted
        limit *= _GROWTH


def nearest(index: BoxIndex, vector: Vector, space: str, scope: Scope, *, wanted: int) -> list[Hit]:
    """Plain cosine: min(wanted, n) hits, no cut and nothing else mixed in."""
    mask = scope.mask(index, searched=False)
    if space not in index.vectors or not mask.any():
        return []
    dense, limit = Dense(index, space, vector, mask), max(FIRST_LOOK, wanted)
    while True:
        rows = dense.nearest(limit)
        near = dense.cosines(rows)[rows].astype(np.float64)
        order = np.argsort(-near, kind="stable")
        ranked = _Ranked(rows[order], near[order], {"cosine": near[order]})
        accepted = list(_accepted(index, ranked, scope, wanted))
        if len(accepted) >= wanted or limit >= len(mask):
            return accepted
        limit *= _GROWTH


def _candidates(index: BoxIndex, words: Lexical | None, dense: Dense | None, mask: Mask, limit: int) -> Ints:
    """The best of each kind, and the turns beside them."""
    found = [] if words is None else [top(words.total, limit, above=0.0)]
    if dense is not None:
        found.append(dense.nearest(limit))
    rows: Ints = np.unique(np.concatenate(index.threads.around(np.unique(np.concatenate(found)), 1)))
    seen: Ints = rows[(rows != NOBODY) & mask[rows]]
    return seen


def _ranked(
    index: BoxIndex,
    question: Question | None,
    words: Lexical | None,
    dense: Dense | None,
    scope: Scope,
    rows: Ints,
    named: Mapping[int, Sequence[str]],
) -> _Ranked:
    base, parts = np.zeros(index.columns.size + 1), dict[str, Scores]()  # one more, for NOBODY
    if words is not None:
        parts |= {name: WORDS * getattr(words, name)[rows] for name in ("own", "around", "thread", "phrase")}
        base[:-1] += WORDS * words.total
    if dense is not None:
        parts["cosine"] = COSINE * np.clip(dense.cosines(rows)[rows], 0.0, None).astype(np.float64)
        base[rows] += parts["cosine"]
    parts |= _context(index, base, rows)
    best = float(base[rows].max(initial=0.0))
    for name, part in _circumstances(index, question, scope, rows, named).items():
        parts[name] = best * part
    scores = sum(parts.values(), np.zeros(len(rows)))
    pattern = question is not None and question.wants_pattern
    standings = index.tiers.standings(index.columns.address[rows].tolist(), index.catalogue, atoms=pattern)
    if standings:
        parts["tier"] = tiers.adjusted(scores, standings, pattern=pattern, now=scope.now, floor=RELATIVE_CUT) - scores
        scores = scores + parts["tier"]
    order = np.argsort(-scores, kind="stable")
    return _Ranked(rows[order], scores[order], {name: part[order] for name, part in parts.items()})


def _context(index: BoxIndex, base: Scores, rows: Ints) -> dict[str, Scores]:
    before, after = index.threads.links()
    asked = np.append((index.columns.flags & ASKS) != 0, False)
    back, on = before[rows], after[rows]
    return {
        "context": BESIDE * (BEFORE * base[back] + base[on]),
        "answer": ANSWER * base[back] * asked[back],
    }


def _circumstances(
    index: BoxIndex, question: Question | None, scope: Scope, rows: Ints, named: Mapping[int, Sequence[str]]
) -> dict[str, Scores]:
    columns, parts = index.columns, dict[str, Scores]()
    if question is not None:
        parts["named"] = NAMED * np.isin(columns.source[rows], list(named)).astype(np.float64)
        parts["asking"] = -ASKING * ((columns.flags[rows] & ASKS) != 0).astype(np.float64)
        sought = _sought(index, question)
        if sought:
            parts["wanted"] = WANTED * index.words.having(rows, sought).astype(np.float64)
        if question.span is not None:
            begin, end = question.span
            inside = (columns.moment[rows] >= begin) & (columns.moment[rows] < end)
            parts["dated"] = DATED * inside.astype(np.float64)
    parts["importance"] = IMPORTANT * (2 * np.nan_to_num(columns.importance[rows], nan=0.5).astype(np.float64) - 1)
    age = np.maximum(scope.now - columns.moment[rows], 0) / _DAY
    parts["freshness"] = FRESH * 0.5 ** (age / FRESH_DAYS)
    return parts


def _sought(index: BoxIndex, question: Question) -> list[int]:
    """The words that an answer to this question is likely to have: of times, or numbers."""
    sought = []
    if question.wants_time:
        sought += index.words.tokens_of(TIME_WORDS) + index.words.numerals(YEAR_DIGITS)
    if question.wants_number:
        sought += index.words.tokens_of(NUMBER_WORDS) + index.words.numerals()
    return sought


def _cut(ranked: _Ranked, *, must_say: bool) -> _Ranked:
    """Without the noise; with `must_say` also without those that neither words nor vector speak for."""
    if not len(ranked.rows):
        return ranked
    kept = ranked.scores >= RELATIVE_CUT * ranked.scores[0]
    if must_say:
        nothing = np.zeros(len(ranked.rows))
        told = sum((ranked.parts.get(name, nothing) for name in ("own", "around", "phrase")), nothing)
        kept &= (told >= MIN_WORDS) | (ranked.parts.get("cosine", nothing) >= MIN_COSINE)
    return _Ranked(ranked.rows[kept], ranked.scores[kept], {name: part[kept] for name, part in ranked.parts.items()})


def _named(index: BoxIndex, question: Question, mask: Mask) -> dict[int, list[str]]:
    """Those sources that a question names, of the memories that count; with the words of their names."""
    found = index.sources_named(question.terms)
    seen = set(np.unique(index.columns.source[mask]).tolist()) if found else set()
    return {number: name for number, name in found.items() if number in seen}


def _without_names(question: Question, named: Mapping[int, Sequence[str]]) -> Question:
    """The question without the names of those who speak: they stand on every line that they said."""
    names = {one for name in named.values() for one in name}
    left = tuple(term for term in question.terms if term not in names)
    return replace(question, terms=left) if left else question


def _accepted(index: BoxIndex, ranked: _Ranked, scope: Scope, wanted: int) -> Iterator[Hit]:
    judge = scope.predicate or accept_all
    taken = 0
    for start in range(0, len(ranked.rows), FIRST_LOOK):
        some = index.columns.address[ranked.rows[start : start + FIRST_LOOK]].tolist()
        for at, accepted in enumerate(judge(some), start):
            if accepted:
                yield ranked.hit(index, at)
                taken += 1
                if taken == wanted:
                    return
