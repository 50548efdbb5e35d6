"""A whole vault: unlocked, verified and resolved."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reader.database import Dump, read_database
from reader.entry import Ghost, Mark, Touch, Trust
from reader.header import Header, parse_header, unlock
from reader.keyring import Keyring, open_keyring
from reader.log import Commit, Written, read_log
from reader.records import parse_record
from reader.refused import require
from reader.sealing import Place, is_sealed_length, unseal

NEVER = -1
MAX_COMMIT = 1 << 30  # of plaintext


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A live record: where it is and what it says."""

    address: int
    box: str
    kind: str
    size: int  # of its plaintext
    fields: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Version:
    """A live version of a memory, after the ops that name it."""

    address: int
    fields: dict[str, Any]
    archived: int
    pinned: int
    trusted: int
    ghost: int | None
    uses: int
    used: int | None
    refreshed: int | None
    expires: int | None

    def apply(self, op: Touch | Mark | Trust | Ghost) -> None:
        """Change what the op names; nil leaves it."""
        if isinstance(op, Ghost):
            self.ghost = op.until
            return
        if isinstance(op, Trust):
            self.trusted = op.trusted
            return
        if isinstance(op, Mark):
            self.archived = self.archived if op.archived is None else op.archived
            self.pinned = self.pinned if op.pinned is None else op.pinned
            return
        self.uses += op.uses or 0
        self.used = max((time for time in (self.used, op.used) if time is not None), default=None)
        self.refreshed = self.refreshed if op.refreshed is None else op.refreshed
        if op.expires is not None:
            self.expires = None if op.expires == NEVER else op.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The current version and the live ones before it, newest first."""

    current: Version
    older: tuple[Version, ...]


MemoryKey = tuple[str, tuple[str, ...], str]  # box, namespace, id
ItemKey = tuple[str, str, str]  # box, collection, key


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVault:
    """All that a vault holds."""

    header: Header
    pending: bool  # the header still waits for its commit
    keyring: Keyring
    commits: tuple[Commit, ...]
    live: dict[int, Record]
    erased: frozenset[int]
    memories: dict[MemoryKey, Memory]
    items: dict[ItemKey, Record]
    spaces: dict[tuple[str, str], Record]  # by box and name


def read_vault(source: Path | str | Dump, *, passphrase: str | None = None, secret: str | None = None) -> ReadVault:
    """Check everything that format 1 demands of a vault, and resolve its state.

    The secret is a Bech32 text.

    Raises:
        Refused: The bytes are not a vault of format 1 that this secret opens.
    """
    dump = source if isinstance(source, Dump) else read_database(Path(source))
    header = parse_header(dump.body, dump.mac)
    keyring = open_keyring(header, unlock(header, passphrase=passphrase, secret=secret))
    log = read_log(dump, header, keyring)
    live: dict[int, Record] = {}
    for address, written in log.written.items():
        stored = dump.records[address]
        if written.erased is None:
            live[address] = _open(header.vault, keyring, written, stored)
        else:
            require(not any(stored) and is_sealed_length(len(stored)), "erased, but not zeros")
    _check_sizes(live)
    items = _only("item", live, "col", "key")
    spaces = {(box, name): record for (box, name), record in _only("space", live, "name").items()}
    _check_vectors(live, spaces, log.written, keyring)
    _drop_vectors_of_the_past(live, spaces)
    return ReadVault(
        header=header,
        pending=header.generation > len(log.headers),
        keyring=keyring,
        commits=tuple(log.commits),
        live=live,
        erased=frozenset(log.written.keys() - live.keys()),
        memories=_memories(live, log.written),
        items={(box, collection, key): record for (box, collection, key), record in items.items()},
        spaces=spaces,
    )


def _open(vault: bytes, keyring: Keyring, written: Written, stored: bytes) -> Record:
    place = Place(
        kind=b"reco",
        vault=vault,
        box=written.box,
        generation=written.generation,
        seq=written.address >> 24,
        n=written.address & 0xFFFFFF,
    )
    box = keyring.boxes[written.box]
    plaintext = unseal(box.keys[written.generation], place, stored)
    return Record(
        address=written.address,
        box=box.name,
        kind=written.kind,
        size=len(plaintext),
        fields=parse_record(plaintext, written.kind),
    )


def _of_kind(kind: str, live: dict[int, Record]) -> Iterable[Record]:
    """Records by ascending address."""
    return (live[address] for address in sorted(live) if live[address].kind == kind)


def _only(kind: str, live: dict[int, Record], *names: str) -> dict[tuple[str, ...], Record]:
    """The live records of that kind by box and those fields: at most one each."""
    found: dict[tuple[str, ...], Record] = {}
    for record in _of_kind(kind, live):
        key = (record.box, *(record.fields[name] for name in names))
        require(key not in found, f"{kind}: written again, the one before not erased")
        found[key] = record
    return found


def _check_sizes(live: dict[int, Record]) -> None:
    sizes: Counter[int] = Counter()
    for record in live.values():
        sizes[record.address >> 24] += record.size
    require(max(sizes.values(), default=0) <= MAX_COMMIT, "too many bytes in a commit")


def _check_vectors(
    live: dict[int, Record],
    spaces: dict[tuple[str, str], Record],
    written: dict[int, Written],
    keyring: Keyring,
) -> None:
    """Each vector had its space when it was written; of one erased since then nothing more is known."""
    gone = [
        (keyring.boxes[each.box].name, each.address >> 24, each.erased)
        for each in written.values()
        if each.kind == "space" and each.erased is not None
    ]
    for record, name, sizes in _vectors(live):
        seq = record.address >> 24
        space = spaces.get((record.box, name))
        if space is not None and space.address >> 24 <= seq:
            require(sizes <= {space.fields["dim"]}, "a vector that does not fit its space")
        else:
            unknown = any(box == record.box and made <= seq < erased for box, made, erased in gone)
            require(unknown, "a vector without a space")


def _drop_vectors_of_the_past(live: dict[int, Record], spaces: dict[tuple[str, str], Record]) -> None:
    """Vectors of a space that a later commit declared anew don't count."""
    for record in _of_kind("memory", live):
        for name in list(record.fields.get("v", {})):
            space = spaces.get((record.box, name))
            if space is None or space.address >> 24 > record.address >> 24:
                del record.fields["v"][name]


def _vectors(live: dict[int, Record]) -> Iterator[tuple[Record, str, set[int]]]:
    """Every live memory with each space that it has vectors in, and their dimensions."""
    for record in _of_kind("memory", live):
        for name, vectors in record.fields.get("v", {}).items():
            if vectors:
                yield record, name, {len(vector) // 4 for vector in vectors.values()}


def _memories(live: dict[int, Record], written: dict[int, Written]) -> dict[MemoryKey, Memory]:
    versions: dict[MemoryKey, list[Version]] = {}
    for record in _of_kind("memory", live):
        fields = record.fields
        key = (record.box, tuple(fields.get("ns", ())), fields["id"])
        version = _version(record)
        for op in written[record.address].ops:
            version.apply(op)
        versions.setdefault(key, []).insert(0, version)
    return {key: Memory(current=newest, older=tuple(older)) for key, (newest, *older) in versions.items()}


def _version(record: Record) -> Version:
    archived, pinned, uses, used, refreshed = record.fields.get("st", [0, 0, 0, None, None])
    return Version(
        address=record.address,
        fields=record.fields,
        archived=archived,
        pinned=pinned,
        trusted=record.fields.get("tr", 0),
        ghost=record.fields.get("gh"),
        uses=uses,
        used=used,
        refreshed=refreshed,
        expires=record.fields.get("ex"),
    )
