"""What no sealed store can be below: the same bytes committed raw, and the same bytes encrypted and thrown away."""

import os
import sqlite3
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# The pragmas of a vault's file that a commit can feel (`vault_core.store.sqlite`).
PRAGMAS = (
    "page_size=8192",
    "synchronous=EXTRA",
    "secure_delete=ON",
    "journal_mode=WAL",
    "synchronous=FULL",
    "temp_store=MEMORY",
    "cell_size_check=ON",
    "fullfsync=ON",
    "cache_size=-8192",
)


class Sqlite:
    """A commit of one row for an entry and one for a record."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "raw.db", isolation_level=None)
        for pragma in PRAGMAS:
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        self._db.execute("CREATE TABLE record (address INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        self._seq = 0

    def versions(self) -> dict[str, str]:
        """See `Contender.versions`."""
        return {"SQLite": sqlite3.sqlite_version}

    def commit_each(self, count: int, entry: int, record: int) -> list[float]:
        """Commit so many pairs of rows with bodies of these sizes."""
        bodies = [(os.urandom(entry), os.urandom(record)) for _ in range(count)]
        seconds = []
        for first, second in bodies:
            self._seq += 1
            start = time.perf_counter()
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO entry VALUES (?, ?)", (self._seq, first))
            self._db.execute("INSERT INTO record VALUES (?, ?)", (self._seq << 24, second))
            self._db.execute("COMMIT")
            seconds.append(time.perf_counter() - start)
        return seconds

    def close(self) -> None:
        """See `Contender.close`."""
        self._db.close()


class AesGcm:
    """AES-256-GCM under one key, nothing derived, nothing kept."""

    def __init__(self, folder: Path) -> None:
        del folder
        self._key = AESGCM(os.urandom(32))

    def versions(self) -> dict[str, str]:
        """See `Contender.versions`."""
        return {}

    def seal_batch(self, count: int, record: int) -> float:
        """Encrypt so many records of this size."""
        bodies = [os.urandom(record) for _ in range(count)]
        start = time.perf_counter()
        for body in bodies:
            self._key.encrypt(os.urandom(12), body, None)
        return time.perf_counter() - start

    def close(self) -> None:
        """See `Contender.close`."""
