"""Opening a remote vault again, with a cache and without. `python -m benchmarks.reopening URL [--memories 100000]`.

Makes a vault of so many memories with vectors at the URL and one in a file, then opens both by turns, each time in a
fresh process. A key file opens them, so no time is a KDF's. Columns: seconds of the quickest and the median opening,
its ratio to the file's, and what a first and a second search take.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.recall_speed import drafts
from vault_core import FileKey, Vault, new_key_text

BATCH = 2_000
ROUNDS = 5


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or open once in this process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reopening", description=__doc__.split("\n", 1)[0])
    parser.add_argument("url")
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--key", type=Path, help="open once with this key file, and print the times")
    given = parser.parse_args(arguments)
    if given.key:
        print(json.dumps(_opened(given.url, given.key)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key").write_text(new_key_text("file"))
        os.environ["STRONGROOM_STATE_DIR"] = str(folder / "state")
        places = {"file": str(folder / "it.vault"), "remote, cache": given.url, "remote, no cache": given.url}
        for place in dict.fromkeys(places.values()):
            _fill(place, folder, given.memories)
        _print({label: [] for label in places}, places, folder)


def _fill(place: str, folder: Path, memories: int) -> None:
    os.environ["STRONGROOM_CACHE_DIR"] = str(folder / "cache")
    with Vault.create(place, unlock=FileKey(folder / "key")) as vault:
        for start in range(0, memories, BATCH):
            vault.add_many(drafts(start, BATCH))


def _print(times: dict[str, list[list[float]]], places: dict[str, str], folder: Path) -> None:
    for number in range(ROUNDS):
        for label, place in places.items():
            cache = folder / (f"cold {number}" if label.endswith("no cache") else "cache")
            command = [sys.executable, "-m", "benchmarks.reopening", place, "--key", str(folder / "key")]
            environment = {**os.environ, "STRONGROOM_CACHE_DIR": str(cache)}
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            times[label].append(json.loads(done.stdout))
    base = statistics.median(first for first, *_ in times["file"])
    print("| opened | quickest, s | median, s | beside the file | first search, ms | second, ms |")
    print("|---|---|---|---|---|---|")
    for label, rounds in times.items():
        opened, first, second = (list(column) for column in zip(*rounds, strict=True))
        middle = statistics.median(opened)
        cells = (f"{min(opened):.2f}", f"{middle:.2f}", f"{middle / base:.2f}")
        searches = (f"{1000 * statistics.median(one):.1f}" for one in (first, second))
        print(f"| {label} | {' | '.join((*cells, *searches))} |", flush=True)


def _opened(place: str, key: Path) -> tuple[float, float, float]:
    began = time.perf_counter()
    with Vault.open(place, unlock=FileKey(key)) as vault:
        opened = time.perf_counter()
        vault.search("the river in winter")
        first = time.perf_counter()
        vault.search("a garden by the river")
        return opened - began, first - opened, time.perf_counter() - first


if __name__ == "__main__":
    main()
