"""Spans: the time phrases of a question, and the range of event times that they mean.

- The phrases are `phrases`', what names and distances mean is `almanac`'s. A phrase is a time, a part of one ("end of
  March"), one with a word before it ("since May"), or from one to another.
- In lower case, words that are also something else (`_DOUBTFUL`) need "in", "last" and the like, or a year.
- Phrases that overlap narrow each other; one that does not meet those before it is left out. A bare name means an
  earlier occurrence than its latest if that one meets the others: "on Monday last week".

The work is linear in the text, and the text is cut.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from vault_core.memory.times import to_micros
from vault_core.retrieval import almanac
from vault_core.retrieval.almanac import SEASONS, Range
from vault_core.retrieval.phrases import JOIN, LEAD, PART, ROWS, WORD, Row

MAX_LOOKED_AT = 4_000  # characters; a question, not a document

_MAX_READINGS = 16  # kept while phrases narrow each other; each one may multiply them
_FIRST = to_micros(datetime.min.replace(tzinfo=UTC))
_LAST = to_micros(datetime.max.replace(tzinfo=UTC))

_THIRDS = {"early": 0, "start": 0, "beginning": 0, "mid": 1, "middle": 1, "late": 2, "end": 2}
_DOUBTFUL = {"may", "march", "mar", "spring", "fall"}
_CONVINCING = {"in", "on", "during", "since"}  # before a doubtful word
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}  # str.lower() may change the length


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A range of event times, `begin` <= t < `end`, in microseconds since 1970 UTC.

    `words` are the character ranges of the phrases it was read from, in order: a caller may leave them out of a search.
    """

    begin: int
    end: int
    words: tuple[tuple[int, int], ...]


def span_of(text: str, now: datetime) -> Span | None:
    """The range of times that a question speaks of; None if it speaks of none.

    `now` is aware, and its zone says where days begin. Only the first `MAX_LOOKED_AT` characters are read.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    readings: list[Range] = []
    words: list[tuple[int, int]] = []
    for phrase in _phrases(_Question(text[:MAX_LOOKED_AT], text[:MAX_LOOKED_AT].translate(_LOWER), today)):
        met = almanac.overlaps(readings, phrase.ranges) if words else phrase.ranges
        if met:
            readings = met[:_MAX_READINGS]
            words.append((phrase.begin, phrase.end))
    if not words:
        return None
    begin, end = (min(max(to_micros(moment), _FIRST), _LAST) for moment in readings[0])
    return Span(begin=begin, end=end, words=tuple(words)) if begin < end else None  # zones have skipped whole days


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    lower: str  # of the same length
    today: datetime


@dataclass(frozen=True, slots=True)
class _Phrase:
    begin: int
    end: int
    ranges: list[Range]


@dataclass(frozen=True, slots=True)
class _Point:
    end: int
    ranges: list[Range]
    clear: bool


def _phrases(asked: _Question) -> Iterator[_Phrase]:
    place = 0
    while word := WORD.search(asked.lower, place):
        phrase = _phrase(asked, word.start())
        if phrase is not None:
            yield phrase
        place = word.end() if phrase is None else phrase.end


def _phrase(asked: _Question, begin: int) -> _Phrase | None:
    """The phrase that begins here: a word such as "since" and a time, or from one time to another."""
    start, lead = _group(LEAD, "lead", asked, begin)
    first = _point(asked, start, lead)
    if first is None:
        return None
    join = JOIN.match(asked.lower, first.end) if lead in {"from", "between"} else None
    second = _point(asked, join.end(), lead) if join else None
    if second is not None:
        return _Phrase(begin, second.end, almanac.through(first.ranges, second.ranges))
    return _Phrase(begin, first.end, first.ranges) if first.clear else None


def _point(asked: _Question, begin: int, lead: str | None) -> _Point | None:
    start, part = _group(PART, "part", asked, begin)
    for row in ROWS:
        match = row.pattern.match(asked.lower, start)
        if match is not None:
            ranges = _read(row, match, lead, part, asked.today)
            return _Point(match.end(), ranges, _clear(row, match, lead, part, asked.text))
    return None


def _group(pattern: re.Pattern[str], name: str, asked: _Question, begin: int) -> tuple[int, str | None]:
    """Where an optional word ends, and the word."""
    match = pattern.match(asked.lower, begin)
    return (begin, None) if match is None else (match.end(), match[name])


def _read(row: Row, match: re.Match[str], lead: str | None, part: str | None, today: datetime) -> list[Range]:
    third = _THIRDS.get(part.split()[0]) if part else None
    try:
        found = [almanac.toward(lead, almanac.third(third, whole), today) for whole in row.read(match, today)]
    except (ValueError, OverflowError):  # 31 February; five thousand years ago
        return []
    return [(begin, end) for begin, end in found if begin < end]


def _clear(row: Row, match: re.Match[str], lead: str | None, part: str | None, text: str) -> bool:
    """Whether this is nothing but a time, given what stands before it."""
    if row.leads and lead not in row.leads and part is None:
        return False
    said = match.groupdict()
    name = said.get("name")
    if name not in _DOUBTFUL or text[match.start("name")].isupper() or lead in _CONVINCING:
        return True
    if part is not None:
        return part not in {"early", "late"}  # "if I am late may I come"
    if "which" in said:
        return name in SEASONS or said["which"] not in {"this", "next"}  # "this may be"
    return bool(said.get("year") or said.get("nth"))
