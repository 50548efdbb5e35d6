"""A header is written, its commit's answer lost, and another session is quicker: the change is done once, and said so.

In a store that can't write both at once the header then waits for its commit, and the next session that writes
completes it. The one that made the change plans it again, and must find that it is done.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.header_first import HeaderFirstStore, lose_the_answer
from vault_core import (
    ConflictError,
    FileKey,
    InvalidInputError,
    Passphrase,
    UnavailableError,
    Vault,
    WrongPassphraseError,
)
from vault_core.store import RetryingStore

OLD, NEW = Passphrase(vaults.PASSPHRASE), Passphrase(vaults.OTHER_PASSPHRASE)


@dataclass
class Two:
    """One vault, two sessions: `mine` keeps no secret it could read again, `other` has a key file."""

    store: HeaderFirstStore
    mine: Vault
    other: Vault
    key: FileKey
    spare: str  # the id of a slot to remove


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    monkeypatch.setattr("vault_core.keys.providers.argon2id", None)
    vaults.stretch_quickly()
    store, key = HeaderFirstStore(), vaults.key_in(tmp_path)
    with Vault.create(store, unlock=OLD, kdf=vaults.CHEAP) as made:
        made.add("memory", id="kept")
        made.add_slot(key)
        spare = made.add_slot(vaults.key_in(tmp_path, "spare")).id
    mine = Vault.open(RetryingStore(store.another(), sleep=lambda _: None), unlock=OLD)
    other = Vault.open(store, unlock=key)
    with mine, other:
        yield Two(store, mine, other, key, spare)


Verb = Callable[[Two], Any]
CHANGES: dict[str, Verb] = {
    "add_slot": lambda two: two.mine.add_slot(NEW, kdf=vaults.CHEAP),
    "remove_slot": lambda two: two.mine.remove_slot(two.spare),
    "change_passphrase": lambda two: two.mine.change_passphrase(OLD.text, NEW.text),
    "rotate": lambda two: two.mine.rotate(OLD, two.key),
    "add_box": lambda two: two.mine.add_box("work"),
}


def completes(two: Two) -> None:
    two.other.add("written meanwhile", id="meanwhile")


def completes_and_changes_the_header_too(two: Two) -> None:
    two.other.add_box("theirs")
    two.other.add("written meanwhile", id="meanwhile")


def takes_the_seq_alone(two: Two) -> None:
    """Its commit was under way when the header was written: the header still waits."""
    waiting, two.store.header = two.store.header, HEADERS[-1]
    two.other.add("written meanwhile", id="meanwhile")
    two.store.header = waiting


HEADERS: list[Any] = []
MEANWHILE = [completes, completes_and_changes_the_header_too, takes_the_seq_alone]


def what_holds(two: Two) -> tuple[Any, ...]:
    """What the changes change, as a third session finds it."""
    with Vault.open(two.store, unlock=two.key) as vault:
        vault.verify(full=True)
        boxes = [name for name in vault.boxes() if name != "theirs"]
        slots = sorted((slot.kind, slot.id if slot.kind == "file" else "") for slot in vault.slots())
        return len(slots), [kind for kind, _ in slots], boxes, vault.stats().key_generation


@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda one: one.__name__)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_another_session_completed_is_done_once_and_acknowledged(
    two: Two, change: str, meanwhile: Callable[[Two], None]
) -> None:
    before = what_holds(two)
    HEADERS[:] = [two.store.header]

    def then() -> None:
        meanwhile(two)
        lose_the_answer()

    two.store.between.append(then)

    CHANGES[change](two)

    after = what_holds(two)
    assert after == expected(before, change)
    assert two.mine.get("meanwhile").text == two.other.get("meanwhile").text == "written meanwhile"
    two.mine.add("it goes on")
    two.other.add("so does the other")
    for vault in two.mine, two.other:
        vault.verify(full=True)
        assert vault.count() == 4
    opened = [opens(two, OLD), opens(two, NEW)]
    assert opened == {"add_slot": [True, True], "change_passphrase": [False, True]}.get(change, [True, False])


def expected(before: tuple[Any, ...], change: str) -> tuple[Any, ...]:
    slots, kinds, boxes, generation = before
    match change:
        case "add_slot":
            return slots + 1, sorted([*kinds, "passphrase"]), boxes, generation
        case "remove_slot":
            return slots - 1, ["file", "passphrase"], boxes, generation
        case "rotate":
            return slots - 1, ["file", "passphrase"], boxes, generation + 1
        case "add_box":
            return slots, kinds, [*boxes, "work"], generation
        case _:
            return before


def opens(two: Two, secret: Passphrase) -> bool:
    try:
        Vault.open(two.store, unlock=secret).close()
    except WrongPassphraseError:
        return False
    return True


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_whose_header_was_not_written_loses_to_another_header_and_is_made_on_top_of_it(
    two: Two, change: str
) -> None:
    """Or is refused, where it was made for the header before."""

    before, written = what_holds(two), two.store._written

    def late(*arguments: Any) -> bool:
        two.store.__dict__.pop("_written", None)
        two.mine._session.store.inner.__dict__.pop("_written", None)  # type: ignore[attr-defined]
        two.other.add_box("theirs")
        return written(*arguments)

    two.mine._session.store.inner._written = late  # type: ignore[attr-defined]
    if change == "rotate":
        with pytest.raises(ConflictError):
            CHANGES[change](two)
        assert what_holds(two) == before
    else:
        CHANGES[change](two)
        assert what_holds(two) == expected(before, change)
    assert "theirs" in two.mine.boxes()


def test_a_rotation_that_is_given_up_while_its_header_waits_leaves_a_vault_that_opens(two: Two) -> None:
    impatient = RetryingStore(two.store.another(), sleep=lambda _: None)
    with Vault.open(impatient, unlock=two.key) as vault:
        two.store.between[:] = [lose_the_answer] * 50

        with pytest.raises(UnavailableError, match="may be there or not"):
            vault.rotate(two.key)

        two.store.between.clear()
        vault.add("its secret can be read again, so it goes on")
        assert vault.stats().key_generation == 2
    assert what_holds(two) == (1, ["file"], ["main"], 2)


def test_doing_the_same_again_is_refused_as_ever(two: Two) -> None:
    two.store.between[:] = [lose_the_answer]
    two.mine.add_box("work")

    with pytest.raises(InvalidInputError):
        two.mine.add_box("work")
