"""Namespaces and boxes: what a query sees, and what has an identity of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from vault_core import InvalidInputError, MemoryNotFoundError, Vault

PLACES = [(), ("alice",), ("alice", "work"), ("alice", "work", "2026"), ("alicia",), ("bob",), ("bob", "work")]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A memory with one id in every namespace."""
    with vaults.create(tmp_path) as vault:
        for place in PLACES:
            vault.add(said(place), id="note", namespace=place, vector=[1.0, float(len(place))])
        yield vault


def said(place: tuple[str, ...]) -> str:
    return f"tea in {'/'.join(place) or 'the root'}"


def below(place: tuple[str, ...]) -> list[str]:
    return sorted(said(one) for one in PLACES if one[: len(place)] == place)


@pytest.mark.parametrize("place", [*PLACES, ("ali",), ("alice", "work", "2026", "may"), ("work",)])
def test_a_query_sees_a_namespace_and_what_is_below_it_or_exactly_that(vault: Vault, place: tuple[str, ...]) -> None:
    exactly = [said(place)] if place in PLACES else []
    ways: list[Any] = [
        lambda **where: vaults.found(vault, "tea", top_k=50, **where),
        lambda **where: vaults.found(vault, "tea", query_vector=[1.0, 0.0], mode="dense", top_k=50, **where),
        lambda **where: [hit.memory.text for hit in vault.find_similar([1.0, 0.0], top_k=50, **where)],
        lambda **where: [memory.text for memory in vault.list(**where)],
    ]
    for way in ways:
        assert sorted(way(namespace=place)) == below(place)
        assert way(namespace=place, exact=True) == exactly
    assert sorted(vaults.texts(vault, namespace=place)) == below(place)
    assert vault.count(namespace=place) == len(below(place))
    assert vault.count(namespace=place, exact=True) == len(exactly)


def test_without_a_namespace_everything_is_seen(vault: Vault) -> None:
    assert len(vaults.found(vault, "tea", top_k=50)) == vault.count() == len(vault.list()) == len(PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_an_id_is_looked_up_in_exactly_one_namespace(vault: Vault, place: tuple[str, ...]) -> None:
    assert vault.get("note", namespace=place).text == said(place)

    vault.update("note", namespace=place, content="changed")
    vault.pin("note", namespace=place)
    vault.touch(["note"], namespace=place)
    assert [memory.text for memory in vault.history("note", namespace=place)] == [said(place), "changed"]
    vault.forget("note", namespace=place)

    with pytest.raises(MemoryNotFoundError):
        vault.get("note", namespace=place)
    assert sorted(vaults.texts(vault)) == sorted(said(one) for one in PLACES if one != place)
    assert not any(vault.get("note", namespace=one).state.pinned for one in PLACES if one != place)


def test_forgetting_a_namespace_forgets_what_is_below_it_and_nothing_beside_it(vault: Vault) -> None:
    receipt = vault.forget_many(namespace=("alice",))

    assert receipt.memories == 3
    assert vault.namespaces() == [(), ("alicia",), ("bob",), ("bob", "work")]


NAMESPACES: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {
    "all": ({}, sorted(PLACES)),
    "prefix": ({"prefix": ("alice",)}, [("alice",), ("alice", "work"), ("alice", "work", "2026")]),
    "any label": ({"prefix": ("*", "work")}, [("alice", "work"), ("alice", "work", "2026"), ("bob", "work")]),
    "suffix": ({"suffix": ("work",)}, [("alice", "work"), ("bob", "work")]),
    "prefix and suffix": ({"prefix": ("bob",), "suffix": ("work",)}, [("bob", "work")]),
    "depth": ({"max_depth": 1}, [(), ("alice",), ("alicia",), ("bob",)]),
    "page": ({"limit": 2, "offset": 1}, [("alice",), ("alice", "work")]),
    "none": ({"prefix": ("ali",)}, []),
}


@pytest.mark.parametrize("case", NAMESPACES)
def test_namespaces_are_listed_by_prefix_suffix_and_depth(vault: Vault, case: str) -> None:
    asked, expected = NAMESPACES[case]

    assert vault.namespaces(**asked) == expected


WRONG: list[Any] = ["alice", ("",), ("a\nb",), ("x" * 513,), ("a",) * 33, (7,), 7]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_what_is_no_namespace_is_refused(vault: Vault, wrong: Any) -> None:
    for verb in (
        lambda: vault.add("x", namespace=wrong),
        lambda: vault.get("note", namespace=wrong),
        lambda: vault.forget("note", namespace=wrong),
        lambda: vault.search("tea", namespace=wrong),
        lambda: vault.namespaces(prefix=wrong),
    ):
        with pytest.raises(InvalidInputError):
            verb()


def test_reading_by_id_everywhere_is_refused(vault: Vault) -> None:
    everywhere: Any = None

    for verb in vault.get, vault.history, vault.update:
        with pytest.raises(InvalidInputError):
            verb("note", namespace=everywhere)


LABELS = ["a/b", "*", "a.b", " ", "\U0001f375", "'", '"', "%", "a,b", "[", "null"]


def test_labels_of_every_kind_are_told_apart(tmp_path: Path) -> None:
    places = [(label,) for label in LABELS] + [("a", "b"), ("a,", "b")]
    with vaults.create(tmp_path) as vault:
        for place in places:
            vault.add(repr(place), namespace=place)
    with vaults.reopen(tmp_path) as vault:
        assert vault.namespaces() == sorted(places)
        for place in places:
            assert vaults.texts(vault, namespace=place) == [repr(place)]


# boxes


@pytest.fixture
def boxed(tmp_path: Path) -> Iterator[Vault]:
    """A vault with the same id in three boxes."""
    with vaults.create(tmp_path) as vault:
        for box in "work", "family":
            vault.add_box(box)
        for number, box in enumerate(["main", "work", "family"]):
            vault.add(f"tea at {box}", id="note", box=box, vector=[1.0, float(number)])
        yield vault


def test_a_box_keeps_its_memories_apart(boxed: Vault) -> None:
    assert boxed.get("note").text == "tea at main"
    assert boxed.get("note", box="work").box == "work"

    boxed.update("note", box="work", content="coffee at work")
    boxed.forget("note", box="family")

    assert sorted(vaults.texts(boxed)) == ["coffee at work", "tea at main"]
    with pytest.raises(MemoryNotFoundError):
        boxed.get("note", box="family")
    boxed.verify(full=True)


def test_a_query_asks_every_box_or_those_it_names(boxed: Vault) -> None:
    everything = ["tea at family", "tea at main", "tea at work"]
    assert sorted(vaults.found(boxed, "tea")) == everything
    assert vaults.found(boxed, "tea", box="work") == ["tea at work"]
    assert sorted(vaults.found(boxed, "tea", box=["work", "main"])) == ["tea at main", "tea at work"]
    assert boxed.find_similar([1.0, 2.0])[0].memory.text == "tea at family"
    assert [memory.text for memory in boxed.list(order_by="created", limit=2, offset=1)] == everything[2:] + everything[
        :1
    ]
    assert boxed.count() == boxed.stats().memories == 3
    assert boxed.count(box="work") == 1
    assert boxed.stats().boxes == boxed.boxes() == ["main", "work", "family"]


def test_the_same_everywhere_after_opening_anew(boxed: Vault, tmp_path: Path) -> None:
    boxed.close()
    for _ in "replayed", "from a snapshot":
        with vaults.reopen(tmp_path) as vault:
            assert sorted(vaults.found(vault, "tea")) == ["tea at family", "tea at main", "tea at work"]
            assert vault.get("note", box="family").text == "tea at family"
            vault.checkpoint()


@pytest.mark.parametrize("name", ["main", "work", "", "x" * 256, "a\0b", 7], ids=repr)
def test_a_box_has_a_new_and_plain_name(boxed: Vault, name: Any) -> None:
    with pytest.raises(InvalidInputError):
        boxed.add_box(name)

    assert boxed.boxes() == ["main", "work", "family"]


def test_a_box_that_does_not_exist_is_named(boxed: Vault) -> None:
    for verb in (
        lambda: boxed.add("x", box="nowhere"),
        lambda: boxed.get("note", box="nowhere"),
        lambda: boxed.search("tea", box="nowhere"),
        lambda: boxed.search("tea", box=["main", "nowhere"]),
        lambda: boxed.items("chat", box="nowhere").get("row"),
        lambda: boxed.forget("note", box="nowhere"),
    ):
        with pytest.raises(InvalidInputError, match="nowhere"):
            verb()


def test_a_namespace_where_everything_has_expired_can_be_left_out(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add("old", namespace=("past",), expires_at="2001-01-01")
        vault.add("old too", namespace=("both",), expires_at="2001-01-01")
        vault.add("new", namespace=("both",))

        assert vault.namespaces() == [("both",), ("past",)]
        assert vault.namespaces(include_expired=False) == [("both",)]
