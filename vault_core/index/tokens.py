"""Tokens: from text to stems, so that "walks" and "walking" count as one word."""

import re

from snowballstemmer import stemmer

_WORD = re.compile(r"\w+")
_ENGLISH = stemmer("english")


def words(text: str) -> list[str]:
    """The words of a text, in order, without case."""
    return _WORD.findall(text.lower())


def stem(word: str) -> str:
    """The stem of one word that `words` gave."""
    return str(_ENGLISH.stemWord(word))


def stems(text: str) -> list[str]:
    """The stems of a text, in order."""
    return [stem(word) for word in words(text)]
