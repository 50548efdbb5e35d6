"""Embedding again: what is left of the old vectors, what stays of everything else, and how it goes on after a stop."""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reader import read_vault
from support import vaults
from support.embedders import Fragile
from vault_core import (
    Draft,
    EmbedderMismatchError,
    EmbedderUnavailableWarning,
    InvalidInputError,
    Memory,
    SqliteStore,
    UnavailableError,
    Vault,
)
from vault_core.testing import Crashed, Fault, FaultyStore

SMALL, LARGE = Fragile("small", 16), Fragile("large", 24)
EVERYTHING: dict[str, Any] = {"include_superseded": True, "include_expired": True, "include_archived": True}


def filled(folder: Path) -> None:
    """A vault of every kind of memory, embedded by `small`."""
    with vaults.create(folder, embedder=Fragile("small", 16)) as vault:
        vault.add_many([Draft(content=f"note {n} about tea", id=f"n{n}", thread="t") for n in range(10)])
        vault.add("I live in Bern", slot=("user", "city"), id="old-city")
        vault.add("I live in Basel", slot=("user", "city"), id="new-city")
        vault.update("n3", content="note 3 about coffee", reason="changed my mind")
        vault.update("n3", tags=["hot"], importance=0.5)
        vault.add("kept out of search", id="hidden", index=False, vector=SMALL.inner.embed_query("hidden"))
        vault.add("found by other words", id="indexed", index={"title": "kettle", "body": "samovar"})
        vault.add({"cups": 2}, id="json", vectors={"image": [1.0, 0.0]})
        vault.pin("n1")
        vault.archive("n2")
        vault.touch(["n4"], expires_at="2000-01-01T00:00:00Z")
        vault.add_box("work")
        vault.add("a memory of the other box", id="w", box="work")


def told(memory: Memory) -> tuple[object, ...]:
    """Everything about a memory but its address, its vectors in the default space, and how often it was found."""
    others = {
        name: {f: v.tolist() for f, v in own.items()} for name, own in memory.vectors.items() if name != "default"
    }
    return (
        memory.box, memory.namespace, memory.id, memory.content, memory.tags, memory.importance, memory.index,
        memory.thread, memory.position, memory.created_at, memory.updated_at, memory.expires_at, memory.reason,
        tuple(memory.provenance.items()), replace(memory.state, uses=0, used_at=None), memory.slot, str(others),
    )  # fmt: skip


def everything(vault: Vault) -> dict[str, object]:
    """All that queries show, beside vectors."""
    memories = list(vault.stream(**EVERYTHING))
    return {
        "memories": sorted(map(told, memories), key=str),
        "histories": {(one.box, one.id): [told(old) for old in vault.history(one.id, box=one.box)] for one in memories},
        "listed": [one.id for one in vault.list(limit=None)],
        "current": sorted(one.id for one in vault.list(limit=None)),
        "lexical": [hit.memory.id for hit in vault.search("note about tea kettle samovar", mode="lexical", top_k=50)],
    }


def spaces_of(vault: Vault) -> dict[str, tuple[int, str]]:
    return {name: (space.dimension, space.fingerprint) for name, space in vault.stats().spaces.items()}


def test_another_embedder_takes_the_vault_over_and_nothing_else_changes(tmp_path: Path) -> None:
    filled(tmp_path)
    seen: list[tuple[int, int]] = []
    with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as vault:
        before = everything(vault)
        with pytest.raises(EmbedderMismatchError, match="strongroom reembed"):
            vault.search("tea")

        done = vault.reembed(progress=lambda at, total: seen.append((at, total)), batch_size=4)

        assert everything(vault) == before
        assert spaces_of(vault)["default"] == (24, "large")
        assert (done.memories, done.spaces, done.purged) == (15, 2, True)
        assert seen[-1] == (16, 16)
        assert seen == sorted(seen)
        for one in vault.stream(**EVERYTHING):
            assert ("default" in one.vectors) is (one.id != "hidden")
        assert vault.find_similar(LARGE.embed_query("note 3 about coffee"), top_k=1)[0].memory.id == "n3"
        assert vault.verify(full=True)
    with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as vault:
        assert everything(vault) == before
        assert vault.reembed().memories == 0


def test_the_independent_reader_reads_a_vault_that_was_embedded_again(tmp_path: Path) -> None:
    filled(tmp_path)
    with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as vault:
        vault.reembed(batch_size=3)

    read = read_vault(tmp_path / vaults.NAME, secret=vaults.key_in(tmp_path).path.read_text().strip())

    of_spaces = {(box, name): (one.fields["dim"], one.fields["fp"]) for (box, name), one in read.spaces.items()}
    assert of_spaces[("main", "default")] == of_spaces[("work", "default")] == (24, "large")
    for memory in read.memories.values():
        for version in (memory.current, *memory.older):
            sizes = {len(vector) for vector in version.fields.get("v", {}).get("default", {}).values()}
            assert sizes <= {24 * 4}


def test_no_record_keeps_an_old_vector(tmp_path: Path) -> None:
    filled(tmp_path)
    with vaults.reopen(tmp_path) as vault, vault._session.reading() as session:
        boxes = session.keyring.boxes
        before = {number for box in boxes for number, _ in session.index(box).catalogue.live_addresses()}
    with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as vault:
        vault.reembed()
        with vault._session.reading() as session:
            boxes = session.keyring.boxes
            live = {number for box in boxes for number, _ in session.index(box).catalogue.live_addresses()}
            left = session.store.records(before - live)

    assert len(before & live) == 1  # the space `image`
    assert all(not any(body) for body in left.values())


@pytest.mark.parametrize("texts", [0, 1, 3, 7, 12])
def test_interrupted_it_is_whole_and_goes_on_where_it_was(tmp_path: Path, texts: int) -> None:
    filled(tmp_path)
    broken = Fragile("large", 24, left=texts)
    with vaults.reopen(tmp_path, embedder=broken) as vault:
        before = everything(vault)
        with pytest.raises(UnavailableError):
            vault.reembed(batch_size=2)
        assert everything(vault) == before
    with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as vault:
        assert everything(vault) == before
        embedder = vault._embedder
        vault.reembed(batch_size=2)

        assert everything(vault) == before
        assert all("default" in one.vectors for one in vault.stream(**EVERYTHING) if one.id != "hidden")
        assert isinstance(embedder, Fragile)
        assert len(embedder.asked) <= 18 - texts // 2 * 2 + 2  # what was done is not done again
        assert vault.verify(full=True)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
def test_a_store_that_fails_at_any_write_loses_nothing_and_reembed_goes_on(tmp_path: Path, fault: Fault) -> None:
    filled(tmp_path)
    with vaults.reopen(tmp_path) as vault:
        before = everything(vault)
    number = 0
    while True:
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path, folder, ignore=lambda _, names: [name for name in names if name.isdigit()])
        store = FaultyStore(SqliteStore(folder / vaults.NAME))
        broken = Vault.open(store, unlock=vaults.key_in(tmp_path), embedder=Fragile("large", 24), accept_rollback=True)
        store.fail(fault, at=number)
        with suppress(UnavailableError, Crashed):
            broken.reembed(batch_size=4)
        store.inner.close()
        with Vault.open(
            folder / vaults.NAME, unlock=vaults.key_in(tmp_path), embedder=Fragile("large", 24), accept_rollback=True
        ) as vault:
            assert everything(vault) == before
            vault.reembed()
            assert everything(vault) == before
            assert all("default" in one.vectors for one in vault.stream(**EVERYTHING) if one.id != "hidden")
            assert vault.verify(full=True)
        if store.armed:  # there is no further write
            break
        number += 1
    assert number == 6  # five batches in two boxes, and the purge


def test_between_two_batches_only_new_vectors_are_compared(tmp_path: Path) -> None:
    with vaults.create(tmp_path, embedder=Fragile("small", 16)) as vault:
        vault.add_many([Draft(content=f"note {n}", id=f"n{n}") for n in range(6)])
    found: list[set[str]] = []
    with vaults.reopen(tmp_path, embedder=Fragile("large", 16)) as vault, vaults.reopen(tmp_path) as other:

        def look(done: int, _: int) -> None:
            query = LARGE.inner.embed_query("note")[:16]
            for session in (vault, other):
                near = {hit.memory.id for hit in session.find_similar(query, top_k=10)}
                assert near == {f"n{n}" for n in range(done)}
            with vaults.reopen(tmp_path) as late:
                found.append({hit.memory.id for hit in late.find_similar(query, top_k=10)})
                assert len(late.search("note", mode="lexical")) == 6

        vault.reembed(progress=look, batch_size=2)

    assert [len(ids) for ids in found] == [2, 4, 6]


def test_the_answers_are_the_same_live_from_a_snapshot_and_from_a_replay(tmp_path: Path) -> None:
    filled(tmp_path)

    def answers(vault: Vault) -> object:
        hits = vault.search("note about coffee", top_k=20, explain=True)
        return everything(vault), [(hit.memory.id, round(hit.score, 5)) for hit in hits]

    with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as vault:
        vault.checkpoint()
        vault.reembed(batch_size=4)
        live = answers(vault)
        with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as replayed:
            assert answers(replayed) == live
        vault.checkpoint()
        with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as from_snapshot:
            assert from_snapshot._session._snapshot
            assert answers(from_snapshot) == live


def test_a_space_without_memories_is_declared_anew_too(tmp_path: Path) -> None:
    with vaults.create(tmp_path, embedder=Fragile("small", 16)) as vault:
        vault.add("tea", id="tea")
        vault.checkpoint()
        vault.forget("tea")
    with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as vault:
        vault.checkpoint()
        assert vault.reembed().spaces == 1
        vault.add("tea")
        vault.checkpoint()
    with vaults.reopen(tmp_path, embedder=Fragile("large", 24)) as vault:
        assert vault.search("tea", mode="dense")[0].score == pytest.approx(1.0, abs=1e-5)


def test_a_snapshot_between_two_batches_keeps_no_vectors_of_before(tmp_path: Path) -> None:
    with vaults.create(tmp_path, embedder=Fragile("small", 16)) as vault:
        vault.add("first, and kept out of search", index=False)
        vault.add_many([Draft(content=f"note {n}", id=f"n{n}") for n in range(5)])
    large = Fragile("large", 16)
    with vaults.reopen(tmp_path, embedder=large) as vault:
        vault.checkpoint()

        def stop(_: int, __: int) -> None:
            vault.add("a new one", id="new")
            vault.checkpoint()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):  # after a batch that only declared the space anew
            vault.reembed(batch_size=1, progress=stop)
    with vaults.reopen(tmp_path) as vault:
        assert vault._session._snapshot
        assert [hit.memory.id for hit in vault.find_similar(large.embed_query("note 1"))] == ["new"]


def test_two_takeovers_are_followed_by_a_session_that_slept(tmp_path: Path) -> None:
    filled(tmp_path)
    with vaults.reopen(tmp_path) as sleeper:
        for embedder in (Fragile("large", 24), Fragile("third", 8)):
            with vaults.reopen(tmp_path, embedder=embedder) as vault:
                vault.reembed(batch_size=5)
        assert spaces_of(sleeper)["default"] == (8, "third")
        assert len(sleeper.find_similar(Fragile("third", 8).embed_query("note"), top_k=50)) == 12
        assert sleeper.verify(full=True)


def test_the_session_with_the_old_embedder_is_told(tmp_path: Path) -> None:
    filled(tmp_path)
    with vaults.reopen(tmp_path, embedder=Fragile("small", 16)) as old:
        assert old.search("tea")
        with vaults.reopen(tmp_path, embedder=Fragile("large", 16)) as vault:
            vault.reembed()
        with pytest.raises(EmbedderMismatchError, match="large"):
            old.search("tea")
        with pytest.raises(EmbedderMismatchError):
            old.add("more tea")
        assert old.search("tea", mode="lexical")


def test_a_memory_that_changes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add_many([Draft(content=f"note {n}", id=f"n{n}") for n in range(4)])

    class Meddling(Fragile):
        def embed_documents(self, texts: Any) -> Any:
            if not self.asked:
                other.update("n1", content="other words")
                other.pin("n0")
                other.forget("n2")
            return super().embed_documents(texts)

    with vaults.reopen(tmp_path) as other, vaults.reopen(tmp_path, embedder=Meddling("small", 16)) as vault:
        vault.reembed()

        assert [one.text for one in vault.history("n1")] == ["note 1", "other words"]
        assert vault.get("n0").state.pinned
        assert vault.count() == 3
        assert all("default" in one.vectors for one in vault.list())
        assert vault.verify(full=True)


def test_an_earlier_version_that_is_restored_has_vectors_that_count(tmp_path: Path) -> None:
    with vaults.create(tmp_path, embedder=Fragile("small", 16)) as vault:
        vault.add("tea", id="drink")
        vault.update("drink", content="coffee")
    embedder = Fragile("large", 24)
    with vaults.reopen(tmp_path, embedder=embedder) as vault:
        vault.reembed()
        first = vault.history("drink")[0]
        vault.restore("drink", first.version)

        (hit,) = vault.find_similar(embedder.embed_query("tea"))
        assert hit.score == pytest.approx(1.0, abs=1e-5)


def test_a_vector_that_stopped_counting_never_comes_back(tmp_path: Path) -> None:
    with vaults.create(tmp_path, embedder=Fragile("small", 16)) as vault:
        vault.add("tea", id="drink")
        vault.add("cup", id="cup")
    with vaults.reopen(tmp_path, embedder=Fragile("large", 16, left=1)) as vault:
        with pytest.raises(UnavailableError):
            vault.reembed(batch_size=1)
        assert vault.get("cup").vectors == {}
        vault.update("cup", tags=["blue"])
        assert vault.get("cup").vectors == {}
        assert vault.find_similar([1.0] * 16, top_k=10)[0].memory.id == "drink"


def test_memories_without_vectors_are_caught_up_and_no_others_are_touched(tmp_path: Path) -> None:
    embedder = Fragile("small", 16)
    with vaults.create(tmp_path, embedder=embedder) as vault:
        vault.add("tea", id="with")
        embedder.down = True
        with pytest.warns(EmbedderUnavailableWarning):
            vault.add("coffee", id="without")
        embedder.down = False
        version = vault.get("with").version

        done = vault.reembed()

        assert (done.memories, done.vectors, done.spaces) == (1, 1, 0)
        assert vault.get("with").version == version
        assert vault.search("coffee", mode="dense")[0].memory.id == "without"


def test_only_the_boxes_that_are_named_are_embedded(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add_box("work")
        vault.add("tea", id="tea")
        vault.add("memo", id="memo", box="work")
    with vaults.reopen(tmp_path, embedder=Fragile("small", 16)) as vault:
        assert vault.reembed(box="work").memories == 1
        assert vault.get("tea").vectors == {}
        assert vault.reembed().memories == 1


@pytest.mark.parametrize("size", [0, -1, 10_001, 1.5, True, "2"])
def test_a_batch_size_that_is_none_is_refused(tmp_path: Path, size: Any) -> None:
    with vaults.create(tmp_path, embedder=Fragile("small", 16)) as vault, pytest.raises(InvalidInputError):
        vault.reembed(batch_size=size)


def test_without_an_embedder_it_says_so(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, pytest.raises(InvalidInputError, match="embedder"):
        vault.reembed()
