"""From what a caller gives to what a record may hold: checks and normal forms for drafts, keys and vectors.

Everything is refused here, before anything is sealed, with a sentence that says what to do.
"""

import math
import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from vault_core.errors import InvalidInputError
from vault_core.memory import limits
from vault_core.memory.canonical import check_encodable, check_json, compact_json, content_hash, readable
from vault_core.memory.classify import classify
from vault_core.memory.model import TIERS, Draft, FactSlot, Memory, Namespace, State, Vector, Vectors
from vault_core.memory.times import parse_time

DEFAULT_SPACE = "default"
WORKING = "WORKING"  # what is only of use for now …
WORKING_TTL = timedelta(days=1)  # … and expires by itself, unless the draft says when
_LAST = datetime.max.replace(tzinfo=UTC)
CONTENT_FIELD = ""  # the field name of the vector of the content itself
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # Unicode category Cc
_NOTHING: dict[str, Any] = {}
_NONE: tuple[str, ...] = ()  # the one empty tuple, which most drafts bring: it needs no check


def draft_of(content: Any, fields: Mapping[str, Any]) -> Draft:
    """The draft that the arguments of `add` make."""
    try:
        return Draft(content=content, **fields)
    except TypeError:
        unknown = sorted(set(fields) - set(Draft.__slots__))
        raise InvalidInputError(f"add has no argument {', '.join(unknown)!r}; see Vault.add") from None


def memory_from(draft: Draft, *, id: str, now: datetime, provenance: Mapping[str, str], vectors: Vectors) -> Memory:
    """The first version of the memory that a draft describes, everything checked.

    `vectors` are those of `vectors_of(draft)`, with an embedder's added by the caller.
    """
    check_content(draft.content)
    if draft.tier not in TIERS:
        raise InvalidInputError("tier must be ATOM, COMPOSITE or AFFINITY")
    given = {name: check(value, name) for name, check in _OPTIONAL if (value := getattr(draft, name)) is not None}
    if "memory_type" not in given:
        given["memory_type"] = classify(draft.content)
    if given["memory_type"] == WORKING and "expires_at" not in given:
        given["expires_at"] = min(now, _LAST - WORKING_TTL) + WORKING_TTL
    return Memory(
        id=id,
        content=draft.content,
        namespace=() if draft.namespace is _NONE else check_namespace(draft.namespace),
        tier=draft.tier,
        tags=() if draft.tags is _NONE or draft.tags is None else _tags(draft.tags),
        metadata=_NOTHING if draft.metadata is None else _metadata(draft.metadata),
        supersedes=() if draft.supersedes is _NONE or draft.supersedes is None else _ids(draft.supersedes),
        created_at=now,
        updated_at=now,
        provenance=provenance,
        state=_NEW,
        index=True if draft.index is None else check_index(draft.index),
        vectors=vectors,
        content_hash=content_hash(draft.content),
        **given,
    )


_NEW = State()


def check_content(content: Any) -> None:
    """Content is text that is not empty, or a JSON object or list, within the limit."""
    if isinstance(content, str):
        if not content.strip():
            raise InvalidInputError("the content is empty; store some text")
        if "\x00" in content:
            raise InvalidInputError("the content holds a NUL character; remove it before storing the text")
        size = check_encodable(content, "the content")
    elif isinstance(content, dict | list):
        check_json(content, "the content")
        size = len(compact_json(content).encode())
    else:
        raise InvalidInputError("the content must be text, or a JSON object or list")
    if size > limits.MAX_CONTENT_BYTES:
        raise InvalidInputError(
            f"the content has {size:,} bytes and the limit is {limits.MAX_CONTENT_BYTES:,}; "
            "split it, or store it as an item"
        )


def check_id(value: Any) -> str:
    """An id: short text without control characters."""
    return check_label(value, "id")


def check_label(value: Any, what: str) -> str:
    """Short text: 1 to 512 bytes, no control characters."""
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"{what} must be text that is not empty")
    if not (value.isascii() and value.isprintable()):
        if _CONTROL.search(value):
            raise InvalidInputError(f"{what} holds a control character; remove it")
        if check_encodable(value, what) > limits.MAX_LABEL_BYTES:
            raise InvalidInputError(f"{what} is longer than {limits.MAX_LABEL_BYTES} bytes; shorten it")
    elif len(value) > limits.MAX_LABEL_BYTES:
        raise InvalidInputError(f"{what} is longer than {limits.MAX_LABEL_BYTES} bytes; shorten it")
    return value


def check_namespace(value: Any) -> Namespace:
    """A namespace: a tuple of labels, () for the root. A bare string is refused, for it is a sequence too."""
    if value is None:
        raise InvalidInputError("namespace must be a tuple of labels; use () for the root")
    labels = _sequence(value, "namespace")
    if len(labels) > limits.MAX_LABELS:
        raise InvalidInputError(f"a namespace has at most {limits.MAX_LABELS} labels")
    return tuple(check_label(label, "a namespace label") for label in labels)


def vectors_of(draft: Draft) -> dict[str, dict[str, Vector]]:
    """The vectors a draft brings: space -> field -> float32 vector."""
    if draft.vector is None and draft.vectors is None:
        return {}
    spaces: dict[str, dict[str, Vector]] = {}
    if draft.vectors is not None:
        if not isinstance(draft.vectors, Mapping):
            raise InvalidInputError("vectors must map a space to a vector, or to vectors by field")
        for space, given in draft.vectors.items():
            check_label(space, "the name of a space")
            fields = given if isinstance(given, Mapping) else {CONTENT_FIELD: given}
            spaces[space] = {_field(name): check_vector(value) for name, value in fields.items()}
    if draft.vector is not None:
        spaces.setdefault(DEFAULT_SPACE, {})[CONTENT_FIELD] = check_vector(draft.vector)
    if sum(map(len, spaces.values())) > limits.MAX_VECTORS:
        raise InvalidInputError(f"a memory has at most {limits.MAX_VECTORS} vectors")
    for space, by_field in spaces.items():
        if len({len(vector) for vector in by_field.values()}) > 1:
            raise InvalidInputError(f"the vectors for the space {space!r} have different dimensions")
    return spaces


def check_vector(value: Any) -> Vector:
    """One vector as float32: one dimension, finite, within the limit."""
    try:
        given = np.asarray(_floats(value) if type(value) is list else value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInputError("a vector must be a flat sequence of numbers") from None
    if given.dtype.kind not in "fiu" or isinstance(value, bytes | bytearray):  # texts, truths and bytes are no numbers
        raise InvalidInputError("a vector must be a flat sequence of numbers")
    if given.ndim != 1 or not 1 <= given.size <= limits.MAX_DIMENSION:
        raise InvalidInputError(f"a vector must be flat, with 1 to {limits.MAX_DIMENSION} numbers")
    if given.dtype != np.float32:
        with np.errstate(over="ignore"):  # refused just below
            given = given.astype(np.float32)
    vector: Vector = np.ascontiguousarray(given)
    # One pass, no temporary array, no warning: the sum of squares is finite only if every number is.
    if not math.isfinite(float(np.vdot(vector, vector))):
        raise InvalidInputError("a vector holds NaN, an infinity or a number too large for float32")
    return vector


def _floats(value: list[Any]) -> Any:
    """A list as most embedders give it, at half of numpy's cost; whatever else is in a list is left to numpy."""
    if value and type(value[0]) is float and type(value[-1]) is float:
        with suppress(TypeError, OverflowError):  # NaN, infinities and numbers too large are refused by who asks
            return array("f", value)
    return value


def searched_text(memory: Memory) -> str | None:
    """What the lexical index sees of a memory's content; None if it is kept out of search."""
    if memory.index is True:
        return readable(memory.content)
    return None if memory.index is False else "\n".join(memory.index.values())


def check_item(collection: Any, key: Any, value: Any, attributes: Any) -> dict[str, Any]:
    """Check an item's parts; gives its attributes as a plain dict."""
    check_label(collection, "collection")
    check_key(key)
    if not isinstance(value, bytes | bytearray | memoryview):
        raise InvalidInputError("an item's value must be bytes")
    if len(value) > limits.MAX_VALUE_BYTES:
        raise InvalidInputError(f"an item's value has at most {limits.MAX_VALUE_BYTES:,} bytes")
    return {} if attributes is None else _metadata(attributes)


def check_key(key: Any) -> str:
    """An item's key: 1 to 1,024 bytes of text."""
    if not isinstance(key, str) or not key:
        raise InvalidInputError("an item's key must be text that is not empty")
    if check_encodable(key, "an item's key") > limits.MAX_KEY_BYTES:
        raise InvalidInputError(f"an item's key has at most {limits.MAX_KEY_BYTES} bytes")
    if "\x00" in key:
        raise InvalidInputError("an item's key holds a NUL character")
    return key


def _field(name: Any) -> str:
    return name if name == CONTENT_FIELD else check_label(name, "the field of a vector")


def _sequence(value: Any, what: str) -> Sequence[Any]:
    if type(value) is tuple or type(value) is list:  # as most are: abstract classes are slow to ask
        return value
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | set | frozenset):
        raise InvalidInputError(f"{what} must be a list or tuple of texts, not a single {type(value).__name__}")
    return sorted(value) if isinstance(value, set | frozenset) else value


def _tags(value: Any) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(check_label(tag, "a tag") for tag in _sequence(value, "tags")))
    if len(tags) > limits.MAX_TAGS:
        raise InvalidInputError(f"a memory has at most {limits.MAX_TAGS} tags")
    return tags


def _metadata(value: Any) -> dict[str, Any]:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise InvalidInputError("metadata must be a JSON object (a dict with text keys)")
    plain = dict(value)
    check_json(plain, "metadata")
    if len(compact_json(plain).encode()) > limits.MAX_METADATA_BYTES:
        raise InvalidInputError(f"metadata has at most {limits.MAX_METADATA_BYTES:,} bytes of JSON")
    return plain


def _unit(value: Any, what: str, low: float = 0.0) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= 1.0:
        raise InvalidInputError(f"{what} must be a number from {low:g} to 1")
    return float(value)


def _valence(value: Any, what: str) -> float:
    return _unit(value, what, low=-1.0)


def _ids(values: Any) -> tuple[str, ...]:
    ids = tuple(check_id(value) for value in _sequence(values, "supersedes"))
    if len(ids) > limits.MAX_TAGS:  # what a reader of records allows
        raise InvalidInputError(f"a memory supersedes at most {limits.MAX_TAGS} others by name")
    return ids


def _slot(value: Any, _: str) -> FactSlot:
    try:
        subject, attribute = _sequence(value, "slot")
    except ValueError:
        raise InvalidInputError('slot must be (subject, attribute), such as ("user", "home city")') from None
    return FactSlot(check_label(subject, "a slot's subject"), check_label(attribute, "a slot's attribute"))


def check_index(value: Any) -> bool | Mapping[str, str]:
    """What is searched instead of the content: everything (True), nothing (False), or texts by field."""
    if value is None or value is True:
        return True
    if value is False:
        return False
    if not isinstance(value, Mapping):
        raise InvalidInputError("index must be False, or map a field to the text that is searched")
    texts = {}
    for name, text in value.items():
        if not isinstance(text, str) or "\x00" in text:
            raise InvalidInputError("index must map a field to text without NUL characters")
        texts[_field(name)] = text
    if sum(check_encodable(text, "an indexed text") for text in texts.values()) > limits.MAX_CONTENT_BYTES:
        raise InvalidInputError(f"the indexed texts of a memory have at most {limits.MAX_CONTENT_BYTES:,} bytes")
    return texts


_OPTIONAL: tuple[tuple[str, Callable[[Any, str], Any]], ...] = (  # what a draft may leave out, and how it is checked
    ("memory_type", check_label),
    ("importance", _unit),
    ("confidence", _unit),
    ("sensitivity", check_label),
    ("source", check_label),
    ("thread", check_label),
    ("event_time", parse_time),
    ("valid_from", parse_time),
    ("valid_to", parse_time),
    ("expires_at", parse_time),
    ("slot", _slot),
    ("emotional_intensity", _unit),
    ("valence", _valence),
    ("data_class", check_label),
    ("reason", check_label),
    ("origin", check_label),
)
