"""Peers of the recall benchmark: the usual ways to rank, each in its plainest form, over plaintext in RAM."""

import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.locomo import Conversation, Question

_MOST = 50
_FUSED = 60  # the constant of reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009

Search = Callable[["Question"], Sequence[str]]


def peers(data: "Sequence[Conversation]", with_vectors: bool) -> dict[str, Search]:
    """Searches by name."""
    words = _bm25(data)
    found: dict[str, Search] = {"BM25 alone (SQLite FTS5, porter)": words}
    if with_vectors:
        cosine = _cosine(data)
        found |= {"cosine alone": cosine, "reciprocal rank fusion of both": _reciprocal(words, cosine)}
    return found


def _bm25(data: "Sequence[Conversation]") -> Search:
    db = sqlite3.connect(":memory:")
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute(
        "CREATE VIRTUAL TABLE turn USING fts5 (sample UNINDEXED, key UNINDEXED, text, tokenize='porter unicode61')"
    )
    rows = (
        (one.sample, turn.key, f"{turn.speaker} {turn.date:%A %-d %B %Y}\n{turn.text}")
        for one in data
        for turn in one.turns
    )
    db.executemany("INSERT INTO turn VALUES (?, ?, ?)", rows)

    def search(question: "Question") -> Sequence[str]:
        asked = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question.text))
        sql = "SELECT key FROM turn WHERE turn MATCH ? AND sample = ? ORDER BY rank LIMIT ?"
        return [key for (key,) in db.execute(sql, (asked, question.sample, _MOST))]

    return search


def _cosine(data: "Sequence[Conversation]") -> Search:
    keys = {one.sample: [turn.key for turn in one.turns] for one in data}
    vectors = {one.sample: np.stack([turn.vector for turn in one.turns if turn.vector is not None]) for one in data}

    def search(question: "Question") -> Sequence[str]:
        near = vectors[question.sample] @ question.vector
        return [keys[question.sample][at] for at in np.argsort(-near, kind="stable")[:_MOST]]

    return search


def _reciprocal(*searches: Search) -> Search:
    def search(question: "Question") -> Sequence[str]:
        scores: dict[str, float] = {}
        for one in searches:
            for rank, key in enumerate(one(question), start=1):
                scores[key] = scores.get(key, 0.0) + 1 / (_FUSED + rank)
        return sorted(scores, key=scores.__getitem__, reverse=True)[:_MOST]

    return search
