"""The keyring: log keys, the anchor key, boxes with their keys, and the vault's settings.

Rules (docs/format.md §4): a fixed binary layout, so that no parser makes copies of the keys; keys go straight
from the buffer into memory of their own, and the buffer is wiped by the caller.
"""

import secrets
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from vault_core.crypto import KEY_BYTES, Key
from vault_core.errors import InvalidInputError, VaultTamperedError
from vault_core.memory.codec import distinct
from vault_core.memory.draft import check_label
from vault_core.memory.times import from_micros

VERSION = 1
MAIN = "main"
MAX_BOXES = 256
MAX_GENERATIONS = 65_535
MAX_BOX_NAME = 255  # bytes: its length field is one byte
_U8, _U16, _U32 = struct.Struct(">B"), struct.Struct(">H"), struct.Struct(">I")
_REFUSED = "the keyring is not what format 1 allows"


@dataclass(slots=True, kw_only=True)
class Box:
    """A named part of a vault with a key for every generation since it was made."""

    id: bytes
    name: str
    keys: dict[int, Key] = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Keyring:
    """What the MEK protects. Not a value: it owns keys and is wiped once."""

    generation: int
    anchor_key: Key = field(repr=False)
    log_keys: dict[int, Key] = field(repr=False)
    boxes: list[Box]
    settings: dict[str, Any]

    @classmethod
    def new(cls, owner: str, created: int) -> "Keyring":
        """A keyring for a new vault, with the box `main`."""
        main = Box(id=secrets.token_bytes(16), name=MAIN, keys={1: Key.random()})
        return cls(
            generation=1,
            anchor_key=Key.random(),
            log_keys={1: Key.random()},
            boxes=[main],
            settings={"owner": owner, "created": created},
        )

    def copy(self) -> "Keyring":
        """An independent copy; each is wiped on its own."""
        plaintext = self.encode()
        try:
            return Keyring.decode(plaintext)
        finally:
            plaintext[:] = bytes(len(plaintext))

    def rotate(self) -> None:
        """Begin the next key generation: a new log key and a new key for every box."""
        self.generation += 1
        self.log_keys[self.generation] = Key.random()
        for box in self.boxes:
            box.keys[self.generation] = Key.random()

    def add_box(self, name: str) -> Box:
        """A new box.

        Raises:
            InvalidInputError: the name is taken, too long, or there are too many.
        """
        check_label(name, "the name of a box")
        if len(name.encode()) > MAX_BOX_NAME or any(box.name == name for box in self.boxes):
            raise InvalidInputError(f"the name of a box is new and has at most {MAX_BOX_NAME} bytes")
        if len(self.boxes) >= MAX_BOXES:
            raise InvalidInputError(f"a vault has at most {MAX_BOXES} boxes")
        box = Box(id=secrets.token_bytes(16), name=name, keys={self.generation: Key.random()})
        self.boxes.append(box)
        return box

    def box(self, name: str) -> Box:
        """The box with this name.

        Raises:
            InvalidInputError: there is none.
        """
        check_label(name, "box")
        for box in self.boxes:
            if box.name == name:
                return box
        raise InvalidInputError(f"there is no box {name!r}; make it with add_box, or see boxes()")

    def wipe(self) -> None:
        """Wipe every key."""
        self.anchor_key.wipe()
        for key in self.log_keys.values():
            key.wipe()
        for box in self.boxes:
            for key in box.keys.values():
                key.wipe()

    def encode(self) -> bytearray:
        """The plaintext of the keyring. The caller wipes it."""
        pieces: list[bytes | memoryview] = [_U8.pack(VERSION), _U32.pack(self.generation), self.anchor_key.view()]
        pieces += _keys(self.log_keys)
        pieces.append(_U16.pack(len(self.boxes)))
        for box in self.boxes:
            name = box.name.encode()
            pieces += [box.id, _U8.pack(len(name)), name, *_keys(box.keys)]
        settings = msgpack.packb(self.settings)
        pieces += [_U32.pack(len(settings)), settings]
        return _joined(pieces)

    @classmethod
    def decode(cls, plaintext: bytearray) -> "Keyring":
        """The keyring in a plaintext.

        Raises:
            VaultTamperedError: it is not a keyring of format 1.
        """
        cursor = _Cursor(memoryview(plaintext))
        if cursor.number(_U8) != VERSION:
            raise VaultTamperedError(_REFUSED)
        generation = cursor.number(_U32)
        anchor_key = Key.taken_from(cursor.take(KEY_BYTES))
        log_keys = _take_keys(cursor)
        boxes = [_take_box(cursor) for _ in range(cursor.number(_U16))]
        settings = _take_settings(cursor.take(cursor.number(_U32)))
        names = [box.name for box in boxes]
        if (
            cursor.rest
            or list(log_keys) != list(range(1, generation + 1))
            or len(boxes) > MAX_BOXES
            or MAIN not in names
            or len(set(names)) != len(names)
            or len({box.id for box in boxes}) != len(boxes)
            or not all(_complete(box.keys, generation) for box in boxes)
        ):
            raise VaultTamperedError(_REFUSED)
        return cls(generation=generation, anchor_key=anchor_key, log_keys=log_keys, boxes=boxes, settings=settings)


class _Cursor:
    def __init__(self, data: memoryview) -> None:
        self.rest = data

    def take(self, size: int) -> memoryview:
        if size > len(self.rest):
            raise VaultTamperedError(_REFUSED)
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def number(self, layout: struct.Struct) -> int:
        value: int = layout.unpack(self.take(layout.size))[0]
        return value


def _keys(keys: dict[int, Key]) -> Iterator[bytes | memoryview]:
    yield _U16.pack(len(keys))
    for generation, key in sorted(keys.items()):
        yield _U32.pack(generation)
        yield key.view()


def _joined(pieces: Sequence[bytes | memoryview]) -> bytearray:
    """All in one buffer that is made once: one that grew would leave copies of keys behind."""
    out, at = bytearray(sum(map(len, pieces))), 0
    room = memoryview(out)
    for piece in pieces:
        room[at : at + len(piece)] = piece
        at += len(piece)
    return out


def _take_keys(cursor: _Cursor) -> dict[int, Key]:
    keys: dict[int, Key] = {}
    for _ in range(cursor.number(_U16)):
        generation = cursor.number(_U32)
        if keys and generation <= next(reversed(keys)):
            raise VaultTamperedError(_REFUSED)
        keys[generation] = Key.taken_from(cursor.take(KEY_BYTES))
    return keys


def _take_box(cursor: _Cursor) -> Box:
    id_ = bytes(cursor.take(16))
    raw = bytes(cursor.take(cursor.number(_U8)))
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise VaultTamperedError(_REFUSED) from None
    if not name or id_ == bytes(16):
        raise VaultTamperedError(_REFUSED)
    return Box(id=id_, name=name, keys=_take_keys(cursor))


def _take_settings(raw: memoryview) -> dict[str, Any]:
    try:
        settings = msgpack.unpackb(raw, object_pairs_hook=distinct)
        if type(settings["owner"]) is not str or type(settings["created"]) is not int:
            raise VaultTamperedError(_REFUSED)
        from_micros(settings["created"])  # a time that can be shown
    except (KeyError, ValueError, TypeError, RecursionError, msgpack.UnpackException):
        raise VaultTamperedError(_REFUSED) from None
    return dict(settings)


def _complete(keys: dict[int, Key], generation: int) -> bool:
    """A box has a key for every generation from its first to the present one."""
    return bool(keys) and list(keys) == list(range(next(iter(keys)), generation + 1)) and next(iter(keys)) >= 1
