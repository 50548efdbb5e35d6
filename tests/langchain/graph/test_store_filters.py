"""Filters over values: what matches, what does not, and what is refused."""

import math
from typing import Any

import pytest

from langchain_strongroom import StrongroomStore
from support.langgraph_stores import differs
from vault_core import InvalidInputError, Vault

ITEMS: dict[str, dict[str, Any]] = {
    "tea": {"kind": "drink", "score": 5, "tags": ["hot", "green"], "by": {"name": "Anna", "age": 40}, "open": True},
    "cake": {"kind": "food", "score": 2.5, "tags": [], "by": {"name": "Bob"}, "open": False, "note": None},
    "train": {"kind": "trip", "score": 10, "tags": ["hot"], "user.access-level": 3, "2nd": 'Ωmega\'s "x"'},
    "note": {"content": "likes tea", "kind": "note"},
}


@pytest.fixture
def filled(store: Any) -> Any:
    for key, value in ITEMS.items():
        store.put(("alice",), key, value)
    return store


def found(store: Any, given: Any) -> list[str]:
    return sorted(item.key for item in store.search(("alice",), filter=given))


MATCHES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "equal": ({"kind": "drink"}, ["tea"]),
    "two keys": ({"kind": "drink", "score": 5}, ["tea"]),
    "two keys of which one fails": ({"kind": "drink", "score": 6}, []),
    "a float like an integer": ({"score": 5.0}, ["tea"]),
    "an integer compared with a float": ({"kind": {"$ne": "note"}, "score": {"$gte": 4.5}}, ["tea", "train"]),
    "nothing": ({}, ["cake", "note", "tea", "train"]),
    "a list": ({"tags": ["hot", "green"]}, ["tea"]),
    "a list in another order": ({"tags": ["green", "hot"]}, []),
    "an empty list": ({"tags": []}, ["cake"]),
    "an object, in part": ({"by": {"name": "Anna"}}, ["tea"]),
    "a truth": ({"open": True}, ["tea"]),
    "an untruth": ({"open": False}, ["cake"]),
    "two operators": ({"open": {"$eq": True}, "score": {"$gt": 2, "$lt": 6}}, ["tea"]),
    "unequal": ({"kind": {"$ne": "drink"}}, ["cake", "note", "train"]),
    "unequal to what is missing": ({"open": {"$ne": True}}, ["cake", "note", "train"]),
    "a digit in front": ({"2nd": 'Ωmega\'s "x"'}, ["train"]),
    "text of a memory of text": ({"content": "likes tea"}, ["note"]),
    "an unknown key": ({"colour": "green"}, []),
    "a key with a dot": ({"user.access-level": 3}, ["train"]),
    "a list as an operand": ({"tags": {"$eq": ["hot"]}}, ["train"]),
}


@pytest.mark.parametrize("name", MATCHES)
def test_a_filter_matches(filled: Any, name: str) -> None:
    given, expected = MATCHES[name]

    assert found(filled, given) == expected


OURS: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "order of a missing field": ({"score": {"$gt": 4}}, ["tea", "train"], "TypeError for a missing field"),
    "order of text": ({"kind": {"$gt": "food"}}, ["note", "train", "trip"][:2], "text is not ordered"),
    "order of numbers and text": ({"score": {"$gt": "4"}}, [], "text is read as a number"),
    "order of a truth": ({"open": {"$gt": 0}}, [], "a truth is a number, and a missing field a TypeError"),
    "NaN": ({"score": {"$gt": math.nan}}, [], "TypeError for a missing field"),
    "infinity": ({"score": {"$lt": math.inf}}, ["cake", "tea", "train"], "TypeError for a missing field"),
    "10**400": ({"score": {"$lt": 10**400}}, ["cake", "tea", "train"], "OverflowError"),
    "a truth is not one": ({"open": 1}, [], "True is 1"),
    "a path": ({"by.name": "Anna"}, ["tea"], "a key with a dot is only itself (langgraph#7795)"),
    "a path and an operator": ({"by.age": {"$gte": 40}}, ["tea"], "a key with a dot is only itself"),
    "None is not missing": ({"note": None}, ["cake"], "a missing field equals None"),
    "an operator inside of an object": ({"by": {"age": {"$gte": 40}}}, ["tea"], "TypeError for a missing field"),
    "in": ({"kind": {"$in": ["food", "trip"]}}, ["cake", "train"], "unknown there"),
    "not in": ({"kind": {"$nin": ["food", "trip"]}}, ["note", "tea"], "unknown there"),
    "or": ({"$or": [{"kind": "food"}, {"score": {"$gt": 9}}]}, ["cake", "train"], "silently nothing (langgraph#8829)"),
    "and": ({"$and": [{"kind": "food"}, {"score": 2.5}]}, ["cake"], "silently nothing (langgraph#8829)"),
    "not": ({"$not": {"kind": "food"}}, ["note", "tea", "train"], "silently nothing"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=differs(reason)) for name, (_, _, reason) in OURS.items()], ids=OURS
)
def test_a_filter_matches_where_the_reference_does_otherwise(filled: Any, name: str) -> None:
    given, expected, _ = OURS[name]

    assert found(filled, given) == expected


REFUSED: list[Any] = [
    {"kind": {"$near": 1}}, {"kind": {"$gt": 1, "other": 2}}, {"$xor": []}, {"$and": {}}, {"$or": "x"}, ["kind"],
    "kind", {5: 1}, {"kind": {"$in": "food"}}, {"kind": {1: 2}}, {"kind": object()}, {"kind": {"a": {"$regex": "x"}}},
    {"$not": [1]}, {"kind": {"$in": [object()]}},
]  # fmt: skip


@pytest.mark.parametrize("wrong", REFUSED, ids=ascii)
def test_what_is_not_known_is_refused_and_never_silently_nothing(vault: Vault, wrong: Any) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "key", {"kind": "food"})

    with pytest.raises(InvalidInputError):
        store.search(("alice",), filter=wrong)


def test_a_filter_holds_for_a_query_and_for_pages_too(vault: Vault) -> None:
    store = StrongroomStore(vault)
    for number in range(30):
        store.put(("alice",), str(number), {"text": "tea" if number % 3 else "cake", "even": number % 2 == 0})

    even = {"even": True}
    pages = [store.search(("alice",), query="tea", filter=even, limit=4, offset=offset) for offset in range(0, 20, 4)]

    keys = [int(item.key) for page in pages for item in page]
    assert sorted(keys) == list(range(0, 30, 2))
    assert [key % 3 == 0 for key in keys] == [False] * 10 + [True] * 5
