"""Format 1, section 6: the fields of memories, items and spaces."""

import hashlib
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from reader.entry import is_count, is_flag, is_time
from reader.refused import Refused, require
from reader.wire import canonical_json, json_text, nfc, unpack

MAX_PLAINTEXT = 64 << 20
MAX_TEXT = 1 << 20
MAX_VALUE = 32 << 20
MAX_LABELS = 32
MAX_TAGS = 256
MAX_VECTORS = 1024
MAX_DIMENSION = 16_384

Check = Callable[[Any], bool]


def parse_record(plaintext: bytes, kind: str) -> dict[str, Any]:
    """The checked fields of a record, without the unknown ones."""
    require(len(plaintext) <= MAX_PLAINTEXT, "a record is too long")
    found = unpack(plaintext)
    if not isinstance(found, dict):
        raise Refused("a record is a map")
    checks, needed = FIELDS[kind]
    fields = {key: value for key, value in found.items() if key in checks}
    for key, value in fields.items():
        require(checks[key](value), f"{kind}: the field {key}")
    require(needed <= fields.keys(), f"{kind}: a field is missing")
    if kind == "memory":
        _check_content(fields)
    return fields


def _check_content(fields: Mapping[str, Any]) -> None:
    require(("c" in fields) != ("j" in fields), "one content")
    canonical = "t" + nfc(fields["c"]) if "c" in fields else "j" + canonical_json(json_text(fields["j"]))
    try:
        digest = hashlib.sha256(canonical.encode("utf-8")).digest()
    except UnicodeEncodeError:
        raise Refused("half a character in JSON") from None
    require(digest == fields["h"], "the content hash")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_label(value: Any) -> bool:
    if not isinstance(value, str) or not 1 <= len(value.encode("utf-8")) <= 512:
        return False
    return not any(unicodedata.category(sign) == "Cc" for sign in value)


def _is_list(check: Check, most: int | None = None) -> Check:
    def checked(value: Any) -> bool:
        fits = isinstance(value, list) and (most is None or len(value) <= most)
        return fits and all(map(check, value))

    return checked


def _is_map(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _is_between(least: float, most: float) -> Check:
    return lambda value: isinstance(value, float) and least <= value <= most


def _is_whole(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def _is_content(value: Any) -> bool:
    return isinstance(value, str) and len(value.encode("utf-8")) <= MAX_TEXT


def _is_json_object(value: Any) -> bool:
    return _is_content(value) and isinstance(json_text(value), dict)


def _is_hash(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def _is_carried(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 5:
        return False
    *flags, uses, used, refreshed = value
    times = all(time is None or is_time(time) for time in (used, refreshed))
    return all(map(is_flag, flags)) and is_count(uses) and times


def _is_index(value: Any) -> bool:
    if value is False:
        return True
    if not _is_map(_is_text)(value):
        return False
    return sum(len(text.encode("utf-8")) for text in value.values()) <= MAX_TEXT


def _is_vectors(value: Any) -> bool:
    if not _is_map(_is_map(_is_vector))(value):
        return False
    return sum(len(fields) for fields in value.values()) <= MAX_VECTORS


def _is_vector(value: Any) -> bool:
    size = len(value) if isinstance(value, bytes) else 0
    return size % 4 == 0 and 1 <= size // 4 <= MAX_DIMENSION


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value.encode("utf-8")) <= 1024


def _is_slot(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))


MEMORY: dict[str, Check] = {
    "id": _is_label,
    "ns": _is_list(_is_label, MAX_LABELS),
    "c": _is_content,
    "j": _is_content,
    "h": _is_hash,
    "ti": _is_whole(0, 2),
    "tg": _is_list(_is_label, MAX_TAGS),
    "md": _is_json_object,
    "va": _is_between(-1.0, 1.0),
    "po": is_count,
    "sl": _is_slot,
    "su": _is_list(_is_label),
    "by": _is_map(_is_text),
    "st": _is_carried,
    "ix": _is_index,
    "v": _is_vectors,
    **dict.fromkeys(("im", "cf", "ei"), _is_between(0.0, 1.0)),
    "tr": _is_whole(1, 1),
    "why": _is_text,
    **dict.fromkeys(("ty", "se", "src", "th", "dc", "or"), _is_label),
    **dict.fromkeys(("ev", "vf", "vt", "ex", "ca", "ua", "gh"), is_time),
}
ITEM: dict[str, Check] = {
    "col": _is_label,
    "key": _is_key,
    "val": lambda value: isinstance(value, bytes) and len(value) <= MAX_VALUE,
    "at": is_time,
    "ad": is_time,
    "attr": _is_json_object,
}
SPACE: dict[str, Check] = {
    "name": _is_label,
    "dim": _is_whole(1, MAX_DIMENSION),
    "fp": _is_text,
}
FIELDS: dict[str, tuple[dict[str, Check], set[str]]] = {
    "memory": (MEMORY, {"id", "h", "ty", "ca", "ua"}),
    "item": (ITEM, {"col", "key", "val", "at", "ad"}),
    "space": (SPACE, {"name", "dim", "fp"}),
}
