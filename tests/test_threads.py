"""Sixteen threads on one vault: each sees its own writes, nothing is lost, and the index is that of the log."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import vaults
from support.processes import Other
from test_many_processes import add_one_by_one
from vault_core import Draft, MemoryNotFoundError, SessionStateError, Vault

THREADS = 16
STEPS = 25  # of each thread


class Person:
    """What one thread does, and what it must find afterwards. Each has a namespace and a collection of its own."""

    def __init__(self, vault: Vault, number: int, start: threading.Barrier) -> None:
        self.vault, self.name, self.chance = vault, f"person{number}", random.Random(number)
        self.start, self.step = start, 0
        self.memories: dict[str, str] = {}
        self.rows: dict[str, bytes] = {}

    @property
    def namespace(self) -> tuple[str, ...]:
        return (self.name,)

    def live(self) -> None:
        """Take random steps, looking after each whether the world is as it should be."""
        steps: list[Callable[[], None]] = [
            self.add, self.add, self.add_many, self.update, self.forget, self.put, self.transact, self.touch,
            self.look_around, self.checkpoint,
        ]  # fmt: skip
        self.start.wait()
        for self.step in range(STEPS):
            self.chance.choice(steps)()
            self.check()

    def add(self) -> None:
        text = f"{self.name} drinks tea number{self.step}"
        memory = self.vault.add(text, namespace=self.namespace, vector=self.vector(), thread="tea")
        self.memories[memory.id] = text
        assert memory.id in [hit.memory.id for hit in self.vault.search(f"number{self.step}", namespace=self.namespace)]

    def add_many(self) -> None:
        drafts = [Draft(content=f"{self.name} batch{self.step} {n}", namespace=self.namespace) for n in range(5)]
        for memory in self.vault.add_many(drafts):
            self.memories[memory.id] = memory.text

    def update(self) -> None:
        for id_ in self.some():
            self.memories[id_] = f"{self.name} changed{self.step}"
            self.vault.update(id_, namespace=self.namespace, content=self.memories[id_])

    def forget(self) -> None:
        for id_ in self.some():
            self.vault.forget(id_, namespace=self.namespace)
            del self.memories[id_]
            with pytest.raises(MemoryNotFoundError):
                self.vault.get(id_, namespace=self.namespace)

    def put(self) -> None:
        self.rows[f"row{self.step % 4}"] = b"%d" % self.step
        self.vault.items(self.name).put(f"row{self.step % 4}", b"%d" % self.step)

    def transact(self) -> None:
        def both(tx: Any) -> str:
            tx.put_item(self.name, "both", b"%d" % self.step)
            return str(tx.add(f"{self.name} both{self.step}", namespace=self.namespace).id)

        self.memories[self.vault.transact(both)] = f"{self.name} both{self.step}"
        self.rows["both"] = b"%d" % self.step

    def touch(self) -> None:
        self.vault.touch(self.some(), namespace=self.namespace)

    def look_around(self) -> None:
        self.vault.search("tea", query_vector=self.vector())
        self.vault.find_similar(self.vector())
        assert self.vault.stats().memories >= len(self.memories)
        assert self.vault.namespaces(prefix=self.namespace) == [self.namespace] * bool(self.memories)

    def checkpoint(self) -> None:
        self.vault.checkpoint()

    def check(self) -> None:
        found = {memory.id: memory.text for memory in self.vault.list(namespace=self.namespace, limit=None)}
        assert found == self.memories
        assert {item.key: item.value for item in self.vault.items(self.name).scan()} == self.rows

    def some(self) -> list[str]:
        return self.chance.sample(sorted(self.memories), min(1, len(self.memories)))

    def vector(self) -> Any:
        return np.array([self.chance.random() for _ in range(8)], np.float32)


def test_sixteen_threads_work_on_one_vault_while_another_process_writes(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, Other(add_one_by_one, tmp_path, 0) as other:
        other.ask()
        start = threading.Barrier(THREADS)
        people = [Person(vault, number, start) for number in range(THREADS)]
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(person.live) for person in people]:
                done.result()
        assert other.join() == 0

        for person in people:
            person.check()
        assert vault.verify(full=True).opened
        expected = sorted(vaults.texts(vault))
    with vaults.reopen(tmp_path) as vault:
        assert sorted(vaults.texts(vault)) == expected
        for person in people:
            person.vault = vault
            person.check()


def test_threads_that_close_a_vault_under_others_make_them_say_so(tmp_path: Path) -> None:
    vault = vaults.create(tmp_path)
    start = threading.Barrier(THREADS)

    def add_until_closed(number: int) -> int:
        start.wait()
        for count in range(10_000):
            try:
                vault.add(f"{number} {count}")
            except SessionStateError:
                return count
            if (number, count) == (0, 5):
                vault.close()
        raise AssertionError("the vault was never closed")

    with ThreadPoolExecutor(THREADS) as pool:
        counts = list(pool.map(add_until_closed, range(THREADS)))

    said = {f"{number} {count}" for number, upto in enumerate(counts) for count in range(upto)}
    with vaults.reopen(tmp_path) as again:
        assert set(vaults.texts(again)) == said


def test_a_transaction_in_one_thread_holds_up_the_others_until_it_is_done(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, ThreadPoolExecutor(1) as pool:
        began, order = threading.Event(), []

        def slow(tx: Any) -> None:
            tx.add("first", id="a")
            began.set()
            order.append("first")

        def second() -> None:
            began.wait()
            vault.add("second", id="b")
            order.append("second")

        done = pool.submit(second)
        vault.transact(slow)
        done.result()

        assert order == ["first", "second"]
        assert vault.get("a").address < vault.get("b").address
