"""JSON files of any size, one value at a time: the members of a list, of the lists in an object, or of lines.

An export of somebody's conversations is one JSON value of gigabytes. Its members are cut out by brackets and quotes
alone and read one by one, in constant memory; a member that is broken, too deep or too large is told and left out, and
reading goes on behind it.

Rules:
- A file is a list (its members are the parts), or an object (the members of the lists in it, and its other values), in
  UTF-8 with or without a byte order mark.
- A part has at most 32 MiB and is nested at most 64 deep; in an object no key comes twice.
- A file that ends in the middle gives what was whole, then says so.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from vault_core.errors import InvalidInputError
from vault_core.memory.canonical import MAX_JSON_DEPTH, parse_json

MAX_PART = 32 << 20  # bytes; what JSON of this size can make of memory is still within a gigabyte
_CHUNK = 1 << 16
_BOM = b"\xef\xbb\xbf"
_QUOTE = b'"'[0]
_SPACE = b" \t\r\n"
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},:]', re.DOTALL)  # a lone quote: the text is not all there
_INSIDE = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+', re.DOTALL)  # what is no bracket
_CUT = "the file ends in the middle"
_MALFORMED = "from here on it is not JSON"


class Reading(Protocol):
    """Whatever gives bytes."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


class Part(NamedTuple):
    """One value: the list it is in ("" for a file that is a list), its number from 1 on, and its bytes, or why not.

    A value that is in no list has the number 0.
    """

    key: str
    number: int
    body: bytes
    problem: str | None = None

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.key or 'entry'} {self.number}" if self.number else self.key or "the file"

    def value(self) -> Any:
        """What it says.

        Raises:
            UnreadableError: it can't be read; the message says why.
        """
        if self.problem:
            raise UnreadableError(self.problem)
        return load(self.body)


class UnreadableError(Exception):
    """A part can't be read. The reader turns this into a `Skipped`; it never leaves this room."""


def load(body: bytes) -> Any:
    """The value that JSON in UTF-8 stands for.

    Raises:
        UnreadableError: it is none.
    """
    try:
        return parse_json(body.decode())
    except UnicodeDecodeError:
        raise UnreadableError("it is not UTF-8 text") from None
    except RecursionError:
        raise UnreadableError(f"it is nested deeper than {MAX_JSON_DEPTH} levels") from None
    except ValueError:  # digits without end are one, too
        raise UnreadableError("it is not JSON, or has a key twice") from None


def lines(file: Reading) -> Iterator[Part]:
    """The lines of a file that are not empty, as parts that are numbered as lines are."""
    number, held, dropped = 0, b"", False
    while True:
        chunk = file.read(_CHUNK)
        *whole, held = (held + chunk).split(b"\n")
        for line in whole if chunk else [held]:
            number += 1
            body = line.removeprefix(_BOM) if number == 1 else line
            if dropped or len(body) > MAX_PART:
                yield Part("line", number, b"", f"it is longer than {MAX_PART >> 20} MiB")
            elif body.strip():
                yield Part("line", number, body)
            dropped = False
        if not chunk:
            return
        if len(held) > MAX_PART:
            held, dropped = b"", True


def parts(file: Reading) -> Iterator[Part]:
    """The values of a file that is one JSON list or object.

    Raises:
        InvalidInputError: it is neither.
    """
    scan = _Scan(file)
    opening = scan.peek()
    if opening not in (b"[", b"{"):
        raise InvalidInputError("this is not a file of JSON with a list or an object in it")
    scan.next()
    yield from _members(scan, "") if opening == b"[" else _entries(scan)
    if scan.peek():
        yield Part("", 0, b"", "after its end something follows, which is not read")


def _members(scan: "_Scan", key: str) -> Iterator[Part]:
    """The members of a list whose bracket was just read, up to the bracket that closes it."""
    number = 0
    while True:
        part, end = _value(scan, key, number + 1, b",]")
        if part.body or part.problem:
            number += 1
            yield part
        if end != b",":
            return


def _entries(scan: "_Scan") -> Iterator[Part]:
    """The values of an object whose bracket was just read; of those that are lists, the members."""
    while (token := scan.next()) != b"}":
        if token == b",":
            continue
        if token is None:
            yield Part("", 0, b"", scan.stop(_CUT))
            return
        if token[:1] != b'"' or scan.next() != b":":
            yield Part("", 0, b"", scan.stop(_MALFORMED))
            return
        key = _key(token)
        if scan.peek() == b"[":
            scan.next()
            yield from _members(scan, key)
            continue
        part, end = _value(scan, key, 0, b",}")
        yield part
        if end != b",":
            return


def _value(scan: "_Scan", key: str, number: int, ends: bytes) -> tuple[Part, bytes]:
    """The value up to the next comma or closing bracket of its own level, and which of them it was ("" for none)."""
    scan.keep()
    depth = deepest = 0
    while (token := scan.bracket() if depth else scan.next()) is not None:
        if depth == 0 and token in (ends[:1], ends[1:]):
            return _part(key, number, scan, deepest), token
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in (b"]", b"}"):
            depth -= 1
            if depth < 0:
                return Part(key, number, b"", scan.stop(_MALFORMED)), b""
    return Part(key, number, b"", scan.stop(_CUT)), b""


def _part(key: str, number: int, scan: "_Scan", deepest: int) -> Part:
    body = scan.taken()
    if body is None:
        return Part(key, number, b"", f"it is larger than {MAX_PART >> 20} MiB")
    if deepest > MAX_JSON_DEPTH:
        return Part(key, number, b"", f"it is nested deeper than {MAX_JSON_DEPTH} levels")
    return Part(key, number, body)


def _key(token: bytes) -> str:
    try:
        return str(load(token))
    except UnreadableError:
        return ""


class _Scan:
    """The brackets, commas, colons and texts of a JSON file, in order, and the bytes since a place that is kept."""

    def __init__(self, file: Reading) -> None:
        self._file = file
        self._held = b""
        self._at = 0  # what was looked at, in what is held
        self._kept: int | None = 0  # where what may be asked for begins; None: nothing is kept
        self._token = 0  # where the last token began
        self._begun = False
        self._problem: str | None = None
        self._stopped = False

    def keep(self) -> None:
        """From here on keep the bytes, for `taken`."""
        self._kept = self._at

    def taken(self) -> bytes | None:
        """The bytes since `keep` without the last token; None if they were too many."""
        return None if self._kept is None else self._held[self._kept : self._token].strip(_SPACE)

    def stop(self, problem: str) -> str:
        """Read no further. Gives what to tell about it."""
        self._stopped = True
        return self._problem or problem

    def peek(self) -> bytes:
        """The next byte that is no white space, which is not taken; b"" at the end."""
        while not self._stopped:
            while self._at < len(self._held) and self._held[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._held):
                return self._held[self._at : self._at + 1]
            if not self._more(self._at):
                break
        return b""

    def next(self) -> bytes | None:
        """The next token: a bracket, comma or colon, or a whole text with its quotes. None at the end."""
        while True:
            found = _TOKEN.search(self._held, self._at)
            if found is not None and found[0] != b'"':
                self._at, self._token = found.end(), found.start()
                return found[0]
            if not self._more(len(self._held) if found is None else found.start()):
                return None

    def bracket(self) -> bytes | None:
        """The next bracket, whatever lies before it; None at the end. Quicker, for the inside of a value."""
        while True:
            end = _INSIDE.match(self._held, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if end < len(self._held) and self._held[end] != _QUOTE:
                self._at, self._token = end + 1, end
                return self._held[end : end + 1]
            if not self._more(end):
                return None

    def _more(self, seen: int) -> bool:
        """Read on. What lies before `seen` was looked at, and goes unless it is kept."""
        if self._kept is not None and seen - self._kept > MAX_PART:
            self._kept = None
        if len(self._held) - seen > MAX_PART:
            self._problem = f"a text in it is longer than {MAX_PART >> 20} MiB; what comes after it is not read"
            return False
        begin = seen if self._kept is None else min(self._kept, seen)
        # As much again as is held: a long text is looked through a few times, not once for every chunk.
        chunk = self._file.read(max(_CHUNK, len(self._held) - begin))
        if not self._begun and chunk.startswith(_BOM):
            chunk = chunk[len(_BOM) :]
        self._begun = True
        self._held = self._held[begin:] + chunk
        self._at = seen - begin
        self._kept = None if self._kept is None else self._kept - begin
        return bool(chunk)


Paths = set[tuple[str, ...]]


def sketch(head: bytes) -> Paths:
    """The keys in the first bytes of a JSON file, each with the keys above it ("" for a list), three deep.

    `[{"title": "x", "mapping": {` gives ("", "title") and ("", "mapping"). Of a file of lines, those of the first.
    """
    found: Paths = set()
    path: list[str] = []
    opened: list[bytes] = []
    text = key = ""
    for match in _TOKEN.finditer(head.removeprefix(_BOM)):
        token = match[0]
        if token in (b"{", b"["):
            path += [key if opened[-1] == b"{" else ""] if opened else []
            opened.append(token)
        elif token in (b"}", b"]"):
            if len(opened) < 2:
                break
            opened.pop()
            path.pop()
        elif token == b":":
            key = text
            if len(path) < 3:
                found.add((*path, key))
        elif token[:1] == b'"' and len(token) > 1:
            text = _key(token)
    return found
