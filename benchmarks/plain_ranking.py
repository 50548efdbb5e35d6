"""The ranking once more, over plain text in plain Python: lists, dictionaries and loops, no index, nothing sealed.

For parity: a vault's hits must be those of this code on the same memories, so that sealing, snapshots, segments and
candidate lists cost nothing in recall. It shares the constants, the tokenizer and the reading of the question with the
product, and nothing that stores or counts.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vault_core.index.tokens import stems
from vault_core.memory.times import to_micros
from vault_core.retrieval import lexical as words
from vault_core.retrieval import ranking as weights
from vault_core.retrieval.question import NUMBER_WORDS, TIME_WORDS, Question, question_of

_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One memory in clear. Notes of one thread come in its order."""

    key: str
    text: str
    source: str
    thread: str
    date: datetime
    vector: Sequence[float] | None = None

    @property
    def lead(self) -> list[str]:
        """What stands in front of the words."""
        return stems(f"{self.source} {self.date:%A} {self.date.day} {self.date:%B %Y}")


class PlainRanking:
    """Notes, and searches of them."""

    def __init__(self, notes: Sequence[Note]) -> None:
        self._notes = notes
        self._said = [stems(note.text) for note in notes]
        self._all = [note.lead + said for note, said in zip(notes, self._said, strict=True)]
        self._around = [self._near(at, words.REACH) for at in range(len(notes))]
        self._talks: dict[str, list[int]] = {}
        for at, note in enumerate(notes):
            self._talks.setdefault(note.thread, []).append(at)

    def search(self, text: str, now: datetime, vector: Sequence[float] | None = None, top_k: int = 10) -> list[str]:
        """The keys of the best notes, best first."""
        question = question_of(text, now)
        named = {note.source for note in self._notes} & {
            source for source in {note.source for note in self._notes} if set(stems(source)) & set(question.terms)
        }
        base = [
            score + cosine for score, cosine in zip(self._words(question, named), self._cosines(vector), strict=True)
        ]
        scores = self._final(question, named, base, to_micros(now))
        order = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
        return [self._notes[at].key for at in order[:top_k]]

    def _near(self, at: int, reach: int) -> list[int]:
        places = range(max(0, at - reach), min(len(self._notes), at + reach + 1))
        return [place for place in places if self._notes[place].thread == self._notes[at].thread]

    def _words(self, question: Question, named: set[str]) -> list[float]:
        names = {stem for source in named for stem in stems(source)}
        terms = [term for term in question.terms if term not in names] or list(question.terms)
        count, full = len(self._notes), 0.0
        average = sum(map(len, self._all)) / count
        lengths = {thread: sum(len(self._all[at]) for at in places) for thread, places in self._talks.items()}
        usual = sum(lengths.values()) / len(lengths)
        scores = [0.0] * count
        for term in terms:
            times = [Counter(said)[term] for said in self._all]
            having = sum(1 for one in times if one)
            weight = math.log(1 + (count - having + 0.5) / (having + 0.5))
            full += weight
            talk = {thread: sum(times[at] for at in places) for thread, places in self._talks.items()}
            for at, note in enumerate(self._notes):
                near, size = self._around[at], average * (2 * words.REACH + 1)
                scores[at] += weight * _bm25(times[at], len(self._all[at]) / average, words.B)
                wide = _bm25(
                    sum(times[place] for place in near), sum(len(self._all[p]) for p in near) / size, words.B_WIDE
                )
                scores[at] += weight * words.AROUND * wide
                long = _bm25(talk[note.thread], lengths[note.thread] / usual, words.B_WIDE)
                scores[at] += weight * words.THREAD * long
        pairs = [words.PHRASE * min(self._pairs(question, at), 2) / words.FULL for at in range(count)]
        return [weights.WORDS * (score / (words.FULL * full) + pair) for score, pair in zip(scores, pairs, strict=True)]

    def _pairs(self, question: Question, at: int) -> int:
        lead, said = self._notes[at].lead, self._said[at]
        follow = {*itertools.pairwise(lead), *itertools.pairwise(said)}
        return sum(pair in follow for pair in question.pairs)

    def _cosines(self, vector: Sequence[float] | None) -> list[float]:
        if vector is None:
            return [0.0] * len(self._notes)
        return [weights.COSINE * max(_cosine(note.vector, vector), 0.0) for note in self._notes]

    def _final(self, question: Question, named: set[str], base: list[float], now: int) -> list[float]:
        best, scores = max(base), []
        sought = (TIME_WORDS if question.wants_time else frozenset()) | (
            NUMBER_WORDS if question.wants_number else frozenset()
        )
        for at, note in enumerate(self._notes):
            before = at - 1 if at - 1 in self._around[at] else None
            after = at + 1 if at + 1 in self._around[at] else None
            score = base[at]
            if after is not None:
                score += weights.BESIDE * base[after]
            if before is not None:
                score += weights.BESIDE * weights.BEFORE * base[before]
                score += weights.ANSWER * base[before] * _asks(self._notes[before].text)
            said = self._said[at]
            numbers = any(
                one.isdecimal() and (question.wants_number or len(one) == weights.YEAR_DIGITS) for one in said
            )
            wanted = bool(sought & set(said)) or (numbers and (question.wants_time or question.wants_number))
            moment = to_micros(note.date)
            dated = question.span is not None and question.span[0] <= moment < question.span[1]
            parts = [
                weights.NAMED * (note.source in named),
                weights.WANTED * wanted,
                -weights.ASKING * _asks(note.text),
                weights.DATED * dated,
                weights.FRESH * 0.5 ** (max(now - moment, 0) / _DAY / weights.FRESH_DAYS),
            ]
            scores.append(score + best * sum(parts))
        return scores


def _bm25(times: float, length: float, b: float) -> float:
    return times * (words.K1 + 1) / (times + words.K1 * (1 - b + b * length)) if times else 0.0


def _cosine(one: Sequence[float] | None, two: Sequence[float]) -> float:
    if one is None:
        return 0.0
    product = sum(a * b for a, b in zip(one, two, strict=True))
    return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in two))


def _asks(text: str) -> bool:
    return text.rstrip().endswith("?")
