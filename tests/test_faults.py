"""Every write of every verb: it fails and does not persist, fails but persists, or the process ends there.

| the write                  | the caller gets    | another session finds | this session goes on | done again, it |
|----------------------------|--------------------|-----------------------|----------------------|----------------|
| fails, does not persist    | `UnavailableError` | the state before      | in the state before  | happens once   |
| fails, but persists        | `UnavailableError` | the state after       | in the state after   | happens again  |
| does not persist: crash    | no answer          | the state before      | there is no session  |                |
| persists, then: crash      | no answer          | the state after       | there is no session  |                |

The writes of a verb are its commit and, after a commit that erases or changes the locks, the purge of the journal. A
purge changes no state: whatever happens to it, everyone finds the state after. Never is there a third state, half a
change or a log that does not verify.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.vaults import key_in
from vault_core import (
    Draft,
    FileKey,
    MemoryNotFoundError,
    SqliteStore,
    UnavailableError,
    Vault,
    WrongPassphraseError,
    new_key_text,
)
from vault_core.keys import AnchorFile
from vault_core.testing import Crashed, Fault, FaultyStore

Verb = Callable[[Vault, Path], Any]
State = tuple[object, ...]

VERBS: dict[str, Verb] = {
    "add": lambda vault, _: vault.add("green tea", id="tea", tags=["drink"]),
    "add many": lambda vault, _: vault.add_many([Draft(content=f"cup {n}", id=f"cup {n}") for n in range(3)]),
    "add with a new space": lambda vault, _: vault.add("a thought", id="thought", vector=[1.0, 0.0]),
    "overwrite without history": lambda vault, _: vault.add("black coffee", id="coffee", keep_history=False),
    "update": lambda vault, _: vault.update("coffee", tags=["bitter"]),
    "archive": lambda vault, _: vault.archive("coffee"),
    "forget": lambda vault, _: vault.forget_many(["coffee"]) if has(vault, "coffee") else None,
    "overwrite an item": lambda vault, _: vault.items("chat").put("row", b"second"),
    "delete an item": lambda vault, _: vault.items("chat").delete("row"),
    "add a box": lambda vault, _: vault.add_box("work") if "work" not in vault.boxes() else None,
    "add a slot": lambda vault, folder: vault.add_slot(key_in(folder, "other key")),
    "rotate": lambda vault, folder: vault.rotate(key_in(folder)),
    "checkpoint": lambda vault, _: vault.checkpoint(),
}
TWICE = {"add a slot", "rotate"}  # doing it again is another change


def has(vault: Vault, id: str) -> bool:
    try:
        vault.get(id)
    except MemoryNotFoundError:
        return False
    return True


def state(vault: Vault) -> State:
    """All that a verb may change, with the log verified."""
    vault.verify(full=True)
    memories = [(one.id, one.text, one.tags, one.state.archived) for one in vault.stream()]
    items = [(one.key, one.value) for one in vault.items("chat").scan()]
    stats = vault.stats()
    return memories, items, stats.boxes, sorted(stats.spaces), stats.key_generation, len(vault.slots())


class Bench:
    """A vault behind a faulty store, and sessions beside it that see the bytes as they are."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.key = folder, folder / "alice.vault", key_in(folder)
        self.store = FaultyStore(SqliteStore(self.path, create=True))
        self.vault = Vault.create(self.store, unlock=self.key)
        self.vault.add("black tea", id="coffee", tags=["wrong"])
        self.vault.items("chat").put("row", b"first")
        self.before = self.fresh()

    def fresh(self) -> State:
        """The state that another session finds."""
        with Vault.open(self.path, unlock=self.key) as other:
            return state(other)

    def settle(self) -> None:
        """End a crashed session: what the operating system does."""
        self.store.inner.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.settle()


def outcome_of(verb: Verb, folder: Path) -> tuple[State, list[str]]:
    """The state after a verb without faults, and the writes it makes."""
    bench = Bench(folder)
    made = len(bench.store.calls)
    verb(bench.vault, folder)
    writes = bench.store.calls[made:]
    after = bench.fresh()
    bench.vault.close()
    return after, writes


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
@pytest.mark.parametrize("name", VERBS)
def test_every_write_takes_effect_whole_or_not_at_all(name: str, fault: Fault, tmp_path: Path) -> None:
    verb = VERBS[name]
    (tmp_path / "plain").mkdir()
    after, writes = outcome_of(verb, tmp_path / "plain")
    assert writes

    for number, write in enumerate(writes):
        folder = tmp_path / str(number)
        folder.mkdir()
        bench = Bench(folder)
        committed = fault.persists or write == "purge"
        bench.store.fail(fault, at=number)

        with pytest.raises(Crashed if fault.ends else UnavailableError):
            verb(bench.vault, folder)

        assert not bench.store.armed
        assert bench.fresh() == (after if committed else bench.before)
        if not fault.ends:
            assert state(bench.vault) == bench.fresh()
            if not (committed and name in TWICE):
                verb(bench.vault, folder)
                assert state(bench.vault) == bench.fresh() == after
            bench.vault.add("the session goes on")
            bench.vault.verify(full=True)
        bench.settle()


def test_an_add_without_an_id_that_is_repeated_after_a_lost_answer_is_one_memory(bench: Bench) -> None:
    bench.store.fail(Fault.AMBIGUOUS)
    with pytest.raises(UnavailableError):
        bench.vault.add("I met Bob yesterday")

    bench.vault.add("I met Bob yesterday")

    assert [one.text for one in bench.vault.stream()].count("I met Bob yesterday") == 1
    bench.vault.verify(full=True)


def test_a_commit_that_persisted_after_all_is_in_the_next_read_of_its_session(bench: Bench) -> None:
    bench.store.fail(Fault.AMBIGUOUS)
    with pytest.raises(UnavailableError):
        bench.vault.add("green tea", id="tea")

    assert bench.vault.get("tea").text == "green tea"


def test_creating_that_fails_leaves_no_vault_and_creating_that_persists_leaves_a_whole_one(tmp_path: Path) -> None:
    for fault in Fault:
        path = tmp_path / f"{fault.name}.vault"
        store = FaultyStore(SqliteStore(path, create=True))
        store.fail(fault)

        with pytest.raises((Crashed, UnavailableError)):
            Vault.create(store, unlock=key_in(tmp_path))
        store.inner.close()

        if fault.persists:
            with Vault.open(path, unlock=key_in(tmp_path)) as vault:
                vault.verify(full=True)
        else:
            with pytest.raises(Exception, match="not a Strongroom vault"):
                Vault.open(path, unlock=key_in(tmp_path))


def test_a_commit_whose_anchor_fails_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The anchor comes after the commit: without it the memory is durable, and no other state is ever shown."""

    def failing(*_: object, **__: object) -> None:
        raise UnavailableError("the anchor can't be written")

    with monkeypatch.context() as patch:
        patch.setattr(AnchorFile, "write", failing)
        with pytest.raises(UnavailableError):
            bench.vault.add("green tea", id="tea")

    assert bench.vault.get("tea").text == "green tea"
    assert bench.fresh() == state(bench.vault)


def test_the_secret_of_a_rotation_that_was_lost_or_kept_opens_the_vault(tmp_path: Path) -> None:
    """Killed at any write, a rotation leaves a vault that the present secret opens; the dropped one opens it before."""
    for fault in Fault:
        folder = tmp_path / fault.name
        folder.mkdir()
        bench = Bench(folder)
        (folder / "dropped").write_text(new_key_text("file"))
        dropped = FileKey(folder / "dropped")
        bench.vault.add_slot(dropped)
        bench.store.fail(fault)

        with pytest.raises((Crashed, UnavailableError)):
            bench.vault.rotate(bench.key)
        bench.settle()

        opened = {opens(bench.path, bench.key), opens(bench.path, dropped)}
        assert opened == ({True, False} if fault.persists else {True})


def opens(path: Path, key: FileKey) -> bool:
    try:
        Vault.open(path, unlock=key).close()
    except WrongPassphraseError:
        return False
    return True
