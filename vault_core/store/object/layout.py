"""The names and bytes of a vault's objects. Pure: bytes in, bytes out.

Rules (docs/format.md §2, "Objects"):
- `log/<seq>` holds one commit whole, a new header too: making that one object *is* the commit.
- Lengths come first, then entries, then headers and records, so that following reads a front and a record is a range.
- What is erased keeps its length in the index and loses its bytes. Nothing else of an object ever changes.
- `pack/<k>` has the same form, with the small commits of one window of seqs; a commit that lies there leaves a stub.
- Nothing here is believed: the log's chain and hashes decide. A length that doesn't fit is `VaultTamperedError`.
"""

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import accumulate, pairwise

from vault_core.errors import FormatTooNewError, VaultTamperedError
from vault_core.memory.limits import MAX_COMMIT_RECORDS
from vault_core.memory.model import StoredHeader

BLOCK, STUB, PART = b"SRB1", b"SRS1", b"SRT1"
WINDOW = 256  # seqs in one pack: one request then replays what took 256, and a rewrite stays small
FRONT = 64 << 10  # bytes asked for at first: most commits whole, the index and entries of nearly all
SMALL = FRONT  # larger commits stay out of packs, where they would make every erasure a long upload
DIGITS = 16  # of a number in a name
MAX_SEQ = (1 << 38) - 1  # address = seq << 24 | n has to fit 63 bits
MAX_INDEX = 16 << 20  # bytes before the entries: a full window of commits that erase thousands each
MAX_RECORD = 68 << 20  # bytes: the largest sealed record, and more than any entry
MAX_HEADER = 128 << 10
MAX_OBJECT = (1 << 30) + (1 << 28)  # a commit's 1 GiB, padded, with its entry
_PRELUDE = struct.Struct(">4sII")  # magic, bytes of the index, commits
_COMMIT = struct.Struct(">16sQQQIHBIIIH")
_STUB = struct.Struct(">4sQ")
_ERASED = 1 << 31  # in a record's length
_HEADER_ERASED = 1
_DAMAGED = "an object of the vault's log is damaged"

Span = tuple[int, int]  # where in an object: from, to


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit to be written. `header_at` is the seq whose commit brought the header that holds from here on."""

    seq: int
    entry: bytes = field(repr=False)
    records: Sequence[bytes] = field(default=(), repr=False)
    erase: Sequence[int] = ()
    header: StoredHeader | None = field(default=None, repr=False)
    header_at: int = 0
    header_before: int = 0  # where the header that this one replaces lies; 0 for none
    drop_parts: Sequence[str] = ()

    @property
    def mark(self) -> bytes:
        """Tells this commit from every other one, also when its records are erased or it lies in a pack."""
        mark = sha256()
        for body in (self.entry, *(self.header or (b"", b"")), *self.records):
            mark.update(len(body).to_bytes(8, "big"))
            mark.update(body)
        return mark.digest()[:16]

    @property
    def leaves_something(self) -> bool:
        """Whether something remains to be done once it is made: bytes to be erased, parts to be dropped."""
        return bool(self.erase or self.drop_parts or self.header_before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Where one commit lies in an object. An erased record's span is empty, and `lengths` has what it was."""

    mark: bytes
    seq: int
    header_at: int
    header_before: int
    entry: Span
    header: Span
    mac: int  # bytes of the header's span that are its MAC, at the end
    header_erased: bool
    lengths: Sequence[int] = field(repr=False)
    erased: frozenset[int] = field(repr=False)
    starts: Sequence[int] = field(repr=False)  # one more than records: where each begins, and the last one ends
    erase: Sequence[int] = field(repr=False)
    drop_parts: Sequence[str] = field(repr=False)

    def record(self, n: int) -> Span:
        """Where record `n` lies."""
        return self.starts[n], self.starts[n + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The index of an object that holds commits."""

    pieces: Mapping[int, Piece] = field(repr=False)
    entries_end: int
    size: int

    @property
    def weight(self) -> int:
        """How many numbers it holds, for bounding a cache."""
        return sum(16 + 2 * len(piece.lengths) + len(piece.erase) for piece in self.pieces.values())


def log_name(seq: int) -> str:
    """The object of a commit."""
    return f"log/{seq:0{DIGITS}d}"


def pack_name(window: int) -> str:
    """The object with the small commits of a window."""
    return f"pack/{window:0{DIGITS}d}"


def window_of(seq: int) -> int:
    """The window that a seq belongs to; window 0 is 1 to 256."""
    return (seq - 1) // WINDOW


def seqs_of(window: int) -> range:
    """The seqs of a window."""
    return range(window * WINDOW + 1, (window + 1) * WINDOW + 1)


def number_in(name: str, folder: str) -> int | None:
    """The number in a name of this folder; None for a name that is not ours."""
    digits = name.removeprefix(folder)
    return int(digits) if len(digits) == DIGITS and digits.isascii() and digits.isdigit() else None


def part_name(name: str) -> str:
    """The object of a part: bytes other than letters, digits, `-` and `_` are written `=XX`."""
    plain = (chr(b) if chr(b).isascii() and (chr(b).isalnum() or b in b"-_") else f"={b:02X}" for b in name.encode())
    return "part/" + "".join(plain)


def part_of(name: str) -> str | None:
    """The part whose object has this name; None if it is not ours."""
    first, *coded = name.removeprefix("part/").split("=")
    try:
        raw = first.encode() + b"".join(bytes([int(one[:2], 16)]) + one[2:].encode() for one in coded)
        part = raw.decode()
    except ValueError:
        return None
    return part if part_name(part) == name else None


def encode(commits: Sequence[Commit]) -> bytes:
    """The bytes of an object that holds these commits."""
    index = b"".join(map(_index_of, commits))
    entries = (commit.entry for commit in commits)
    rest = (part for c in commits for part in (*(c.header or ()), *c.records))
    return b"".join((_PRELUDE.pack(BLOCK, len(index), len(commits)), index, *entries, *rest))


def encode_stub(window: int) -> bytes:
    """The bytes at the place of a commit that lies in a pack. It keeps the number taken for ever."""
    return _STUB.pack(STUB, window)


def stub_in(raw: bytes, seq: int) -> int | None:
    """The window that a stub names, or None if these are not the bytes of a stub."""
    if raw[:4] != STUB:
        return None
    if len(raw) != _STUB.size or _STUB.unpack(raw)[1] != window_of(seq):
        raise VaultTamperedError(_DAMAGED)
    return window_of(seq)


def index_end(raw: bytes) -> int:
    """How many bytes from the start hold the index."""
    if len(raw) < _PRELUDE.size or raw[:3] != BLOCK[:3]:
        raise VaultTamperedError(_DAMAGED)
    if raw[:4] != BLOCK:
        raise FormatTooNewError("this vault has a newer format; upgrade strongroom to open it")
    _, length, _ = _PRELUDE.unpack_from(raw)
    if length > MAX_INDEX:
        raise VaultTamperedError(_DAMAGED)
    return _PRELUDE.size + int(length)


def decode(front: bytes, size: int) -> Block:
    """The index of an object of `size` bytes; `front` reaches at least to its end."""
    end = index_end(front)
    try:
        pieces = _decode(front[:end], _PRELUDE.unpack_from(front)[2])
    except (struct.error, UnicodeDecodeError):
        raise VaultTamperedError(_DAMAGED) from None
    entries_end, pieces = _placed(pieces, end)
    if (pieces[-1].starts[-1] if pieces else entries_end) != size:
        raise VaultTamperedError(_DAMAGED)
    return Block(pieces={piece.seq: piece for piece in pieces}, entries_end=entries_end, size=size)


def blanked(raw: bytes, wanted: Mapping[int, Collection[int]], headers: Collection[int] = ()) -> bytes | None:
    """The object without the bytes of these records (by seq) and of the headers of these commits; None if it has none.

    Their lengths stay: whoever asks for an erased record gets that many zeros.
    """
    block = decode(raw, len(raw))
    changed = False
    kept: list[tuple[Piece, frozenset[int], bool]] = []
    for piece in block.pieces.values():
        erased = piece.erased | {n for n in wanted.get(piece.seq, ()) if n < len(piece.lengths)}
        header = piece.header_erased or (piece.seq in headers and piece.header[0] < piece.header[1])
        changed |= erased != piece.erased or header != piece.header_erased
        kept.append((piece, erased, header))
    return _rebuilt([(raw, *one) for one in kept]) if changed else None


def packed(objects: Iterable[bytes]) -> bytes:
    """One object with the commits of several."""
    return _rebuilt(
        [
            (raw, piece, piece.erased, piece.header_erased)
            for raw in objects
            for piece in decode(raw, len(raw)).pieces.values()
        ]
    )


def _index_of(commit: Commit) -> bytes:
    return _index(
        commit.mark,
        commit.seq,
        commit.header_at,
        commit.header_before,
        len(commit.entry),
        len(commit.header.body) if commit.header else 0,
        len(commit.header.mac) if commit.header else 0,
        0,
        list(map(len, commit.records)),
        commit.erase,
        commit.drop_parts,
    )


def _index(
    mark: bytes,
    seq: int,
    header_at: int,
    header_before: int,
    entry: int,
    body: int,
    mac: int,
    flags: int,
    lengths: Sequence[int],
    erase: Sequence[int],
    drop_parts: Sequence[str],
) -> bytes:
    names = b"".join(struct.pack(">H", len(raw)) + raw for raw in (name.encode() for name in drop_parts))
    return b"".join(
        (
            _COMMIT.pack(
                mark, seq, header_at, header_before, body, mac, flags, entry, len(lengths), len(erase), len(drop_parts)
            ),
            struct.pack(f">{len(lengths)}I", *lengths),
            struct.pack(f">{len(erase)}q", *erase),
            names,
        )
    )


def _decode(index: bytes, count: int) -> list[Piece]:
    """The commits of an index, their spans still lengths."""
    at, pieces, before = _PRELUDE.size, list[Piece](), 0
    for _ in range(count):
        mark, seq, header_at, header_before, body, mac, flags, entry, records, erases, drops = _COMMIT.unpack_from(
            index, at
        )
        at += _COMMIT.size
        if not before < seq <= MAX_SEQ or header_at > seq or header_before > seq or records > MAX_COMMIT_RECORDS:
            raise VaultTamperedError(_DAMAGED)
        marks = struct.unpack_from(f">{records}I", index, at)
        at += 4 * records
        if max(entry, *(mark & ~_ERASED for mark in marks), 0) > MAX_RECORD or body + mac > MAX_HEADER:
            raise VaultTamperedError(_DAMAGED)
        erase = struct.unpack_from(f">{erases}q", index, at)
        at += 8 * erases
        names = list[str]()
        for _ in range(drops):
            (length,) = struct.unpack_from(">H", index, at)
            names.append(index[at + 2 : at + 2 + length].decode())
            at += 2 + length
        pieces.append(
            Piece(
                mark=mark,
                seq=seq,
                header_at=header_at,
                header_before=header_before,
                entry=(0, entry),
                header=(0, body + mac),
                mac=mac,
                header_erased=bool(flags & _HEADER_ERASED),
                lengths=[mark & ~_ERASED for mark in marks],
                erased=frozenset(n for n, mark in enumerate(marks) if mark & _ERASED),
                starts=(),
                erase=erase,
                drop_parts=names,
            )
        )
        before = seq
    if at != len(index):
        raise VaultTamperedError(_DAMAGED)
    return pieces


def _placed(pieces: Sequence[Piece], end: int) -> tuple[int, list[Piece]]:
    """The same with their places: all entries first, then each commit's header and records."""
    at = entries_end = end + sum(piece.entry[1] for piece in pieces)
    entry, placed = end, list[Piece]()
    for piece in pieces:
        header = (at, at if piece.header_erased else at + piece.header[1])
        kept = (0 if n in piece.erased else length for n, length in enumerate(piece.lengths))
        starts = list(accumulate(kept, initial=header[1]))
        placed.append(replace(piece, entry=(entry, entry + piece.entry[1]), header=header, starts=starts))
        entry, at = entry + piece.entry[1], starts[-1]
    return entries_end, placed


def _rebuilt(kept: Sequence[tuple[bytes, Piece, frozenset[int], bool]]) -> bytes:
    """An object of commits out of others' bytes, with these records and headers erased."""
    index, entries, rest = [], list[bytes](), list[bytes]()
    for raw, piece, erased, no_header in kept:
        (start, stop), (at, end) = piece.entry, piece.header
        body = 0 if no_header else end - at - piece.mac
        marks = [length | (_ERASED if n in erased else 0) for n, length in enumerate(piece.lengths)]
        index.append(
            _index(
                piece.mark,
                piece.seq,
                piece.header_at,
                piece.header_before,
                stop - start,
                body,
                0 if no_header else piece.mac,
                _HEADER_ERASED if no_header else 0,
                marks,
                piece.erase,
                piece.drop_parts,
            )
        )
        entries.append(raw[start:stop])
        if not no_header:
            rest.append(raw[at:end])
        rest.extend(raw[a:b] for n, (a, b) in enumerate(pairwise(piece.starts)) if n not in erased)
    whole = b"".join(index)
    return b"".join((_PRELUDE.pack(BLOCK, len(whole), len(kept)), whole, *entries, *rest))
