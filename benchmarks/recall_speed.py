"""How long a search takes, by size and mode. `python -m benchmarks.recall_speed [--sizes 10000 100000]`.

Conversations of 40 turns by two people, as `benchmarks.words` makes them, each with a vector near the middle of its
conversation, as embeddings are; no embedding time. Every vector has joined the graph, where there is one. Modes take
turns, so that a busy moment of the machine meets all of them. Times are of the quickest tenth and the median; the last
column is the median beside that of the hybrid search.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.words import DIMENSION, SMALL, Matrix, queries, turns
from vault_core import Draft, FileKey, Vault, new_key_text

TURNS = 40
BATCH = 2_000
ROUNDS = 60
NEARNESS = 1.0  # of a turn to the middle of its conversation, beside a random part of length 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recall_speed", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    given = parser.parse_args(arguments)
    print("| memories | mode | quickest tenth, ms | median, ms | beside hybrid |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder, size = Path(name), 0
        (folder / "key").write_text(new_key_text("file"))
        with Vault.create(folder / "it.vault", unlock=FileKey(folder / "key")) as vault:
            for wanted in sorted(given.sizes):
                while size < wanted:
                    vault.add_many(drafts(size, min(BATCH, wanted - size)))
                    size += BATCH
                vault.checkpoint()  # from 50,000 on, vectors join their graph
                for line in measured(vault, wanted):
                    print(line, flush=True)


def measured(vault: Vault, size: int) -> list[str]:
    """A line of the table for each mode."""
    modes, seconds = searches(vault, size), dict[str, list[float]]()
    for turn in range(-5, ROUNDS):  # the first ones warm up
        for name, search in modes.items():
            start = time.perf_counter()
            search(turn)
            if turn >= 0:
                seconds.setdefault(name, []).append(time.perf_counter() - start)
    base = statistics.median(seconds["hybrid"])
    lines = []
    for name, found in seconds.items():
        quick, middle = sorted(found)[len(found) // 10], statistics.median(found)
        lines.append(f"| {size:,} | {name} | {quick * 1e3:.2f} | {middle * 1e3:.2f} | {middle / base:.2f} |")
    return lines


def searches(vault: Vault, size: int) -> dict[str, Callable[[int], object]]:
    """What is measured, by name; each takes the number of its turn."""
    asked, near = queries(0, 64), middles(np.arange(64) * 7 % max(size // TURNS, 1), noise=1)
    common = [" ".join(SMALL[at % 30 : at % 30 + 4]) for at in range(64)]

    def of(words: Sequence[str], mode: str) -> Callable[[int], object]:
        return lambda turn: vault.search(words[turn % 64], query_vector=near[turn % 64], mode=mode)  # type: ignore[arg-type]  # of three

    return {
        "hybrid": of(asked, "hybrid"),
        "hybrid, common words only": of(common, "hybrid"),
        "lexical": of(asked, "lexical"),
        "lexical, common words only": of(common, "lexical"),
        "dense": of(asked, "dense"),
    }


def drafts(first: int, count: int) -> list[Draft]:
    """Turns of conversations."""
    numbers = np.arange(first, first + count)
    vectors = middles(numbers // TURNS, noise=first + 2)
    return [
        Draft(
            content=text,
            vector=vector,
            thread=f"conversation {number // TURNS}",
            source=("Ada", "Ben")[number % 2],
        )
        for number, text, vector in zip(numbers.tolist(), turns(first, count), vectors, strict=True)
    ]


def middles(conversations: np.ndarray, *, noise: int) -> Matrix:
    """Vectors near the middles of conversations."""
    found = np.random.default_rng(noise).standard_normal((len(conversations), DIMENSION)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    for row, conversation in enumerate(conversations.tolist()):
        middle = np.random.default_rng([3, conversation]).standard_normal(DIMENSION).astype(np.float32)
        found[row] += NEARNESS * middle / np.linalg.norm(middle)
    return found


if __name__ == "__main__":
    main()
