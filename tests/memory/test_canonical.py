"""Canonical JSON: one spelling for one value, whatever the order of keys and the composition of letters."""

import json
import random
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.properties import PROPERTY
from support.strategies import json_values, texts
from vault_core import InvalidInputError
from vault_core.memory import canonical_json, content_hash
from vault_core.memory.canonical import check_json, compact_json, parse_json


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same JSON value, its keys in another order."""
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: shuffled(value[key], dice) for key in keys}
    return [shuffled(inner, dice) for inner in value] if isinstance(value, list) else value


def composed(value: Any, form: str) -> Any:
    """The same JSON value, its texts in another normal form."""
    if isinstance(value, str):
        return unicodedata.normalize(form, value)
    if isinstance(value, dict):
        return {composed(key, form): composed(inner, form) for key, inner in value.items()}
    return [composed(inner, form) for inner in value] if isinstance(value, list) else value


@PROPERTY
@given(json_values, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: Any, dice: random.Random) -> None:
    assert canonical_json(shuffled(value, dice)) == canonical_json(value)


@PROPERTY
@given(json_values, json_values)
def test_two_values_have_one_spelling_only_if_they_are_one(one: Any, other: Any) -> None:
    assert (canonical_json(one) == canonical_json(other)) is (typed(one) == typed(other))


@PROPERTY
@given(json_values)
def test_both_spellings_are_json_of_the_value(value: Any) -> None:
    assert typed(json.loads(canonical_json(value))) == typed(value)
    assert typed(parse_json(compact_json(value))) == typed(value)
    assert "\n" not in canonical_json(value)


@PROPERTY
@given(texts | st.lists(json_values, max_size=3) | st.dictionaries(texts, json_values, max_size=3))
def test_a_content_s_hash_does_not_depend_on_how_letters_are_composed(content: Any) -> None:
    if isinstance(content, dict) and len(composed(content, "NFC")) < len(content):
        return  # two keys that are one
    normal = composed(content, "NFC")

    assert content_hash(composed(normal, "NFD")) == content_hash(normal) == content_hash(content)


def test_text_and_json_of_the_same_letters_are_different_contents() -> None:
    assert content_hash("[1]") != content_hash([1])
    assert len({content_hash(content) for content in ([1], [1.0], [True], ["1"], [[1]], {"1": None}, "1")}) == 7


def typed(value: Any) -> Any:
    """The value with its types, so that 1, 1.0 and True differ, and -0.0 from 0.0."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return type(value).__name__, repr(value)


@pytest.mark.parametrize(
    "value",
    [{1: 2}, {None: 1}, {"a": {1}}, {"a": b"b"}, {"a": object()}, ["\ud800"], {"\ud800": 1}, [2j], {"a": (1, {2})}],
    ids=ascii,
)
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError):
        check_json(value, "it")


def test_depth_and_digits_have_an_end() -> None:
    deep: Any = []
    for _ in range(63):
        deep = [deep]
    check_json(deep, "it")
    check_json([10**4290, -(10**4290)], "it")
    assert parse_json(compact_json([10**4290])) == [10**4290]

    for beyond in ([deep], {"a": deep}, [10**5000], {"a": -(10**5000)}):
        with pytest.raises(InvalidInputError):
            check_json(beyond, "it")
