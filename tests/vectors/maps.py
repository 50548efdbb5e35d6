"""The plaintext of records, before it is packed."""

import hashlib
import unicodedata
from typing import Any

MEMORY, ITEM, SPACE = 1, 2, 3
TIME = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
FIRST_TIME = -62_135_596_800_000_000  # the first microsecond of year 1
LAST_TIME = 253_402_300_799_999_999  # the last one of year 9999
ALWAYS: dict[str, Any] = {"ty": "EPISODIC", "ca": TIME, "ua": TIME}  # there in every memory


def memory(text: str, id: str = "m1", **fields: Any) -> dict[str, Any]:
    """The map of a memory with text content."""
    digest = hashlib.sha256(b"t" + unicodedata.normalize("NFC", text).encode("utf-8")).digest()
    return {"id": id, "c": text, "h": digest} | ALWAYS | fields


def json_memory(text: str, same: str | None = None, id: str = "m1", **fields: Any) -> dict[str, Any]:
    """The map of a memory with JSON content, whose canonical form is `same`."""
    digest = hashlib.sha256(b"j" + (text if same is None else same).encode("utf-8")).digest()
    return {"id": id, "j": text, "h": digest} | ALWAYS | fields


def nested(depth: int) -> str:
    """The JSON text of so many objects inside one another."""
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


def item(key: str = "k1", **fields: Any) -> dict[str, Any]:
    """The map of an item."""
    return {"col": "chat", "key": key, "val": b"value", "at": TIME, "ad": TIME} | fields


def space(name: str = "default", dim: int = 3, **fields: Any) -> dict[str, Any]:
    """The map of a space."""
    return {"name": name, "dim": dim, "fp": ""} | fields
