"""Questions: from what a person types to what is looked for. Pure.

- Words that say nothing are left out: stop words, and with them a question's wrapping ("what do I know about ...").
  If nothing else is left they are looked for all the same.
- What stands in quotes must be there, word after word.
- Two words that follow each other in the question are worth more where they follow each other in a memory.
- "When" and "how many" say what an answer looks like: a date, a number.
- Times that it names ("last summer", "in March 2024") become a range (`spans`), which favours what happened then.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from vault_core.index.english import stem
from vault_core.index.tokens import stems, words
from vault_core.retrieval.spans import Span, span_of
from vault_core.retrieval.tiers import asks_for_pattern

MAX_TERMS = 64  # a query is a question, not a document
LONGEST_NAMED = 366 * 86_400_000_000  # microseconds: a year
MAX_TEXT = 10_000  # characters of it that are read

Pair = tuple[str, str]

_QUOTED = re.compile(r'"([^"]{1,200})"')
_WHEN = re.compile(r"^\W*when\b|\b(?:what|which) (?:date|day|month|year|time)\b|\bhow long ago\b", re.IGNORECASE)
_COUNT = re.compile(r"\bhow (?:many|much|long|old|often|far|big|tall)\b", re.IGNORECASE)
_STOP = frozenset(
    """
    a about after all also am an and any are as at be because been before being between but by can could
    did do does doing don for from had has have having he her here hers him his how i if in into is it
    its just know me more most my no nor not now of off on once only or other our out over own please
    remember s same say says she should so some such t tell than that the their them then there these
    they this those to told too under until up us very was we were what when where which while who whom
    why will with would you your
    """.split()
)
TIME_WORDS = frozenset(
    stem(word)
    for word in (
        "yesterday today tonight tomorrow ago last next since recently past monday tuesday wednesday thursday friday "
        "saturday sunday january february march april may june july august september october november december "
        "day days week weeks weekend weekends month months year years spring summer autumn fall winter morning evening"
    ).split()
)
NUMBER_WORDS = frozenset(
    stem(word)
    for word in (
        "one two three four five six seven eight nine ten eleven twelve couple few once twice several dozen half"
    ).split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a text asks for: stems to look for, pairs of them that belong together, phrases that must be there."""

    terms: tuple[str, ...]
    pairs: tuple[Pair, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    wants_time: bool = False
    wants_number: bool = False
    wants_pattern: bool = False
    span: tuple[int, int] | None = None  # the time it names, microseconds, half open

    @property
    def empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self.terms and not self.phrases


def question_of(text: str, now: datetime) -> Question:
    """The question in a text; the times it names are meant as seen from `now`."""
    text = text[:MAX_TEXT]
    span = span_of(text, now)
    phrases = tuple(tuple(found) for quoted in _QUOTED.findall(text) if (found := stems(quoted)))
    said = words(_QUOTED.sub(" ", text if span is None or _named(span) else _without(text, span.words)))
    telling = [word for word in said if word not in _STOP]
    if not telling and not phrases:
        telling = said
    inside = [one for phrase in phrases for one in phrase]
    return Question(
        terms=tuple(dict.fromkeys([*map(stem, telling), *inside]))[:MAX_TERMS],
        pairs=tuple(dict.fromkeys(_pairs(said)))[:MAX_TERMS],
        phrases=phrases,
        wants_time=bool(_WHEN.search(text)),
        wants_number=bool(_COUNT.search(text)),
        wants_pattern=asks_for_pattern(text),
        span=None if span is None else (span.begin, span.end),
    )


def _named(span: Span) -> bool:
    """Whether the words of a time stand for it ("in May 2020"): they are then looked for too, and worth it.

    Those of "before May 2020" would find what they leave out.
    """
    return span.end - span.begin <= LONGEST_NAMED


def _without(text: str, ranges: Sequence[tuple[int, int]]) -> str:
    """The text without some ranges of it."""
    for start, end in reversed(ranges):
        text = f"{text[:start]} {text[end:]}"
    return text


def _pairs(said: list[str]) -> Iterator[Pair]:
    return ((stem(one), stem(two)) for one, two in pairwise(said) if not {one, two} <= _STOP)
