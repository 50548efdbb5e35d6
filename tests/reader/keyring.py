"""Format 1, section 4: the keyring."""

from dataclasses import dataclass
from typing import Any

from reader.entry import is_time
from reader.header import Header
from reader.refused import require
from reader.sealing import NO_BOX, Place, derive, unseal
from reader.wire import Cursor, text_of, unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box and its keys by generation."""

    id: bytes
    name: str
    keys: dict[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Every key below the MEK, and the vault's settings."""

    key_generation: int
    anchor_key: bytes
    log_keys: dict[int, bytes]
    boxes: dict[bytes, Box]
    settings: dict[str, Any]


def open_keyring(header: Header, mek: bytes) -> Keyring:
    """The keyring that this header holds."""
    place = Place(
        kind=b"keyr",
        vault=header.vault,
        generation=header.key_generation,
        seq=header.generation,
    )
    key = derive(mek, b"strongroom-1 keyring", header.vault)
    keyring = _parse(unseal(key, place, header.keyring))
    require(keyring.key_generation == header.key_generation, "a keyring of another generation")
    return keyring


def _parse(plaintext: bytes) -> Keyring:
    cursor = Cursor(plaintext)
    require(cursor.number(1) == 1, "the version of the keyring")
    current = cursor.number(4)
    anchor_key = cursor.take(32)
    log_keys = _keys(cursor)
    boxes = _boxes(cursor)
    settings = unpack(cursor.take(cursor.number(4)))
    cursor.end()
    require(current >= 1, "key generations begin at 1")
    require(list(log_keys) == list(range(1, current + 1)), "a log key for every generation")
    for box in boxes.values():
        made = min(box.keys, default=0)
        wanted = list(range(made, current + 1))
        require(made >= 1 and list(box.keys) == wanted, "a box key for every generation")
    require(isinstance(settings, dict), "the settings are a map")
    require(isinstance(settings.get("owner"), str), "the owner")
    require(is_time(settings.get("created")), "the time of creation")
    return Keyring(
        key_generation=current,
        anchor_key=anchor_key,
        log_keys=log_keys,
        boxes=boxes,
        settings=settings,
    )


def _keys(cursor: Cursor) -> dict[int, bytes]:
    """Keys by generation; ascending order is checked with their completeness."""
    count = cursor.number(2)
    keys = {cursor.number(4): cursor.take(32) for _ in range(count)}
    require(len(keys) == count, "a generation comes twice")
    return keys


def _boxes(cursor: Cursor) -> dict[bytes, Box]:
    count = cursor.number(2)
    boxes = [
        Box(
            id=cursor.take(16),
            name=text_of(cursor.take(cursor.number(1))),
            keys=_keys(cursor),
        )
        for _ in range(count)
    ]
    by_id = {box.id: box for box in boxes}
    names = {box.name for box in boxes}
    require(len(by_id) == len(names) == count, "a box comes twice")
    require(NO_BOX not in by_id and "" not in names, "a box has an id and a name")
    require("main" in names, "the box main is missing")
    return by_id
