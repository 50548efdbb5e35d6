"""Peers of the recall benchmark: the usual ways to rank, each in its plainest form, over plaintext in RAM."""

import atexit
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
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
        if find_spec("vaultmem") is not None:
            found["vaultmem"] = _vaultmem(data)
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


def _vaultmem(data: "Sequence[Conversation]") -> Search:
    """A vault for each conversation, with the vectors that are given; it ranks by vector, and by tier."""
    from vaultmem import VaultSession

    embedder, folder = _Given(), Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sessions, keys = {}, dict[str, str]()
    for one in data:
        place = folder / one.sample
        place.mkdir()
        session = VaultSession.create(place, passphrase="thrown away", owner="bench", embedder=embedder)
        for turn in one.turns:
            embedder.next = [] if turn.vector is None else turn.vector.tolist()
            keys[session.add(turn.text).id] = turn.key
        sessions[one.sample] = session

    def search(question: "Question") -> Sequence[str]:
        vector = [] if question.vector is None else question.vector.tolist()
        return [keys[hit.atom.id] for hit in sessions[question.sample].search(vector, top_k=_MOST)]

    return search


class _Given:
    """An embedder that hands out the vector that was put into it."""

    dimension = 384

    def __init__(self) -> None:
        self.next: list[float] = []

    def embed(self, text: str) -> list[float]:
        del text
        return self.next

    def embed_batch(self, texts: list[str]) -> list[list[float]]:
        return [self.embed(text) for text in texts]
