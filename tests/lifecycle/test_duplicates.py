"""Duplicates: the same content in one namespace is one memory, whoever adds it, at one moment or after reopening."""

import unicodedata
from collections import Counter
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support import vaults
from support.processes import Other
from vault_core import Draft
from vault_core.index.catalogue import Catalogue

DISTINCT, PROCESSES, EACH, AT_ONCE = 1_000, 4, 2_500, 125


def content(number: int, chance: Random) -> Any:
    """One of the distinct contents, in one of the forms in which it may come."""
    if number % 10 == 0:
        fields = [("number", number), ("drink", "café"), ("tags", ["hot", "später"])]
        return dict(chance.sample(fields, len(fields)))
    return unicodedata.normalize(chance.choice(["NFC", "NFD"]), f"Das Café Nummer {number} öffnet später")


def adds(seed: int) -> list[Any]:
    """10,000 contents in all: every process has all of the distinct ones, at least twice."""
    chance = Random(seed)
    numbers = [number for _ in range(EACH // DISTINCT) for number in range(DISTINCT)]
    numbers += chance.sample(range(DISTINCT), EACH - len(numbers))
    chance.shuffle(numbers)
    return [content(number, chance) for number in numbers]


def add_all(pipe: Connection, folder: Path, seed: int, at_once: int) -> None:
    with vaults.reopen(folder) as vault:
        mine = [Draft(content=one) for one in adds(seed)]
        pipe.send("open")
        pipe.recv()
        for start in range(0, len(mine), at_once):
            vault.add_many(mine[start : start + at_once])


def test_10_000_adds_of_1_000_contents_by_four_processes_are_1_000_memories(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    with ExitStack() as stack:
        others = [stack.enter_context(Other(add_all, tmp_path, seed, AT_ONCE)) for seed in range(PROCESSES)]
        assert [other.hear() for other in others] == ["open"] * PROCESSES
        for other in others:
            other.say("go")

    with vaults.reopen(tmp_path) as vault:
        assert vault.count() == DISTINCT
        trail = Counter(change.kind for change in vault.changes(since=2))
        assert trail["written"] == DISTINCT
        assert trail["refreshed"] >= PROCESSES * DISTINCT  # one for each batch that says it again, and more
        sessions = {memory.provenance["session"] for memory in vault.stream()}
        assert len(sessions) > 1  # more than one of them got through
        assert sum(memory.state.refreshed_at is not None for memory in vault.stream()) == DISTINCT
        vault.checkpoint()
    with vaults.reopen(tmp_path) as vault:
        vault.add_many([Draft(content=one) for one in adds(99)])
        assert vault.count() == vault.stats().memories == DISTINCT
        assert vault.verify(full=True).erased == 0


def add_one(pipe: Connection, folder: Path) -> None:
    with vaults.reopen(folder) as vault:
        pipe.send("open")
        while (text := pipe.recv()) != "end":
            pipe.send(vault.add(text).id)


def test_two_processes_that_add_the_same_at_one_moment_have_one_memory(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, Other(add_one, tmp_path) as one, Other(add_one, tmp_path) as other:
        assert (one.hear(), other.hear()) == ("open", "open")
        for number in range(30):
            one.say(f"note {number}")
            other.say(f"note {number}")
            assert one.hear() == other.hear()
        one.say("end")
        other.say("end")
        assert vault.count() == 30


def test_the_same_in_another_namespace_or_box_is_another_memory(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add_box("work")
        places: list[dict[str, Any]] = [
            {}, {"namespace": ("a",)}, {"namespace": ("a", "b")}, {"namespace": ("b",)}, {"box": "work"},
        ]  # fmt: skip
        ids = {vault.add("tea", **place).id for place in places for _ in range(2)}

        assert len(ids) == vault.count() == len(places)


def test_what_was_archived_superseded_or_forgotten_does_not_swallow_what_is_said_again(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        for what in ("archive", "forget"):
            first = vault.add("tea")
            getattr(vault, what)(first.id)
            assert vault.add("tea").id != first.id
        last = vault.add("tea")
        vault.add("milk now", supersedes=[last.id])
        assert vault.add("tea").id != last.id
        assert sorted(vaults.texts(vault)) == ["milk now", "tea"]


def test_looking_for_duplicates_only_in_the_own_batch_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catalogue, "same_content", lambda *_: {})
    with vaults.create(tmp_path) as vault:
        for start in range(0, 400, 100):
            vault.add_many([Draft(content=one) for one in adds(1)[start : start + 100]])

        assert vault.count() > len({memory.content_hash for memory in vault.stream()})


def test_the_same_content_in_another_slot_is_another_fact(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        alice = vault.add("Paris", slot=("alice", "city"))
        bob, carol = vault.add_many([Draft(content="Paris", slot=(name, "city")) for name in ("bob", "carol")])
        assert len({alice.id, bob.id, carol.id}) == 3
        assert vault.add("Paris", slot=("bob", "city")).id == bob.id
        assert vault.count() == 3


def test_the_same_content_that_supersedes_something_does_so(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        tea = vault.add("Tea, please")
        vault.add("No")
        vault.add("No", supersedes=[tea.id])
        assert "Tea, please" not in vaults.texts(vault)


def test_what_is_said_again_is_kept_for_as_long_as_either_asks(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        memory = vault.add("The code is 42", memory_type="WORKING")
        assert vault.add("The code is 42", expires_at="2099-01-01", origin="web").expires_at == memory.expires_at
        assert vault.add("The code is 42", memory_type="SEMANTIC").id == memory.id
        assert vault.get(memory.id).expires_at is None
        vault.add("The code is 42", memory_type="WORKING")
        assert vault.get(memory.id).expires_at is None
