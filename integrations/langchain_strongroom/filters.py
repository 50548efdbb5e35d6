"""LangGraph's filters in the vault's words.

Rules (docs/langchain.md, "Where stores disagree"):
- All keys of a filter have to hold. A key names a field of the value; with dots it is that key, or the path it spells.
- A dict of operators compares; any other dict is looked into; everything else is equality.
- `$ne` and `$nin` are the opposites of `$eq` and `$in`: what is not there is not equal.
- What is not known is refused, never silently nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vault_core.errors import InvalidInputError

Path = tuple[str, ...]
Paths = Sequence[Path]

_OPPOSITES = {"$ne": "$eq", "$nin": "$in"}
_OPERATORS = frozenset({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin"})
_JOINS = ("$and", "$or")
_TEXT = "content"  # the one field of the value that a memory of plain text is shown as
_WHOLE: Path = ("content",)  # and where that text is


def filter_of(given: Any) -> dict[Any, Any] | None:
    """The vault's filter for a filter over values; None if everything counts.

    Raises:
        InvalidInputError: an operator that is not known, or something that is no filter.
    """
    if given is None or given == {}:
        return None
    if not isinstance(given, Mapping):
        raise InvalidInputError("a filter must be a dict such as {'topic': 'tea'}")
    return _all(_part(key, value) for key, value in given.items())


def _part(key: Any, value: Any) -> dict[Any, Any]:
    if key in _JOINS:
        if not isinstance(value, list | tuple):
            raise InvalidInputError(f"{key} needs a list of filters")
        return {key: [filter_of(part) or _all(()) for part in value]}
    if key == "$not":
        return {"$not": filter_of(value) or _all(())}
    if not isinstance(key, str) or key.startswith("$"):
        raise InvalidInputError(f"unknown filter operator {key!r}; around fields there are $and, $or and $not")
    paths = [("content", *way) for way in _ways(key)]
    return _field([*paths, _WHOLE] if key == _TEXT else paths, value)


def _field(paths: Paths, value: Any) -> dict[Any, Any]:
    if isinstance(value, Mapping) and value:
        if any(isinstance(key, str) and key.startswith("$") for key in value):
            return _all(_compare(paths, operator, operand) for operator, operand in value.items())
        return _all(_field(_below(paths, key), inner) for key, inner in value.items())
    return _compare(paths, "$eq", value)


def _compare(paths: Paths, operator: Any, operand: Any) -> dict[Any, Any]:
    if operator not in _OPERATORS:
        known = ", ".join(sorted(_OPERATORS))
        raise InvalidInputError(f"unknown filter operator {operator!r}; known are {known}")
    if operator in _OPPOSITES:
        return {"$not": _compare(paths, _OPPOSITES[operator], operand)}
    return {"$or": [{path: {operator: operand}} for path in paths if path != _WHOLE or _is_text(operand)]}


def _is_text(operand: Any) -> bool:
    if isinstance(operand, list | tuple | set | frozenset):
        return all(isinstance(one, str) for one in operand)
    return isinstance(operand, str)


def _below(paths: Paths, key: Any) -> list[Path]:
    if not isinstance(key, str):
        raise InvalidInputError("the keys of a filter are text")
    return [(*path, *way) for path in paths if path != _WHOLE for way in _ways(key)]


def _ways(key: str) -> list[Path]:
    return [(key,), tuple(key.split("."))] if "." in key else [(key,)]


def _all(parts: Any) -> dict[Any, Any]:
    return {"$and": list(parts)}
