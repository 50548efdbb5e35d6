"""The bytes of a reply: what does not fit is shortened, and the reply says what and how to get the rest.

Rules:
- A reply is one JSON document of at most `MAX_REPLY_BYTES`, whatever the arguments and the vault hold. `document` has
  the last word: nothing that a tool, a resource or a prompt gives leaves the server without passing it.
- Among answers to a question (`fitting`), those that do not fit are left out at the end, to be asked for next.
- In a receipt (`together`) none is left out: whoever wrote has to learn every id. All are shortened until they fit.
- An entry is shortened at its longest fields, which its `shortened` (for a text, `truncated`) names; an id never is.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

from strongroom_mcp.limits import MAX_ENTRY_BYTES, MAX_REPLY_BYTES

Model = TypeVar("Model", bound=BaseModel)
T = TypeVar("T")
ENVELOPE = 500  # bytes of a reply around its entries
_SPARED = 24  # bytes: shorter fields are left alone
_WORD = 500  # bytes: a shorter text of a list is left out rather than cut, for it may be a name
_KEPT = frozenset({"id", "whole", "shortened", "version", "created_at", "updated_at", "event_time", "expires_at"})
_OPEN_ESCAPE = re.compile(r"(?:\\(?:u[0-9a-f]{0,3}|U[0-9a-f]{0,7})?|&[a-z]{0,3})\Z")  # cut in two by a cut
TOO_LARGE = (
    "The answer is too large to show. What this call was to change is changed: don't repeat it, ask for less instead."
)


def document(value: Any) -> str:
    """A JSON value as a client gets it: compact, for every byte is a token.

    Raises:
        ToolError: it is over the budget. No tool lets it come to that; this is the lock behind the doors.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    check(text)
    return text


def check(text: str) -> None:
    """Refuse what is over the budget, as `document` does."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_REPLY_BYTES:
        raise ToolError(TOO_LARGE)


def size(model: BaseModel) -> int:
    """The bytes of a model as JSON."""
    return len(model.model_dump_json(by_alias=True).encode())


def fitting(
    things: Sequence[T], show: Callable[[T], Model], room: int = MAX_REPLY_BYTES - ENVELOPE
) -> tuple[list[Model], int]:
    """What is shown of as many as fit, at least one, in order, none of them large; and how many do not fit."""
    taken: list[Model] = []
    for thing in things:
        one = trimmed(show(thing), MAX_ENTRY_BYTES)
        room -= size(one) + 1
        if room < 0 and taken:
            break
        taken.append(one)
    return taken, len(things) - len(taken)


def together(models: Sequence[Model], room: int = MAX_REPLY_BYTES - ENVELOPE) -> list[Model]:
    """All of them, in order; if that is too much, the longest are shortened first."""
    sizes = [size(model) + 1 for model in models]
    fit = list(models)
    for rank, at in enumerate(sorted(range(len(fit)), key=sizes.__getitem__)):
        fair = room // (len(fit) - rank)
        fit[at] = trimmed(fit[at], fair - 1)
        room -= size(fit[at]) + 1
    return fit


def first(texts: Sequence[str], room: int = MAX_REPLY_BYTES - ENVELOPE) -> list[str]:
    """Those texts, from the beginning, that fit together."""
    return _first(texts, room)


def trimmed(model: Model, limit: int) -> Model:
    """The model itself if it has at most so many bytes; else with its longest fields shortened."""
    over = size(model) - limit
    while over > 0:
        long = [(_bytes(value), name) for name, value in model if name not in _KEPT and _bytes(value) > _SPARED]
        if not long:
            break
        longest, name = max(long)
        model = _cut(model, name, max(longest - over - _SPARED, longest // 2))
        over = size(model) - limit
    return model


def _cut(model: Model, name: str, room: int) -> Model:
    changes: dict[str, Any] = {name: _beginning(getattr(model, name), room)}
    if name == "text":
        changes["truncated"] = True
    else:
        said = type(model).model_fields[name].alias or name
        changes["shortened"] = sorted({*getattr(model, "shortened", ()), said})
    return model.model_copy(update=changes)


def _beginning(value: Any, room: int) -> Any:
    """The beginning of a text, a list or an object, in at most so many bytes; of numbers nothing."""
    if isinstance(value, str):
        return _OPEN_ESCAPE.sub("", _fits(value, room))
    if isinstance(value, dict):
        return dict(_first(value.items(), room))
    if isinstance(value, list):
        first = _first(value, room)
        whole_words = first or not value or not isinstance(value[0], str) or room < _WORD
        return first if whole_words else [_beginning(value[0], room - 4)]
    return None


def _first(values: Iterable[Any], room: int) -> list[Any]:
    taken, left = [], room - 2
    for one in values:
        left -= _bytes(one) + 1
        if left < 0:
            break
        taken.append(one)
    return taken


def _fits(text: str, room: int) -> str:
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _bytes(text[:middle]) <= room else (low, middle - 1)
    return text[:low]


def _bytes(value: Any) -> int:
    if isinstance(value, BaseModel):
        return size(value)
    if isinstance(value, list) and value and isinstance(value[0], BaseModel):
        return sum(size(one) + 1 for one in value) + 1
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
