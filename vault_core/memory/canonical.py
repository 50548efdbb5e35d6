"""Canonical forms: how content becomes bytes, and when two contents are the same.

Rules (docs/format.md §6):
- Two contents are the same when their canonical forms are: NFC for text; for JSON sorted keys, no white space, NFC.
- JSON is Python's: NaN and the infinities have tokens, integers have any size.
"""

import hashlib
import json
import unicodedata
from typing import Any

from vault_core.errors import InvalidInputError

MAX_JSON_DEPTH = 64
MAX_INTEGER_BITS = 14_280  # below Python's limit of 4,300 digits for reading an integer
_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)  # `json.dumps` would make one for every call
_NESTED = (dict, list, tuple)  # as a union it would be made anew for every value
_CANONICAL = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def content_hash(content: Any) -> bytes:
    """SHA-256 of the canonical form of text or JSON content."""
    if isinstance(content, str):
        return hashlib.sha256(b"t" + unicodedata.normalize("NFC", content).encode()).digest()
    return hashlib.sha256(b"j" + canonical_json(_composed(content)).encode()).digest()


def _composed(value: Any) -> Any:
    """The same JSON with every text and key in NFC. In the finished JSON an escape and a combining mark would fuse."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {_composed(key): _composed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_composed(inner) for inner in value]
    return value


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space."""
    return _CANONICAL.encode(value)


def compact_json(value: Any) -> str:
    """JSON with the caller's order of keys and no white space."""
    return _COMPACT.encode(value)


def parse_json(text: str) -> Any:
    """The value that JSON text stands for.

    Raises:
        ValueError: it is not JSON, or an object has a key twice.
    """
    return json.loads(text, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def readable(content: Any) -> str:
    """Content as text for people and for the lexical index: itself, or its JSON."""
    return content if isinstance(content, str) else compact_json(content)


def check_json(value: Any, what: str, *, depth: int = 0) -> None:
    """Refuse what JSON can't carry: other types, keys that aren't text, broken text, depth or digits without end."""
    if isinstance(value, _NESTED):
        if depth >= MAX_JSON_DEPTH:
            raise InvalidInputError(f"{what} is nested deeper than {MAX_JSON_DEPTH} levels")
        if isinstance(value, dict):
            _check_keys(value, what)
            value = value.values()
        for inner in value:
            if type(inner) is not str or not inner.isascii():  # most are ASCII, and nothing can be wrong with them
                check_json(inner, what, depth=depth + 1)
    elif isinstance(value, str):
        check_encodable(value, what)
    elif isinstance(value, int):
        if value.bit_length() > MAX_INTEGER_BITS:
            raise InvalidInputError(f"{what} holds an integer of more than 4,298 digits; store it as text")
    elif value is not None and not isinstance(value, float):
        raise InvalidInputError(f"{what} holds a {type(value).__name__}; only JSON values can be stored")


def _check_keys(value: dict[Any, Any], what: str) -> None:
    for key in value:
        if not isinstance(key, str):
            raise InvalidInputError(f"{what} has a key that is not text; JSON objects need text keys")
        if not key.isascii():
            check_encodable(key, what)


def check_encodable(text: str, what: str) -> int:
    """The size of the text in UTF-8; lone surrogates have none and are refused."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInputError(
            f"{what} holds a lone surrogate, which is not a character; "
            "decode the input with errors='replace' before storing it"
        ) from None
