"""Forgetting: with all the keys in hand, nothing that the store holds decrypts to a trace of what was forgotten."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import vaults
from support.copies import storage
from support.opened import plaintexts
from support.processes import Other
from vault_core import Draft, Memory, MemoryNotFoundError, Vault
from vault_core.lifecycle import Batch
from vault_core.memory.canonical import content_hash
from vault_core.session import Session

VECTOR = np.array([0.5, -0.5, 0.5, -0.5, *[0] * 12], np.float32)  # of length 1 to the last bit: no index changes it
TEXT = "Zxqvjwalpha met the zxqvjwbetas at zxqvjwgamma"
TOLD = {  # what could be left of one memory, and as what it would be found
    "text": b"zxqvjwalpha",
    "a word of it, as its stem": b"zxqvjwbeta",
    "metadata key": b"zxqvjwkey",
    "metadata": b"zxqvjwvalue",
    "tag": b"zxqvjwtag",
    "reason": b"zxqvjwreason",
    "subject": b"zxqvjwsubject",
    "attribute": b"zxqvjwattribute",
    "namespace": b"zxqvjwnamespace",
    "id": b"zxqvjwid",
    "thread": b"zxqvjwthread",
    "source": b"zxqvjwsource",
    "type": b"zxqvjwtype",
    "data class": b"zxqvjwclass",
    "sensitivity": b"zxqvjwsecret",
    "what it superseded": b"zxqvjwolder",
    "words it was searched by": b"zxqvjwsearched",
    "earlier version": b"zxqvjwearlier",
    "composite": b"zxqvjwsummary",
    "vector": VECTOR[:4].tobytes(),
    "content hash": content_hash(TEXT),
}
HALF = {"vector, 2 bytes a number": VECTOR[:6].astype("<f2").tobytes()}
FIELDS: dict[str, Any] = {
    "id": "zxqvjwid",
    "namespace": ("zxqvjwnamespace",),
    "tags": ["zxqvjwtag"],
    "metadata": {"zxqvjwkey": "zxqvjwvalue"},
    "reason": "zxqvjwreason",
    "slot": ("zxqvjwsubject", "zxqvjwattribute"),
    "thread": "zxqvjwthread",
    "source": "zxqvjwsource",
    "memory_type": "zxqvjwtype",
    "data_class": "zxqvjwclass",
    "sensitivity": "zxqvjwsecret",
    "supersedes": ["zxqvjwolder"],
    "index": {"field": f"{TEXT} zxqvjwsearched"},
    "vector": VECTOR,
}
WHERE = {"namespace": ("zxqvjwnamespace",)}


def fill(vault: Vault) -> Memory:
    """A vault with other memories, and one whose every field can be recognised."""
    others = np.random.default_rng(6).standard_normal((40, 16)).astype(np.float32)
    vault.add_many([Draft(content=f"note {number}", vector=row) for number, row in enumerate(others)])
    vault.add("Zxqvjwearlier said something else", **{**FIELDS, "index": True})
    memory = vault.add(TEXT, **FIELDS)
    vault.add(
        "Zxqvjwsummary of many",
        id="sum",
        tier="COMPOSITE",
        metadata={"atoms": ["zxqvjwid"]},
        namespace=WHERE["namespace"],
    )
    vault.touch(["zxqvjwid"], **WHERE)
    vault.pin("zxqvjwid", **WHERE)
    vault.search("zxqvjwbeta", query_vector=VECTOR)
    vault.checkpoint()
    return memory


def traces(folder: Path) -> dict[str, set[str]]:
    """What is found of the memory, by where."""
    found = {}
    for where, texts in plaintexts(folder).items():
        lowered = [text.lower() for text in texts]
        told = {name for name, needle in TOLD.items() if any(needle in text for text in (*texts, *lowered))}
        told |= {name for name, needle in HALF.items() if any(needle in text for text in texts)}
        if where != "files":  # in so much that is sealed even six letters may be there by chance
            told |= {"a word of ours"} if any(b"zxqvjw" in text for text in lowered) else set()
        found[where] = told
    return found


NOTHING: dict[str, set[str]] = {"log": set(), "header": set(), "parts": set(), "files": set()}

WAYS: dict[str, Callable[[Vault], Any]] = {
    "by id": lambda vault: vault.forget("zxqvjwid", **WHERE),
    "by filter": lambda vault: vault.forget_many(filter={"tags": {"$all": ["zxqvjwtag"]}}),
    "by namespace": lambda vault: vault.forget_many(**WHERE),
    "in a transaction": lambda vault: vault.transact(lambda tx: tx.forget("zxqvjwid", **WHERE)),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_forgotten_memory_is_left(tmp_path: Path, way: str) -> None:
    with vaults.create(tmp_path) as vault:
        fill(vault)
        ciphertexts = bodies(tmp_path, 2)  # the earlier version and the last one
        WAYS[way](vault)
        assert traces(tmp_path) == NOTHING

        vault.checkpoint()
        assert traces(tmp_path) == NOTHING
    with vaults.reopen(tmp_path) as vault:
        vault.verify(full=True)
        vault.checkpoint()
        assert vault.count() == 40
    found = plaintexts(tmp_path)
    assert traces(tmp_path) == NOTHING
    assert len(found["parts"]) >= 5
    raw = b"".join(found["files"])
    pieces = [body[at : at + 32] for body in ciphertexts for at in range(0, len(body) - 32, 32)]
    assert len(pieces) > 20
    assert not [piece for piece in pieces if piece in raw]


def bodies(folder: Path, last: int) -> list[bytes]:
    """The sealed records of what `fill` wrote last, without the composite."""
    with storage() as side:
        rows = side.rows(folder / vaults.NAME, "SELECT body FROM record ORDER BY address DESC LIMIT ?", last + 1)
    return [body for (body,) in rows[1:] if isinstance(body, bytes)]


def test_an_archived_memory_is_found_by_the_same_search(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        fill(vault)
        ciphertexts = bodies(tmp_path, 2)
        vault.archive("zxqvjwid", **WHERE)
        vault.checkpoint()
    found = traces(tmp_path)

    assert found["log"] == {*TOLD, "a word of ours"}
    assert found["parts"] >= {*TOLD} - {"reason"}  # which no query asks for
    assert found["header"] == found["files"] == set()  # all of it is sealed
    assert all(body[40:72] in b"".join(plaintexts(tmp_path)["files"]) for body in ciphertexts)


def test_an_update_without_history_leaves_nothing_of_what_was_there(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        fill(vault)
        vault.add("tea", id="zxqvjwid", namespace=WHERE["namespace"], keep_history=False)
        vault.checkpoint()
    kept = {"id", "namespace", "a word of ours"}

    assert traces(tmp_path) == NOTHING | {"log": kept, "parts": kept}


def test_nothing_of_an_item_is_left_that_was_overwritten_or_deleted(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        items = vault.items("chat")
        for key, value in (("zxqvjwid", b"zxqvjwalpha"), ("kept", b"zxqvjwbeta")):
            items.put(key, value, {"zxqvjwkey": "zxqvjwvalue"})
        vault.checkpoint()
        assert traces(tmp_path)["parts"] == {"id", "metadata key", "metadata", "a word of ours"}
        items.put("kept", b"tea")
        items.delete("zxqvjwid")
        assert traces(tmp_path) == NOTHING
        vault.checkpoint()
    assert traces(tmp_path) == NOTHING


# another process


def stay_behind(pipe: Connection, folder: Path) -> None:
    """Has read everything, and writes a snapshot without asking what happened since."""
    with vaults.reopen(folder) as vault:
        vault.add_many(Draft(content=f"word{number}") for number in range(600))
        assert vault.search("zxqvjwbeta")
        pipe.send("behind")
        if pipe.recv() == "checkpoint":
            vault.checkpoint()
    pipe.send("closed")


@pytest.mark.parametrize("end", ["checkpoint", "close"])
def test_a_process_that_is_behind_brings_nothing_back(tmp_path: Path, end: str) -> None:
    with vaults.create(tmp_path) as vault:
        fill(vault)
        with Other(stay_behind, tmp_path) as other:
            other.hear()
            vault.forget("zxqvjwid", **WHERE)
            assert other.ask(end) == "closed"
        found = plaintexts(tmp_path)

        assert any(b"word599" in text for text in found["parts"])  # it did write one
        assert traces(tmp_path) == NOTHING
        assert vault.search("zxqvjwbeta") == []


def read_slowly(pipe: Connection, path: Path) -> None:
    """A reader that keeps the state it has seen, as a backup does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM record").fetchone()
        pipe.send("reading")
        pipe.recv()


def test_the_receipt_says_when_a_reader_kept_the_journal_and_the_next_session_finishes(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        fill(vault)
        ciphertexts = bodies(tmp_path, 2)
        with Other(read_slowly, tmp_path / vaults.NAME) as reader:
            reader.hear()
            receipt = vault.forget("zxqvjwid", **WHERE)
            assert not receipt.purged
            assert vault.search("zxqvjwbeta") == []
            with storage() as side:
                assert ciphertexts[0][40:72] in side.bytes_of(tmp_path / vaults.NAME)
            reader.say("enough")
    vaults.reopen(tmp_path).close()

    raw = b"".join(plaintexts(tmp_path)["files"])
    assert not [body for body in ciphertexts if body[40:72] in raw]
    assert traces(tmp_path) == NOTHING


def test_the_receipt_says_how_many_when_and_where_in_the_log(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        fill(vault)
        preview = vault.forget("zxqvjwid", **WHERE, dry_run=True)
        assert vault.get("zxqvjwid", **WHERE).text == TEXT
        receipt = vault.forget("zxqvjwid", **WHERE)

        assert (preview.memories, preview.versions, preview.seq, preview.time) == (1, 2, None, None)
        assert (receipt.memories, receipt.versions, list(receipt.ids)) == (1, 2, ["zxqvjwid"])
        assert (list(receipt.stale), receipt.purged, receipt.dry_run) == (["sum"], True, False)
        assert receipt.seq == vault.stats().commits == vault.verify().commits
        assert receipt.time is not None
        assert receipt.time > vault.list()[0].updated_at
        with pytest.raises(MemoryNotFoundError):
            vault.history("zxqvjwid", **WHERE)
        with pytest.raises(MemoryNotFoundError):
            vault.forget("zxqvjwid", **WHERE)


# what the harness must find


def test_a_composite_that_outlives_its_atom_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "_erase_summaries", lambda *_: None)
    with vaults.create(tmp_path) as vault:
        fill(vault)
        vault.forget("zxqvjwid", **WHERE)
    found = traces(tmp_path)["log"]

    assert {"composite", "id"} <= found
    assert "text" not in found


def test_a_snapshot_that_outlives_an_erasure_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "_with_drops", lambda _, plan: plan)
    with vaults.create(tmp_path) as vault:
        fill(vault)
        vault.forget("zxqvjwid", **WHERE)
        found = traces(tmp_path)

    assert found["log"] == set()
    assert {"text", "vector", "metadata", "composite"} <= found["parts"]
