"""Snapshots are only a cache: with one, without one and with a broken one the answers are the same."""

import importlib.util
import os
import random
from pathlib import Path

import numpy as np
import pytest

from support.vaults import create, reopen
from vault_core import Draft, EmbedderMismatchError, Vault
from vault_core.index import Vectors, ann, vectors

DIMENSION = 8
WORDS = ["tea", "kettle", "harbour", "violin", "lantern", "meadow", "winter", "letter", "bicycle", "plum"]


def drafts(count: int, seed: int) -> list[Draft]:
    chance = random.Random(seed)
    return [
        Draft(
            content=f"note {seed}-{number} about {' '.join(chance.choices(WORDS, k=4))}",
            id=f"{seed}-{number}",
            vector=[chance.gauss(0, 1) for _ in range(DIMENSION)],
            thread=f"t{number % 3}",
        )
        for number in range(count)
    ]


def answers(vault: Vault) -> list[object]:
    """Everything a query can show, exactly."""
    chance = random.Random(7)
    shown: list[object] = [vault.count(), [memory.id for memory in vault.list(limit=None)]]
    for word in WORDS:
        vector = [chance.gauss(0, 1) for _ in range(DIMENSION)]
        hits = vault.search(word, query_vector=vector, top_k=20, explain=True)
        shown.append([(hit.memory.id, round(hit.score, 5)) for hit in hits])
        shown.append([hit.memory.id for hit in vault.find_similar(vector, top_k=20)])
    return shown


def rows_of_vectors(vault: Vault) -> int:
    (index,) = vault._session.indexes.values()
    return int(np.count_nonzero(index.vectors["default"].owners))


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors have a graph from two hundred on."""
    if importlib.util.find_spec("usearch") is None and not os.environ.get("CI"):
        pytest.skip("usearch isn't installed (extra `ann`)")
    monkeypatch.setattr(vectors, "ANN_FROM", 200)


def space_of(vault: Vault) -> Vectors:
    (index,) = vault._session.indexes.values()
    return index.vectors["default"]


def nearest(space: Vectors, count: int = 6) -> list[list[int]]:
    """The addresses of the nearest vectors of thirty queries."""
    queries = np.random.default_rng(7).normal(size=(30, DIMENSION)).astype(np.float32)
    return [space.owners[space.nearest(query, count)].tolist() for query in queries]


def test_answers_are_the_same_live_from_a_snapshot_and_from_a_replay(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        vault.add_many(drafts(120, seed=1))
        vault.forget_many([f"1-{number}" for number in range(10, 30)])
        vault.update("1-5", content="a kettle that is new")
        live = answers(vault)
        vault.checkpoint()
        with reopen(tmp_path) as from_snapshot:
            assert from_snapshot._session._snapshot
            assert answers(from_snapshot) == live
    with reopen(tmp_path) as vault:
        vault._session.log.change_parts(lambda: _drop_all(vault))
    with reopen(tmp_path) as replayed:
        assert not replayed._session._snapshot
        assert answers(replayed) == live


def test_checkpoints_after_erasing_keep_every_vector_once(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        for seed in range(1, 6):
            vault.add_many(drafts(40, seed))
            vault.checkpoint()
            vault.forget_many([f"{seed}-{number}" for number in range(5)])
            vault.add_many(drafts(7, seed + 10))
            vault.checkpoint()
        live, rows = answers(vault), rows_of_vectors(vault)
    assert rows == 5 * (40 - 5 + 7)
    with reopen(tmp_path) as vault:
        assert vault._session._snapshot
        assert rows_of_vectors(vault) == rows
        assert answers(vault) == live


def test_a_broken_snapshot_is_dropped_and_the_log_replayed(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        vault.add_many(drafts(30, seed=1))
        vault.checkpoint()
        live, store = answers(vault), vault._session.store
        for name in store.parts():
            body = store.part(name)
            assert body is not None
            store.append(lambda _, name=name, body=body: _put(name, body[:-1] + bytes([body[-1] ^ 1])))
        with reopen(tmp_path) as again:
            assert not again._session._snapshot
            assert answers(again) == live


def test_forgetting_takes_the_snapshots_along(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        vault.add_many(drafts(30, seed=1))
        vault.checkpoint()
        before = set(vault._session.store.parts())
        vault.forget("1-3")

        assert before
        assert not before & set(vault._session.store.parts())


def test_a_session_that_is_behind_writes_no_snapshot_of_what_was_forgotten(tmp_path: Path) -> None:
    with create(tmp_path) as ahead, reopen(tmp_path) as behind:
        ahead.add_many(drafts(30, seed=1))
        assert behind.count() == 30
        ahead.forget("1-3")
        behind.checkpoint()

        with reopen(tmp_path) as vault:
            assert vault._session._snapshot == vault._session.log.state.seq
            assert vault.count() == 29
            assert "1-3" not in [hit.memory.id for hit in vault.search("note 1-3", top_k=30)]


def test_two_sessions_that_checkpoint_in_turn_leave_a_snapshot_that_opens(tmp_path: Path) -> None:
    with create(tmp_path) as one, reopen(tmp_path) as other:
        for seed in range(1, 5):
            (one if seed % 2 else other).add_many(drafts(20, seed))
            one.checkpoint()
            other.checkpoint()
        live = answers(one)
        with reopen(tmp_path) as vault:
            assert vault._session._snapshot
            assert answers(vault) == live


def test_a_space_keeps_its_dimension_across_openings(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        vault.add("tea", vector=[1.0, 0.0])
    with reopen(tmp_path) as vault, pytest.raises(EmbedderMismatchError):
        vault.add("coffee", vector=[1.0, 0.0, 0.0])


def test_a_graph_comes_back_with_the_snapshot(tmp_path: Path, graph: None) -> None:
    with create(tmp_path) as vault:
        vault.add_many(drafts(300, seed=1))
        vault.forget_many(["1-7", "1-299"])
        vault.checkpoint()
        vault.add_many(drafts(20, seed=2))
        live = nearest(space_of(vault))
        with reopen(tmp_path) as from_snapshot:
            space = space_of(from_snapshot)
            assert space._joined == 298
            assert nearest(space) == live
    with reopen(tmp_path) as vault:
        vault._session.log.change_parts(lambda: _drop_all(vault))
    with reopen(tmp_path) as replayed:
        assert space_of(replayed)._joined == 0
        assert nearest(space_of(replayed)) == live


def test_a_snapshot_after_forgetting_holds_a_graph_that_knows_it(tmp_path: Path, graph: None) -> None:
    with create(tmp_path) as vault:
        vault.add_many(drafts(400, seed=1))
        vault.checkpoint()
        vault.forget_many([f"1-{number}" for number in range(0, 400, 20)])
        vault.checkpoint()
        live = nearest(space_of(vault))
        with reopen(tmp_path) as again:
            space = space_of(again)
            assert space._graph is not None
            assert (space._joined, space._graph.erased) == (380, 20)
            assert nearest(space) == live
            again.forget("1-5")
            again.checkpoint()
            live = nearest(space)
    with reopen(tmp_path) as vault:
        assert space_of(vault)._joined == 379
        assert nearest(space_of(vault)) == live


def test_a_snapshot_with_a_graph_opens_where_it_cannot_be_read(
    tmp_path: Path, graph: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create(tmp_path) as vault:
        vault.add_many(drafts(300, seed=1))
        vault.checkpoint()
        live = nearest(space_of(vault))
    for version in ("0.0.1", None):  # another one, and none
        monkeypatch.setattr(ann, "version", lambda version=version: version)
        with reopen(tmp_path) as vault:
            assert vault._session._snapshot
            assert space_of(vault)._graph is None
            if version is None:
                assert nearest(space_of(vault)) == live


def test_a_snapshot_without_a_graph_opens_where_there_would_be_one(tmp_path: Path, graph: None) -> None:
    with create(tmp_path) as vault:
        vault.add_many(drafts(190, seed=1))
        vault.checkpoint()
        vault.add_many(drafts(50, seed=2))
    with reopen(tmp_path) as vault:
        assert vault._session._snapshot
        assert space_of(vault).approximate
        assert len(nearest(space_of(vault))) == 30


def _drop_all(vault: Vault) -> object:
    from vault_core.store import Change

    return Change(drop_parts=vault._session.store.parts())


def _put(name: str, body: bytes) -> object:
    from vault_core.store import Change

    return Change(put_parts=[(name, body)])
