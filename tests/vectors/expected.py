"""The state that a good vector expects, and values for it."""

import struct
from typing import Any

from vectors.maps import TIME
from vectors.parts import b64

HOUR = 3_600_000_000


def seen(id: str, content: str | None, *address: int, **more: Any) -> dict[str, Any]:
    """An expected memory, in box main and the root namespace unless told."""
    shown: dict[str, Any] = {"box": "main", "namespace": [], "id": id, "address": list(address)}
    shown |= {"type": "EPISODIC", "created_at": TIME, "updated_at": TIME}
    return shown | ({} if content is None else {"content": content}) | more


def seen_item(key: str, value: bytes, *address: int, **more: Any) -> dict[str, Any]:
    """An expected item of the collection `chat`, in box main."""
    shown = {"box": "main", "collection": "chat", "key": key, "address": list(address)}
    return shown | {"value": b64(value), "written": TIME, "created": TIME} | more


def seen_space(name: str = "default", dimension: int = 3, box: str = "main") -> dict[str, Any]:
    """An expected space without an embedder."""
    return {"box": box, "name": name, "dimension": dimension, "fingerprint": ""}


def floats(*values: float) -> bytes:
    """A vector as it is stored."""
    return struct.pack(f"<{len(values)}f", *values)
