"""Format 1, section 2: the bytes of a vault, out of SQLite or out of a test vector."""

import base64
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reader.refused import Refused, require

MAGIC = b"SQLite format 3\0"
SQLITE_HEADER = 100  # bytes
APPLICATION = 0x53524F4D
PAGE = 8192
SCHEMA = {
    ("CREATE TABLE header (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL, mac BLOB NOT NULL)"),
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE record (address INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE part (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """What a store holds, without the parts: they are only a cache."""

    body: bytes  # of the header
    mac: bytes
    entries: dict[int, bytes]  # by seq, ascending
    records: dict[int, bytes]  # by address

    @classmethod
    def of_vector(cls, vector: Mapping[str, Any]) -> "Dump":
        """The bytes in a test vector."""
        unpack = base64.b64decode
        entries = [
            (seq, each) if isinstance(each, str) else tuple(each) for seq, each in enumerate(vector["entries"], start=1)
        ]
        return cls(
            body=unpack(vector["header"]["body"]),
            mac=unpack(vector["header"]["mac"]),
            entries={seq: unpack(stored) for seq, stored in sorted(entries)},
            records={int(key): unpack(stored) for key, stored in vector["records"].items()},
        )


def read_database(path: Path) -> Dump:
    """One consistent view of a vault file, read through SQLite."""
    try:
        with path.open("rb") as file:
            start = file.read(SQLITE_HEADER)
    except OSError as error:
        raise _no_vault(str(error)) from error
    if len(start) < SQLITE_HEADER or not start.startswith(MAGIC):
        raise _no_vault("no database")
    location = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(location, uri=True, isolation_level=None)) as database:
            database.execute("BEGIN")
            return _read(database)
    except sqlite3.Error as error:
        raise Refused(f"the database: {error}") from error


def _read(database: sqlite3.Connection) -> Dump:
    application, version = _pragma(database, "application_id"), _pragma(database, "user_version")
    if application != APPLICATION:
        raise _no_vault("a database of something else")
    if version > 1:
        raise Refused("a newer format", error="FormatTooNewError")
    require(version == 1, "the version of the file")
    require(_pragma(database, "page_size") == PAGE, "the page size")
    require(_pragma(database, "journal_mode") == "wal", "the journal mode")
    schema = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master")]
    require(len(schema) == len(SCHEMA) and set(schema) == SCHEMA, "the schema")
    headers = database.execute("SELECT body, mac FROM header").fetchall()
    require(len(headers) == 1, "one header")
    entries = dict(database.execute("SELECT seq, body FROM entry ORDER BY seq"))
    records = dict(database.execute("SELECT address, body FROM record ORDER BY address"))
    blobs = [*headers[0], *entries.values(), *records.values()]
    require(all(isinstance(blob, bytes) for blob in blobs), "a body is bytes")
    return Dump(body=headers[0][0], mac=headers[0][1], entries=entries, records=records)


def _no_vault(reason: str) -> Refused:
    return Refused(f"not a vault: {reason}", error="VaultNotFoundError")


def _pragma(database: sqlite3.Connection, name: str) -> Any:
    return database.execute(f"PRAGMA {name}").fetchone()[0]
