"""One version of a memory as a JSON object of an export, and back (docs/format.md §10).

Rules:
- Everything of a version is there but what a vault works out anew: its address, what supersedes it, what is like it.
- Times are ISO 8601 in UTC with microseconds, so that they come back exactly; vectors are the bytes that were stored.
- Back, nothing is believed: every field is checked as if a caller gave it, and a key that is not known is refused.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from vault_core.errors import InvalidInputError
from vault_core.memory import Draft, Memory, Namespace
from vault_core.memory.canonical import check_encodable, compact_json
from vault_core.memory.draft import memory_from, vectors_of
from vault_core.memory.limits import MAX_DIMENSION, MAX_LABEL_BYTES, MAX_VECTORS
from vault_core.memory.model import ATOM, State, Vector, Vectors
from vault_core.memory.times import parse_time
from vault_core.memory.trust import USER

MAX_NUMBER = 1 << 53  # of positions and uses: what every reader of JSON can hold, and the catalogue too
MAX_PROVENANCE = 64  # the library writes two

# Attributes of a memory that stand in a version under their own name, when there is a value.
_PLAIN = (
    "sensitivity",
    "source",
    "thread",
    "data_class",
    "reason",
    "position",
    "importance",
    "confidence",
    "emotional_intensity",
    "valence",
)
_TIMES = ("event_time", "valid_from", "valid_to", "expires_at")
_LISTS = ("tags", "supersedes", "slot")
_MARKS = ("archived", "pinned", "trusted")
_STATE_TIMES = ("used_at", "refreshed_at", "ghost_until")
_DRAFTED = (
    frozenset(_PLAIN) - {"position"} | frozenset(_TIMES) | frozenset(_LISTS) | {"tier", "metadata", "index", "origin"}
)
_KEYS = _DRAFTED | {
    "text",
    "json",
    "type",
    "position",
    "created_at",
    "updated_at",
    "provenance",
    "state",
    "vectors",
}
_FRESH = State()


def version_json(memory: Memory) -> str:
    """The version as JSON text, keys sorted; content, metadata and index keep their own order."""
    shown: dict[str, Any] = {
        "text" if isinstance(memory.content, str) else "json": memory.content,
        "type": memory.memory_type,
        "created_at": time_text(memory.created_at),
        "updated_at": time_text(memory.updated_at),
    }
    shown.update((name, value) for name in _PLAIN if (value := getattr(memory, name)) is not None)
    shown.update((name, time_text(value)) for name in _TIMES if (value := getattr(memory, name)) is not None)
    shown.update((name, list(value)) for name in _LISTS if (value := getattr(memory, name)))
    if memory.tier != ATOM:
        shown["tier"] = memory.tier
    if memory.origin != USER:
        shown["origin"] = memory.origin
    if memory.metadata:
        shown["metadata"] = memory.metadata
    if memory.provenance:
        shown["provenance"] = _sorted(memory.provenance)
    if memory.state != _FRESH:
        shown["state"] = _state_shown(memory.state)
    if memory.index is not True:
        shown["index"] = memory.index if memory.index is False else _sorted(memory.index)
    if memory.vectors:
        shown["vectors"] = {
            space: {name: _packed(vector) for name, vector in _sorted(fields).items()}
            for space, fields in _sorted(memory.vectors).items()
        }
    return compact_json(_sorted(shown))


def version_from(given: Any, *, id: str, namespace: Namespace, box: str) -> Memory:
    """The version in a stranger's JSON object.

    Raises:
        InvalidInputError: it is not one; the message never quotes what it says.
    """
    if not isinstance(given, dict):
        raise InvalidInputError("a version is not an object")
    if not given.keys() <= _KEYS:
        raise InvalidInputError("a version has a key that is not known")
    if None in given.values():
        raise InvalidInputError("a version has a key without a value")
    if ("text" in given) == ("json" in given):
        raise InvalidInputError("a version has a text or JSON, one of them")
    content = given["text"] if "text" in given else given["json"]
    if isinstance(content, str) != ("text" in given):
        raise InvalidInputError("the content is not what its key says")
    for name in _TIMES:
        if name in given:
            time_from(given[name], name)
    vectors = vectors_of(Draft(content="", vectors=_vectors(given["vectors"]))) if "vectors" in given else {}
    memory = memory_from(
        Draft(
            content=content,
            memory_type=_needed(given, "type"),
            namespace=namespace,
            **{name: given[name] for name in _DRAFTED & given.keys()},
        ),
        id=id,
        now=time_from(_needed(given, "created_at"), "created_at"),
        provenance=_provenance(given.get("provenance", {})),
        vectors=vectors,
    )
    # Nobody else has seen it yet: set, not copied, as `placed` does.
    object.__setattr__(memory, "updated_at", time_from(_needed(given, "updated_at"), "updated_at"))
    object.__setattr__(memory, "state", _state(given["state"]) if "state" in given else _FRESH)
    object.__setattr__(memory, "position", _number(given["position"], "position") if "position" in given else None)
    if "expires_at" not in given:  # working memory would get one of its own
        object.__setattr__(memory, "expires_at", None)
    object.__setattr__(memory, "box", box)
    return memory


def time_text(moment: datetime) -> str:
    """A time as exports write it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def time_from(value: Any, what: str) -> datetime:
    """A time that a stranger wrote."""
    moment = parse_time(value, what) if isinstance(value, str) else None
    if moment is None:
        raise InvalidInputError(f"{what} must be ISO 8601 text such as 2026-03-01T18:00:00Z")
    return moment


def from_base64(value: Any, what: str) -> bytes:
    """Bytes that a stranger wrote in base64, one spelling only."""
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        raw = None
    if raw is None or base64.b64encode(raw).decode() != value:
        raise InvalidInputError(f"{what} is not base64")
    return raw


def _sorted(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in sorted(given)}


def _packed(vector: Vector) -> str:
    return base64.b64encode(vector.astype("<f4", copy=False).tobytes()).decode()


def _state_shown(state: State) -> dict[str, Any]:
    shown: dict[str, Any] = {name: True for name in _MARKS if getattr(state, name)}
    if state.uses:
        shown["uses"] = state.uses
    shown.update((name, time_text(value)) for name in _STATE_TIMES if (value := getattr(state, name)) is not None)
    return _sorted(shown)


def _state(given: Any) -> State:
    if not isinstance(given, dict) or not given.keys() <= {*_MARKS, *_STATE_TIMES, "uses"}:
        raise InvalidInputError(
            "a state is not an object of archived, pinned, trusted, uses, used_at, refreshed_at and ghost_until"
        )
    if any(type(given.get(name, False)) is not bool for name in _MARKS):
        raise InvalidInputError("archived, pinned and trusted are true, or missing")
    fields: dict[str, Any] = {name: given[name] for name in _MARKS if name in given}
    fields.update((name, time_from(given[name], name)) for name in _STATE_TIMES if name in given)
    return State(uses=_number(given.get("uses", 0), "uses"), **fields)


def _number(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value < MAX_NUMBER:
        raise InvalidInputError(f"{what} must be a whole number that is not negative")
    return value


def _needed(given: Mapping[str, Any], name: str) -> Any:
    if name not in given:
        raise InvalidInputError(f"a version has no {name}")
    return given[name]


def _provenance(given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or len(given) > MAX_PROVENANCE:
        raise InvalidInputError("a provenance is not an object of a few texts")
    for text in (*given, *given.values()):
        if not isinstance(text, str) or check_encodable(text, "a provenance") > MAX_LABEL_BYTES:
            raise InvalidInputError("a provenance is not an object of short texts")
    return given


def _vectors(given: Any) -> Vectors:
    if not isinstance(given, dict) or not all(isinstance(fields, dict) and fields for fields in given.values()):
        raise InvalidInputError("vectors are not an object of spaces with fields")
    if sum(map(len, given.values())) > MAX_VECTORS:
        raise InvalidInputError(f"a memory has at most {MAX_VECTORS} vectors")
    return {space: {name: _vector(text) for name, text in fields.items()} for space, fields in given.items()}


def _vector(text: Any) -> Vector:
    raw = from_base64(text, "a vector")
    if not raw or len(raw) % 4 or len(raw) // 4 > MAX_DIMENSION:
        raise InvalidInputError(f"a vector must have 1 to {MAX_DIMENSION} numbers of four bytes")
    return np.frombuffer(raw, dtype="<f4")
