"""Lexical scores: BM25 of a memory, of the turns around it, and of its whole conversation. Pure.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. Statistics are those of the
memories a query may see, so that nobody's ranking depends on, or tells of, what they may not.

A score is a part of what the best imaginable memory would have (every word of the question, often): absolute, so that
a question the vault knows little about scores little.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vault_core.index import BoxIndex
from vault_core.index.columns import NOBODY, Ints, Mask
from vault_core.index.words import Counts
from vault_core.retrieval.question import Question

K1 = 1.0  # how quickly more of the same word stops to count
B = 0.6  # how much a long text is held against it
B_WIDE = 0.75  # the same for the turns around it and for conversations
REACH = 3  # turns before and after that count as around it
AROUND = 0.75  # weights, of a memory's own words at 1
THREAD = 0.25
PHRASE = 0.2  # for each pair of the question's words that follow each other, up to two
FULL = 1.5  # times the weight of all words: what counts as having them all
COMMON = 0.25  # of the memories: a word in more of them tells nothing, where rarer ones do
COMMON_FROM = 1_000  # memories; among fewer, every word may tell
FEW = 4  # words that are kept when all of them are common

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexical:
    """Scores by row of the columns, weighted and ready to be added up."""

    own: Scores
    around: Scores
    thread: Scores
    phrase: Scores
    total: Scores


@dataclass(frozen=True, slots=True)
class _Term:
    weight: float  # BM25's inverse document frequency
    counts: Counts | None


def lexical(index: BoxIndex, question: Question, mask: Mask) -> Lexical:
    """What the words of a question say for each row that counts; 0 for the others."""
    size, lengths = index.columns.size, index.words.lengths
    terms, visible = _terms(index, question, mask), max(int(mask.sum()), 1)
    average = max(float(lengths[mask].sum()) / visible, 1.0)
    own, around, thread = np.zeros(size), np.zeros(size), _Conversations(index, mask)
    for term in terms:
        if term.counts is None:
            continue
        rows, times = term.counts
        own[rows] += term.weight * _saturated(times, lengths[rows], average, B)
        near, total = _near(index, term.counts)
        seen = mask[near]
        near, total = near[seen], total[seen]
        steps = index.threads.around(near, REACH)
        length = sum((np.where(step == NOBODY, 0, lengths[step]) for step in steps), np.zeros(len(near)))
        around[near] += term.weight * _saturated(total, length, average * (2 * REACH + 1), B_WIDE)
        thread.add(term.weight, term.counts)
    full = FULL * (sum(term.weight for term in terms) or 1.0)
    own, around, said = own / full, AROUND * around / full, THREAD * thread.by_row(own) * mask / full
    phrase = PHRASE * np.minimum(_pairs(index, question, mask), 2) / FULL
    return Lexical(own=own, around=around, thread=said, phrase=phrase, total=own + around + said + phrase)


def with_phrases(index: BoxIndex, question: Question, mask: Mask) -> Mask:
    """The rows that have every phrase of the question."""
    for phrase in question.phrases:
        tokens = [index.words.number(one) for one in phrase]
        known = [token for token in tokens if token is not None]
        having = np.zeros(len(mask), np.bool_)
        if len(known) == len(tokens):
            having[index.words.phrase(known)] = True
        mask = mask & having
    return mask


class _Conversations:
    """Every thread as one text."""

    def __init__(self, index: BoxIndex, mask: Mask) -> None:
        self._threads, count = index.columns.thread, len(index.columns.threads)
        self._lengths = self._summed(index.words.lengths * mask, self._threads, count)
        self._average = max(float(self._lengths.sum()) / max(int((self._lengths > 0).sum()), 1), 1.0)
        self._scores = np.zeros(count)

    def add(self, weight: float, counts: Counts) -> None:
        """Count a word."""
        total = self._summed(counts.times, self._threads[counts.rows], len(self._scores))
        self._scores += weight * _saturated(total, self._lengths, self._average, B_WIDE)

    def by_row(self, own: Scores) -> Scores:
        """The score of each row's thread; a row without one is a thread of its own."""
        return np.where(self._threads == NOBODY, own, np.append(self._scores, 0.0)[self._threads])

    @staticmethod
    def _summed(values: NDArray[Any], threads: NDArray[np.int32], count: int) -> Scores:
        return np.bincount(threads + 1, weights=values, minlength=count + 1)[1:].astype(np.float64, copy=False)


def _terms(index: BoxIndex, question: Question, mask: Mask) -> list[_Term]:
    visible = int(mask.sum())
    found: list[_Term] = []
    for one in question.terms:
        token = index.words.number(one)
        counts = None if token is None else _seen(index.words.counts(token), mask)
        many = 0 if counts is None else len(counts.rows)
        weight = float(np.log(1 + (visible - many + 0.5) / (many + 0.5)))
        found.append(_Term(weight, counts if many else None))
    if visible < COMMON_FROM:
        return found
    telling = [term for term in found if term.counts is None or len(term.counts.rows) <= COMMON * visible]
    if any(term.counts is not None for term in telling):
        return telling
    rarest = sorted((term for term in found if term.counts is not None), key=lambda term: -term.weight)
    return rarest[:FEW] or found


def _seen(counts: Counts, mask: Mask) -> Counts:
    seen = mask[counts.rows]
    return Counts(counts.rows[seen], counts.times[seen])


def _saturated(times: Scores, length: NDArray[np.integer] | Scores, average: float, b: float) -> Scores:
    return np.asarray(times * (K1 + 1) / (times + K1 * (1 - b + b * length / average)))


def _near(index: BoxIndex, counts: Counts) -> tuple[Ints, Scores]:
    """The rows within reach of a word, and how often it stands there."""
    steps = index.threads.around(counts.rows, REACH)
    rows, times = np.concatenate(steps), np.tile(counts.times, len(steps))
    there = rows != NOBODY
    total = np.bincount(rows[there], weights=times[there], minlength=index.columns.size)
    near = np.flatnonzero(total)
    return near, total[near].astype(np.float64, copy=False)


def _pairs(index: BoxIndex, question: Question, mask: Mask) -> Scores:
    """How many pairs of the question's words follow each other in each row."""
    found = np.zeros(index.columns.size)
    for pair in question.pairs:
        tokens = [index.words.number(one) for one in pair]
        if None not in tokens:
            found[index.words.phrase([token for token in tokens if token is not None])] += 1
    return found * mask
