"""Format 1, section 5: one entry and its ops."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reader.refused import Refused, require
from reader.wire import Cursor, unpack

MAX_RECORDS = 100_000
FIRST_TIME = -62_135_596_800_000_000  # the first microsecond of year 1
LAST_TIME = 253_402_300_799_999_999  # the last one of year 9999
KINDS = {1: "memory", 2: "item", 3: "space"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as stored, taken apart."""

    seq: int
    prev: bytes
    box: bytes
    generation: int
    writer: bytes
    counter: int
    hashes: tuple[bytes, ...]
    clear: bytes
    ops: bytes  # sealed
    signed: bytes  # everything before the HMAC
    hmac: bytes
    hash: bytes  # the chain hash


@dataclass(frozen=True, slots=True)
class Put:
    """Record n of this commit is of that kind."""

    n: int
    kind: str


@dataclass(frozen=True, slots=True)
class Erase:
    """The record is erased."""

    address: int


@dataclass(frozen=True, slots=True)
class Touch:
    """The memory was used, or seen again, or expires at another time."""

    address: int
    uses: int | None
    used: int | None
    refreshed: int | None
    expires: int | None


@dataclass(frozen=True, slots=True)
class Mark:
    """The memory is archived or pinned, or no longer."""

    address: int
    archived: int | None
    pinned: int | None


@dataclass(frozen=True, slots=True)
class Trust:
    """The owner vouches for the memory, or no longer."""

    address: int
    trusted: int


@dataclass(frozen=True, slots=True)
class Ghost:
    """The memory is a ghost until then, or no longer."""

    address: int
    until: int | None


@dataclass(frozen=True, slots=True)
class NewHeader:
    """A new header."""

    generation: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Restored:
    """The owner accepted the log that ends at `base`, in place of another that had reached `head`."""

    base: int
    head: int
    hash: bytes


Op = Put | Erase | Touch | Mark | Trust | Ghost | NewHeader | Restored


def parse_entry(stored: bytes) -> Entry:
    """The fields of an entry; nothing is opened yet."""
    cursor = Cursor(stored)
    require(cursor.take(4) == b"SRE1", "the magic of an entry")
    seq, prev, box = cursor.number(8), cursor.take(32), cursor.take(16)
    generation, writer, counter = cursor.number(4), cursor.take(16), cursor.number(8)
    count = cursor.number(4)
    require(count <= MAX_RECORDS, "too many records in a commit")
    hashes = tuple(cursor.take(32) for _ in range(count))
    require(cursor.number(2) == 0, "a signature in format 1")
    clear = stored[: cursor.at]
    ops = cursor.take(cursor.number(4))
    signed = stored[: cursor.at]
    mac = cursor.take(32)
    cursor.end()
    return Entry(
        seq=seq,
        prev=prev,
        box=box,
        generation=generation,
        writer=writer,
        counter=counter,
        hashes=hashes,
        clear=clear,
        ops=ops,
        signed=signed,
        hmac=mac,
        hash=hashlib.sha256(stored).digest(),
    )


def parse_ops(plaintext: bytes) -> tuple[int, list[Op]]:
    """The time of the commit and its ops."""
    found = unpack(plaintext)
    require(isinstance(found, list) and len(found) == 2, "the ops are [time, [op, …]]")
    time, ops = found
    require(is_time(time) and isinstance(ops, list), "the ops are [time, [op, …]]")
    return time, [_op(op) for op in ops]


def is_time(value: object) -> bool:
    """Whether it is a number of microseconds in the years 1 to 9999."""
    return type(value) is int and FIRST_TIME <= value <= LAST_TIME


def is_count(value: object) -> bool:
    """Whether it is an unsigned integer of at most 64 bits."""
    return type(value) is int and 0 <= value < 2**64


def is_flag(value: object) -> bool:
    """Whether it is 0 or 1."""
    return type(value) is int and value in (0, 1)


def _op(op: Any) -> Op:
    require(isinstance(op, list) and op and type(op[0]) is int, "an op begins with its code")
    match op:
        case [1, n, kind] if is_count(n) and type(kind) is int and kind in KINDS:
            return Put(n, KINDS[kind])
        case [2, seq, n]:
            return Erase(_address(seq, n))
        case [3, seq, n, uses, *times] if len(times) == 3:
            require(_nil_or(is_count, uses), "uses")
            require(all(_nil_or(is_time, time) for time in times), "the times of an op")
            return Touch(_address(seq, n), uses, *times)
        case [4, seq, n, archived, pinned]:
            require(_nil_or(is_flag, archived) and _nil_or(is_flag, pinned), "flags are 0 or 1")
            return Mark(_address(seq, n), archived, pinned)
        case [7, seq, n, trusted]:
            require(is_flag(trusted), "trusted is 0 or 1")
            return Trust(_address(seq, n), trusted)
        case [8, seq, n, until]:
            require(_nil_or(is_time, until), "until is a time")
            return Ghost(_address(seq, n), until)
        case [5, generation, bytes(digest)] if is_count(generation) and len(digest) == 32:
            return NewHeader(generation, digest)
        case [6, base, head, bytes(digest)] if is_count(base) and is_count(head):
            require(head >= 1, "another log had at least its first entry")
            require(len(digest) == 32, "a chain hash has 32 bytes")
            return Restored(base, head, digest)
    raise Refused("an unknown op")


def _nil_or(check: Callable[[object], bool], value: object) -> bool:
    return value is None or check(value)


def _address(seq: Any, n: Any) -> int:
    require(is_count(seq) and 1 <= seq < 2**39, "the seq of an address")
    require(is_count(n) and n < MAX_RECORDS, "the n of an address")
    return int(seq) << 24 | int(n)
