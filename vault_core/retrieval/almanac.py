"""The almanac: which range of time a name or a distance means, seen from a day.

- Days begin at midnight in the zone of `today`, weeks on Monday. Ranges are half open. Sums are of the wall clock.
- Seasons are northern and meteorological: spring is March to May. A winter bears the year of its December.
- A name means its latest occurrence that has begun. "last" is the latest that has ended, "next" the first that has not
  begun, "this" the nearest; "this Monday" is the latest, as "on Monday" is.

What lies outside the years 1 to 9999, and a date that does not exist, is a ValueError or an OverflowError.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import datetime, timedelta

Range = tuple[datetime, datetime]

REACH = 12  # occurrences of a name looked back for: a leap day is up to 8 years away

UNITS = {"day": (0, 1), "week": (0, 7), "month": (1, 0), "year": (12, 0)}  # months, days
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # first month
MONTHS = {
    "january": 1,
    "february": 2,
    "march": 3,
    "april": 4,
    "may": 5,
    "june": 6,
    "july": 7,
    "august": 8,
    "september": 9,
    "october": 10,
    "november": 11,
    "december": 12,
}
MONTHS |= {name[:3]: month for name, month in MONTHS.items()} | {"sept": 9}

DAY = timedelta(days=1)
_WEEKLY = {day: (n, 1) for n, day in enumerate(WEEKDAYS)} | {"weekend": (5, 2), "week": (0, 7)}  # first day, days
_ABOUT = {"day": 0, "week": 3, "month": 15, "year": 182}  # days to either side of "a month ago"


def occurrences(name: str, which: str | None, today: datetime) -> list[Range]:
    """What a weekday, month, season, "week", "weekend", "month" or "year" may mean, the likeliest first."""
    around = [_occurrence(name, today, step) for step in range(-REACH, 3)]
    begun = [found for found in reversed(around) if found[0] <= today]
    if which is None:
        return begun
    if which == "next":
        return [found for found in around if found[0] > today][:1]
    if which == "this":
        return begun[:1] if name in WEEKDAYS else [min(around, key=lambda found: _distance(found, today))]
    return [found for found in begun if found[1] <= today][:1]


def dates(month: int, days: tuple[int, int], years: Iterable[int], today: datetime) -> list[Range]:
    """From one day of a month to another, in each of the years that has them."""
    first, last = days
    return [
        (today.replace(year=year, month=month, day=first), today.replace(year=year, month=month, day=last) + DAY)
        for year in years
        if last <= monthrange(year, month)[1]
    ]


def months(year: int, first: int, count: int, today: datetime) -> Range:
    """Whole months of a year; `first` may lie outside 1 to 12."""
    return _month(year, first, today), _month(year, first + count, today)


def back(n: int, unit: str, today: datetime) -> datetime:
    """The day that lies so many days, weeks, months or years back."""
    by_month, by_day = UNITS[unit]
    first = _month(today.year, today.month - n * by_month, today)
    day = min(today.day, monthrange(first.year, first.month)[1])
    return first.replace(day=day) - timedelta(days=n * by_day)


def ago(least: int, most: int, unit: str, today: datetime) -> Range:
    """The day so far back, and half a unit to either side: nobody counts the days of "a month ago"."""
    about = timedelta(days=_ABOUT[unit])
    return back(most, unit, today) - about, back(least, unit, today) + about + DAY


def third(part: int | None, found: Range) -> Range:
    """The first, second or last third of a range, in whole days; all of it if it is short or no part is meant."""
    begin, days = found[0], (found[1] - found[0]).days
    if part is None or days < 3:
        return found
    return begin + timedelta(days=days * part // 3), begin + timedelta(days=days * (part + 1) // 3)


def toward(lead: str | None, found: Range, today: datetime) -> Range:
    """What "since", "after", "before" and "until" make of a range; any other word leaves it."""
    begin, end = found
    if lead == "since":
        return begin, today + DAY
    if lead == "after":
        return end, datetime.max.replace(tzinfo=today.tzinfo)
    if lead in {"before", "until", "till"}:
        return datetime.min.replace(tzinfo=today.tzinfo), begin if lead == "before" else end
    return found


def through(left: list[Range], right: list[Range]) -> list[Range]:
    """From one to the other; the side that may mean several occurrences takes the one next to the other side."""
    if len(left) == 1:
        return [(left[0][0], end) for begin, end in reversed(right) if begin >= left[0][0]][:1]
    return [(begin, right[0][1]) for begin, _ in left if right and begin <= right[0][0]][:1]


def overlaps(some: list[Range], others: list[Range]) -> list[Range]:
    """What each of some ranges shares with each of the others, where it shares anything."""
    both = [(max(one[0], other[0]), min(one[1], other[1])) for one in some for other in others]
    return [(begin, end) for begin, end in both if begin < end]


def _occurrence(name: str, today: datetime, step: int) -> Range:
    """The occurrence in this week, month or year, or that many of them later."""
    if name in _WEEKLY:
        first, days = _WEEKLY[name]
        begin = today + timedelta(days=first - today.weekday() + 7 * step)
        return begin, begin + timedelta(days=days)
    if name == "month":
        return months(today.year, today.month + step, 1, today)
    if name == "year":
        return months(today.year + step, 1, 12, today)
    if name in SEASONS:
        return months(today.year + step, SEASONS[name], 3, today)
    return months(today.year + step, MONTHS[name], 1, today)


def _month(year: int, month: int, today: datetime) -> datetime:
    return today.replace(year=year + (month - 1) // 12, month=(month - 1) % 12 + 1, day=1)


def _distance(found: Range, today: datetime) -> timedelta:
    return max(found[0] - today, today + DAY - found[1], timedelta())
