"""Filters: a small typed tree that decides, for one memory at a time, whether it counts.

Rules:
- A filter is written as a dict, `{"memory_type": "PERSONA", "metadata.stars": {"$gte": 4}}`, or built from the
  classes here. Several keys in one dict all have to hold; `$and`, `$or` and `$not` nest.
- A path is dotted: a field of `Memory`, or something below `metadata.`, `content.`, `slot.` or `state.`. A key that
  holds a dot itself is reached by a tuple: `{("metadata", "a.b"): 1}`.
- A missing value matches `$ne`, `$nin` and `$empty` and nothing else.
- Values of different kinds are unequal and unordered; True is not 1. NaN equals nothing.
- `matches` here is the judge. An index may cut candidates before, never decide.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from vault_core.errors import InvalidInputError
from vault_core.memory.times import parse_time

Path = tuple[str, ...]
MAX_NODES = 1000  # bounds what a stranger's filter can cost
MAX_DEPTH = 32

TIME_FIELDS = frozenset({"event_time", "valid_from", "valid_to", "expires_at", "created_at", "updated_at"})
FIELDS = TIME_FIELDS | {
    "id", "namespace", "memory_type", "tier", "tags", "importance", "confidence", "sensitivity", "source", "thread",
    "position", "emotional_intensity", "valence", "data_class", "slot", "metadata", "content", "state", "origin",
}  # fmt: skip
NESTED = frozenset({"metadata", "content", "slot", "state"})


class _Missing:
    """No value at all, which is something else than None."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Any = _Missing()


class Lookup(Protocol):
    """Gives the value at a path of one memory, or MISSING."""

    def __call__(self, path: Path, /) -> Any:
        """The value at a path."""
        ...


class Filter:
    """A node of the tree. `matches` runs while the vault is locked: it only looks, and waits for nobody."""

    __slots__ = ()

    def matches(self, lookup: Lookup) -> bool:
        """Whether the memory behind `lookup` counts."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class All(Filter):
    """Every part holds. Without parts: everything counts."""

    parts: tuple[Filter, ...]

    def matches(self, lookup: Lookup) -> bool:
        """See `Filter.matches`."""
        return all(part.matches(lookup) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either(Filter):
    """At least one part holds."""

    parts: tuple[Filter, ...]

    def matches(self, lookup: Lookup) -> bool:
        """See `Filter.matches`."""
        return any(part.matches(lookup) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not(Filter):
    """The part does not hold."""

    part: Filter

    def matches(self, lookup: Lookup) -> bool:
        """See `Filter.matches`."""
        return not self.part.matches(lookup)


@dataclass(frozen=True, slots=True)
class Compare(Filter):
    """One comparison: the value at `path`, an operator without its `$`, an operand."""

    path: Path
    operator: str
    operand: Any

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            known = ", ".join(f"${name}" for name in OPERATORS)
            raise InvalidInputError(f"unknown filter operator ${self.operator}; known are {known}")
        if not self.path or self.path[0] not in FIELDS:
            raise InvalidInputError(
                f"unknown filter field {'.'.join(self.path)!r}; the caller's own keys are under 'metadata.'"
            )
        if len(self.path) > 1 and self.path[0] not in NESTED:
            raise InvalidInputError(f"the filter field {self.path[0]!r} has nothing below it")
        _check_operand(self.operand)
        if self.operator in _LIST_OPERANDS and not isinstance(self.operand, list | tuple | set | frozenset):
            raise InvalidInputError(f"${self.operator} needs a list")
        if self.operator in _TEXT_OPERANDS and not isinstance(self.operand, str):
            raise InvalidInputError(f"${self.operator} needs text")
        if self.operator in ("empty", "exists") and not isinstance(self.operand, bool):
            raise InvalidInputError(f"${self.operator} needs true or false")
        if self.path[0] in TIME_FIELDS and self.operator in ("eq", "ne", *_ORDER):
            object.__setattr__(self, "operand", parse_time(self.operand, self.path[0]))

    def matches(self, lookup: Lookup) -> bool:
        """See `Filter.matches`."""
        return OPERATORS[self.operator](lookup(self.path), self.operand)


def parse_filter(given: Any) -> Filter:
    """The tree that a dict, a tree or None stands for.

    Raises:
        InvalidInputError: unknown fields or operators, wrong operands, too many or too deep.
    """
    if given is None:
        return All(())
    if isinstance(given, Filter):
        return given
    budget = [MAX_NODES]
    return _parse(given, budget, 0)


def same_value(left: Any, right: Any) -> bool:
    """Equality of JSON values that does not confuse True with 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same_value, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_value(left[key], right[key]) for key in left)
    return bool(left == right)


def descend(value: Any, path: Path) -> Any:
    """The value below `value` at `path`, or MISSING."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return value


def _check_operand(value: Any, depth: int = 0) -> None:
    """Refuse what no memory can hold."""
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"a filter compares with values at most {MAX_DEPTH} deep")
    if isinstance(value, list | tuple | set | frozenset | Mapping):
        for inner in value.values() if isinstance(value, Mapping) else value:
            _check_operand(inner, depth + 1)
    elif value is not None and not isinstance(value, bool | int | float | str | datetime):
        raise InvalidInputError(f"a filter compares with JSON values and times, not with a {type(value).__name__}")


def _parse(given: Any, budget: list[int], depth: int) -> Filter:
    budget[0] -= 1
    if budget[0] < 0 or depth > MAX_DEPTH:
        raise InvalidInputError(f"the filter is too large: at most {MAX_NODES} parts, {MAX_DEPTH} deep")
    if isinstance(given, Filter):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInputError("a filter must be a dict such as {'metadata.topic': 'tea'}")
    parts = [_part(key, value, budget, depth) for key, value in given.items()]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _part(key: Any, value: Any, budget: list[int], depth: int) -> Filter:
    if key in ("$and", "$or"):
        if not isinstance(value, list | tuple):
            raise InvalidInputError(f"{key} needs a list of filters")
        parts = tuple(_parse(part, budget, depth + 1) for part in value)
        return All(parts) if key == "$and" else Either(parts)
    if key == "$not":
        return Not(_parse(value, budget, depth + 1))
    if isinstance(key, tuple):
        path = key
        if not all(isinstance(one, str) for one in path):
            raise InvalidInputError("the path of a filter is a tuple of texts")
    elif not isinstance(key, str) or key.startswith("$"):
        raise InvalidInputError(f"unknown filter operator {key!r}; at the top level there are $and, $or and $not")
    else:
        path = tuple(key.split("."))
    if isinstance(value, Mapping) and value and all(isinstance(name, str) and name.startswith("$") for name in value):
        budget[0] -= len(value)
        parts = tuple(Compare(path, name[1:], operand) for name, operand in value.items())
        return parts[0] if len(parts) == 1 else All(parts)
    return Compare(path, "eq", value)


def _order(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(value: Any, operand: Any) -> bool:
        left, right = _comparable(value), _comparable(operand)
        return left is not None and right is not None and left[0] == right[0] and test(left[1], right[1])

    return compare


def _comparable(value: Any) -> tuple[str, Any] | None:
    if isinstance(value, bool) or value is MISSING:
        return None
    if isinstance(value, int | float):
        return None if isinstance(value, float) and math.isnan(value) else ("number", value)
    if isinstance(value, str):
        return ("text", value)
    if isinstance(value, datetime):
        return ("time", value.astimezone(UTC))
    return None


def _in(value: Any, operand: Any) -> bool:
    return value is not MISSING and any(same_value(value, one) for one in operand)


def _holds(value: Any, operand: Any) -> bool:
    """A list holds a member, a text holds a text, an object holds a key."""
    if isinstance(value, str):
        return isinstance(operand, str) and operand in value
    if isinstance(value, list | tuple):
        return any(same_value(one, operand) for one in value)
    return isinstance(value, Mapping) and isinstance(operand, str) and operand in value


def _empty(value: Any, operand: bool) -> bool:
    nothing = value is MISSING or value is None or (isinstance(value, str | list | tuple | dict) and not value)
    return nothing is operand


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else ()


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": _order(lambda left, right: left > right),
    "gte": _order(lambda left, right: left >= right),
    "lt": _order(lambda left, right: left < right),
    "lte": _order(lambda left, right: left <= right),
}
_LIST_OPERANDS = frozenset({"in", "nin", "any", "all"})
_TEXT_OPERANDS = frozenset({"match", "imatch", "prefix"})
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, operand: value is not MISSING and same_value(value, operand),
    "ne": lambda value, operand: value is MISSING or not same_value(value, operand),
    **_ORDER,
    "in": _in,
    "nin": lambda value, operand: not _in(value, operand),
    "any": lambda value, operand: any(_in(one, operand) for one in _listed(value)),
    "all": lambda value, operand: isinstance(value, list | tuple) and all(_holds(value, one) for one in operand),
    "contains": _holds,
    "match": lambda value, operand: isinstance(value, str) and operand in value,
    "imatch": lambda value, operand: isinstance(value, str) and operand.casefold() in value.casefold(),
    "prefix": lambda value, operand: isinstance(value, str) and value.startswith(operand),
    "empty": _empty,
    "exists": lambda value, operand: (value is not MISSING) is operand,
}
