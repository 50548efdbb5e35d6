"""The plaintext of records, before it is packed."""

import hashlib
import unicodedata
from typing import Any

MEMORY, ITEM, SPACE = 1, 2, 3
TIME = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC


def memory(text: str, id: str = "m1", **fields: Any) -> dict[str, Any]:
    """The map of a memory with text content."""
    digest = hashlib.sha256(b"t" + unicodedata.normalize("NFC", text).encode("utf-8")).digest()
    return {"id": id, "c": text, "h": digest} | fields


def json_memory(text: str, same: str | None = None, id: str = "m1", **fields: Any) -> dict[str, Any]:
    """The map of a memory with JSON content, whose canonical form is `same`."""
    digest = hashlib.sha256(b"j" + (text if same is None else same).encode("utf-8")).digest()
    return {"id": id, "j": text, "h": digest} | fields


def item(key: str = "k1", **fields: Any) -> dict[str, Any]:
    """The map of an item."""
    return {"col": "chat", "key": key, "val": b"value", "at": TIME, "ad": TIME} | fields


def space(name: str = "default", dim: int = 3, **fields: Any) -> dict[str, Any]:
    """The map of a space."""
    return {"name": name, "dim": dim, "fp": ""} | fields
