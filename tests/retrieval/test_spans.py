"""Spans: the time phrases of a question give a range, and words that only look like times give none."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.properties import PROPERTY
from vault_core.memory.times import from_micros, to_micros
from vault_core.retrieval.spans import MAX_LOOKED_AT, Span, span_of

NOW = datetime(2024, 5, 15, 14, 30, tzinfo=UTC)  # a Wednesday
ALWAYS, NEVER = "0001-01-01", "9999-12-31T23:59:59.999999"

# What is asked; the first moment of the range, and the first moment after it.
PHRASES = [
    # days
    ("what did I eat yesterday?", "2024-05-14", "2024-05-15"),
    ("Yesterday's standup", "2024-05-14", "2024-05-15"),
    ("what is on today", "2024-05-15", "2024-05-16"),
    ("what's up tomorrow", "2024-05-16", "2024-05-17"),
    ("plans for tonight", "2024-05-15T18", "2024-05-16T06"),
    ("who called last night", "2024-05-14T18", "2024-05-15T06"),
    ("this morning", "2024-05-15T05", "2024-05-15T12"),
    ("this afternoon", "2024-05-15T12", "2024-05-15T18"),
    ("this evening", "2024-05-15T18", "2024-05-16"),
    ("yesterday  evening", "2024-05-14T18", "2024-05-15"),
    ("the day before yesterday", "2024-05-13", "2024-05-14"),
    # distances
    ("a day ago", "2024-05-14", "2024-05-15"),
    ("3 days ago", "2024-05-12", "2024-05-13"),
    ("what did she say ten days back", "2024-05-05", "2024-05-06"),
    ("a couple of days ago", "2024-05-12", "2024-05-14"),
    ("a few days ago", "2024-05-10", "2024-05-14"),
    ("a week ago", "2024-05-05", "2024-05-12"),
    ("two weeks ago", "2024-04-28", "2024-05-05"),
    ("one month ago", "2024-03-31", "2024-05-01"),
    ("3 months ago", "2024-01-31", "2024-03-02"),
    ("a year ago", "2022-11-14", "2023-11-14"),
    ("in the last 3 days", "2024-05-12", "2024-05-16"),
    ("in the past two weeks", "2024-05-01", "2024-05-16"),
    ("over the last few months", "2023-12-15", "2024-05-16"),
    ("in the past 5 years", "2019-05-15", "2024-05-16"),
    ("the past week", "2024-05-08", "2024-05-16"),
    ("in the last year", "2023-05-15", "2024-05-16"),
    ("have I been ill recently", "2024-04-15", "2024-05-16"),
    ("lately", "2024-04-15", "2024-05-16"),
    # weeks, months, years
    ("last week", "2024-05-06", "2024-05-13"),
    ("this week's tasks", "2024-05-13", "2024-05-20"),
    ("last month", "2024-04-01", "2024-05-01"),
    ("this month", "2024-05-01", "2024-06-01"),
    ("last year", "2023-01-01", "2024-01-01"),
    ("this year", "2024-01-01", "2025-01-01"),
    ("next month", "2024-06-01", "2024-07-01"),
    ("last weekend", "2024-05-11", "2024-05-13"),
    ("this past weekend", "2024-05-11", "2024-05-13"),
    ("over the weekend", "2024-05-11", "2024-05-13"),
    ("last Monday", "2024-05-13", "2024-05-14"),
    ("last Wednesday", "2024-05-08", "2024-05-09"),
    ("on Wednesday", "2024-05-15", "2024-05-16"),
    ("on friday", "2024-05-10", "2024-05-11"),
    ("this Sunday", "2024-05-12", "2024-05-13"),
    ("on Monday last week", "2024-05-06", "2024-05-07"),
    # seasons
    ("last spring", "2023-03-01", "2023-06-01"),
    ("this spring", "2024-03-01", "2024-06-01"),
    ("last summer", "2023-06-01", "2023-09-01"),
    ("in the fall", "2023-09-01", "2023-12-01"),
    ("last winter", "2023-12-01", "2024-03-01"),
    ("the winter of 2021", "2021-12-01", "2022-03-01"),
    ("summer 2022", "2022-06-01", "2022-09-01"),
    ("autumn of last year", "2023-09-01", "2023-12-01"),
    # months
    ("last March", "2024-03-01", "2024-04-01"),
    ("last May", "2023-05-01", "2023-06-01"),
    ("in March", "2024-03-01", "2024-04-01"),
    ("in may", "2024-05-01", "2024-06-01"),
    ("in June", "2023-06-01", "2023-07-01"),
    ("in March last year", "2023-03-01", "2023-04-01"),
    ("last year in March", "2023-03-01", "2023-04-01"),
    ("in March 2022", "2022-03-01", "2022-04-01"),
    ("March 2022 invoices", "2022-03-01", "2022-04-01"),
    ("Sept. 2022", "2022-09-01", "2022-10-01"),
    ("the first week of March 2022", "2022-03-01", "2022-04-01"),
    ("early March 2022", "2022-03-01", "2022-03-11"),
    ("in mid-March 2022", "2022-03-11", "2022-03-21"),
    ("late February 2022", "2022-02-19", "2022-03-01"),
    ("at the end of April", "2024-04-21", "2024-05-01"),
    ("the end of march", "2024-03-21", "2024-04-01"),
    ("in late may 2022", "2022-05-21", "2022-06-01"),
    ("in 2022-03", "2022-03-01", "2022-04-01"),
    # years
    ("where did I live in 2023?", "2023-01-01", "2024-01-01"),
    ("the election of 2020", "2020-01-01", "2021-01-01"),
    ("late 2022", "2022-09-01", "2023-01-01"),
    # dates
    ("on 7 May 2023", "2023-05-07", "2023-05-08"),
    ("the 7th of May, 2023", "2023-05-07", "2023-05-08"),
    ("May 7th, 2023", "2023-05-07", "2023-05-08"),
    ("Sunday, May 7, 2023", "2023-05-07", "2023-05-08"),
    ("on Sunday 7 May 2023", "2023-05-07", "2023-05-08"),
    ("on 7 May", "2024-05-07", "2024-05-08"),
    ("May 20", "2023-05-20", "2023-05-21"),
    ("may 7th", "2024-05-07", "2024-05-08"),
    ("on 29 February", "2024-02-29", "2024-03-01"),
    ("on 2023-05-07", "2023-05-07", "2023-05-08"),
    ("2023-05-07T10:00:00Z", "2023-05-07", "2023-05-08"),
    ("on 13/05/2023", "2023-05-13", "2023-05-14"),
    ("on 05/13/2023", "2023-05-13", "2023-05-14"),
    ("on 05/05/2023", "2023-05-05", "2023-05-06"),
    ("7 to 9 May 2023", "2023-05-07", "2023-05-10"),
    ("between 7 and 9 May 2023", "2023-05-07", "2023-05-10"),
    ("May 7-9, 2023", "2023-05-07", "2023-05-10"),
    # from, to, since, before, after
    ("since March 2024", "2024-03-01", "2024-05-16"),
    ("since last summer", "2023-06-01", "2024-05-16"),
    ("since Monday", "2024-05-13", "2024-05-16"),
    ("before 2023", ALWAYS, "2023-01-01"),
    ("until the end of 2022", ALWAYS, "2023-01-01"),
    ("after May 2023", "2023-06-01", NEVER),
    ("before yesterday", ALWAYS, "2024-05-14"),
    ("between March and June 2023", "2023-03-01", "2023-07-01"),
    ("between november and february", "2023-11-01", "2024-03-01"),
    ("from November to February 2023", "2022-11-01", "2023-03-01"),
    ("from March 2021 to June", "2021-03-01", "2021-07-01"),
    ("from 2020 to 2022", "2020-01-01", "2023-01-01"),
    ("from Monday to Friday", "2024-05-06", "2024-05-11"),
    ("from May 7 to May 9, 2023", "2023-05-07", "2023-05-10"),
    ("from early March to mid April", "2024-03-01", "2024-04-21"),
    ("photos from 2019", "2019-01-01", "2020-01-01"),
    # several phrases
    ("since March 2024 but before May 2024", "2024-03-01", "2024-05-01"),
    ("in 2023, in the summer", "2023-06-01", "2023-09-01"),
    ("yesterday, not in 2022", "2024-05-14", "2024-05-15"),
    ("31 February 2022 or yesterday", "2024-05-14", "2024-05-15"),
]

NOTHING = [
    "",
    "what is my favourite tea?",
    "may I come in",
    "this may be wrong",
    "if I am late may I come",
    "it may 7 times",
    "May said that April and June were coming",
    "What did April say to Mar",
    "they march on",
    "march 10 miles",
    "give me a second, a second ago",
    "water from a spring",
    "the spring is broken",
    "did I fall or did it fall 3 times",
    "after the fall I could not walk",
    "the music of the 90s and the 1990s",
    "years ago",
    "two and a half years ago",
    "will it last 3 days",
    "the last day of school",
    "Monday blues",
    "1500 words in 1500 words",
    "2023",
    "on 07/05/2023",
    "on 31 February 2023",
    "29 February 2023",
    "in February 99999",
    "in year 0",
    "May 7, 99999",
    "0000-05-07",
    "2023-13-45",
    "0 May 2023",
    "5000 years ago",
    "99999 days ago",
    "10.10.2023.5",
    "call 555-2023-05-07",
    "between 2023 and you",
    "since 2030",
    "from June 2023 to March 2023",
    "in \u017feptember",  # lower case for S, to a pattern that ignores case
    "\u0661 days ago",  # a digit, to \d
]


def span(text: str, now: datetime = NOW) -> Span:
    found = span_of(text, now)
    assert found is not None
    return found


def moment(text: str, zone: timezone | ZoneInfo = UTC) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=zone))


@pytest.mark.parametrize(("text", "begin", "end"), PHRASES, ids=[text for text, _, _ in PHRASES])
def test_a_phrase_means_a_range(text: str, begin: str, end: str) -> None:
    found = span(text)

    assert (from_micros(found.begin), from_micros(found.end)) == (
        from_micros(moment(begin)),
        from_micros(moment(end)),
    )


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_time_means_nothing(text: str) -> None:
    assert span_of(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("what did I eat yesterday?", "what did I eat ?"),
        ("tea in March 2022, please", "tea , please"),
        ("İstanbul since the end of last year!", "İstanbul !"),
        ("on Monday last week we met", "  we met"),
        ("yesterday, not in 2022", ", not in 2022"),
    ],
)
def test_the_words_of_the_phrases_are_told(text: str, left: str) -> None:
    for begin, end in reversed(span(text).words):
        text = text[:begin] + text[end:]

    assert text == left


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"])
def test_days_are_those_of_the_zone_of_now(zone: str) -> None:
    there = ZoneInfo(zone)
    today = NOW.astimezone(there).date()

    found = span("yesterday", NOW.astimezone(there))

    assert found.begin == moment((today - timedelta(days=1)).isoformat(), there)
    assert found.end == moment(today.isoformat(), there)


def test_a_day_on_which_clocks_change_has_its_own_length() -> None:
    there = ZoneInfo("Europe/Berlin")

    found = span("on 31 March 2024", NOW.astimezone(there))

    assert found.end - found.begin == timedelta(hours=23) // timedelta(microseconds=1)


def test_a_day_that_a_zone_skipped_means_nothing() -> None:
    assert span_of("on 30 December 2011", NOW.astimezone(ZoneInfo("Pacific/Apia"))) is None


@pytest.mark.parametrize(
    ("now", "text", "begin"),
    [
        ("2024-01-10", "last summer", "2023-06-01"),
        ("2024-07-10", "last summer", "2023-06-01"),
        ("2024-09-10", "last summer", "2024-06-01"),
        ("2024-12-05", "this winter", "2024-12-01"),
        ("2024-01-10", "this winter", "2023-12-01"),
        ("2024-04-10", "this winter", "2023-12-01"),
        ("2024-05-13", "this weekend", "2024-05-11"),
        ("2024-05-16", "this weekend", "2024-05-18"),
        ("2024-05-19", "last weekend", "2024-05-11"),
        ("2024-03-31", "a month ago", "2024-02-14"),
        ("2024-02-29", "a year ago", "2022-08-30"),
        ("2024-01-01", "last month", "2023-12-01"),
        ("2023-05-15", "on 29 February", "2020-02-29"),
    ],
)
def test_last_and_this_depend_on_the_day(now: str, text: str, begin: str) -> None:
    assert from_micros(span(text, datetime.fromisoformat(now).replace(tzinfo=UTC)).begin) == from_micros(moment(begin))


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert span_of("x " * MAX_LOOKED_AT + "yesterday", NOW) is None
    assert span_of("yesterday" + " x" * MAX_LOOKED_AT, NOW) is not None


@pytest.mark.parametrize(
    "piece", ["since ", "since March ", "in the last ", "from 7 to ", " ", "1/", "the end of ", "a"]
)
def test_a_megabyte_of_anything_is_read(piece: str) -> None:
    span_of(piece * (1_000_000 // len(piece)), NOW)


VOCABULARY = sorted(
    {word for text, _, _ in PHRASES for word in text.split()} | {word for t in NOTHING for word in t.split()}
)
questions = st.text() | st.lists(st.sampled_from(VOCABULARY) | st.text(max_size=5), max_size=12).map(" ".join)
zones = st.timezones() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@PROPERTY
@given(text=questions, now=st.datetimes(timezones=zones, allow_imaginary=True))
def test_any_question_at_any_time_has_an_answer(text: str, now: datetime) -> None:
    found = span_of(text, now)

    if found is not None:
        assert 1 <= from_micros(found.begin).year <= from_micros(found.end).year <= 9999
        assert found.begin < found.end
        assert all(0 <= begin < end <= len(text) for begin, end in found.words)
