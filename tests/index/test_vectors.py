"""Vectors: exact cosines of all or some, the nearest of them, through a graph where there are many."""

import importlib.util
import os
import random
import struct
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from vault_core.index import Columns, Vectors, ann, links, vectors
from vault_core.index.columns import Entry

DIMENSION = 48
MANY = 3000

missing = importlib.util.find_spec("usearch") is None and not os.environ.get("CI")
needs_graph = pytest.mark.skipif(missing, reason="usearch isn't installed (extra `ann`)")


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph from a thousand vectors on."""
    monkeypatch.setattr(vectors, "ANN_FROM", 1000)


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch, low: None) -> Iterator[None]:
    """The package is not there, as `import` sees it."""
    ann.version.cache_clear()
    monkeypatch.setitem(sys.modules, "usearch", None)
    yield
    ann.version.cache_clear()


def clustered(count: int, seed: int = 1) -> np.ndarray:
    """Vectors around sixty centres, always the same ones."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(60, DIMENSION))
    return (centres[chance.integers(60, size=count)] + chance.normal(0, 0.7, (count, DIMENSION))).astype(np.float32)


def filled(count: int, *, seed: int = 1, first: int = 1) -> Vectors:
    """A space of vectors, each owned by an address of its own."""
    space = Vectors(DIMENSION)
    add(space, count, seed=seed, first=first)
    return space


def add(space: Vectors, count: int, *, seed: int, first: int) -> None:
    space.append(list(range(first, first + count)), [""] * count, clustered(count, seed))


def recall(space: Vectors, *, of: int = 10, queries: int = 100) -> float:
    """The part of the true best `of` that `nearest` finds among forty; few enough to be asked of the graph."""
    found = 0
    for query in clustered(queries, seed=99):
        found += len(np.intersect1d(truth(space, query, of), space.nearest(query, 40)[:of]))
    return found / (of * queries)


def truth(space: Vectors, query: np.ndarray, count: int) -> np.ndarray:
    """The rows of the best, by every cosine."""
    cosines = np.where(space.owners == 0, -2, space.cosines(query))
    return np.argsort(-cosines, kind="stable")[:count]


def test_cosines_of_some_rows_are_to_the_bit_those_of_all() -> None:
    space, query = filled(9000), clustered(1, seed=5)[0]
    every = space.cosines(query)

    for rows in (np.array([8999, 0, 4096, 4095, 0]), np.arange(0, 9000, 7), np.zeros(0, np.int64)):
        assert np.array_equal(space.cosines(query, rows), every[rows])


def test_nearest_is_exact_and_best_first_below_the_threshold() -> None:
    space, query = filled(MANY), clustered(1, seed=5)[0]

    assert not space.approximate
    assert np.array_equal(space.nearest(query, 50), truth(space, query, 50))


def test_equal_cosines_come_in_log_order() -> None:
    space = Vectors(2)
    space.append([1, 2, 3, 4], [""] * 4, np.array([[1, 0], [2, 0], [0, 1], [3, 0]], np.float32))

    assert space.nearest(np.array([1, 0], np.float32), 2).tolist() == [0, 1]


def test_nearest_of_more_than_there_are_gives_all_that_are_left() -> None:
    space = filled(10)
    space.erase([3])

    assert sorted(space.nearest(clustered(1)[0], 100).tolist()) == [0, 1, 3, 4, 5, 6, 7, 8, 9]


def test_rows_owned_by_rows_of_the_columns() -> None:
    columns = Columns()
    columns.append([Entry(address, 0, 0, 0, 0, 0, 0, 0, 0, 0.5) for address in (10, 20, 30, 40)])
    space = Vectors(DIMENSION)
    space.append([10, 20, 20, 40], ["", "a", "b", ""], clustered(4))
    space.erase([40])

    assert space.rows_owned_by(columns, np.array([1])).tolist() == [1, 2]
    assert space.rows_owned_by(columns, np.array([2, 3])).tolist() == []
    assert space.rows_owned_by(columns, np.array([0, 1, 3])).tolist() == [0, 1, 2]


def test_without_the_package_nearest_stays_exact(no_package: None) -> None:
    space, query = filled(MANY), clustered(1, seed=5)[0]
    space.join()

    assert not space.approximate
    assert space.packed_graph() is None
    assert np.array_equal(space.nearest(query, 50), truth(space, query, 50))


@needs_graph
def test_a_graph_finds_what_comparing_with_all_finds(low: None) -> None:
    space = filled(MANY)
    space.join()

    assert space.approximate
    assert recall(space) >= 0.98
    assert recall(space, of=40) >= 0.98


@needs_graph
def test_the_graph_is_what_answers(low: None, monkeypatch: pytest.MonkeyPatch) -> None:
    space = filled(MANY)
    space.join()
    monkeypatch.setattr(ann.Graph, "search", lambda *_: np.array([7]))

    assert space.nearest(clustered(1)[0], 50).tolist() == [7]


@needs_graph
def test_the_order_is_that_of_the_exact_cosines(low: None) -> None:
    space, query = filled(MANY), clustered(1, seed=5)[0]
    space.join()
    rows = space.nearest(query, 80)

    assert len(rows) == len(set(rows.tolist())) == 80
    assert (np.diff(space.cosines(query, rows)) <= 0).all()


@needs_graph
def test_what_was_added_just_now_is_found_and_joins_little_by_little(low: None) -> None:
    space = filled(1500)
    space.join()
    add(space, 500, seed=2, first=5000)

    for number, query in enumerate(clustered(500, seed=2)[:20]):  # the first of those just added
        assert space.nearest(query, 5)[0] == 1500 + number
    assert space._joined == 1500 + min(500, 20 * vectors.JOIN_ROWS)
    assert recall(space) >= 0.98


@needs_graph
def test_a_graph_that_grew_by_queries_is_the_one_made_at_once(low: None) -> None:
    slowly, at_once = filled(1200), filled(1200)
    for query in clustered(50):
        slowly.nearest(query, 5)
    at_once.join()

    assert slowly._joined == 1200
    assert slowly.packed_graph()[2] == at_once.packed_graph()[2]


@needs_graph
def test_erased_vectors_never_come_back(low: None) -> None:
    space = filled(MANY)
    space.join()
    gone = list(range(1, MANY, 20))
    space.erase(gone)

    for query in clustered(MANY)[np.array(gone)[:40] - 1]:
        assert not set(np.array(gone) - 1) & set(space.nearest(query, 90).tolist())
    assert recall(space) >= 0.98


@needs_graph
def test_erasing_while_the_graph_grows_leaves_no_trace_of_what_was_erased(low: None) -> None:
    space = filled(2000)
    space.join(700)
    space.erase(range(600, 800))  # on both sides of what has joined
    add(space, 100, seed=3, first=5000)
    space.join()

    assert not set(range(599, 799)) & set(np.concatenate([space.nearest(q, 60) for q in clustered(50)]).tolist())
    assert recall(space) >= 0.98


@needs_graph
def test_many_erased_at_once_leave_a_graph_that_finds_the_rest(low: None) -> None:
    space = filled(MANY)
    space.join()
    space.erase(range(1, 2 * MANY // 3, 6))

    assert space._graph is not None
    assert space._graph.erased > ann.ERASED_SINGLY
    assert recall(space) >= 0.98
    add(space, 200, seed=4, first=5000)
    space.join()
    assert recall(space) >= 0.98


@needs_graph
def test_a_graph_whose_way_in_is_erased_has_another(low: None) -> None:
    space = filled(1500)
    nodes, _, kept = _kept(space)
    entry = way_in(kept)
    space.erase([entry + 1])
    _, gone, kept = _kept(space)

    assert gone.tolist() == [entry]
    assert way_in(kept) != entry
    links.check(kept, nodes)
    assert recall(space) >= 0.98


@needs_graph
def test_a_graph_without_a_way_in_is_made_anew(low: None) -> None:
    space = filled(1500)
    nodes, _, kept = _kept(space)
    levels = np.frombuffer(kept, "<i2", nodes, links.HEAD + 40)
    space.erase((np.flatnonzero(levels == levels.max()) + 1).tolist())

    assert space.packed_graph() is None
    assert way_in(_kept(space)[2]) < nodes
    assert recall(space) >= 0.98


def way_in(kept: bytes) -> int:
    """The node that a search begins with."""
    entry: int = struct.unpack_from("<Q", kept, links.HEAD + 32)[0]
    return entry


@needs_graph
def test_a_graph_of_which_much_is_erased_is_made_anew(low: None) -> None:
    space = filled(MANY)
    space.join()
    space.erase(range(1, 800))
    space.join()

    assert space._graph is not None
    assert space._graph.erased == 0
    assert len(space._graph.rows) == MANY - 799
    assert recall(space) >= 0.98


@needs_graph
@pytest.mark.parametrize("count", [1, 10, 150], ids="{}-erased".format)
def test_erased_vectors_are_in_no_byte_of_the_graph(low: None, count: int) -> None:
    space = filled(1500)
    space.join()
    units = space._gather(np.arange(77, 77 + count))
    forms = [one[at : at + 16] for one in _forms(units) for at in range(0, len(one), 16)]
    assert any(form in _held(space) for form in forms)  # the scan can find one
    space.erase(range(78, 78 + count))

    held, (_, _, kept) = _held(space), space.packed_graph()
    assert not any(form in held or form in kept for form in forms)


@needs_graph
def test_what_is_kept_of_a_graph_has_no_link_to_or_from_an_erased_vector(low: None) -> None:
    space = filled(1500)
    space.join()
    assert linked(space.packed_graph()[2], 1500) == set(range(1500))
    space.erase(range(1, 1400, 10))

    assert linked(space.packed_graph()[2], 1500) == set(range(1500)) - set(range(0, 1400, 10))


def linked(kept: bytes, nodes: int) -> set[int]:
    """The nodes that have a link or are one, as the bytes say, counted or not."""
    found: set[int] = set()
    at = links.HEAD + 40 + 2 * nodes
    for node in range(nodes):
        (level,) = struct.unpack_from("<h", kept, at + 8)
        at += 10
        for room in [32] + [16] * level:
            count, *targets = struct.unpack_from(f"<{1 + room}I", kept, at)
            at += 4 + 4 * room
            found |= {node, *targets[:count]} if count else set()
            assert not any(targets[count:])
    assert at == len(kept)
    return found


def _forms(units: np.ndarray) -> list[bytes]:
    return [one.astype(kind).tobytes() for one in units for kind in (np.float32, np.float16)]


def _held(space: Vectors) -> bytes:
    assert space._graph is not None
    return bytes(space._graph._index.save())


@needs_graph
def test_no_vector_is_in_what_is_kept_of_a_graph(low: None) -> None:
    space = filled(1500)
    space.join()
    _, _, kept = space.packed_graph()

    halves = space._gather(np.arange(1500)).astype(np.float16)
    assert not any(one.tobytes()[:16] in kept for one in halves)
    assert len(kept) < 1500 * 250


@needs_graph
def test_a_graph_loaded_is_the_one_that_was_kept(low: None) -> None:
    live = filled(1500)
    live.join(1400)
    live.erase([5, 6, 1399, 1450])
    loaded = Vectors(DIMENSION)
    for owners, fields, matrix in live.segments(400):
        loaded.append_unit(owners, fields, matrix)
    loaded.take_graph(*live.packed_graph())

    assert loaded._joined == 1397
    for query in clustered(40, seed=9):
        ours, theirs = live.nearest(query, 40), loaded.nearest(query, 40)
        assert live.owners[ours].tolist() == loaded.owners[theirs].tolist()
    assert recall(loaded) >= 0.98


@needs_graph
def test_a_graph_of_other_vectors_is_refused(low: None) -> None:
    nodes, gone, kept = _kept(filled(1500))
    for given in (
        (nodes + 1, gone, kept),
        (nodes, np.array([nodes]), kept),
        (nodes, np.array([-1]), kept),
        (nodes - 1, gone, kept),
        (nodes, gone, b""),
        (nodes, gone, kept[:40]),
    ):
        with pytest.raises(ValueError, match="graph"):
            filled(1500).take_graph(*given)


@needs_graph
def test_links_of_which_bits_are_flipped_are_refused_or_do_no_harm(low: None) -> None:
    nodes, gone, kept = _kept(filled(1500))
    chance, refused = random.Random(3), 0
    for number in range(150):
        broken = bytearray(kept)
        for _ in range(chance.choice([1, 10, 1000])):
            at = chance.randrange(len(kept) if number % 2 else 3200)  # the half of them in head, shape and levels
            broken[at] ^= 1 << chance.randrange(8)
        space = filled(1500)
        try:
            space.take_graph(nodes, gone, bytes(broken))
        except ValueError:
            refused += 1
            continue
        for query in clustered(10, seed=9):
            assert len(space.nearest(query, 40)) <= 40
    assert 75 < refused < 150


def _kept(space: Vectors) -> tuple[int, np.ndarray, bytes]:
    space.join()
    kept = space.packed_graph()
    assert kept is not None
    return kept
