"""Checks of what a caller gives besides memories: lists, pages, numbers. What is wrong is named, with what to give."""

import math
from collections.abc import Iterable
from typing import Any

from vault_core.errors import InvalidInputError
from vault_core.memory.canonical import check_encodable
from vault_core.memory.draft import check_id

MAX_PLACE = 1_000_000_000  # of a page: far beyond any vault, and small enough to be added and doubled


def each_of(value: Any, what: str) -> list[Any]:
    """The members of a list, tuple, set or iterator; a single text is refused, for its letters are members too."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise InvalidInputError(f"{what} must be a list, not a single {type(value).__name__}")
    return list(value)


def check_ids(value: Any) -> list[str]:
    """Ids, in order and each once."""
    return list(dict.fromkeys(check_id(one) for one in each_of(value, "ids")))


def check_place(value: Any, what: str, *, least: int = 0) -> int:
    """A whole number that says where a page begins or how long it is."""
    if type(value) is not int or not least <= value <= MAX_PLACE:
        raise InvalidInputError(f"{what} must be a whole number from {least} to {MAX_PLACE:,}")
    return value


def check_page(limit: Any, offset: Any) -> None:
    """A page: how many (None: all), and how many are left out before."""
    if limit is not None:
        check_place(limit, "limit")
    check_place(offset, "offset")


def check_number(value: Any, what: str) -> float | None:
    """A number, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or (type(value) is float and math.isnan(value)):
        raise InvalidInputError(f"{what} must be a number")
    return value


def check_fraction(value: Any, what: str) -> float | None:
    """A number from 0 to 1, or None."""
    number = check_number(value, what)
    if number is not None and not 0 <= number <= 1:
        raise InvalidInputError(f"{what} must be from 0 to 1")
    return number


def check_flags(**given: Any) -> None:
    """Each is True or False, and nothing that only counts as one of them."""
    for name, value in given.items():
        if not isinstance(value, bool):
            raise InvalidInputError(f"{name} must be True or False")


def check_callable(value: Any, what: str) -> None:
    """Something that can be called."""
    if not callable(value):
        raise InvalidInputError(f"{what} must be a function")


def check_prefix(value: Any) -> str:
    """The beginning of a key, '' for all keys."""
    if not isinstance(value, str):
        raise InvalidInputError("a prefix must be text")
    check_encodable(value, "a prefix")
    return value
