"""Reading bytes, msgpack, base64 and JSON as strictly as the page allows."""

import base64
import binascii
import json
import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import msgpack

from reader.refused import Refused, require

MAX_DEPTH = 64  # JSON objects and lists inside one another
STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


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
    """The value of a JSON text: RFC 8259 plus NaN, Infinity and -Infinity. Keys are in NFC."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    require(deepest <= MAX_DEPTH, "JSON nested too deep")
    try:
        return json.loads(text, parse_int=Integer, object_pairs_hook=_last)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None


def _last(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """No key twice; of keys that are equal in NFC the last counts."""
    require(len({key for key, _ in pairs}) == len(pairs), "a key twice in JSON")
    return {nfc(key): value for key, value in pairs}


def canonical_json(value: object) -> str:
    """Canonical JSON of what `json_text` gave: keys sorted, no white space, each string in NFC."""
    match value:
        case dict():
            members = (f"{canonical_json(key)}:{canonical_json(value[key])}" for key in sorted(value))
            return "{" + ",".join(members) + "}"
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


def nfc(text: str) -> str:
    """Unicode normalisation form C."""
    return unicodedata.normalize("NFC", text)
