"""Exports in plain text: one JSON object per line (docs/format.md §10).

A line that is wrong is passed over and named; what is in it is taken whole or not at all. Every bound is checked before
what it bounds is built.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from vault_core.errors import FormatTooNewError, InvalidInputError
from vault_core.memory import Item, Memory, Space
from vault_core.memory.canonical import compact_json, parse_json
from vault_core.memory.draft import check_id, check_item, check_label, check_namespace
from vault_core.memory.limits import MAX_DIMENSION
from vault_core.transfer.arrival import Arrival, Finding, Format, ItemArrival, Skipped
from vault_core.transfer.formats import register
from vault_core.transfer.source import Source
from vault_core.transfer.version import from_base64, time_from, time_text, version_from, version_json

NAME = "strongroom"
VERSION = 1
MAX_LINE_BYTES = 128 << 20  # a memory with the most vectors there can be takes 90 MiB
MAX_LINE_MARKS = 4 << 20  # of `,` `[` `{`: bounds the Python values that a line can make us build
MAX_LINE_VERSIONS = 50_000  # each is a record of one commit, which holds twice as many
MAX_SPACES = 2_048  # twice what one memory can use; every arrival that waits may hold a dict of them
LINE_BYTES = 4 << 20  # from here on a memory goes on in the next line
_HEADER = {"strongroom": "export", "version": VERSION}
_BEGINS = b'{"strongroom":'
_CHUNK = 1 << 20


class Lines:
    """Writes the lines of an export, in order. `write` takes bytes."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._spaces: dict[tuple[str, str], Space] = {}
        self.memories = self.versions = self.items = 0
        self._line(compact_json(_HEADER))

    def space_is_new(self, box: str, space: Space) -> bool:
        """Whether this space of a box has to be told before a memory with vectors in it; told as another: refused.

        Raises:
            ValueError: the space was told, and was another.
        """
        known = self._spaces.get((box, space.name))
        if known is not None and known != space:
            raise ValueError("space")
        return known is None

    def space(self, box: str, space: Space) -> None:
        """Tell a space."""
        self._spaces[box, space.name] = space
        shown = {"box": box, "dimension": space.dimension, "fingerprint": space.fingerprint, "name": space.name}
        self._line(compact_json({"space": shown}))

    def memory(self, box: str, first: Memory, versions: Iterator[Memory]) -> None:
        """A memory: its first version, and those that follow."""
        self.memories += 1
        some, size, continues = [version_json(first)], 0, False
        self.versions += 1
        size = len(some[0].encode())
        for version in versions:
            text = version_json(version)
            added = len(text.encode())
            if size + added > LINE_BYTES:
                self._memory(box, first, some, continues)
                some, size, continues = [], 0, True
            some.append(text)
            size += added
            self.versions += 1
        self._memory(box, first, some, continues)

    def item(self, box: str, item: Item) -> None:
        """An item."""
        self.items += 1
        shown: dict[str, Any] = {"attributes": item.attributes} if item.attributes else {}
        shown |= {
            "box": box,
            "collection": item.collection,
            "created_at": time_text(item.created_at),
            "key": item.key,
            "updated_at": time_text(item.updated_at),
            "value": base64.b64encode(item.value).decode(),
        }
        self._line(compact_json({"item": shown}))

    def end(self) -> None:
        """The last line."""
        shown = {"items": self.items, "memories": self.memories, "versions": self.versions}
        self._line(compact_json({"end": shown}))

    def _memory(self, box: str, memory: Memory, versions: Sequence[str], continues: bool) -> None:
        head = {"box": box, **({"continues": True} if continues else {}), "id": memory.id,
                "namespace": list(memory.namespace)}  # fmt: skip
        self._line(f'{{"memory":{compact_json(head)[:-1]},"versions":[{",".join(versions)}]}}}}')

    def _line(self, text: str) -> None:
        self._write(text.encode() + b"\n")


def read_lines(file: BinaryIO) -> Iterator[Finding]:
    """What is in an export, line by line.

    Raises:
        InvalidInputError: it does not begin as one.
        FormatTooNewError: a newer version wrote it.
    """
    first, _ = _next_line(file, 4096)
    _check_header(first)
    reader = _Reader()
    number = 1
    while True:
        raw, whole = _next_line(file, MAX_LINE_BYTES)
        if not raw:
            break
        number += 1
        place = f"line {number:,}"
        try:
            finding = reader.read(raw, place, whole=whole)
        except InvalidInputError as error:
            reader.skipped += 1
            finding = Skipped(place, str(error))
        except RecursionError:
            reader.skipped += 1
            finding = Skipped(place, "it is nested too deeply")
        if finding is not None:
            yield finding
        del raw, finding  # what was a large line isn't held beside the next one
    if not reader.ended:
        yield Skipped("the end", "the file ends before its last line: something may be missing")
    elif reader.miscounted:
        yield Skipped("the end", "the file holds not as much as its last line says")


def _check_header(raw: bytes) -> None:
    try:
        given = parse_json(raw.decode())
    except (ValueError, RecursionError):
        given = None
    version = given.get("version") if isinstance(given, dict) and given.get("strongroom") == "export" else None
    if type(version) is not int or version < 1:
        raise InvalidInputError("this file does not begin as an export of strongroom; name its format")
    if version > VERSION:
        raise FormatTooNewError("a newer version of strongroom wrote this export; upgrade strongroom")


def _next_line(file: BinaryIO, most: int) -> tuple[bytes, bool]:
    """The next line, and whether that is all of it; what is too long is read over."""
    raw = file.readline(most + 1)
    if len(raw) <= most:
        return raw, True
    while raw and not raw.endswith(b"\n"):
        raw = file.readline(_CHUNK)
    return b"?", False


class _Reader:
    """What the lines before have told."""

    def __init__(self) -> None:
        self.ended = self.miscounted = False
        self.skipped = 0
        self._counts = {"items": 0, "memories": 0, "versions": 0}
        self._spaces: dict[str, dict[str, Space]] = {}
        self._last: Memory | None = None

    def read(self, raw: bytes, place: str, *, whole: bool = True) -> Finding | None:
        """What a line holds.

        Raises:
            InvalidInputError: nothing that an export may hold.
        """
        if not whole:
            raise InvalidInputError(f"it is longer than {MAX_LINE_BYTES >> 20} MiB")
        if self.ended:
            raise InvalidInputError("it comes after the last line of the export")
        given = _parsed(raw)
        if not isinstance(given, dict) or len(given) != 1:
            raise InvalidInputError("it is no line of an export")
        ((kind, what),) = given.items()
        if not isinstance(what, dict):
            raise InvalidInputError("it is no line of an export")
        match kind:
            case "memory":
                return self._memory(what, place)
            case "item":
                return self._item(what, place)
            case "space":
                self._space(what)
            case "end":
                self.ended = True
                self.miscounted = not self.skipped and what != self._counts
            case _:
                raise InvalidInputError("it is no line of an export")
        return None

    def _memory(self, given: dict[str, Any], place: str) -> Arrival:
        before, self._last = self._last, None
        _check_keys(given, needed={"box", "id", "namespace", "versions"}, also={"continues"})
        box, id_, namespace = check_label(given["box"], "box"), check_id(given["id"]), given["namespace"]
        if not isinstance(namespace, list):
            raise InvalidInputError("namespace must be a list of labels")
        namespace, shown = check_namespace(namespace), given["versions"]
        if not isinstance(shown, list) or not 1 <= len(shown) <= MAX_LINE_VERSIONS:
            raise InvalidInputError(f"versions must be a list of 1 to {MAX_LINE_VERSIONS:,}")
        continues = given.get("continues", False)
        follows = before is not None and (before.box, before.namespace, before.id) == (box, namespace, id_)
        if type(continues) is not bool or (continues and not follows):
            raise InvalidInputError("it goes on with a memory that the line before did not bring")
        versions = [version_from(one, id=id_, namespace=namespace, box=box) for one in shown]
        spaces = self._spaces.get(box, {})
        for version in versions:
            _check_vectors(version, spaces)
        self._last = versions[-1]
        self._counts["memories"] += not continues
        self._counts["versions"] += len(versions)
        if continues and before is not None:
            versions.insert(0, before)
        return Arrival(versions=versions, place=place, spaces=spaces, continues=continues)

    def _item(self, given: dict[str, Any], place: str) -> ItemArrival:
        self._last = None
        needed = {"box", "collection", "created_at", "key", "updated_at", "value"}
        _check_keys(given, needed=needed, also={"attributes"})
        value = from_base64(given["value"], "the value")
        attributes = check_item(given["collection"], given["key"], value, given.get("attributes", {}))
        item = Item(
            collection=given["collection"],
            key=given["key"],
            value=value,
            attributes=attributes,
            created_at=time_from(given["created_at"], "created_at"),
            updated_at=time_from(given["updated_at"], "updated_at"),
        )
        self._counts["items"] += 1
        return ItemArrival(item=item, place=place, box=check_label(given["box"], "box"))

    def _space(self, given: dict[str, Any]) -> None:
        _check_keys(given, needed={"box", "dimension", "fingerprint", "name"})
        box, name = check_label(given["box"], "box"), check_label(given["name"], "the name of a space")
        dimension, fingerprint = given["dimension"], given["fingerprint"]
        if type(dimension) is not int or not 1 <= dimension <= MAX_DIMENSION:
            raise InvalidInputError(f"a space has 1 to {MAX_DIMENSION} dimensions")
        if fingerprint != "":
            check_label(fingerprint, "a fingerprint")
        if sum(map(len, self._spaces.values())) >= MAX_SPACES:
            raise InvalidInputError(f"there are more than {MAX_SPACES} spaces")
        space = Space(name=name, dimension=dimension, fingerprint=fingerprint)
        self._spaces[box] = {**self._spaces.get(box, {}), name: space}  # anew: arrivals before hold the one before


def _check_vectors(version: Memory, spaces: Mapping[str, Space]) -> None:
    for name, fields in version.vectors.items():
        if name not in spaces or any(len(vector) != spaces[name].dimension for vector in fields.values()):
            raise InvalidInputError("it has vectors of a space that was not told before, or of another dimension")


def _parsed(raw: bytes) -> Any:
    if sum(raw.count(mark) for mark in (b",", b"[", b"{")) > MAX_LINE_MARKS:
        raise InvalidInputError("it holds too many values")
    try:
        return parse_json(raw.decode())
    except UnicodeDecodeError:
        raise InvalidInputError("it is not UTF-8 text") from None
    except ValueError:
        raise InvalidInputError("it is not JSON, or has a key twice") from None


def _check_keys(given: dict[str, Any], *, needed: set[str], also: set[str] | None = None) -> None:
    if not needed <= given.keys() <= needed | (also or set()):
        raise InvalidInputError("it has not the keys that a line of its kind has")


def _read(source: Source) -> Iterator[Finding]:
    with source.open() as file:
        yield from read_lines(file)


FORMAT = register(
    Format(
        name=NAME,
        title="an export of strongroom, in plain text",
        recognise=lambda source: source.head.startswith(_BEGINS),
        read=_read,
    )
)
