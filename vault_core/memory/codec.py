"""Records: memories, items and spaces as msgpack, and back.

Rules (docs/format.md §6): a map with short text keys; absent means none, empty or the default; unknown keys are
ignored; anything of a wrong type or size is refused.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgpack
import numpy as np

from vault_core.errors import InvalidInputError, VaultTamperedError
from vault_core.memory import limits
from vault_core.memory.canonical import check_json, compact_json, content_hash, parse_json
from vault_core.memory.draft import check_index, check_key, check_label, check_namespace
from vault_core.memory.model import TIERS, Address, FactSlot, Item, Memory, Space, State
from vault_core.memory.times import from_micros, to_micros
from vault_core.memory.trust import USER

MEMORY, ITEM, SPACE = 1, 2, 3  # kinds of record, as ops name them

T = TypeVar("T")
_PLAIN = (  # key in the record, attribute of the memory: written when there is a value
    ("ty", "memory_type"),
    ("se", "sensitivity"),
    ("src", "source"),
    ("th", "thread"),
    ("dc", "data_class"),
    ("why", "reason"),
    ("po", "position"),
    ("im", "importance"),
    ("cf", "confidence"),
    ("ei", "emotional_intensity"),
    ("va", "valence"),
)
_TIMES = (
    ("ev", "event_time"),
    ("vf", "valid_from"),
    ("vt", "valid_to"),
    ("ex", "expires_at"),
    ("ca", "created_at"),
    ("ua", "updated_at"),
)
_LISTS = (("ns", "namespace"), ("tg", "tags"), ("su", "supersedes"), ("sl", "slot"))
_FRESH = State()
_UNTOUCHED = [0, 0, 0, None, None]


def encode_memory(memory: Memory) -> bytes:
    """A memory version as the plaintext of a record."""
    record: dict[str, Any] = {"id": memory.id, "h": memory.content_hash}
    if isinstance(memory.content, str):
        record["c"] = memory.content
    else:
        record["j"] = compact_json(memory.content)
    for key, name in _PLAIN:
        if (value := getattr(memory, name)) is not None:
            record[key] = value
    for key, name in _TIMES:
        if (value := getattr(memory, name)) is not None:
            record[key] = to_micros(value)
    for key, name in _LISTS:
        if value := getattr(memory, name):
            if len(value) > limits.MAX_TAGS:  # no reader would take it, and one such record shuts a vault
                raise InvalidInputError(f"a memory has at most {limits.MAX_TAGS} {name}")
            record[key] = list(value)
    record.update(_rarer(memory))
    if memory.vectors:
        record["v"] = {
            space: {name: vector.astype("<f4", copy=False).tobytes() for name, vector in fields.items()}
            for space, fields in memory.vectors.items()
        }
    return _pack(record)


def _rarer(memory: Memory) -> dict[str, Any]:
    """The fields of a record that are maps of their own, or mostly at their default."""
    record: dict[str, Any] = {}
    if memory.tier != TIERS[0]:
        record["ti"] = TIERS.index(memory.tier)
    if memory.metadata:
        record["md"] = compact_json(memory.metadata)
    if memory.provenance:
        record["by"] = dict(memory.provenance)
    if memory.state != _FRESH:
        record.update(_encode_state(memory.state))
    if memory.origin != USER:
        record["or"] = memory.origin
    if memory.index is not True:
        record["ix"] = False if memory.index is False else dict(memory.index)
    return record


def decode_memory(plaintext: bytes, address: Address, box: str) -> Memory:
    """The memory version in a record.

    Raises:
        VaultTamperedError: not a memory of format 1.
    """
    reader = _Reader(plaintext)
    try:
        metadata = reader.json("md", dict) if "md" in reader.map else {}
        content = reader.content()
        memory = Memory(
            id=reader.label("id"),
            content=content,
            namespace=reader.namespace(),
            tier=TIERS[reader.integer("ti", 0)],
            tags=reader.labels("tg"),
            metadata=metadata,
            slot=reader.slot(),
            supersedes=reader.labels("su"),
            created_at=reader.time("ca"),
            updated_at=reader.time("ua"),
            provenance=reader.text_map("by"),
            state=reader.state(),
            index=reader.index(),
            vectors=reader.vectors(),
            content_hash=reader.get("h", bytes),
            address=address,
            box=box,
            memory_type=reader.label("ty"),
            sensitivity=reader.optional_label("se"),
            source=reader.optional_label("src"),
            thread=reader.optional_label("th"),
            data_class=reader.optional_label("dc"),
            origin=reader.optional_label("or") or USER,
            reason=reader.optional("why", str),
            position=reader.position(),
            importance=reader.number("im"),
            confidence=reader.number("cf"),
            emotional_intensity=reader.number("ei"),
            valence=reader.number("va", low=-1.0),
            event_time=reader.optional_time("ev"),
            valid_from=reader.optional_time("vf"),
            valid_to=reader.optional_time("vt"),
            expires_at=reader.optional_time("ex"),
        )
        if content_hash(content) != memory.content_hash:
            raise _refused()
    except (KeyError, IndexError, TypeError, ValueError, RecursionError, InvalidInputError):
        raise _refused() from None
    return memory


def encode_item(item: Item) -> bytes:
    """An item as the plaintext of a record."""
    record: dict[str, Any] = {
        "col": item.collection,
        "key": item.key,
        "val": item.value,
        "at": to_micros(item.updated_at),
        "ad": to_micros(item.created_at),
    }
    if item.attributes:
        record["attr"] = compact_json(item.attributes)
    return _pack(record)


def decode_item(plaintext: bytes, address: Address) -> Item:
    """The item in a record.

    Raises:
        VaultTamperedError: not an item of format 1.
    """
    reader = _Reader(plaintext)
    try:
        return Item(
            collection=reader.label("col"),
            key=check_key(reader.text("key")),
            value=reader.value(),
            attributes=reader.json("attr", dict) if "attr" in reader.map else {},
            created_at=reader.time("ad"),
            updated_at=reader.time("at"),
            address=address,
        )
    except (KeyError, TypeError, ValueError, RecursionError, InvalidInputError):
        raise _refused() from None


def encode_space(space: Space) -> bytes:
    """A space as the plaintext of a record."""
    return _pack({"name": space.name, "dim": space.dimension, "fp": space.fingerprint})


def decode_space(plaintext: bytes) -> Space:
    """The space in a record.

    Raises:
        VaultTamperedError: not a space of format 1.
    """
    reader = _Reader(plaintext)
    try:
        space = Space(
            name=reader.label("name"),
            dimension=reader.get("dim", int),
            fingerprint=reader.get("fp", str),
        )
    except (KeyError, TypeError, InvalidInputError):
        raise _refused() from None
    if not 1 <= space.dimension <= limits.MAX_DIMENSION:
        raise _refused()
    return space


def _encode_state(state: State) -> dict[str, Any]:
    record: dict[str, Any] = {}
    used = None if state.used_at is None else to_micros(state.used_at)
    refreshed = None if state.refreshed_at is None else to_micros(state.refreshed_at)
    carried = [int(state.archived), int(state.pinned), state.uses, used, refreshed]
    if carried != _UNTOUCHED:
        record["st"] = carried
    if state.trusted:
        record["tr"] = 1
    if state.ghost_until is not None:
        record["gh"] = to_micros(state.ghost_until)
    return record


def _pack(record: dict[str, Any]) -> bytes:
    plaintext: bytes = msgpack.packb(record)
    if len(plaintext) > limits.MAX_RECORD_BYTES:
        raise InvalidInputError("this memory is too large to be one record; store fewer vectors with it")
    return plaintext


def _refused() -> VaultTamperedError:
    return VaultTamperedError("a record is not what format 1 allows")


class _Reader:
    """A record's map, read with its types checked. Raises KeyError and TypeError; the callers translate."""

    __slots__ = ("map",)

    def __init__(self, plaintext: bytes) -> None:
        if len(plaintext) > limits.MAX_RECORD_BYTES:
            raise _refused()
        try:
            self.map: dict[str, Any] = msgpack.unpackb(plaintext, object_pairs_hook=distinct)
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
            raise _refused() from None
        if not isinstance(self.map, dict):
            raise _refused()

    def get(self, key: str, kind: type[T]) -> T:
        value = self.map[key]
        if type(value) is not kind:  # exactly: True is an int to isinstance
            raise TypeError(key)
        return value

    def value(self) -> bytes:
        found = self.get("val", bytes)
        if len(found) > limits.MAX_VALUE_BYTES:
            raise ValueError("val")
        return found

    def optional(self, key: str, kind: type[T]) -> T | None:
        return self.get(key, kind) if key in self.map else None

    def text(self, key: str) -> str:
        return self.get(key, str)

    def label(self, key: str) -> str:
        return check_label(self.get(key, str), key)

    def optional_label(self, key: str) -> str | None:
        return self.label(key) if key in self.map else None

    def labels(self, key: str) -> tuple[str, ...]:
        found = tuple(check_label(label, key) for label in self.texts(key))
        if len(found) > limits.MAX_TAGS:
            raise ValueError(key)
        return found

    def namespace(self) -> tuple[str, ...]:
        return check_namespace(self.texts("ns"))

    def content(self) -> Any:
        if ("c" in self.map) == ("j" in self.map):
            raise KeyError("c")
        content = self.text("c") if "c" in self.map else self.json("j", object)
        if isinstance(content, str) and len(content.encode()) > limits.MAX_CONTENT_BYTES:
            raise ValueError("c")
        return content

    def position(self) -> int | None:
        return self.integer("po", 0) if "po" in self.map else None

    def integer(self, key: str, default: int) -> int:
        value = self.get(key, int) if key in self.map else default
        if value < 0:
            raise ValueError(key)
        return value

    def number(self, key: str, low: float = 0.0) -> float | None:
        if key not in self.map:
            return None
        value = self.get(key, float)
        if not low <= value <= 1.0:  # NaN is not
            raise ValueError(key)
        return value

    def time(self, key: str) -> datetime:
        return from_micros(self.get(key, int))

    def optional_time(self, key: str) -> datetime | None:
        return self.time(key) if key in self.map else None

    def texts(self, key: str) -> list[str]:
        return _all_text(self.get(key, list)) if key in self.map else []

    def text_map(self, key: str) -> dict[str, str]:
        if key not in self.map:
            return {}
        found = self.get(key, dict)
        _all_text(list(found))
        _all_text(list(found.values()))
        return found

    def json(self, key: str, kind: Any) -> Any:
        text = self.text(key)
        value = parse_json(text)
        if not isinstance(value, kind) or len(text.encode()) > limits.MAX_METADATA_BYTES:
            raise TypeError(key)
        check_json(value, key)
        return value

    def slot(self) -> FactSlot | None:
        if "sl" not in self.map:
            return None
        subject, attribute = self.labels("sl")
        return FactSlot(subject, attribute)

    def trusted(self) -> bool:
        if "tr" not in self.map:
            return False
        if self.get("tr", int) != 1:
            raise ValueError("tr")
        return True

    def state(self) -> State:
        if not {"st", "tr", "gh"} & self.map.keys():
            return _FRESH
        carried: list[Any] = self.get("st", list) if "st" in self.map else _UNTOUCHED
        archived, pinned, uses, used, refreshed = carried
        if any(type(number) is not int for number in (archived, pinned, uses)) or not {archived, pinned} <= {0, 1}:
            raise TypeError("st")
        if uses < 0:
            raise ValueError("st")
        return State(
            archived=bool(archived),
            pinned=bool(pinned),
            uses=uses,
            used_at=None if used is None else from_micros(used),
            refreshed_at=None if refreshed is None else from_micros(refreshed),
            trusted=self.trusted(),
            ghost_until=self.optional_time("gh"),
        )

    def index(self) -> bool | Mapping[str, str]:
        if "ix" not in self.map:
            return True
        return False if self.map["ix"] is False else check_index(self.text_map("ix"))

    def vectors(self) -> dict[str, dict[str, Any]]:
        if "v" not in self.map:
            return {}
        spaces = {}
        for space, fields in self.get("v", dict).items():
            _all_text([space, *fields])
            check_label(space, "v")
            spaces[space] = {name: _vector(packed) for name, packed in fields.items()}
        if sum(map(len, spaces.values())) > limits.MAX_VECTORS:
            raise ValueError("v")
        return spaces


def distinct(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    """A map whose keys are all text and all different."""
    found = dict(pairs)
    if len(found) != len(pairs) or not all(type(key) is str for key in found):
        raise ValueError("keys")
    return found


def _vector(packed: Any) -> Any:
    if type(packed) is not bytes or not packed or len(packed) % 4 or len(packed) // 4 > limits.MAX_DIMENSION:
        raise TypeError("v")
    vector = np.frombuffer(packed, dtype="<f4")
    if not np.isfinite(vector).all():
        raise TypeError("v")
    return vector


def _all_text(values: list[Any]) -> list[str]:
    if not all(type(value) is str for value in values):
        raise TypeError("text expected")
    return values
