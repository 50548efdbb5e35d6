"""What a text asks for."""

from datetime import UTC, datetime

import pytest

from vault_core.memory.times import to_micros
from vault_core.retrieval import question as question_room
from vault_core.retrieval.question import MAX_TERMS, Question

NOW = datetime(2025, 6, 18, 12, tzinfo=UTC)


def question_of(text: str) -> Question:
    return question_room.question_of(text, NOW)


def test_stop_words_are_left_out_unless_there_is_nothing_else() -> None:
    assert question_of("What do you know about the Lighthouses?").terms == ("lighthous",)
    assert question_of("who are you").terms == ("who", "are", "you")


def test_pairs_are_words_that_follow_each_other_if_one_of_them_tells() -> None:
    assert question_of("went to the support group").pairs == (
        ("went", "to"),
        ("the", "support"),
        ("support", "group"),
    )


def test_quoted_phrases_must_be_there_and_are_looked_for_too() -> None:
    question = question_of('notes on "green tea" please')
    assert question.phrases == (("green", "tea"),)
    assert question.terms == ("note", "green", "tea")


@pytest.mark.parametrize("text", ["", "   ", "?!", '""', "\ud800"])
def test_nothing_to_look_for_is_an_empty_question(text: str) -> None:
    assert question_of(text).empty


@pytest.mark.parametrize("text", ["When did it start?", "what year was that", "How long ago did we meet?"])
def test_a_question_for_a_time(text: str) -> None:
    assert question_of(text).wants_time


@pytest.mark.parametrize("text", ["How many cups?", "so how much is it", "how old is she"])
def test_a_question_for_a_number(text: str) -> None:
    assert question_of(text).wants_number


def test_neither_a_time_nor_a_number() -> None:
    question = question_of("Whenever many people come, how do they get in?")
    assert not question.wants_time
    assert not question.wants_number


def test_a_long_text_is_read_in_part() -> None:
    question = question_of(" ".join(f"word{number}" for number in range(10_000)))
    assert len(question.terms) == len(question.pairs) == MAX_TERMS


def test_a_time_it_names_becomes_a_range_as_seen_from_now() -> None:
    begin, end = (to_micros(datetime(2025, month, 1, tzinfo=UTC)) for month in (3, 4))
    assert question_of("what did we plant in March?").span == (begin, end)
    assert question_of("what did we plant?").span is None
