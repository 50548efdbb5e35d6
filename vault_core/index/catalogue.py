"""The catalogue: one row for every unerased version, item and space, in a SQLite database in RAM.

Rules (docs/format.md, DESIGN §6):
- `temp_store=MEMORY` and `secure_delete=ON` here too: SQLite would spill plaintext to the temp folder otherwise.
- Writes stay in one open transaction; nothing here has to survive.
- Nothing of a caller's becomes SQL text; values are parameters.
- The database lies in one piece, as its image does: then an image is taken with one copy and loaded with one. Such a
  database is full at 1 GiB, so that a large one moves into pages of its own.
"""

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from vault_core.memory.draft import searched_text
from vault_core.memory.filters import MISSING, Path, descend
from vault_core.memory.model import AFFINITY, TIERS, Address, Item, Memory, Namespace, Space
from vault_core.memory.times import from_micros, to_micros
from vault_core.memory.trust import USER, trust_of

_SCHEMA = """
CREATE TABLE namespace (number INTEGER PRIMARY KEY, labels TEXT NOT NULL UNIQUE);
CREATE TABLE memory (
  address INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
  tier INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL, updated INTEGER NOT NULL, event INTEGER, valid_from INTEGER, valid_to INTEGER,
  expires INTEGER, importance REAL, confidence REAL, intensity REAL, valence REAL, sensitivity TEXT, source TEXT,
  thread TEXT, position INTEGER, data_class TEXT, subject TEXT, attribute TEXT, supersedes TEXT, tags TEXT,
  metadata TEXT,
  uses INTEGER NOT NULL DEFAULT 0, used INTEGER, refreshed INTEGER, pinned INTEGER NOT NULL DEFAULT 0,
  archived INTEGER NOT NULL DEFAULT 0, origin TEXT, trusted INTEGER NOT NULL DEFAULT 0, ghost INTEGER,
  current INTEGER NOT NULL DEFAULT 1, superseded INTEGER, content_hash BLOB NOT NULL, digest BLOB NOT NULL,
  lead INTEGER NOT NULL DEFAULT 0, text TEXT, content TEXT);
CREATE INDEX memory_id ON memory (id, namespace);
CREATE INDEX memory_content ON memory (content_hash) WHERE current;
CREATE INDEX memory_thread ON memory (thread, position) WHERE thread IS NOT NULL;
CREATE INDEX memory_slot ON memory (subject, attribute) WHERE subject IS NOT NULL;
CREATE INDEX memory_supersedes ON memory (address) WHERE supersedes IS NOT NULL;
CREATE INDEX memory_tier ON memory (address) WHERE tier > 0;
CREATE TABLE item (
  address INTEGER PRIMARY KEY, collection TEXT NOT NULL, key TEXT NOT NULL, attributes TEXT, size INTEGER NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL, digest BLOB NOT NULL, UNIQUE (collection, key));
CREATE TABLE space (
  name TEXT PRIMARY KEY, dimension INTEGER NOT NULL, fingerprint TEXT NOT NULL, address INTEGER NOT NULL,
  digest BLOB NOT NULL);
"""
_COLUMNS = [
    "address",
    "namespace",
    "id",
    "type",
    "tier",
    "created",
    "updated",
    "event",
    "valid_from",
    "valid_to",
    "expires",
    "importance",
    "confidence",
    "intensity",
    "valence",
    "sensitivity",
    "source",
    "thread",
    "position",
    "data_class",
    "subject",
    "attribute",
    "supersedes",
    "tags",
    "metadata",
    "uses",
    "used",
    "refreshed",
    "pinned",
    "archived",
    "origin",
    "trusted",
    "ghost",
    "current",
    "superseded",
    "content_hash",
    "digest",
    "lead",
    "text",
    "content",
]
_SELECT = f"SELECT {','.join(_COLUMNS)} FROM memory"
_DEFAULTS = {
    "tier": 0,
    "uses": 0,
    "pinned": 0,
    "archived": 0,
    "trusted": 0,
    "current": 1,
    "lead": 0,
}  # NULL for all others
_BATCH = 500
_IN_ONE_PIECE = 768 << 20  # bytes; the rest up to 1 GiB is for what grows without being counted: flags, use counts
_CACHE_KIB = 500  # pages are copied from RAM to RAM to be read: more would cost room and save no time
_ROW = 1024  # bytes that a row takes at most beside its texts, which take at most twice four for each character


class Row(NamedTuple):
    """One version as the catalogue knows it. Times in microseconds; texts of JSON are still text."""

    address: int
    namespace: int
    id: str
    type: str
    tier: int
    created: int
    updated: int
    event: int | None
    valid_from: int | None
    valid_to: int | None
    expires: int | None
    importance: float | None
    confidence: float | None
    intensity: float | None
    valence: float | None
    sensitivity: str | None
    source: str | None
    thread: str | None
    position: int | None
    data_class: str | None
    subject: str | None
    attribute: str | None
    supersedes: str | None
    tags: str | None
    metadata: str | None
    uses: int
    used: int | None
    refreshed: int | None
    pinned: int
    archived: int
    origin: str | None
    trusted: int
    ghost: int | None
    current: int
    superseded: int | None
    content_hash: bytes
    digest: bytes
    lead: int
    text: str | None
    content: str | None

    @property
    def at(self) -> Address:
        """The version's address."""
        return Address.of(self.address)

    @property
    def trust(self) -> str:
        """How far it may be taken at its word; see `vault_core.memory.trust`."""
        return trust_of(self.origin, bool(self.trusted))


class ItemRow(NamedTuple):
    """One item as the catalogue knows it."""

    address: int
    collection: str
    key: str
    attributes: str | None
    size: int
    created: int
    updated: int
    digest: bytes


class Catalogue:
    """The tables of one box."""

    def __init__(self, image: bytes | None = None) -> None:
        image = _empty() if image is None else image
        self._db = _connect()
        self._room: float = _IN_ONE_PIECE - len(image)  # bytes that may be added before anyone has to look
        if self._room > 0:
            self._db.deserialize(image)
            _set(self._db)
        else:
            self._room = math.inf
            _load(self._db, image)
        self._db.execute("BEGIN")
        self._namespaces: dict[Namespace, int] = {
            tuple(json.loads(labels)): number
            for number, labels in self._db.execute("SELECT number, labels FROM namespace")
        }
        self._labels = {number: labels for labels, number in self._namespaces.items()}
        self._next = max(self._labels, default=-1) + 1  # a number is not given twice: erased rows keep theirs in RAM
        self._used = Counter[int](dict(self._db.execute("SELECT namespace, count(*) FROM memory GROUP BY namespace")))

    # namespaces

    def namespace_number(self, namespace: Namespace) -> int:
        """The number of a namespace, given on first use."""
        number = self._namespaces.get(namespace)
        if number is None:
            number, self._next = self._next, self._next + 1
            row = number, json.dumps(namespace)
            self._make_room([row])
            self._db.execute("INSERT INTO namespace VALUES (?, ?)", row)
            self._namespaces[namespace] = number
            self._labels[number] = namespace
        return number

    def known_namespace(self, namespace: Namespace) -> int | None:
        """The number of a namespace, or None if nothing is in it."""
        return self._namespaces.get(namespace)

    def labels(self, number: int) -> Namespace:
        """The namespace with this number."""
        return self._labels[number]

    def below(self, prefix: Namespace) -> list[int]:
        """The numbers of a namespace and everything below it."""
        size = len(prefix)
        return [number for labels, number in self._namespaces.items() if labels[:size] == prefix]

    # memories

    def insert(self, memories: Sequence[Memory], digests: Sequence[bytes]) -> list[Row]:
        """Add versions; earlier versions of the same memories stop being current."""
        rows = [self._row(memory, digest) for memory, digest in zip(memories, digests, strict=True)]
        last = {(row.namespace, row.id): row.address for row in rows}
        if len(last) < len(rows):
            rows = [row._replace(current=int(last[row.namespace, row.id] == row.address)) for row in rows]
        self._insert(rows)
        self._used.update(row.namespace for row in rows)
        return rows

    def _insert(self, rows: Sequence[Row]) -> None:
        """Bind only the columns in which some row differs from the schema's default: most memories fill a third."""
        self._make_room(rows)
        used = [
            (name, values)
            for name, values in zip(_COLUMNS, zip(*rows, strict=True), strict=True)
            if values.count(_DEFAULTS.get(name)) < len(values)
        ]
        names, columns = ",".join(name for name, _ in used), [values for _, values in used]
        sql = f"INSERT INTO memory ({names}) VALUES ({','.join('?' * len(used))})"
        self._db.executemany(sql, zip(*columns, strict=True))

    def retire(self, address: int) -> None:
        """A version is not current any more."""
        self._db.execute("UPDATE memory SET current = 0 WHERE address = ?", (address,))

    def erase(self, address: int) -> Row | None:
        """Remove a version, and its namespace with the last one in it; gives what was there."""
        row = self.row(address)
        if row is not None:
            self._db.execute("DELETE FROM memory WHERE address = ?", (address,))
            self._used[row.namespace] -= 1
            if not self._used[row.namespace]:
                self._db.execute("DELETE FROM namespace WHERE number = ?", (row.namespace,))
                del self._used[row.namespace], self._namespaces[self._labels.pop(row.namespace)]
        return row

    def update(self, address: int, **values: Any) -> None:
        """Set columns of one version. Names are the caller's code, never data."""
        names = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE memory SET {names} WHERE address = ?", (*values.values(), address))

    def row(self, address: int) -> Row | None:
        """One version."""
        found = self._db.execute(f"{_SELECT} WHERE address = ?", (address,)).fetchone()
        return None if found is None else Row._make(found)

    def rows(self, addresses: Iterable[int]) -> dict[int, Row]:
        """Several versions."""
        wanted, out = list(addresses), dict[int, Row]()
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            sql = f"{_SELECT} WHERE address IN ({','.join('?' * len(batch))})"
            out.update((found[0], Row._make(found)) for found in self._db.execute(sql, batch))
        return out

    def versions(self, id: str, namespace: int) -> list[Row]:
        """All versions of one memory, oldest first."""
        sql = f"{_SELECT} WHERE id = ? AND namespace = ? ORDER BY address"
        return [Row._make(found) for found in self._db.execute(sql, (id, namespace))]

    def said_since(self, row: Row) -> tuple[int, int]:
        """Since when a memory has said what it says in a version, and the address at which it began to."""
        sql = (
            "SELECT address, updated, content_hash FROM memory WHERE id = ? AND namespace = ? AND address < ? "
            "ORDER BY address DESC"
        )
        learned, since = row.updated, row.address
        cursor = self._db.execute(sql, (row.id, row.namespace, row.address))
        for address, updated, content_hash in cursor:
            if content_hash != row.content_hash:
                break
            learned, since = min(learned, updated), address
        cursor.close()
        return learned, since

    def last_before(self, id: str, namespace: int, moment: int) -> int | None:
        """The address of a memory's last version that had been written by a moment; None if there was none."""
        sql = "SELECT max(address) FROM memory WHERE id = ? AND namespace = ? AND updated <= ?"
        found: int | None = self._db.execute(sql, (id, namespace, moment)).fetchone()[0]
        return found

    def current(self, id: str, namespace: int) -> Row | None:
        """The version of a memory that holds."""
        sql = f"{_SELECT} WHERE id = ? AND namespace = ? AND current"
        found = self._db.execute(sql, (id, namespace)).fetchone()
        return None if found is None else Row._make(found)

    def currents(self, ids: Sequence[str]) -> dict[tuple[int, str], Row]:
        """The versions that hold of all memories with these ids, by (namespace, id)."""
        found = self._where_in("id", ids)
        return {(row.namespace, row.id): row for row in found}

    def keys(self, addresses: Sequence[int]) -> dict[int, tuple[int, str]]:
        """(namespace, id) of several versions, by address."""
        out = dict[int, tuple[int, str]]()
        for start in range(0, len(addresses), _BATCH):
            some = addresses[start : start + _BATCH]
            sql = f"SELECT address, namespace, id FROM memory WHERE address IN ({','.join('?' * len(some))})"
            out.update((address, (namespace, id_)) for address, namespace, id_ in self._db.execute(sql, some))
        return out

    def same_content(self, hashes: Sequence[bytes]) -> dict[tuple[int, bytes], list[Row]]:
        """Current memories with any of these contents, by (namespace, content hash), oldest first."""
        out: dict[tuple[int, bytes], list[Row]] = {}
        for row in sorted(self._where_in("content_hash", hashes)):
            out.setdefault((row.namespace, row.content_hash), []).append(row)
        return out

    def _where_in(self, column: str, values: Sequence[Any]) -> Iterator[Row]:
        """Current rows by the values of an indexed column."""
        for start in range(0, len(values), _BATCH):
            some = values[start : start + _BATCH]
            sql = f"{_SELECT} WHERE current AND {column} IN ({','.join('?' * len(some))})"
            yield from map(Row._make, self._db.execute(sql, some).fetchall())

    def in_slot(
        self, namespace: int, subject: str, attribute: str, *, versions: bool = False, standing: bool = False
    ) -> list[Row]:
        """Current memories of a namespace in a slot; those that nothing supersedes; or every version ever in it."""
        sql = f"{_SELECT} WHERE subject = ? AND attribute = ? AND namespace = ? AND (current OR ?)"
        if standing:
            sql += " AND superseded IS NULL"
        return [Row._make(found) for found in self._db.execute(sql, (subject, attribute, namespace, versions))]

    def naming_or_coming(self) -> Iterator[Row]:
        """Every version that names ids it supersedes, or begins later than it was learned."""
        coming = "subject IS NOT NULL AND supersedes IS NULL AND coalesce(valid_from, event) > updated"
        for where in ("supersedes IS NOT NULL", coming):
            yield from map(Row._make, self._db.execute(f"{_SELECT} WHERE {where} ORDER BY address").fetchall())

    @staticmethod
    def listed(supersedes: str | None) -> list[str]:
        """The ids in a row's `supersedes`."""
        return json.loads(supersedes) if supersedes else []

    def thread_length(self, thread: str, namespace: int) -> int:
        """The next free position in a thread."""
        sql = "SELECT max(position) FROM memory WHERE thread = ? AND namespace = ?"
        last = self._db.execute(sql, (thread, namespace)).fetchone()[0]
        return 0 if last is None else last + 1

    def types(self) -> dict[str, int]:
        """How many current memories there are of each type."""
        sql = "SELECT type, count(*) FROM memory WHERE current AND NOT archived GROUP BY type ORDER BY type"
        return dict(self._db.execute(sql))

    def tiers(self) -> dict[str, int]:
        """How many current memories there are of each tier that has any."""
        sql = "SELECT tier, count(*) FROM memory WHERE current AND NOT archived GROUP BY tier ORDER BY tier"
        return {TIERS[tier]: count for tier, count in self._db.execute(sql)}

    def tiered(self) -> Iterator[Row]:
        """All versions of composites and affinities."""
        return map(Row._make, self._db.execute(f"{_SELECT} WHERE tier > 0 ORDER BY address").fetchall())

    def briefed(self) -> Iterator[Row]:
        """Current memories that a briefing may be made of: pinned, personal, in a slot, or an affinity."""
        sql = (
            f"{_SELECT} WHERE current AND (pinned OR type = 'PERSONA' OR subject IS NOT NULL OR tier = ? "
            "OR lower(data_class) IN ('identity', 'preference'))"
        )
        return map(Row._make, self._db.execute(sql, (TIERS.index(AFFINITY),)).fetchall())

    def sort_keys(self, column: str) -> dict[int, tuple[int, int]]:
        """For every version what it is sorted by: when the memory was first written, or when it happened."""
        moment = "created" if column == "created" else "coalesce(event, created)"
        return {address: (key, address) for address, key in self._db.execute(f"SELECT address, {moment} FROM memory")}

    # items

    def put_items(self, items: Sequence[Item], digests: Sequence[bytes]) -> None:
        """Add items; an item with the same key takes the place of the one before."""
        rows = [
            (
                item.address.number,
                item.collection,
                item.key,
                attributes_text(item),
                len(item.value),
                to_micros(item.created_at),
                to_micros(item.updated_at),
                digest,
            )
            for item, digest in zip(items, digests, strict=True)
        ]
        self._make_room(rows)
        self._db.executemany("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def erase_item(self, address: int) -> bool:
        """Remove an item; False if there is none at this address."""
        return self._db.execute("DELETE FROM item WHERE address = ?", (address,)).rowcount > 0

    def item(self, collection: str, key: str) -> ItemRow | None:
        """One item."""
        found = self._db.execute("SELECT * FROM item WHERE collection = ? AND key = ?", (collection, key)).fetchone()
        return None if found is None else ItemRow._make(found)

    def items(self, collection: str, prefix: str, *, by_commit: bool, reverse: bool) -> Iterator[ItemRow]:
        """The items of a collection whose keys begin so, in order, in constant memory."""
        column, way, beyond = (
            ("address" if by_commit else "key"),
            ("DESC" if reverse else "ASC"),
            "<" if reverse else ">",
        )
        last: Any = None
        while True:
            sql = "SELECT * FROM item WHERE collection = ? AND substr(key, 1, ?) = ?"
            values: list[Any] = [collection, len(prefix), prefix]
            if prefix and not by_commit:
                sql += " AND key >= ?"  # lets the index on (collection, key) begin at the prefix
                values.append(prefix)
            if last is not None:
                sql += f" AND {column} {beyond} ?"
                values.append(last)
            found = self._db.execute(f"{sql} ORDER BY {column} {way} LIMIT ?", (*values, _BATCH)).fetchall()
            for row in map(ItemRow._make, found):
                yield row
                last = row.address if by_commit else row.key
            if len(found) < _BATCH:
                return

    def collections(self) -> dict[str, int]:
        """Collections and how many items each holds."""
        return dict(self._db.execute("SELECT collection, count(*) FROM item GROUP BY collection ORDER BY collection"))

    # spaces

    def put_space(self, space: Space, address: int, digest: bytes) -> None:
        """Declare a space."""
        self._db.execute(
            "INSERT OR REPLACE INTO space VALUES (?, ?, ?, ?, ?)",
            (space.name, space.dimension, space.fingerprint, address, digest),
        )

    def spaces(self) -> dict[str, Space]:
        """The spaces of the box, by name."""
        found = self._db.execute("SELECT name, dimension, fingerprint FROM space")
        return {name: Space(name=name, dimension=size, fingerprint=mark) for name, size, mark in found}

    def space_address(self, name: str) -> int | None:
        """Where a space was declared."""
        found = self._db.execute("SELECT address FROM space WHERE name = ?", (name,)).fetchone()
        return None if found is None else int(found[0])

    def spaces_at(self, addresses: Iterable[int]) -> list[Space]:
        """The spaces that were declared at any of these addresses."""
        at = set(addresses)
        return [space for name, space in self.spaces().items() if self.space_address(name) in at] if at else []

    def is_other(self, address: int) -> bool:
        """Whether an item or a space is live at this address."""
        tables = ("item", "space")
        return any(
            self._db.execute(f"SELECT 1 FROM {table} WHERE address = ?", (address,)).fetchone() for table in tables
        )

    def erase_space(self, address: int) -> bool:
        """Remove a space that was declared anew."""
        return self._db.execute("DELETE FROM space WHERE address = ?", (address,)).rowcount > 0

    # the whole

    def live_addresses(self) -> list[tuple[int, bytes]]:
        """Every live record with the hash of its stored bytes."""
        sql = "SELECT address, digest FROM {} "
        union = " UNION ALL ".join(sql.format(table) for table in ("memory", "item", "space"))
        return self._db.execute(f"{union} ORDER BY address").fetchall()

    def is_live(self, address: int) -> bool:
        """Whether a record of any kind is live at this address."""
        return any(
            self._db.execute(f"SELECT 1 FROM {table} WHERE address = ?", (address,)).fetchone()
            for table in ("memory", "item", "space")
        )

    def image(self) -> bytes:
        """The database as bytes, with no trace of erased rows. They are a copy, as large as the catalogue itself."""
        self._db.execute("COMMIT")
        try:
            return self._db.serialize()
        finally:
            self._db.execute("BEGIN")

    def close(self) -> None:
        """Free the memory."""
        self._db.close()

    def _make_room(self, rows: Iterable[Sequence[Any]]) -> None:
        """Move into pages before these rows could fill a database that lies in one piece."""
        needed = sum(_ROW + 8 * sum(len(one) for one in row if one.__class__ is str) for row in rows)
        self._room -= needed
        if self._room < 0:
            size = self._db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
            self._room = _IN_ONE_PIECE - size[0] - needed
            if self._room < 0:
                self._move()

    def _move(self) -> None:
        self._db.execute("COMMIT")
        before, self._db, self._room = self._db, _connect(), math.inf
        before.backup(self._db)
        before.close()
        self._db.execute("BEGIN")

    def _row(self, memory: Memory, digest: bytes) -> Row:
        text, state = searched_text(memory), memory.state
        lead = lead_of(memory) if text is not None else ""
        plain = isinstance(memory.content, str)
        content = None  # the searched text says it all, unless:
        if not plain:
            content = "j" + memory.text
        elif memory.index is not True:
            content = "t" + memory.text
        event, expires = memory.event_time, memory.expires_at
        return Row(
            memory.address.number,
            self.namespace_number(memory.namespace),
            memory.id,
            memory.memory_type,
            TIERS.index(memory.tier),
            to_micros(memory.created_at),
            to_micros(memory.updated_at),
            None if event is None else to_micros(event),
            None if memory.valid_from is None else to_micros(memory.valid_from),
            None if memory.valid_to is None else to_micros(memory.valid_to),
            None if expires is None else to_micros(expires),
            memory.importance,
            memory.confidence,
            memory.emotional_intensity,
            memory.valence,
            memory.sensitivity,
            memory.source,
            memory.thread,
            memory.position,
            memory.data_class,
            memory.slot.subject if memory.slot else None,
            memory.slot.attribute if memory.slot else None,
            json.dumps(memory.supersedes) if memory.supersedes else None,
            json.dumps(memory.tags) if memory.tags else None,
            json.dumps(memory.metadata) if memory.metadata else None,
            state.uses,
            None if state.used_at is None else to_micros(state.used_at),
            None if state.refreshed_at is None else to_micros(state.refreshed_at),
            int(state.pinned),
            int(state.archived),
            None if memory.origin == USER else memory.origin,
            int(state.trusted),
            None if state.ghost_until is None else to_micros(state.ghost_until),
            1,
            None,
            memory.content_hash,
            digest,
            len(lead),
            None if text is None else lead + text,
            content,
        )


def lead_of(memory: Memory) -> str:
    """What stands in front of the words in the lexical index: who said it and when. Worth 5 to 10 points of recall."""
    parts = [memory.source or ""]
    if memory.event_time is not None:
        parts.append(memory.event_time.strftime("%A %-d %B %Y"))
    line = " ".join(part for part in parts if part)
    return line + "\n" if line else ""


def attributes_text(item: Item) -> str | None:
    """An item's attributes as its row has them."""
    return json.dumps(item.attributes) if item.attributes else None


class RowLookup:
    """One row as a filter sees it."""

    __slots__ = ("_catalogue", "_row")

    def __init__(self, catalogue: Catalogue, row: Row) -> None:
        self._catalogue, self._row = catalogue, row

    def __call__(self, path: Path) -> Any:
        """The value at a path, or MISSING."""
        name, row = path[0], self._row
        if name in _PLAIN:
            value = getattr(row, _PLAIN[name])
            return MISSING if value is None else value
        if name in _TIMES:
            value = getattr(row, _TIMES[name])
            return MISSING if value is None else from_micros(value)
        return self._nested(name, path[1:])

    def _nested(self, name: str, path: Path) -> Any:
        row = self._row
        match name:
            case "namespace":
                return list(self._catalogue.labels(row.namespace))
            case "tier":
                return TIERS[row.tier]
            case "tags":
                return json.loads(row.tags) if row.tags else []
            case "metadata":
                return descend(json.loads(row.metadata) if row.metadata else {}, path)
            case "slot":
                slot = {} if row.subject is None else {"subject": row.subject, "attribute": row.attribute}
                return descend(slot, path) if path else (slot or MISSING)
            case "state":
                return descend(_state(row), path)
            case "origin":
                return row.origin or USER
            case _:
                return descend(content_of(row), path)


def _state(row: Row) -> dict[str, Any]:
    return {
        "archived": bool(row.archived),
        "pinned": bool(row.pinned),
        "trusted": bool(row.trusted),
        "uses": row.uses,
    }


def content_of(row: Row) -> Any:
    """The content as far as filters need it: JSON content as a value, text as text."""
    if row.content is None:
        return (row.text or "")[row.lead :]
    if row.content.startswith("j"):
        return json.loads(row.content[1:])
    return row.content[1:]


_PLAIN = {
    "id": "id", "memory_type": "type", "importance": "importance", "confidence": "confidence",
    "sensitivity": "sensitivity", "source": "source", "thread": "thread", "position": "position",
    "emotional_intensity": "intensity", "valence": "valence", "data_class": "data_class",
}  # fmt: skip
_TIMES = {
    "created_at": "created", "updated_at": "updated", "event_time": "event", "valid_from": "valid_from",
    "valid_to": "valid_to", "expires_at": "expires",
}  # fmt: skip


def _connect() -> sqlite3.Connection:
    return _set(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=256))


def _set(db: sqlite3.Connection) -> sqlite3.Connection:
    for pragma in ("temp_store=MEMORY", "secure_delete=ON", "journal_mode=OFF", f"cache_size=-{_CACHE_KIB}"):
        db.execute(f"PRAGMA {pragma}")
    return db


@cache
def _empty() -> bytes:
    """The image of a catalogue with nothing in it."""
    db = _connect()
    try:
        db.executescript(_SCHEMA)
        return db.serialize()
    finally:
        db.close()


def _load(db: sqlite3.Connection, image: bytes) -> None:
    """Fill a fresh database from an image that is too large to go on as it is."""
    source = sqlite3.connect(":memory:", isolation_level=None)
    try:
        source.execute("PRAGMA temp_store=MEMORY")
        source.deserialize(image)
        source.backup(db)
    finally:
        source.close()
