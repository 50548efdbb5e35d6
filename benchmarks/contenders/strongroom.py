"""Strongroom itself, through its public API; opened by a key file, so that no figure holds Argon2id."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from benchmarks.words import DIMENSION, queries, query_vectors, turns, vectors
from vault_core import Draft, FileKey, Vault, __version__, new_key_text

SINGLES = 1_000_000  # the batches from here on are added one by one


class Strongroom:
    """A vault in a SQLite file, the default store."""

    def __init__(self, folder: Path) -> None:
        self._path, secret = folder / "it.vault", folder / "key"
        if not secret.exists():
            secret.write_text(new_key_text("file"))
        self._key = FileKey(secret)
        make = Vault.open if self._path.exists() else Vault.create
        self._vault = make(self._path, unlock=self._key)

    def versions(self) -> dict[str, str]:
        """See `Contender.versions`."""
        import cryptography
        import numpy as np

        return {
            "strongroom": __version__,
            "SQLite": sqlite3.sqlite_version,
            "cryptography": cryptography.__version__,
            "NumPy": np.__version__,
        }

    def add_batch(self, batch: int, count: int) -> float:
        """See `Contender.add_batch`: one commit."""
        drafts = [
            Draft(content=text, vector=vector)
            for text, vector in zip(turns(batch, count), vectors(batch, count), strict=True)
        ]
        start = time.perf_counter()
        self._vault.add_many(drafts)
        return time.perf_counter() - start

    def add_each(self, batch: int, count: int) -> dict[str, Any]:
        """Add memories one by one, each a durable commit: seconds of each, and processor time per memory."""
        texts, given, seconds = turns(SINGLES + batch, count), vectors(SINGLES + batch, count), []
        busy = time.process_time()
        for text, vector in zip(texts, given, strict=True):
            start = time.perf_counter()
            self._vault.add(text, vector=vector)
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds, "busy": (time.process_time() - busy) / count}

    def search(self, first: int, count: int, batch: int, size: int, mode: str) -> list[float]:
        """See `Contender.search`."""
        asked = zip(queries(first, count), query_vectors(first, count, batch, size), strict=True)
        seconds = []
        for text, vector in asked:
            start = time.perf_counter()
            self._vault.search(text, query_vector=vector, mode=mode)  # type: ignore[arg-type]  # of `MODES`
            seconds.append(time.perf_counter() - start)
        return seconds

    def checkpoint(self) -> float:
        """Write a snapshot."""
        start = time.perf_counter()
        self._vault.checkpoint()
        return time.perf_counter() - start

    def opened(self, *, read_only: bool) -> float:
        """Close, and open again."""
        self._vault.close()
        start = time.perf_counter()
        self._vault = Vault.open(self._path, unlock=self._key, read_only=read_only)
        return time.perf_counter() - start

    def written_sizes(self) -> dict[str, int]:
        """Bytes of the newest entry and the newest record, read through SQLite as everything must be."""
        with sqlite3.connect(f"file:{self._path}?mode=ro", uri=True) as db:
            entry, record = (
                db.execute(f"SELECT length(body) FROM {table} ORDER BY {key} DESC LIMIT 1").fetchone()[0]  # noqa: S608
                for table, key in (("entry", "seq"), ("record", "address"))
            )
        db.close()
        return {"entry": entry, "record": record}

    def sizes(self) -> dict[str, float]:
        """Bytes for one memory in the closed file: all of it, and what snapshots take of it."""
        count = self._vault.count()
        self._vault.close()
        with sqlite3.connect(f"file:{self._path}?mode=ro", uri=True) as db:
            parts = db.execute("SELECT coalesce(sum(length(body)), 0) FROM part").fetchone()[0]
        db.close()
        whole = self._path.stat().st_size
        self._vault = Vault.open(self._path, unlock=self._key)
        return {"all": whole / count, "snapshot": parts / count, "vector": 4 * DIMENSION}

    def drop_snapshot(self) -> None:
        """Delete the snapshot, as anyone may: it is a cache."""
        self._vault.close()
        with sqlite3.connect(self._path) as db:
            db.execute("DELETE FROM part")
        db.close()
        self._vault = Vault.open(self._path, unlock=self._key, read_only=True)

    def close(self) -> None:
        """See `Contender.close`."""
        self._vault.close()
