"""Random work through several sessions, compared after every step with a plain dictionary that does the same."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support import FULL, vaults
from vault_core import Draft, Memory, Transaction, Vault
from vault_core.testing import FakeClock

SEEDS, STEPS = (100, 300) if FULL else (10, 150)
PLACES = [("main", ()), ("main", ("alice",)), ("main", ("alice", "work")), ("work", ("alice",))]
Place = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Version:
    """What a version says."""

    text: str
    tags: tuple[str, ...] = ()
    created: datetime | None = None


@dataclass
class Expected:
    """A memory as it should be."""

    versions: list[Version]
    archived: bool = False
    pinned: bool = False
    confirmed: datetime | None = None  # uses are counted by searches too, roughly: not compared here
    expires: datetime | None = None


@dataclass
class World:
    """Everything as it should be, and how it is changed. Each step changes the vault and this in the same way."""

    chance: random.Random
    clock: FakeClock
    key: Any
    memories: dict[tuple[Place, str], Expected] = field(default_factory=dict)
    items: dict[tuple[str, str], bytes] = field(default_factory=dict)
    words: int = 0

    def text(self) -> str:
        """Something to say: mostly new, sometimes what was said before."""
        if self.memories and self.chance.random() < 0.2:
            return self.chance.choice(list(self.memories.values())).versions[-1].text
        self.words += 1
        return f"word{self.words} about tea"

    def place(self) -> Place:
        return self.chance.choice(PLACES)

    def one(self) -> tuple[tuple[Place, str], Expected] | None:
        return self.chance.choice(list(self.memories.items())) if self.memories else None

    def visible(self, expected: Expected) -> bool:
        expired = expected.expires is not None and expected.expires <= self.clock.now
        return not expected.archived and not expired

    def added(self, place: Place, text: str, memory: Memory) -> None:
        """An add without id gave this: a memory that said the same, if there was one, else a new one."""
        same = {
            id_
            for (where, id_), expected in self.memories.items()
            if where == place and expected.versions[-1].text == text and self.visible(expected)
        }
        assert memory.id in same if same else (place, memory.id) not in self.memories
        if not same:
            self.memories[place, memory.id] = Expected([Version(text, created=self.clock.now)])
        elif memory.state.refreshed_at is not None:  # not what this very batch has written
            self.memories[place, memory.id].confirmed = self.clock.now

    # steps

    def add(self, vault: Vault) -> None:
        (box, namespace), text = place, _ = self.place(), self.text()
        self.added(place, text, vault.add(text, box=box, namespace=namespace))

    def add_many(self, vault: Vault) -> None:
        box, namespace = place = self.place()
        texts = [self.text() for _ in range(self.chance.randrange(1, 6))]
        memories = vault.add_many([Draft(content=text, namespace=namespace) for text in texts], box=box)
        for text, memory in zip(texts, memories, strict=True):
            self.added(place, text, memory)

    def upsert(self, vault: Vault) -> None:
        (box, namespace), text = place, _ = self.place(), self.text()
        id_, keep = f"fixed{self.chance.randrange(3)}", self.chance.random() < 0.6
        vault.add(text, id=id_, box=box, namespace=namespace, keep_history=keep)
        before = self.memories.get((place, id_))
        if before is None:
            self.memories[place, id_] = Expected([Version(text, created=self.clock.now)])
        else:
            version = Version(text, created=before.versions[-1].created)
            before.versions = [*before.versions, version] if keep else [version]
            before.expires = None

    def update(self, vault: Vault) -> None:
        if (found := self.one()) is None:
            return
        ((box, namespace), id_), expected = found
        fields: dict[str, Any] = {"tags": (f"tag{self.chance.randrange(9)}",)}
        if self.chance.random() < 0.5:
            fields["content"] = self.text()
        keep = self.chance.random() < 0.7
        vault.update(id_, box=box, namespace=namespace, keep_history=keep, **fields)
        last = expected.versions[-1]
        version = replace(last, tags=fields["tags"], text=fields.get("content", last.text))
        expected.versions = [*expected.versions, version] if keep else [version]

    def restore(self, vault: Vault) -> None:
        if (found := self.one()) is None:
            return
        ((box, namespace), id_), expected = found
        number = self.chance.randrange(len(expected.versions))
        version = vault.history(id_, box=box, namespace=namespace)[number]
        vault.restore(id_, version.version, box=box, namespace=namespace)
        expected.versions.append(expected.versions[number])
        expected.expires = version.expires_at

    def forget(self, vault: Vault) -> None:
        if (found := self.one()) is None:
            return
        ((box, namespace), id_), _ = found
        vault.forget(id_, box=box, namespace=namespace)
        del self.memories[(box, namespace), id_]

    def mark(self, vault: Vault) -> None:
        if (found := self.one()) is None:
            return
        ((box, namespace), id_), expected = found
        undo = self.chance.random() < 0.5
        if self.chance.random() < 0.5:
            vault.archive(id_, box=box, namespace=namespace, undo=undo)
            expected.archived = not undo
        else:
            vault.pin(id_, box=box, namespace=namespace, undo=undo)
            expected.pinned = not undo

    def touch(self, vault: Vault) -> None:
        if (found := self.one()) is None:
            return
        ((box, namespace), id_), expected = found
        expires = self.chance.choice([None, self.clock.now + timedelta(days=self.chance.choice([-1, 1, 3]))])
        vault.touch([id_], box=box, namespace=namespace, expires_at=expires)
        expected.confirmed, expected.expires = self.clock.now, expires

    def put(self, vault: Vault) -> None:
        rows = [(f"row{self.chance.randrange(6)}", self.chance.randbytes(20)) for _ in range(3)]
        vault.items("chat").put_many(rows)
        self.items.update({("chat", key): value for key, value in rows})

    def delete(self, vault: Vault) -> None:
        keys = {f"row{self.chance.randrange(6)}" for _ in range(2)}
        assert vault.items("chat").delete_many(keys) == len(keys & {key for _, key in self.items})
        for key in keys:
            self.items.pop(("chat", key), None)

    def transact(self, vault: Vault) -> None:
        box, namespace = place = self.place()
        first, second, value = self.text(), self.text(), self.chance.randbytes(20)
        id_ = f"both{self.chance.randrange(2)}"

        def work(tx: Transaction) -> None:
            tx.add(first, id=id_, namespace=namespace)
            tx.update(id_, namespace=namespace, content=second)
            tx.put_item("both", "row", value)

        vault.transact(work, box=box)
        before = self.memories.get((place, id_), Expected([]))
        created = before.versions[-1].created if before.versions else self.clock.now
        before.versions += [Version(first, created=created), Version(second, created=created)]
        before.expires = None
        self.memories[place, id_] = before
        if box == "main":
            self.items["both", "row"] = value

    def rest(self, _: Vault) -> None:
        self.clock.advance(hours=self.chance.choice([1, 12, 48]))

    def checkpoint(self, vault: Vault) -> None:
        vault.checkpoint()

    def rotate(self, vault: Vault) -> None:
        vault.rotate(self.key)

    def step(self, vault: Vault) -> None:
        steps: list[Callable[[Vault], None]] = [
            self.add, self.add, self.add_many, self.upsert, self.upsert, self.update, self.update, self.restore,
            self.forget, self.mark, self.touch, self.put, self.delete, self.transact, self.rest, self.checkpoint,
            self.rotate,
        ]  # fmt: skip
        self.chance.choice(steps)(vault)

    # comparing

    def check(self, vault: Vault) -> None:
        """The whole vault, by lists, counts and items."""
        listed = vault.list(limit=None, include_archived=True, include_expired=True)
        assert {((memory.box, memory.namespace), memory.id): memory_of(memory) for memory in listed} == {
            key: expected_of(expected) for key, expected in self.memories.items()
        }
        visible = [expected for expected in self.memories.values() if self.visible(expected)]
        assert vault.count() == len(visible)
        assert {item.key: item.value for item in vault.items("chat").scan()} == self.rows("chat")
        assert {item.key: item.value for item in vault.items("both").scan()} == self.rows("both")

    def look_closely(self, vault: Vault) -> None:
        """One memory, by its id, its history and its words."""
        if (found := self.one()) is None:
            return
        ((box, namespace), id_), expected = found
        assert memory_of(vault.get(id_, box=box, namespace=namespace)) == expected_of(expected)
        history = vault.history(id_, box=box, namespace=namespace)
        assert [(one.text, one.tags) for one in history] == [(one.text, one.tags) for one in expected.versions]
        word = expected.versions[-1].text.split()[0]
        hits = vault.search(word, box=box, namespace=namespace, exact=True, top_k=1_000, cut=False)
        assert {hit.memory.id for hit in hits} == {
            other for (place, other), one in self.memories.items()
            if place == (box, namespace) and self.visible(one) and one.versions[-1].text.split()[0] == word
        }  # fmt: skip

    def rows(self, collection: str) -> dict[str, bytes]:
        return {key: value for (of, key), value in self.items.items() if of == collection}


def memory_of(memory: Memory) -> tuple[object, ...]:
    state = memory.state
    return (
        memory.text,
        memory.tags,
        memory.created_at,
        state.archived,
        state.pinned,
        state.refreshed_at,
        memory.expires_at,
    )


def expected_of(expected: Expected) -> tuple[object, ...]:
    last = expected.versions[-1]
    return (
        last.text, last.tags, last.created, expected.archived, expected.pinned, expected.confirmed, expected.expires,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_work_through_two_sessions_gives_what_a_dictionary_gives(tmp_path: Path, seed: int) -> None:
    clock = FakeClock()
    world = World(random.Random(seed), clock, vaults.key_in(tmp_path))
    with vaults.create(tmp_path) as one, vaults.reopen(tmp_path) as other:
        one.add_box("work")
        sessions = [clock.drive(one), clock.drive(other)]
        for number in range(STEPS):
            world.chance.shuffle(sessions)
            world.step(sessions[0])
            world.check(sessions[number % 2])
            world.look_closely(sessions[0])
            if number % 25 == 24:
                with vaults.reopen(tmp_path) as fresh:
                    world.check(clock.drive(fresh))
                    world.look_closely(fresh)
                sessions[0].verify(full=True)


@pytest.mark.parametrize("mistake", ["an item kept", "a memory lost", "a confirmation lost"])
def test_the_comparison_finds_a_mistake(tmp_path: Path, mistake: str) -> None:
    world = World(random.Random(1), FakeClock(), vaults.key_in(tmp_path))
    with vaults.create(tmp_path) as vault:
        world.clock.drive(vault)
        world.put(vault)
        world.add(vault)
        world.check(vault)
        if mistake == "an item kept":
            world.items.popitem()
        elif mistake == "a memory lost":
            world.memories.popitem()
        else:
            next(iter(world.memories.values())).confirmed = world.clock.now

        with pytest.raises(AssertionError):
            world.check(vault)
