"""Work through two sessions over a store that fails now and then, beside a model in plain Python that never does.

What was acknowledged happened once. What raised `UnavailableError` happened once or not at all: both are tried, and the
model goes on with the one that is so. While one session waits before it tries again, the other may write.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from support.vaults import key_in
from vault_core import ConflictError, Draft, FileKey, Transaction, UnavailableError, Vault
from vault_core.store import RetryingStore, RetryPolicy, Store
from vault_core.testing import FaultPlan, FaultyStore, Place

Wrap = Callable[..., Store]
STEPS = 14
CHANCE = 0.12  # of a fault, for each call
ATTEMPTS = 3  # so that some calls are given up
COUNTER = "counter"


@dataclass
class Model:
    """All that the work changes."""

    memories: dict[str, list[str]] = field(default_factory=dict)  # the texts of a memory's versions, oldest first
    items: dict[str, bytes] = field(default_factory=dict)
    slots: int = 1
    boxes: set[str] = field(default_factory=lambda: {"main"})
    keys: int = 1  # generation

    def state(self) -> tuple[Any, ...]:
        """Comparable with what a vault shows."""
        return sorted(map(tuple, self.memories.values())), self.items, self.slots, sorted(self.boxes), self.keys


Effect = Callable[[Model], object]


def shown(vault: Vault) -> tuple[Any, ...]:
    """What a vault shows of what the model holds. In one transaction: what others wrote is looked up once."""
    return vault.transact(lambda _: _shown(vault))


def _shown(vault: Vault) -> tuple[Any, ...]:
    memories = sorted(tuple(one.text for one in vault.history(memory.id)) for memory in vault.stream())
    items = {item.key: item.value for item in vault.items("chat").scan()}
    keys = vault.stats().key_generation
    return memories, items, len(vault.slots()), sorted(vault.boxes()), keys


class Session:
    """A vault over a faulty store, and the way to calm that."""

    def __init__(self, work: "RemoteWork", number: int) -> None:
        self._work, self._number = work, number
        self.vault = self._open()

    def _open(self) -> Vault:
        work = self._work
        self.faulty = FaultyStore(work.place.open(), counted=())
        policy = RetryPolicy(attempts=ATTEMPTS)
        store = work.wrap(self.faulty, policy=policy, sleep=lambda _: work.meanwhile(self))
        self.stormy()
        with suppress(UnavailableError):
            return Vault.open(store, unlock=work.key)
        self.faulty = FaultyStore(work.place.open(), counted=())  # a failed opening closes its store
        return Vault.open(work.wrap(self.faulty, policy=policy, sleep=lambda _: work.meanwhile(self)), unlock=work.key)

    def stormy(self) -> None:
        self.faulty.follow(FaultPlan(seed=self._work.chance.randrange(1 << 30), chance=CHANCE))

    @contextmanager
    def calm(self) -> Iterator[Vault]:
        """The vault, with no faults."""
        self.faulty.follow(None)
        yield self.vault
        self.stormy()

    def reopen(self) -> None:
        with suppress(UnavailableError):
            self.vault.close()
        self.faulty.follow(None)
        self.vault = self._open()


class RemoteWork:
    """One sequence of operations, from one seed."""

    def __init__(self, place: Place, keys: list[FileKey], seed: int, wrap: Wrap = RetryingStore) -> None:
        self.place, self.wrap, self.chance = place, wrap, Random(seed)
        self.key, self._spare = keys[0], keys[1:]
        self.model = Model()
        self._unsure: list[Effect] = []
        self._number = 0
        self._busy: Session | None = None
        self.given_up = 0
        Vault.create(place.create(), unlock=self.key).close()
        self.judge = Vault.open(place.open(), unlock=self.key)
        self.sessions = [Session(self, number) for number in range(2)]

    def run(self) -> None:
        """Do the work, compared after each step, and verify everything at the end."""
        for _ in range(STEPS):
            session = self.chance.choice(self.sessions)
            name = self.chance.choice(self.STEPS)
            self._busy = session
            getattr(self, name)(session)
            self._busy = None
            self._compare(session, name)
        for session in self.sessions:
            with session.calm() as vault:
                vault.verify(full=True)
                assert shown(vault) == self.model.state()
        for session in self.sessions:
            session.faulty.follow(None)
            session.vault.close()
        self.judge.verify(full=True)
        self.judge.close()
        with Vault.open(self.place.open(), unlock=self.key) as vault:
            vault.verify(full=True)
            assert shown(vault) == self.model.state()

    def close(self) -> None:
        """Let go of everything, after a failure too."""
        for session in self.sessions:
            session.faulty.follow(None)
        for vault in (*(session.vault for session in self.sessions), self.judge):
            with suppress(Exception):
                vault.close()

    def meanwhile(self, waiting: Session) -> None:
        """While one session waits, the other may write something of its own."""
        if self._busy is not waiting or self.chance.random() > 0.4:
            return
        self._busy = None  # one at a time
        other = next(session for session in self.sessions if session is not waiting)
        getattr(self, self.chance.choice(["add", "put_item", "add_box"]))(other)
        self._busy = waiting

    def _compare(self, session: Session, after: str) -> None:
        for one in self.sessions:
            one.faulty.follow(None)
        found = shown(self.judge)
        self._settle(found, after)
        if self.chance.random() < 0.3:
            assert shown(session.vault) == found, f"the session itself, after {after}"
        for one in self.sessions:
            one.stormy()

    def _settle(self, found: tuple[Any, ...], after: str) -> None:
        """Find out what became of what is unsure: each of it happened once or not at all."""
        unsure, self._unsure = self._unsure, []
        tried = []
        for happened in product((False, True), repeat=len(unsure)):
            model = deepcopy(self.model) if unsure else self.model
            for effect, yes in zip(unsure, happened, strict=True):
                if yes:
                    effect(model)
            tried.append(model.state())
            if tried[-1] == found:
                self.model = model
                return
        raise AssertionError(f"after {after} there is {found}, which is none of {tried}")

    def _do(self, verb: Callable[[], object], effect: Effect) -> None:
        try:
            verb()
        except UnavailableError:
            self.given_up += 1
            self._unsure.append(effect)
        except ConflictError:
            assert effect is _turn_keys  # made for the header before: said so, and not done
        else:
            effect(self.model)

    def _new(self, what: str) -> str:
        self._number += 1
        return f"{what} {self._number}"

    # steps

    STEPS = (
        *("add", "add_many", "add", "put_item", "put_items", "delete_item", "upsert", "update", "update", "forget"),
        *("touch", "count_up", "count_up", "add_slot", "remove_slot", "add_box", "rotate", "checkpoint", "reopen"),
    )

    def add(self, session: Session) -> None:
        text = self._new("memory")
        self._do(lambda: session.vault.add(text), lambda model: model.memories.update({text: [text]}))

    def add_many(self, session: Session) -> None:
        texts = [self._new("one of many") for _ in range(3)]
        drafts = [Draft(content=text) for text in texts]
        effect = {text: [text] for text in texts}
        self._do(lambda: session.vault.add_many(drafts), lambda model: model.memories.update(effect))

    def upsert(self, session: Session) -> None:
        id_, text = f"id {self.chance.randrange(3)}", self._new("version")
        self._do(
            lambda: session.vault.add(text, id=id_),
            lambda model: model.memories.setdefault(id_, []).append(text),
        )

    def update(self, session: Session) -> None:
        id_ = self._some_id()
        if id_ is not None:
            text = self._new("update")
            self._do(lambda: session.vault.update(id_, content=text), lambda model: model.memories[id_].append(text))

    def forget(self, session: Session) -> None:
        id_ = self._some_id()
        if id_ is not None:
            self._do(lambda: session.vault.forget(id_), lambda model: model.memories.pop(id_))

    def touch(self, session: Session) -> None:
        id_ = self._some_id()
        if id_ is not None:
            self._do(lambda: session.vault.touch([id_]), lambda _: None)

    def put_item(self, session: Session) -> None:
        key = self._new("item")
        self._do(
            lambda: session.vault.items("chat").put(key, b"value"), lambda model: model.items.update({key: b"value"})
        )

    def put_items(self, session: Session) -> None:
        items = {f"row {self.chance.randrange(3)}": self._new("value").encode() for _ in range(2)}
        self._do(lambda: session.vault.items("chat").put_many(items.items()), lambda model: model.items.update(items))

    def delete_item(self, session: Session) -> None:
        if self.model.items:
            key = self.chance.choice(sorted(self.model.items))
            self._do(lambda: session.vault.items("chat").delete(key), lambda model: model.items.pop(key))

    def count_up(self, session: Session) -> None:
        """Read and write in one commit: done twice it shows."""

        def transaction(tx: Transaction) -> None:
            before = tx.get_item("chat", COUNTER)
            tx.put_item("chat", COUNTER, b"%d" % (1 + int(before.value if before is not None else 0)))

        self._do(
            lambda: session.vault.transact(transaction),
            lambda model: model.items.update({COUNTER: b"%d" % (1 + int(model.items.get(COUNTER, 0)))}),
        )

    def add_slot(self, session: Session) -> None:
        if self.model.slots < len(self._spare):
            key = self.chance.choice(self._spare)
            self._do(lambda: session.vault.add_slot(key), lambda model: setattr(model, "slots", model.slots + 1))

    def remove_slot(self, session: Session) -> None:
        slots = self.judge.slots()
        if len(slots) > 1:
            id_ = slots[-1].id
            self._do(lambda: session.vault.remove_slot(id_), lambda model: setattr(model, "slots", model.slots - 1))

    def add_box(self, session: Session) -> None:
        name = self._new("box")
        self._do(lambda: session.vault.add_box(name), lambda model: model.boxes.add(name))

    def rotate(self, session: Session) -> None:
        if self.chance.random() < 0.5:
            self._do(lambda: session.vault.rotate(self.key), _turn_keys)

    def checkpoint(self, session: Session) -> None:
        with suppress(UnavailableError):
            session.vault.checkpoint()

    def reopen(self, session: Session) -> None:
        session.reopen()

    def _some_id(self) -> str | None:
        ids = sorted(id_ for id_ in self.model.memories if id_.startswith("id "))
        return self.chance.choice(ids) if ids else None


def _turn_keys(model: Model) -> None:
    model.keys += 1
    model.slots = 1


def keys_in(folder: Path, number: int = 4) -> list[FileKey]:
    """Key files for vaults."""

    return [key_in(folder, f"key {one}") for one in range(number)]
