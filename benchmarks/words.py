"""Texts, queries and vectors, the same on every run.

Turns are like those of a chat: about 15 words, half of them the small words of English by their frequency, half
made-up words by Zipf's law, so that a query's words are as common and as rare as words are. Vectors are random, of unit
length; a query's vector is near one stored memory's, as an embedder would have it.
"""

from functools import cache
from itertools import accumulate
from random import Random

import numpy as np
from numpy.typing import NDArray

DIMENSION = 384  # of all-MiniLM-L6-v2, what most peers use
_SMALL = """
i you the to and a of it in that is was my for on me we so but have with be at this
they do not are just like what can all your if there out about up when get
know go one no or from she he
"""
SMALL = _SMALL.split()
_SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvwz" for vowel in "aeiou"]
_LARGE_WORDS = 20_000
_FLAT = 20  # how far down Zipf's curve the made-up words begin: the top of it belongs to the small words

Matrix = NDArray[np.float32]


def turns(batch: int, count: int) -> list[str]:
    """The texts of one batch."""
    random = Random(f"turns {batch}")
    large, large_weights, small_weights = _vocabulary()
    texts = []
    for _ in range(count):
        length = random.randint(9, 21)
        few = random.choices(SMALL, cum_weights=small_weights, k=length)
        many = random.choices(large, cum_weights=large_weights, k=length)
        texts.append(" ".join(many[at] if random.random() < 0.5 else few[at] for at in range(length)))
    return texts


def queries(first: int, count: int) -> list[str]:
    """Questions with two to four words that matter."""
    large, weights, _ = _vocabulary()
    asked = []
    for number in range(first, first + count):
        random = Random(f"query {number}")
        asked.append("what did you say about " + " ".join(random.choices(large, cum_weights=weights, k=2 + number % 3)))
    return asked


def vectors(batch: int, count: int) -> Matrix:
    """The vectors of one batch, of unit length."""
    found = np.random.default_rng([1, batch]).standard_normal((count, DIMENSION), dtype=np.float32)
    return _unit(found)


def query_vectors(first: int, count: int, batch: int, size: int) -> Matrix:
    """Vectors near memories of a stored batch: a cosine of about 0.6 with one, of about none with the others."""
    near = vectors(batch, size)[np.arange(first, first + count) % size]
    noise = _unit(np.random.default_rng([2, first]).standard_normal((count, DIMENSION), dtype=np.float32))
    return _unit(near * np.float32(0.75) + noise)


def _unit(matrix: Matrix) -> Matrix:
    lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    unit: Matrix = (matrix / lengths[:, None]).astype(np.float32, copy=False)
    return unit


@cache
def _vocabulary() -> tuple[list[str], list[float], list[float]]:
    random = Random("vocabulary")
    large = dict.fromkeys(
        "".join(random.choices(_SYLLABLES, k=random.choice((2, 2, 3, 3, 4)))) for _ in range(2 * _LARGE_WORDS)
    )
    words = list(large)[:_LARGE_WORDS]
    weights = list(accumulate(1 / (place + _FLAT) for place in range(len(words))))
    return words, weights, list(accumulate(1 / (place + 2) for place in range(len(SMALL))))
