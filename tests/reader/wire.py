"""Reading bytes, msgpack, base64 and JSON as strictly as the page allows."""

import base64
import binascii
import json
import math
import unicodedata
from dataclasses import dataclass
from typing import Any

import msgpack

from reader.refused import Refused, require


@dataclass(slots=True)
class Cursor:
    """Takes bytes from the front."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        require(self.at + count <= len(self.data), "cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        """The next unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size))

    def end(self) -> None:
        """Refuse what is left."""
        require(self.at == len(self.data), "bytes left over")


def text_of(data: bytes) -> str:
    """UTF-8 as text."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None


def unbase64(text: object) -> bytes:
    """Base64 with its padding, and in no second spelling."""
    require(isinstance(text, str), "base64 is text")
    try:
        data = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("not base64") from None
    require(base64.b64encode(data).decode() == text, "base64 with bits left over")
    return data


def unpack(data: bytes) -> Any:
    """One msgpack value; maps have distinct text keys."""
    try:
        return msgpack.unpackb(data, raw=False, object_pairs_hook=_distinct)
    except (ValueError, TypeError, msgpack.UnpackException):
        raise Refused("not msgpack") from None


def _distinct(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    require(all(isinstance(key, str) for key, _ in pairs), "a map key is not text")
    found = dict(pairs)
    require(len(found) == len(pairs), "a map key comes twice")
    return found


class Integer(str):
    """The digits of a JSON integer of any size."""

    __slots__ = ()


def json_text(text: str) -> Any:
    """The value of a JSON text: RFC 8259 plus NaN, Infinity and -Infinity."""
    try:
        return json.loads(text, parse_int=Integer)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None


def json_depth(value: object) -> int:
    """How deep arrays and objects are nested; 0 for a number."""
    deepest = 0
    waiting = [(value, 1)]
    while waiting:
        found, depth = waiting.pop()
        if isinstance(found, dict | list):
            deepest = max(deepest, depth)
            inner = found.values() if isinstance(found, dict) else found
            waiting.extend((each, depth + 1) for each in inner)
    return deepest


def canonical_json(value: object) -> str:
    """Canonical JSON: keys sorted, no white space, non-ASCII kept, each string in NFC."""
    match value:
        case dict():
            return "{" + ",".join(_members(value)) + "}"
        case list():
            return "[" + ",".join(canonical_json(each) for each in value) + "]"
        case Integer():
            return "0" if value == "-0" else str(value)
        case str():
            return json.dumps(nfc(value), ensure_ascii=False)
        case float() if math.isnan(value):
            return "NaN"
        case _:
            return json.dumps(value)


def _members(value: dict[str, Any]) -> list[str]:
    named = {nfc(key): inner for key, inner in value.items()}
    require(len(named) == len(value), "two keys are one in NFC")
    return [f"{canonical_json(key)}:{canonical_json(named[key])}" for key in sorted(named)]


def nfc(text: str) -> str:
    """Unicode normalisation form C."""
    return unicodedata.normalize("NFC", text)
