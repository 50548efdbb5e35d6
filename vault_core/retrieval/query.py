"""Queries: from what a person types to what the lexical index is asked.

Stop words are dropped, quoted phrases must match, and every word is quoted for FTS5, so that no query can be read as
its syntax.
"""

import re

MAX_TERMS = 64  # a query is a question, not a document

_QUOTED = re.compile(r'"([^"]{1,200})"')
_WORD = re.compile(r"\w+")
_STOP = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "between",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "don",
        "for",
        "from",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "know",
        "me",
        "more",
        "most",
        "my",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "please",
        "remember",
        "s",
        "same",
        "say",
        "says",
        "she",
        "should",
        "so",
        "some",
        "such",
        "t",
        "tell",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "told",
        "too",
        "under",
        "until",
        "up",
        "us",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


def lexical_query(text: str) -> str | None:
    """The FTS5 query for a text: phrases that must match and words that may; None if nothing is left to look for."""
    phrases = [_words(phrase) for phrase in _QUOTED.findall(text)]
    required = " AND ".join(_phrase(words) for words in phrases if words)
    words = [word for word in _words(_QUOTED.sub(" ", text)) if word.lower() not in _STOP]
    if not words and not required:
        words = _words(text)  # a query made of stop words alone still means something
    optional = " OR ".join(_phrase([word]) for word in list(dict.fromkeys(words))[:MAX_TERMS])
    if required and optional:
        return f"({required}) AND ({required} OR {optional})"
    return required or optional or None


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _phrase(words: list[str]) -> str:
    return '"' + " ".join(words).replace('"', "") + '"'
