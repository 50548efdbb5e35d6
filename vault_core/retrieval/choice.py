"""Choosing among opened hits: by a reranker that reads them, or so that they differ. Pure, on request only."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from vault_core.errors import UnavailableError, VaultError
from vault_core.index.tokens import stems
from vault_core.memory import Memory, SearchResult

POOL = 50  # hits that are read or compared; what stands below them stays out

Likeness = Callable[[int, int], float]


class Reranker(Protocol):
    """Reads a query with each text and says how well they fit; such as a cross-encoder.

    Called with the session's lock held by nobody, maybe from several threads. Measured on LoCoMo by others, a
    general-purpose one does harm; so there is none by default.
    """

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """One number for each text, in order; higher is better."""
        ...


def reranked(results: Sequence[SearchResult], query: str, reranker: Reranker) -> list[SearchResult]:
    """The results in the reranker's order, with its scores.

    Raises:
        UnavailableError: it failed, or gave something else than a number for each.
    """
    try:
        scores = [float(score) for score in reranker.scores(query, [result.memory.text for result in results])]
    except VaultError:
        raise
    except Exception as error:  # whatever somebody's model raises
        raise UnavailableError(f"the reranker failed ({type(error).__name__})") from error
    if len(scores) != len(results) or not all(map(math.isfinite, scores)):
        raise UnavailableError("the reranker must give one finite number for each text")
    found = [
        replace(result, score=score, parts={**result.parts, "rerank": score})
        for result, score in zip(results, scores, strict=True)
    ]
    return sorted(found, key=lambda result: -result.score)


def diverse(results: Sequence[SearchResult], space: str, diversity: float, wanted: int) -> list[SearchResult]:
    """The results picked one after the other, each as good and as unlike those before it as can be.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): (1 − d)·score / best − d·likeness to the most
    alike one that was picked. Scores stay as they were.
    """
    if not results:
        return []
    likeness = _likeness([result.memory for result in results], space)
    best = max(abs(result.score) for result in results) or 1.0
    worth = [(1 - diversity) * result.score / best for result in results]
    nearest, left, picked = [0.0] * len(results), list(range(len(results))), list[int]()
    while left and len(picked) < wanted:
        one = max(left, key=lambda at: worth[at] - diversity * nearest[at])
        left.remove(one)
        picked.append(one)
        for at in left:
            nearest[at] = max(nearest[at], likeness(one, at))
    return [results[at] for at in picked]


def _likeness(memories: Sequence[Memory], space: str) -> Likeness:
    """The best cosine of two memories; where one has no vector, the part of their words that both have."""
    words = [frozenset(stems(memory.text)) for memory in memories]
    vectors = [_unit(memory, space) for memory in memories]

    def likeness(one: int, other: int) -> float:
        mine, theirs = vectors[one], vectors[other]
        if mine is not None and theirs is not None:
            return float((mine @ theirs.T).max())
        either = words[one] | words[other]
        return len(words[one] & words[other]) / len(either) if either else 1.0

    return likeness


def _unit(memory: Memory, space: str) -> np.ndarray | None:
    fields = memory.vectors.get(space)
    if not fields:
        return None
    rows = np.stack(list(fields.values()))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms == 0, 1, norms), np.float32)
