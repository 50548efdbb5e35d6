"""Filters: whatever is given is a filter that always has an answer, or is refused with a sentence."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.properties import PROPERTY
from support.strategies import json_values, moments, texts
from vault_core import InvalidInputError
from vault_core.memory.filters import (
    FIELDS,
    MISSING,
    OPERATORS,
    All,
    Filter,
    Path,
    descend,
    parse_filter,
    same_value,
)

paths = st.sampled_from(sorted(FIELDS)) | st.sampled_from(["metadata", "content", "slot", "state"]).flatmap(
    lambda root: st.lists(texts, min_size=1, max_size=3).map(lambda keys: ".".join([root, *keys]))
)
operands = json_values | moments | st.sets(st.integers(), max_size=3) | st.binary(max_size=3)
comparisons = st.dictionaries(
    paths,
    operands | st.dictionaries(st.sampled_from([f"${name}" for name in OPERATORS]), operands, min_size=1, max_size=2),
    max_size=3,
)
trees = st.recursive(
    comparisons,
    lambda inner: (
        st.dictionaries(st.sampled_from(["$and", "$or"]), st.lists(inner, max_size=3), max_size=2)
        | st.dictionaries(st.just("$not"), inner, max_size=1)
    ),
    max_leaves=6,
)
values = st.just(MISSING) | operands


def parsed(given_filter: Any) -> Filter | None:
    try:
        return parse_filter(given_filter)
    except InvalidInputError:
        return None


@PROPERTY
@given(trees | json_values | texts | st.binary(), values)
def test_a_filter_is_refused_or_has_an_answer_for_every_value(given_filter: Any, value: Any) -> None:
    tree = parsed(given_filter)

    if tree is not None:
        assert tree.matches(lambda _: value) in (True, False)


@PROPERTY
@given(trees, trees, values)
def test_and_or_and_not_are_what_they_say(one: Any, other: Any, value: Any) -> None:
    first, second = parsed(one), parsed(other)
    if first is None or second is None:
        return

    def answer(given_filter: Any) -> bool:
        return parse_filter(given_filter).matches(lambda _: value)

    a, b = answer(one), answer(other)
    assert answer({"$and": [one, other]}) is (a and b)
    assert answer({"$or": [one, other]}) is (a or b)
    assert answer({"$not": one}) is not a
    assert answer({"$and": [one, {"$not": one}]}) is False


@PROPERTY
@given(values, json_values)
def test_every_operator_and_its_opposite_share_all_values(value: Any, operand: Any) -> None:
    def answer(operator: str, given_operand: Any) -> bool:
        return parse_filter({"metadata.a": {operator: given_operand}}).matches(lambda _: value)

    assert answer("$eq", operand) is not answer("$ne", operand)
    assert answer("$in", [operand]) is not answer("$nin", [operand])
    assert answer("$in", [operand]) is answer("$eq", operand)
    assert answer("$empty", True) is not answer("$empty", False)
    assert answer("$exists", True) is not answer("$exists", False)
    assert not (answer("$gt", operand) and answer("$lt", operand))
    if value is MISSING:
        assert [name for name in OPERATORS if name not in ("empty", "exists") and missing_fits(name)] == ["ne", "nin"]


def missing_fits(name: str) -> bool:
    operand: Any = {"in": [1], "nin": [1], "any": [1], "all": [1], "match": "a", "imatch": "a", "prefix": "a"}.get(
        name, 1
    )
    return parse_filter({"metadata.a": {f"${name}": operand}}).matches(lambda _: MISSING)


@PROPERTY
@given(json_values, json_values)
def test_equality_of_values_is_one_that_can_be_relied_on(one: Any, other: Any) -> None:
    assert same_value(one, one) or one != one  # noqa: PLR0124  NaN
    assert same_value(one, other) is same_value(other, one)
    assert not same_value(True, 1)
    assert not same_value([True], [1])


def test_a_path_leads_through_dots_and_says_nothing_about_what_is_not_there() -> None:
    asked: list[Path] = []

    def lookup(path: Path) -> Any:
        asked.append(path)
        return MISSING

    assert not parse_filter({"metadata.a.b": 1, "importance": {"$gte": 0}}).matches(lookup)
    assert asked == [("metadata", "a", "b")]


@pytest.mark.parametrize(
    "wrong",
    [
        [], "tea", 5, b"x", {"colour": 1}, {"metadata.a": {"$near": 1}}, {"$xor": []}, {"$and": {}}, {"$and": [5]},
        {"$or": 1}, {"$not": []}, {1: 2}, {"id.more": 1}, {"metadata.a": {"$in": "text"}},
        {"metadata.a": {"$match": 5}}, {"metadata.a": {"$exists": 1}}, {"event_time": "soon"},
        {"event_time": {"$gt": 5}}, {"": 1}, {".": 1}, {"metadata..a": {"$x": 1}},
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_filter_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_filter(wrong)

    assert len(str(refused.value)) > 15


def test_a_filter_has_a_size() -> None:
    wide = {"$or": [{"id": str(number)} for number in range(1_001)]}
    deep: dict[str, Any] = {"id": "a"}
    for _ in range(40):
        deep = {"$not": deep}

    for beyond in (wide, deep):
        with pytest.raises(InvalidInputError, match="too large"):
            parse_filter(beyond)
    assert isinstance(parse_filter({"$or": [{"id": str(number)} for number in range(900)]}), Filter)


def test_nothing_is_the_filter_that_lets_everything_through() -> None:
    for empty in (None, {}, All(()), {"$and": []}):
        assert parse_filter(empty).matches(lambda _: MISSING)
    assert not parse_filter({"$or": []}).matches(lambda _: MISSING)


def test_times_compare_as_moments_whatever_their_zone() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    for same in ("2026-01-01T12:00:00Z", "2026-01-01T14:00:00+02:00", "2026-01-01T12:00:00", noon):
        assert parse_filter({"event_time": same}).matches(lambda _: noon)
        assert parse_filter({"event_time": {"$gte": same, "$lte": same}}).matches(lambda _: noon)
        assert not parse_filter({"event_time": {"$gt": same}}).matches(lambda _: noon)


def test_a_tuple_is_a_path_whose_keys_may_hold_dots() -> None:
    def lookup(path: Any) -> Any:
        return descend({"metadata": {"a.b": 1, "a": {"b": 2}}}, path)

    assert parse_filter({("metadata", "a.b"): 1}).matches(lookup)
    assert parse_filter({"metadata.a.b": 2}).matches(lookup)
    assert not parse_filter({("metadata", "a.b"): {"$ne": 1}}).matches(lookup)
    for wrong in ((), ("metadata", 7), ("colour",), ("id", "below")):
        with pytest.raises(InvalidInputError):
            parse_filter({wrong: 1})
