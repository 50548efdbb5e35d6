"""LanceDB: exact search over columns on disk, in clear."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa

from benchmarks.words import DIMENSION, query_vectors, turns, vectors


class Lance:
    """One table; no approximate index, so that its search is exact as ours is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "lance"
        db: Any = lancedb.connect(str(self._folder))
        self._schema = pa.schema(
            [("id", pa.string()), ("text", pa.string()), ("vector", pa.list_(pa.float32(), DIMENSION))]
        )
        self._table: Any = db.create_table("memories", schema=self._schema, exist_ok=True)

    def versions(self) -> dict[str, str]:
        """See `Contender.versions`."""
        return {"lancedb": version("lancedb")}

    def add_batch(self, batch: int, count: int) -> float:
        """See `Contender.add_batch`: one Arrow table."""
        texts, given = turns(batch, count), vectors(batch, count)
        ids = [f"{batch}-{place}" for place in range(count)]
        start = time.perf_counter()
        column = pa.FixedSizeListArray.from_arrays(pa.array(given.reshape(-1)), DIMENSION)
        self._table.add(pa.table([pa.array(ids), pa.array(texts), column], schema=self._schema))
        return time.perf_counter() - start

    def search(self, first: int, count: int, batch: int, size: int, mode: str) -> list[float]:
        """See `Contender.search`: by vector alone."""
        del mode
        seconds = []
        for vector in query_vectors(first, count, batch, size):
            start = time.perf_counter()
            self._table.search(vector).metric("cosine").limit(10).to_list()
            seconds.append(time.perf_counter() - start)
        return seconds

    def sizes(self) -> dict[str, float]:
        """Bytes for one memory."""
        whole = sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())
        return {"all": whole / self._table.count_rows()}

    def close(self) -> None:
        """See `Contender.close`: nothing to call."""
