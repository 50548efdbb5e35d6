"""The resolved state as plain JSON values: what the vectors in `tests/vectors` expect."""

import base64
from typing import Any

from reader.vault import Memory, ReadVault, Record

NAMES = {  # of fields that appear as they are
    "c": "content",
    "j": "json",
    "ty": "type",
    "ti": "tier",
    "tg": "tags",
    "md": "metadata",
    "im": "importance",
    "cf": "confidence",
    "ei": "emotional_intensity",
    "va": "valence",
    "se": "sensitivity",
    "src": "source",
    "th": "thread",
    "dc": "data_class",
    "po": "position",
    "ev": "event_time",
    "vf": "valid_from",
    "vt": "valid_to",
    "sl": "slot",
    "su": "supersedes",
    "ca": "created_at",
    "ua": "updated_at",
    "by": "provenance",
    "or": "origin",
    "why": "reason",
    "ix": "index",
}
FRESH: dict[str, Any] = {  # left out when nothing happened
    "older": [],
    "archived": False,
    "pinned": False,
    "trusted": False,
    "ghost_until": None,
    "uses": 0,
    "last_used": None,
    "refreshed": None,
    "expires_at": None,
}


def plain(vault: ReadVault) -> dict[str, list[dict[str, Any]]]:
    """Current memories, items and spaces, each sorted by its identity."""
    return {
        "memories": [_memory(key, vault.memories[key]) for key in sorted(vault.memories)],
        "items": [_item(vault.items[key]) for key in sorted(vault.items)],
        "spaces": [_space(vault.spaces[key]) for key in sorted(vault.spaces)],
    }


def _memory(key: tuple[str, tuple[str, ...], str], memory: Memory) -> dict[str, Any]:
    box, namespace, name = key
    now = memory.current
    shown: dict[str, Any] = {
        "box": box,
        "namespace": list(namespace),
        "id": name,
        "address": _address(now.address),
    }
    shown |= {name: now.fields[field] for field, name in NAMES.items() if field in now.fields}
    if "v" in now.fields:
        shown["vectors"] = {
            space: {field: _base64(vector) for field, vector in vectors.items()}
            for space, vectors in now.fields["v"].items()
        }
    state = {
        "older": [_address(version.address) for version in memory.older],
        "archived": bool(now.archived),
        "pinned": bool(now.pinned),
        "trusted": bool(now.trusted),
        "ghost_until": now.ghost,
        "uses": now.uses,
        "last_used": now.used,
        "refreshed": now.refreshed,
        "expires_at": now.expires,
    }
    return shown | {name: value for name, value in state.items() if value != FRESH[name]}


def _item(record: Record) -> dict[str, Any]:
    fields = record.fields
    shown = {
        "box": record.box,
        "collection": fields["col"],
        "key": fields["key"],
        "address": _address(record.address),
        "value": _base64(fields["val"]),
        "written": fields["at"],
        "created": fields["ad"],
    }
    return shown | ({"attributes": fields["attr"]} if "attr" in fields else {})


def _space(record: Record) -> dict[str, Any]:
    return {
        "box": record.box,
        "name": record.fields["name"],
        "dimension": record.fields["dim"],
        "fingerprint": record.fields["fp"],
    }


def _address(address: int) -> list[int]:
    return [address >> 24, address & 0xFFFFFF]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
