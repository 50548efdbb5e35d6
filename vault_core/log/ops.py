"""Ops: what a commit does, as addresses, codes, numbers and times.

Rules (docs/format.md §5): entries are never erased, so ops hold nothing personal; ids, reasons and contents live in
records. Every op is checked for shape here and for meaning by the index.
"""

from typing import Any, NamedTuple

import msgpack

from vault_core.errors import VaultTamperedError
from vault_core.memory.model import Address
from vault_core.memory.times import from_micros

_REFUSED = "the ops of a commit are not what format 1 allows"


class Put(NamedTuple):
    """Record `n` of this commit is of this kind."""

    n: int
    kind: int


class Erase(NamedTuple):
    """The record at this address is erased."""

    at: Address


class Touch(NamedTuple):
    """That memory was used, seen again, or has another expiry. Times in microseconds; expires −1 is never."""

    at: Address
    uses: int = 0
    used: int | None = None
    refreshed: int | None = None
    expires: int | None = None


class Mark(NamedTuple):
    """That memory is archived or pinned, or not any more; None leaves it as it is."""

    at: Address
    archived: bool | None = None
    pinned: bool | None = None


class Trust(NamedTuple):
    """The owner vouches for that memory, or takes it back."""

    at: Address
    trusted: bool


class Ghost(NamedTuple):
    """That memory is a ghost until then, microseconds; None: it is none any more."""

    at: Address
    until: int | None


class HeaderChange(NamedTuple):
    """A new header: its generation and the SHA-256 of its body."""

    generation: int
    digest: bytes


class Restored(NamedTuple):
    """The owner accepted the log that ends at `base` in place of another that had reached `head` with that hash."""

    base: int
    head: int
    hash: bytes


Op = Put | Erase | Touch | Mark | Trust | Ghost | HeaderChange | Restored


def encode_ops(time: int, ops: list[Op]) -> bytes:
    """The plaintext of a commit's ops."""
    packed: bytes = msgpack.packb([time, [_encode(op) for op in ops]])
    return packed


def decode_ops(plaintext: bytes) -> tuple[int, list[Op]]:
    """The time and the ops of a commit.

    Raises:
        VaultTamperedError: they are not ops of format 1.
    """
    try:
        time, ops = msgpack.unpackb(plaintext, strict_map_key=True)
        return _moment(time), [_decode(op) for op in _listed(ops)]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, msgpack.UnpackException):
        raise VaultTamperedError(_REFUSED) from None


def _moment(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    from_micros(value)  # a time that can be shown
    return value


def _listed(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError
    return value


def _encode(op: Op) -> list[Any]:
    match op:
        case Put():
            return [1, op.n, op.kind]
        case Erase():
            return [2, *op.at]
        case Touch():
            return [3, *op.at, op.uses, op.used, op.refreshed, op.expires]
        case Mark():
            return [4, *op.at, _bit(op.archived), _bit(op.pinned)]
        case Trust():
            return [7, *op.at, int(op.trusted)]
        case Ghost():
            return [8, *op.at, op.until]
        case HeaderChange():
            return [5, op.generation, op.digest]
        case Restored():
            return [6, op.base, op.head, op.hash]


def _decode(raw: Any) -> Op:
    code, *fields = _listed(raw)
    if type(code) is not int:
        raise TypeError
    kinds = _FIELDS[code]
    if len(fields) != len(kinds) or not all(type(field) in kind for field, kind in zip(fields, kinds, strict=True)):
        raise TypeError
    if any(type(field) is int and field < 0 for field in fields[:2]):
        raise ValueError
    match code:
        case 1:
            return Put(*fields)
        case 2:
            return Erase(Address(*fields))
        case 5:
            return HeaderChange(*fields)
        case 6:
            return Restored(*fields)
        case _:
            return _noted(code, Address(*fields[:2]), fields[2:])


def _noted(code: int, at: Address, fields: list[Any]) -> Op:
    """What is noted about a memory."""
    match code:
        case 3:
            return _touch(at, *fields)
        case 4:
            return Mark(at, *map(_truth, fields))
        case 7:
            return Trust(at, bool(_truth(*fields)))
        case _:
            return Ghost(at, None if fields[0] is None else _moment(*fields))


def _touch(at: Address, uses: int | None, used: int | None, refreshed: int | None, expires: int | None) -> Touch:
    if uses is not None and uses < 0:
        raise ValueError
    for moment in (used, refreshed, expires):
        if moment is not None:
            _moment(moment)
    return Touch(at, uses or 0, used, refreshed, expires)


_NIL = type(None)
_INT: tuple[type, ...] = (int,)
_MAYBE: tuple[type, ...] = (int, _NIL)
_FIELDS: dict[int, tuple[tuple[type, ...], ...]] = {
    1: (_INT, _INT),
    2: (_INT, _INT),
    3: (_INT, _INT, _MAYBE, _MAYBE, _MAYBE, _MAYBE),
    4: (_INT, _INT, _MAYBE, _MAYBE),
    5: (_INT, (bytes,)),
    6: (_INT, _INT, (bytes,)),
    7: (_INT, _INT, _INT),
    8: (_INT, _INT, _MAYBE),
}


def _bit(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _truth(value: int | None) -> bool | None:
    if value not in (None, 0, 1):
        raise ValueError
    return None if value is None else bool(value)
