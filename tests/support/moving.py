"""Vaults to move: one that holds everything there is, and files as lines."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from vault_core import Draft, KdfParameters, Vault
from vault_core.crypto import Key
from vault_core.keys import providers

EVERYTHING = {"include_superseded": True, "include_expired": True, "include_archived": True}


def fill(vault: Vault) -> None:
    """Something of everything: history, slots, pins, JSON, vectors, threads, boxes, items, what has expired."""
    tea = vault.add(
        "I like tea", id="tea", tags=["taste", "été"], metadata={"b": 1, "a": [None, {"x": 2.5}]}, vector=[1, 2]
    )
    vault.update(tea.id, content="I like green tea", reason="said so", vector=[2, 1])
    vault.update(tea.id, content="I like white tea", vectors={"default": {"": [2, 2], "w1": [0, 1]}, "big": [1, 2, 3]})
    vault.pin(tea.id)
    vault.touch([tea.id])
    vault.add_many(
        Draft(content=f"turn {number}", thread="talk", source="Bob", event_time="2020-02-29T12:00:00Z")
        for number in range(3)
    )
    for city in ("Paris", "Rome"):
        vault.add(f"lives in {city}", namespace=("alice", "home"), slot=("user", "city"), importance=0.5, valence=-1)
    old = vault.add("the old way", namespace=("alice",))
    vault.add("the new way", namespace=("alice",), supersedes=[old.id], memory_type="PROCEDURAL", confidence=1)
    vault.archive(vault.add("put away").id)
    vault.add("gone by now", expires_at="2001-01-01", sensitivity="private", data_class="news", emotional_intensity=0.1)
    vault.add({"z": 1, "a": [1, 2, float("inf")]}, index={"title": "words to find", "": "more"}, namespace=("alice",))
    vault.add("never searched", index=False, valid_from="1999-01-01", valid_to="2030-01-01")
    vault.consolidate()
    vault.add_box("work")
    vault.add("a colleague", box="work", vector=[1, 0, 0])
    vault.items("chat").put_many([("1", b"\x00\xff", {"role": "user", "n": {"m": 1}}), ("0", b"", None)])
    vault.items("chat", box="work").put("1", b"other")


def export(vault: Vault, path: Path, **options: Any) -> bytes:
    """The bytes of an export."""
    vault.export_memories(path, overwrite=True, **options)
    return path.read_bytes()


def lines(path: Path) -> list[Any]:
    """An export as objects."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write(path: Path, objects: Sequence[Any]) -> Path:
    """An export of these lines; a text or bytes are a line as they are."""
    with path.open("wb") as file:
        for one in objects:
            raw = one if isinstance(one, bytes) else (one if isinstance(one, str) else json.dumps(one)).encode()
            file.write(raw + b"\n")
    return path


HEADER = {"strongroom": "export", "version": 1}


def memory(id: str = "m", text: str = "tea", second: int = 0, **fields: Any) -> dict[str, Any]:
    """The line of a memory with one version."""
    return {"memory": {"box": "main", "id": id, "namespace": [], "versions": [version(text, second, **fields)]}}


def version(text: str = "tea", second: int = 0, **fields: Any) -> dict[str, Any]:
    """A version, written at a second of a day."""
    moment = f"2026-01-01T00:00:{second:02d}.000000Z"
    return {
        "created_at": "2026-01-01T00:00:00.000000Z",
        "updated_at": moment,
        "text": text,
        "type": "SEMANTIC",
    } | fields


def end(memories: int, versions: int | None = None, items: int = 0) -> dict[str, Any]:
    """The last line."""
    return {"end": {"items": items, "memories": memories, "versions": memories if versions is None else versions}}


def empty(folder: Path) -> Vault:
    """A new vault in RAM."""
    return Vault.create("memory://", unlock=vaults.key_in(folder))


def stretch_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test ends, passphrases are stretched by a plain hash."""

    def hashed(passphrase: bytearray, salt: bytes, cost: KdfParameters) -> Key:
        return Key.taken_from(bytearray(sha256(salt + passphrase).digest()))

    monkeypatch.setattr(providers, "argon2id", hashed)
