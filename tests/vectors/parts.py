"""The pieces that the scribe puts together, field by field, and the encodings they use."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack


@dataclass(slots=True)
class Box:
    """A box with its keys by generation."""

    id: bytes
    name: bytes
    keys: dict[int, bytes]


@dataclass(slots=True)
class Way:
    """A way to unlock: what becomes a slot in every header."""

    id: bytes
    kind: str
    secret: bytes
    kdf: dict[str, Any]


@dataclass(slots=True)
class Clear:
    """The clear part of an entry, field by field."""

    seq: int
    prev: bytes
    box: bytes
    generation: int
    writer: bytes
    counter: int
    hashes: list[bytes]
    count: int
    magic: bytes = b"SRE1"
    signature: bytes = b""

    def encode(self) -> bytes:
        """The fields in order."""
        return b"".join(
            (
                self.magic,
                self.seq.to_bytes(8),
                self.prev,
                self.box,
                self.generation.to_bytes(4),
                self.writer,
                self.counter.to_bytes(8),
                self.count.to_bytes(4),
                *self.hashes,
                len(self.signature).to_bytes(2),
                self.signature,
            )
        )


@dataclass(slots=True)
class Keyring:
    """The keyring as it will be written."""

    generation: int
    anchor_key: bytes
    log_keys: list[tuple[int, bytes]]
    boxes: list[tuple[bytes, bytes, list[tuple[int, bytes]]]]
    settings: Any
    version: int = 1
    trailing: bytes = b""

    def encode(self) -> bytes:
        """The fields in order."""
        settings = self.settings if isinstance(self.settings, bytes) else pack(self.settings)
        boxes = [box + len(name).to_bytes(1) + name + _counted(keys) for box, name, keys in self.boxes]
        return b"".join(
            (
                self.version.to_bytes(1),
                self.generation.to_bytes(4),
                self.anchor_key,
                _counted(self.log_keys),
                len(boxes).to_bytes(2),
                *boxes,
                len(settings).to_bytes(4),
                settings,
                self.trailing,
            )
        )


def _counted(keys: Sequence[tuple[int, bytes]]) -> bytes:
    each = (generation.to_bytes(4) + key for generation, key in keys)
    return len(keys).to_bytes(2) + b"".join(each)


def pad(plaintext: bytes) -> bytes:
    """PADMÉ."""
    length = 4 + len(plaintext)
    exponent = length.bit_length() - 1
    unit = 1 << (exponent - exponent.bit_length())
    return (len(plaintext).to_bytes(4) + plaintext).ljust(-(-length // unit) * unit, b"\0")


def pack(value: Any) -> bytes:
    """msgpack."""
    return bytes(msgpack.packb(value))


def b64(data: bytes) -> str:
    """Base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def canonical(value: Any) -> bytes:
    """JSON in ASCII, keys sorted, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
