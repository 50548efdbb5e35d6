"""What a stranger who can write to a vault's file does to its rows, by families: each change has a name."""
# ruff: noqa: S608  the names in the statements are ours

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import combinations, permutations

from support.tamper import Scene

Edit = Callable[[sqlite3.Connection], object]
Family = Callable[[Scene], Iterator[tuple[str, Edit]]]
Row = tuple[str, str, object, bytes]  # table, name of its key, key, body


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows of a vault file."""

    header: tuple[bytes, bytes]
    entry: dict[int, bytes] = field(repr=False)
    record: dict[int, bytes] = field(repr=False)
    part: dict[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, file: bytes) -> "Tables":
        """The rows in the bytes of a file whose journal is empty."""
        image = bytearray(file)
        image[18:20] = b"\1\1"  # a database in RAM has no WAL mode
        with closing(sqlite3.connect(":memory:")) as db:
            db.deserialize(bytes(image))
            header = db.execute("SELECT body, mac FROM header").fetchone()
            tables = [dict(db.execute(f"SELECT * FROM {name}")) for name in ("entry", "record", "part")]
        return cls(header, *tables)

    def rows(self) -> Iterator[Row]:
        """Every row but the header's."""
        for seq, body in self.entry.items():
            yield "entry", "seq", seq, body
        for address, body in self.record.items():
            yield "record", "address", address, body
        for name, body in self.part.items():
            yield "part", "name", name, body


def run(sql: str, *values: object) -> Edit:
    """One statement."""
    return lambda db: db.execute(sql, values)


def script(sql: str) -> Edit:
    """Several statements."""
    return lambda db: db.executescript(sql)


def put(table: str, key: object, body: object) -> Edit:
    """A row in the place of whatever is there."""
    return run(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", key, body)


def deleted(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Every row is deleted."""
    for table, key, value, _ in _tables(scene).rows():
        yield f"{table} {value}", run(f"DELETE FROM {table} WHERE {key} = ?", value)
    for table in ("header", "entry", "record"):
        yield f"all of {table}", run(f"DELETE FROM {table}")


def dropped(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Every entry is dropped with its records, and those after it take its number."""
    for seq in _tables(scene).entry:
        yield (
            f"entry {seq}",
            script(
                f"DELETE FROM entry WHERE seq = {seq}; DELETE FROM record WHERE address >> 24 = {seq};"
                f"UPDATE entry SET seq = -seq WHERE seq > {seq}; UPDATE entry SET seq = -seq - 1 WHERE seq < 0;"
                f"UPDATE record SET address = -address WHERE address >> 24 > {seq};"
                f"UPDATE record SET address = -address - (1 << 24) WHERE address < 0;"
            ),
        )


def swapped(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Every two records, entries and parts change places."""
    rows = list(_tables(scene).rows())
    for one, other in combinations(rows, 2):
        if _differ(one, other):
            edits = [put(one[0], one[2], other[3]), put(one[0], other[2], one[3])]
            yield f"{one[0]} {one[2]} and {other[2]}", _all_of(edits)


def duplicated(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Every record, entry and part stands in the place of every other."""
    for one, other in permutations(_tables(scene).rows(), 2):
        if _differ(one, other):
            yield f"{one[0]} {one[2]} at {other[2]}", put(one[0], other[2], one[3])


def planted(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Rows stand where nothing was written."""
    tables = _tables(scene)
    head = max(tables.entry)
    for address, body in tables.record.items():
        for place in ((head + 1) << 24, head << 24 | 9, 1 << 24, (1 << 37) << 24, -1, 0):
            if place not in tables.record:
                yield f"record {address} at {place}", put("record", place, body)
    for seq, body in tables.entry.items():
        for place in (head + 1, head + 2, 1 << 37, 1 << 40, 0, -1):
            yield f"entry {seq} at {place}", put("entry", place, body)
    for body in (b"", b"\0" * 300, b"SRE1" + bytes(200), "text", 7, 0.5):
        yield f"entry {body!r:.9} next", put("entry", head + 1, body)
        yield f"record {body!r:.9} next", put("record", (head + 1) << 24, body)


def cut(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Every record and entry is cut, extended, emptied, zeroed or made a text."""
    for table, _, key, body in _tables(scene).rows():
        if table != "part" and any(body):  # of what was erased only the size is left
            for name, other in {
                "cut": body[:-1],
                "cut in front": body[1:],
                "extended": body + b"\0",
                "emptied": b"",
                "zeroed": bytes(len(body)),
                "half": body[: len(body) // 2],
                "a text": body.hex(),
                "a number": 1,
            }.items():
                if other != body:
                    yield f"{table} {key} {name}", put(table, key, other)


def brought_back(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """What was erased stands there again, as it was before."""
    tables = _tables(scene)
    for number, file in enumerate(scene.earlier):
        for address, body in Tables.of(file).record.items():
            if tables.record[address] != body:
                yield f"record {address} of state {number}", put("record", address, body)


def earlier_headers(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Every earlier header stands in the place of the present one, whole or in part."""
    body, _ = _tables(scene).header
    for number, file in enumerate(scene.earlier):
        old_body, old_mac = Tables.of(file).header
        if old_body != body:
            yield f"header of state {number}", run("UPDATE header SET body = ?, mac = ?", old_body, old_mac)
            yield f"body of state {number}", run("UPDATE header SET body = ?", old_body)
            yield f"mac of state {number}", run("UPDATE header SET mac = ?", old_mac)


def earlier_parts(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Snapshots of earlier states, in the place of the present one, beside it, or one part of it."""
    present = _tables(scene).part
    for number, file in enumerate(scene.earlier):
        old = Tables.of(file).part
        if old and old != present:
            yield f"part: all of state {number}", _all_of([run("DELETE FROM part"), *_puts("part", old)])
            yield f"part: those of state {number} too", _all_of(_puts("part", old))
            for name, body in old.items():
                yield f"part {name[-10:]} of state {number}", put("part", name, body)


def earlier_logs(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Tables of earlier states: all of them are a rollback, some of them a state that never was."""
    for number, file in enumerate(scene.earlier[:-1]):
        old = Tables.of(file)
        edits = {"entry": _puts("entry", old.entry), "record": _puts("record", old.record)}
        for table, puts in edits.items():
            yield f"{table} of state {number}", _all_of([run(f"DELETE FROM {table}"), *puts])
        header = run("UPDATE header SET body = ?, mac = ?", *old.header)
        both = [run("DELETE FROM entry"), run("DELETE FROM record"), *edits["entry"], *edits["record"], header]
        yield f"state {number}", _all_of(both)


def from_a_sibling(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Rows of another vault with the same key."""
    yield from _of(scene, scene.sibling)


def from_a_fork(scene: Scene) -> Iterator[tuple[str, Edit]]:
    """Rows of the same vault as it went on elsewhere."""
    yield from _of(scene, scene.fork)


def _of(scene: Scene, other: bytes) -> Iterator[tuple[str, Edit]]:
    """Rows of another file, one by one and table by table."""
    own, strange = _tables(scene), Tables.of(other)
    mine = {(table, key): body for table, _, key, body in own.rows()}
    for table, _, key, body in strange.rows():
        if mine.get((table, key)) != body:
            yield f"{table} {key}", put(table, key, body)
    yield "header", run("UPDATE header SET body = ?, mac = ?", *strange.header)
    entries = [run("DELETE FROM entry"), *_puts("entry", strange.entry)]
    records = [run("DELETE FROM record"), *_puts("record", strange.record)]
    yield "all entries", _all_of(entries)
    yield "all records", _all_of(records)
    yield "part: all of them", _all_of([run("DELETE FROM part"), *_puts("part", strange.part)])
    yield "the log", _all_of([*entries, *records])


def schema(_: Scene) -> Iterator[tuple[str, Edit]]:
    """The database itself is another: tables, triggers, views, ids, modes."""
    for sql in (
        "CREATE TRIGGER planted AFTER INSERT ON entry BEGIN DELETE FROM record; END",
        "CREATE VIEW planted AS SELECT * FROM record",
        "CREATE INDEX planted ON record (body)",
        "CREATE TABLE planted (one)",
        "CREATE VIRTUAL TABLE planted USING fts5 (text)",
        "DROP TABLE part",
        "ALTER TABLE record ADD COLUMN more",
        "ALTER TABLE entry RENAME TO old; CREATE VIEW entry AS SELECT seq, body FROM old",
        "CREATE TABLE other AS SELECT * FROM record; DROP TABLE record; ALTER TABLE other RENAME TO record",
        "PRAGMA application_id = 1",
        "PRAGMA application_id = 0",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = 2",
        "PRAGMA user_version = -1",
    ):
        yield sql, script(sql)


def modes(_: Scene) -> Iterator[tuple[str, Edit]]:
    """The journal is of another mode."""
    for mode in ("DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"):
        yield mode, script(f"PRAGMA journal_mode = {mode}; UPDATE header SET one = one;")


def _tables(scene: Scene) -> Tables:
    return Tables.of(scene.earlier[-1])


def _puts(table: str, rows: dict[int, bytes] | dict[str, bytes]) -> list[Edit]:
    return [put(table, key, body) for key, body in rows.items()]


def _differ(one: Row, other: Row) -> bool:
    """Two rows of one table that don't both say that something was erased."""
    return one[0] == other[0] and one[3] != other[3] and (any(one[3]) or any(other[3]))


def _all_of(edits: list[Edit]) -> Edit:
    def edit(db: sqlite3.Connection) -> None:
        db.execute("BEGIN")
        for one in edits:
            one(db)
        db.execute("COMMIT")

    return edit


FAMILIES: tuple[Family, ...] = (
    deleted,
    dropped,
    swapped,
    duplicated,
    planted,
    cut,
    brought_back,
    earlier_headers,
    earlier_parts,
    earlier_logs,
    from_a_sibling,
    from_a_fork,
)
