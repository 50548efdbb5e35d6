"""Phrases: how people write times, row by row, and what each row means.

- "3 weeks ago" is a day and half a unit to either side; "the last 3 weeks" and "the last week" end with today; "last
  week" is the calendar's. The rest is `almanac`'s.
- Years beside words are 1900 to 2099: other numbers of four digits count things.
- A date that does not exist, or reads two ways (07/05/2023), means nothing; a number that is no year spoils a date.
- A bare name or year is a time only after one of its `leads`: "in 2023", "since May".

Patterns are matched against lower case where a word begins. Every gap in them is bounded, so a match is short work.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from vault_core.retrieval import almanac
from vault_core.retrieval.almanac import DAY, MONTHS, REACH, SEASONS, UNITS, WEEKDAYS, Range

RECENT_DAYS = 30  # what "recently" and "lately" mean

_HOURS = {  # from today's midnight; a night lasts until six
    "day before yesterday": (-48, -24),
    "yesterday": (-24, 0),
    "last night": (-6, 6),
    "today": (0, 24),
    "tonight": (18, 30),
    "tomorrow": (24, 48),
    "day after tomorrow": (48, 72),
} | {
    f"{day} {part}": (midnight + begin, midnight + end)
    for day, midnight in (("this", 0), ("yesterday", -24), ("tomorrow", 24))
    for part, begin, end in (("morning", 5, 12), ("afternoon", 12, 18), ("evening", 18, 24), ("night", 18, 30))
}
_NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_AMOUNTS = {word: (n, n) for n, word in enumerate(_NUMBERS, 1)} | {"couple": (2, 3), "few": (2, 5), "several": (3, 7)}


@dataclass(frozen=True, slots=True)
class Row:
    """One way to write a time. `read` gives the ranges that it may mean, the likeliest first, or says ValueError."""

    pattern: re.Pattern[str]
    read: Callable[[re.Match[str], datetime], list[Range]]
    leads: tuple[str, ...]  # one of these must stand before it, if there are any


def _hours(match: re.Match[str], today: datetime) -> list[Range]:
    begin, end = _HOURS[" ".join(match["hours"].split())]
    return [(today + timedelta(hours=begin), today + timedelta(hours=end))]


def _recent(_: re.Match[str], today: datetime) -> list[Range]:
    return [(today - timedelta(days=RECENT_DAYS), today + DAY)]


def _ago(match: re.Match[str], today: datetime) -> list[Range]:
    return [almanac.ago(*_amount(match["n"]), match["unit"], today)]


def _rolling(match: re.Match[str], today: datetime) -> list[Range]:
    _, most = _amount(match["n"] or ("few" if match["many"] else None))
    return [(almanac.back(most, match["unit"], today), today + DAY)]


def _named(match: re.Match[str], today: datetime) -> list[Range]:
    return almanac.occurrences(match["name"], match.groupdict().get("which"), today)


def _month_of_year(match: re.Match[str], today: datetime) -> list[Range]:
    return [almanac.months(_year(match["year"], today), MONTHS[match["name"]], 1, today)]


def _season_of_year(match: re.Match[str], today: datetime) -> list[Range]:
    return [almanac.months(_year(match["year"], today), SEASONS[match["name"]], 3, today)]


def _date(match: re.Match[str], today: datetime) -> list[Range]:
    days = int(match["day"]), int(match["through"] or match["day"])
    if match["year"]:
        return almanac.dates(MONTHS[match["name"]], days, [_year(match["year"], today)], today)
    years = range(today.year, max(today.year - REACH, 0), -1)
    return [found for found in almanac.dates(MONTHS[match["name"]], days, years, today) if found[0] <= today]


def _digits(match: re.Match[str], today: datetime) -> list[Range]:
    month, day = sorted((int(match["one"]), int(match["two"])))
    clear = day > 12 or day == month
    return almanac.dates(month, (day, day), [int(match["year"])], today) if clear else []


def _iso_date(match: re.Match[str], today: datetime) -> list[Range]:
    day = int(match["day"])
    return almanac.dates(int(match["month"]), (day, day), [int(match["year"])], today)


def _iso_month(match: re.Match[str], today: datetime) -> list[Range]:
    return [almanac.months(int(match["year"]), int(match["month"]), 1, today)]


def _whole_year(match: re.Match[str], today: datetime) -> list[Range]:
    return [almanac.months(int(match["year"]), 1, 12, today)]


def _amount(words: str | None) -> tuple[int, int]:
    if words is None:
        return 1, 1
    return _AMOUNTS.get(words) or (int(words), int(words))


def _year(words: str, today: datetime) -> int:
    return int(words) if words.isdigit() else today.year - words.startswith("last")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ", r"\s{1,4}"))


def _one_of(*words: str) -> str:
    return "|".join(sorted(words, reverse=True))  # a word before its own beginning


_N = rf"(?:an? )?(?P<n>{_one_of(*_AMOUNTS)}|[0-9]{{1,4}})(?: of)?"
_UNIT = rf"(?P<unit>{_one_of(*UNITS)})(?P<many>s?)"
_MONTH = rf"(?P<name>{_one_of(*MONTHS)})\b\.?"
_SEASON = rf"(?P<name>{_one_of(*SEASONS)})"
_EACH = _one_of(*MONTHS, *SEASONS, *WEEKDAYS, "week", "weekend", "month", "year")
_YEAR = "(?:of )?(?P<year>(?:19|20)[0-9]{2}|last year|this year)"
_OF_YEAR = rf"(?:,? {_YEAR}|(?!,? [0-9]{{3}}))"  # a number that is no year spoils the date
_WEEKDAY = rf"(?:(?:{_one_of(*WEEKDAYS)}),? )?(?:the )?"
_DAY = "(?P<day>[0-9]{1,2})(?P<nth>st|nd|rd|th)?"
_THROUGH = "(?P<through>[0-9]{1,2})(?:st|nd|rd|th)?"
_WHOLE = r"(?![-/.,]?[0-9])"  # not the beginning of a longer number
_TIMES = "in during throughout since after before until till"


def _row(pattern: str, read: Callable[[re.Match[str], datetime], list[Range]], leads: str = "") -> Row:
    return Row(_compiled(rf"(?:{pattern})(?!\w)"), read, tuple(leads.split()))


# The first row that matches says what the words are, so a row stands before those that match its beginning.
ROWS = (
    _row(rf"(?:the )?(?P<hours>{_one_of(*_HOURS)})", _hours),
    _row("recently|lately", _recent),
    _row(rf"(?:{_N}|an?) {_UNIT} (?:ago|back)", _ago),
    _row(rf"(?:(?:(?:the|these|this) )?past|(?:the|these) last(?! days?\b)) (?:{_N} )?{_UNIT}(?! of)", _rolling),
    _row(rf"last {_N} {_UNIT}", _rolling, "in over during"),
    _row(rf"{_WEEKDAY}{_DAY}(?:(?: (?:to|and) |[-–]){_THROUGH})? (?:of )?{_MONTH}{_OF_YEAR}", _date),
    _row(rf"{_WEEKDAY}{_MONTH} (?:the )?{_DAY}(?:(?: to |[-–]){_THROUGH})?{_OF_YEAR}", _date),
    _row(rf"{_MONTH},? {_YEAR}{_WHOLE}", _month_of_year),
    _row(rf"(?:the )?{_SEASON} {_YEAR}{_WHOLE}", _season_of_year),
    _row(
        rf"(?P<year>[0-9]{{4}})[-/.](?P<month>[0-9]{{1,2}})[-/.](?P<day>[0-9]{{1,2}})(?:t[0-9:.]+z?)?{_WHOLE}",
        _iso_date,
    ),
    _row(rf"(?P<one>[0-9]{{1,2}})[-/.](?P<two>[0-9]{{1,2}})[-/.](?P<year>[0-9]{{4}}){_WHOLE}", _digits),
    _row(rf"(?P<year>(?:19|20)[0-9]{{2}})-(?P<month>0[1-9]|1[0-2]){_WHOLE}", _iso_month, _TIMES + " of from"),
    _row(rf"(?:the |this )?(?P<which>last|past|previous|this|next) (?P<name>{_EACH})(?! of)", _named),
    _row(rf"{_MONTH}(?! [0-9])", _named, _TIMES),
    _row(rf"(?:the )?{_SEASON}", _named, _TIMES + " over"),
    _row(rf"(?P<name>{_one_of(*WEEKDAYS)})", _named, "on since after before until till"),
    _row("(?:the )?(?P<name>weekend)", _named, _TIMES + " on at over"),
    _row(rf"(?:the )?(?:year )?(?P<year>(?:19|20)[0-9]{{2}}){_WHOLE}", _whole_year, _TIMES + " of from"),
)
WORD = re.compile(r"(?<![\w/.-])(?<![0-9],)[a-z0-9]+")
LEAD = _compiled(f"(?:(?P<lead>{_one_of(*_TIMES.split(), 'on', 'at', 'of', 'over', 'from', 'between')}) )?")
PART = _compiled(
    r"(?:(?:the )?(?P<part>early|mid|late|(?:start|beginning|middle|end|week|month|days?|rest) of)(?:-| ))?"
)
JOIN = _compiled(r" (?:to|and|until|till|through) ")
