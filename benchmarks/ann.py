"""`python -m benchmarks.ann`: ways to find the nearest of many vectors, beside comparing with all of them.

Each way runs in a process of its own. Times are minima over rounds; a query's time is also given as a part of the exact
one's, measured in turn with it in the same process, because machines have other work to do. Recall is that of the
two hundred candidates once they are put in order by their exact cosines, which is what the vault does with them.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import line, load, machine

DIMENSION = 384
LIMIT = 200
M, EF_ADD, EF_SEARCH = 16, 100, 300
QUERIES, ROUNDS, SINGLES, ERASED = 200, 5, 200, 50
SIZES = (10_000, 50_000, 100_000)

Matrix = NDArray[np.float32]
Ints = NDArray[np.int64]


class Exact:
    """Every cosine, one core, at the speed of memory."""

    def __init__(self, _size: int) -> None:
        self._held = np.zeros((0, DIMENSION), np.float32)
        self._cosines = np.zeros(0, np.float32)

    def add(self, vectors: Matrix, _threads: int = 1) -> None:
        self._held = np.concatenate([self._held, vectors]) if len(self._held) else vectors
        self._cosines = np.empty(len(self._held), np.float32)

    def search(self, query: Matrix) -> Ints:
        for at in range(0, len(self._held), 4096):
            np.einsum("ij,j->i", self._held[at : at + 4096], query, out=self._cosines[at : at + 4096])
        return np.argpartition(-self._cosines, LIMIT)[:LIMIT]


class Hnswlib:
    """hnswlib: the reference implementation, single precision."""

    def __init__(self, size: int) -> None:
        import hnswlib

        self._index = hnswlib.Index("ip", DIMENSION)
        self._index.init_index(size, M=M, ef_construction=EF_ADD)
        self._index.set_ef(EF_SEARCH)

    def add(self, vectors: Matrix, threads: int = 1) -> None:
        first = self._index.get_current_count()
        self._index.add_items(vectors, np.arange(first, first + len(vectors)), num_threads=threads)

    def search(self, query: Matrix) -> Ints:
        return self._index.knn_query(query, LIMIT, num_threads=1)[0][0].astype(np.int64)

    def erase(self, row: int) -> None:
        self._index.add_items(np.zeros((1, DIMENSION), np.float32), [row], num_threads=1)  # overwrites and links anew
        self._index.mark_deleted(row)

    def state(self) -> tuple[Any, int]:
        """As arrays, and the bytes that are left of them without the vectors."""
        state = self._index.__getstate__()[0]
        held = sum(one.nbytes for one in state.values() if isinstance(one, np.ndarray))
        return state, held - state["cur_element_count"] * DIMENSION * 4

    def same(self, other: "Hnswlib") -> bool:
        ours, theirs = self.state()[0], other.state()[0]
        return all(np.array_equal(ours[name], theirs[name]) for name in ("data_level0", "link_lists"))

    def load(self, state: Any) -> None:
        import hnswlib

        found = hnswlib.Index.__new__(hnswlib.Index)
        found.__setstate__((state,))


class Usearch:
    """usearch: of the precision asked for."""

    precision = "f32"

    def __init__(self, _size: int) -> None:
        from usearch.index import Index

        self._index = Index(
            ndim=DIMENSION,
            metric="ip",
            dtype=self.precision,
            connectivity=M,
            expansion_add=EF_ADD,
            expansion_search=EF_SEARCH,
        )
        self._count = 0

    def add(self, vectors: Matrix, threads: int = 1) -> None:
        self._index.add(np.arange(self._count, self._count + len(vectors)), self.packed(vectors), threads=threads)
        self._count += len(vectors)

    def search(self, query: Matrix) -> Ints:
        return self._index.search(self.packed(query), LIMIT, threads=1).keys.astype(np.int64)

    def erase(self, row: int) -> None:
        self._index.remove(row)
        self._index.add(row, self.packed(np.zeros(DIMENSION, np.float32)), threads=1)

    def state(self) -> tuple[Any, int]:
        state = bytes(self._index.save())
        return state, len(state) - 8 - self._count * self.packed(np.zeros(DIMENSION, np.float32)).nbytes

    def same(self, other: "Usearch") -> bool:
        return self.state()[0] == other.state()[0]

    def load(self, state: Any) -> None:
        self._index.load(state)

    @staticmethod
    def packed(vectors: Matrix) -> NDArray[Any]:
        return vectors


class UsearchHalf(Usearch):
    """usearch, half precision."""

    precision = "f16"

    @staticmethod
    def packed(vectors: Matrix) -> NDArray[Any]:
        return vectors.astype(np.float16)


class UsearchBytes(Usearch):
    """usearch, eight bits of our own scaling: the package's own leaves unit vectors five bits."""

    precision = "i8"

    @staticmethod
    def packed(vectors: Matrix) -> NDArray[Any]:
        return np.clip(np.rint(vectors * (127 * np.sqrt(DIMENSION) / 5)), -127, 127).astype(np.int8)


class EightBits:
    """No graph: every product in eight bits (numkong), then exact cosines of all that could still be among the best.

    What rounding takes from a vector has a known length, so that the bound is certain and the answer exact.
    """

    def __init__(self, _size: int) -> None:
        self._held, self._bytes = np.zeros((0, DIMENSION), np.float32), np.zeros((0, DIMENSION), np.int8)
        self._scales, self._lost = np.zeros(0, np.float32), np.zeros(0, np.float32)

    def add(self, vectors: Matrix, _threads: int = 1) -> None:
        scales = np.abs(vectors).max(axis=1) / 127
        rounded = np.rint(vectors / scales[:, None]).astype(np.int8)
        lost = np.linalg.norm(vectors - rounded * scales[:, None], axis=1)
        self._held = np.concatenate([self._held, vectors]) if len(self._held) else vectors
        self._bytes = np.concatenate([self._bytes, rounded])
        self._scales = np.concatenate([self._scales, scales])
        self._lost = np.concatenate([self._lost, lost])

    def search(self, query: Matrix) -> Ints:
        import numkong

        scale = float(np.abs(query).max()) / 127
        rounded = np.rint(query / scale).astype(np.int8)
        lost = float(np.linalg.norm(query - rounded * scale))
        products = np.asarray(numkong.cdist(rounded[None], self._bytes, "dot"))[0]
        about = products.astype(np.float32) * (self._scales * np.float32(scale))
        margin = self._lost + np.float32(lost * 1.01 + 1e-6)  # |x·q − x̂·q̂| <= |x − x̂||q| + |x̂||q − q̂|
        sure = np.partition(about - margin, -LIMIT)[-LIMIT]
        rows = np.flatnonzero(about + margin >= sure)
        cosines = np.einsum("ij,j->i", self._held[rows], query)
        return rows[np.argsort(-cosines, kind="stable")[:LIMIT]]


WAYS: dict[str, Any] = {
    "exact": Exact,
    "hnswlib": Hnswlib,
    "usearch f32": Usearch,
    "usearch f16": UsearchHalf,
    "usearch i8": UsearchBytes,
    "eight bits, no graph": EightBits,
}


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ann", description="Ways to find the nearest vectors.")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--vectors", type=Path, help="an .npz of real vectors, `turn_vec` and `question_vec`")
    parser.add_argument("--only", action="append", choices=WAYS)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "SIZE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measured(WAYS[chosen.one[0]], int(chosen.one[1]), chosen.vectors)))
        return
    print(line({"machine": machine(), "load": load(), "versions": {"numpy": np.__version__}}), end="\n\n")
    print(
        "| vectors | way | build 1 thread | 2 threads | add one | query | of exact | recall@10 | @100 | memory", end=""
    )
    print(" | state without vectors | save | load | erase one | same twice |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for size in chosen.sizes.split(","):
        for way in chosen.only or WAYS:
            _row(f"{int(size):,}", way, _in_child(way, size, chosen.vectors))


def measured(way: Any, size: int, vectors: Path | None) -> dict[str, Any]:
    """Everything about one way at one size."""
    held, queries = _corpus(size + SINGLES, vectors)
    before = _resident()
    one, exact = way(size + SINGLES), Exact(size)
    found = {"build": _timed(lambda: one.add(held[:size].copy()))}
    found["memory"] = _resident() - before
    exact.add(held[:size])
    found |= _queried(one, exact, queries, held[:size])
    if hasattr(one, "state"):
        found["same"] = _same(way, held[: min(size, 5000)])
        two = way(size)
        found["build 2"] = _timed(lambda: two.add(held[:size], 2))
        del two
    singles = [_timed(lambda at=at: one.add(held[at : at + 1])) for at in range(size, size + SINGLES)]
    found["add"] = float(np.median(singles)) if hasattr(one, "state") else None
    if hasattr(one, "state"):
        found["erase"] = float(np.median([_timed(lambda row=row: one.erase(row)) for row in range(ERASED)]))
        found["save"] = _timed(one.state)
        state, found["state"] = one.state()
        found["load"] = _timed(lambda: one.load(state))
    return found


def _queried(one: Any, exact: Exact, queries: Matrix, held: Matrix) -> dict[str, Any]:
    for query in queries[:20]:
        one.search(query)
    mine, theirs = [], []
    for _ in range(ROUNDS):
        mine.append(_timed(lambda: [one.search(query) for query in queries[:40]]) / 40)
        theirs.append(_timed(lambda: [exact.search(query) for query in queries[:40]]) / 40)
    hits = {10: 0, 100: 0}
    for query in queries:
        truth = np.argsort(-(held @ query), kind="stable")
        found = one.search(query)
        best = found[np.argsort(-(held[found] @ query), kind="stable")]
        for count in hits:
            hits[count] += len(np.intersect1d(truth[:count], best[:count]))
    recall = {f"recall {count}": hit / count / len(queries) for count, hit in hits.items()}
    return {"query": min(mine), "ratio": min(mine) / min(theirs), **recall}


def _same(way: Any, held: Matrix) -> bool:
    one, other = way(len(held)), way(len(held))
    one.add(held)
    for at in range(0, len(held), 500):
        other.add(held[at : at + 500])
    return bool(one.same(other))


def _corpus(size: int, vectors: Path | None) -> tuple[Matrix, Matrix]:
    """So many unit vectors and queries: real ones with noise, or clusters around random centres."""
    chance = np.random.default_rng(5)
    if vectors is None:
        centres = chance.normal(size=(size // 50, DIMENSION)).astype(np.float32)
        held = _near(centres, size, 0.8, chance)
        return held, _near(centres, QUERIES, 0.8, chance)
    stored = np.load(vectors)
    queries = stored["question_vec"].astype(np.float32)
    queries = queries[chance.permutation(len(queries))[:QUERIES]]
    return _near(stored["turn_vec"].astype(np.float32), size, 0.6, chance), _unit(queries)


def _near(centres: Matrix, size: int, noise: float, chance: np.random.Generator) -> Matrix:
    chosen = _unit(centres)[chance.integers(len(centres), size=size)]
    spread = chance.standard_normal((size, DIMENSION), np.float32) * np.float32(noise / np.sqrt(DIMENSION))
    return _unit(chosen + spread)


def _unit(vectors: Matrix) -> Matrix:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def _in_child(way: str, size: str, vectors: Path | None) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ann", "--one", way, size]
    given = ["--vectors", str(vectors)] if vectors else []
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{way}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return {}
    return dict(json.loads(done.stdout))


def _row(size: str, way: str, found: dict[str, Any]) -> None:
    def shown(name: str, form: Callable[[float], str]) -> str:
        return form(found[name]) if found.get(name) is not None else "–"

    cells = [
        size,
        way,
        shown("build", "{:.1f} s".format),
        shown("build 2", "{:.1f} s".format),
        shown("add", lambda s: f"{s * 1000:.2f} ms"),
        shown("query", lambda s: f"{s * 1000:.2f} ms"),
        shown("ratio", "{:.2f}".format),
        shown("recall 10", "{:.3f}".format),
        shown("recall 100", "{:.3f}".format),
        shown("memory", lambda b: f"{b / 1e6:.0f} MB"),
        shown("state", lambda b: f"{b / 1e6:.1f} MB"),
        shown("save", "{:.2f} s".format),
        shown("load", "{:.2f} s".format),
        shown("erase", lambda s: f"{s * 1000:.2f} ms"),
        shown("same", lambda same: "yes" if same else "no"),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
