"""Bad input: an error of the kind that fits, a sentence that says what to do, and nothing lost or half-written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.vaults import CHEAP, OTHER_PASSPHRASE, PASSPHRASE, create, reopen
from vault_core import Draft, EmbedderMismatchError, InvalidInputError, MemoryNotFoundError, Vault, WrongPassphraseError

NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create(tmp_path) as vault:
        vault.add("tea", id="tea", vector=[1.0, 0.0])
        vault.items("chat").put("a", b"1")
        yield vault


CALLS: dict[str, Callable[[Vault], Any]] = {
    "empty text": lambda vault: vault.add(""),
    "white space": lambda vault: vault.add(" \n\t"),
    "10 MB": lambda vault: vault.add("x" * 10_000_000),
    "NUL": lambda vault: vault.add("a\0b"),
    "a lone surrogate": lambda vault: vault.add("a\ud800b"),
    "bytes": lambda vault: vault.add(b"tea"),
    "a number": lambda vault: vault.add(1),
    "a set in JSON": lambda vault: vault.add({"a": {1}}),
    "a number as key": lambda vault: vault.add({1: "a"}),
    "a surrogate in JSON": lambda vault: vault.add({"a": "\udfff"}),
    "an unknown argument": lambda vault: vault.add("tea", colour="green"),
    "a vector with NaN": lambda vault: vault.add("tea", vector=[NAN, 1.0]),
    "a vector with infinity": lambda vault: vault.add("tea", vector=[INFINITY, 1.0]),
    "a vector too large for float32": lambda vault: vault.add("tea", vector=[1e300, 1.0]),
    "a vector of two dimensions": lambda vault: vault.add("tea", vector=[[1.0, 2.0]]),
    "no numbers in a vector": lambda vault: vault.add("tea", vector=[]),
    "texts in a vector": lambda vault: vault.add("tea", vector=["1", "2"]),
    "a namespace as text": lambda vault: vault.add("tea", namespace="work"),
    "an empty label": lambda vault: vault.add("tea", namespace=("",)),
    "a control character in an id": lambda vault: vault.add("tea", id="a\nb"),
    "an empty id": lambda vault: vault.add("tea", id=""),
    "a long id": lambda vault: vault.add("tea", id="x" * 513),
    "tags as text": lambda vault: vault.add("tea", tags="style"),
    "importance above 1": lambda vault: vault.add("tea", importance=2),
    "importance that is NaN": lambda vault: vault.add("tea", importance=NAN),
    "a time that is none": lambda vault: vault.add("tea", event_time="soon"),
    "a tier that is none": lambda vault: vault.add("tea", tier="MOLECULE"),
    "a slot of three": lambda vault: vault.add("tea", slot=("a", "b", "c")),
    "metadata as list": lambda vault: vault.add("tea", metadata=["a"]),
    "a dict among drafts": lambda vault: vault.add_many([Draft(content="a"), {"content": "b"}]),  # type: ignore[list-item]
    "one bad draft among good ones": lambda vault: vault.add_many([Draft(content="a"), Draft(content="")]),
    "a query that is no text": lambda vault: vault.search(b"tea"),  # type: ignore[arg-type]
    "top_k of 0": lambda vault: vault.search("tea", top_k=0),
    "a negative offset": lambda vault: vault.search("tea", offset=-1),
    "an unknown mode": lambda vault: vault.search("tea", mode="psychic"),  # type: ignore[arg-type]
    "a dense search without a vector": lambda vault: vault.search("tea", mode="dense"),
    "an unknown filter field": lambda vault: vault.search("tea", filter={"colour": "green"}),
    "an unknown operator": lambda vault: vault.search("tea", filter={"metadata.a": {"$near": 1}}),
    "a filter as list": lambda vault: vault.list(filter=["a"]),
    "a deep filter": lambda vault: vault.list(filter=_deep(100)),
    "an unknown order": lambda vault: vault.list(order_by="beauty"),  # type: ignore[arg-type]
    "a negative limit": lambda vault: vault.list(limit=-1),
    "an unknown box": lambda vault: vault.add("tea", box="attic"),
    "a namespace of None": lambda vault: vault.get("tea", namespace=None),  # type: ignore[arg-type]
    "forgetting nothing in particular": lambda vault: vault.forget_many(),
    "an item of text": lambda vault: vault.items("chat").put("a", "text"),  # type: ignore[arg-type]
    "an item without a key": lambda vault: vault.items("chat").put("", b"1"),
    "items as a dict": lambda vault: vault.items("chat").put_many({"a": b"1"}),
    "a collection without a name": lambda vault: vault.items(""),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_makes_no_sense_is_refused_and_changes_nothing(vault: Vault, name: str) -> None:
    before = state(vault)

    with pytest.raises(InvalidInputError) as refused:
        CALLS[name](vault)

    assert len(str(refused.value)) > 10
    assert state(vault) == before
    assert vault.verify(full=True).commits == before[0]


def test_a_vector_of_another_dimension_is_refused_and_nothing_of_its_batch_is_written(vault: Vault) -> None:
    before = state(vault)

    with pytest.raises(EmbedderMismatchError):
        vault.add_many([Draft(content="a", vector=[1.0, 2.0]), Draft(content="b", vector=[1.0, 2.0, 3.0])])
    with pytest.raises(EmbedderMismatchError):
        vault.find_similar([1.0, 2.0, 3.0])

    assert state(vault) == before


def test_a_filter_on_a_field_that_no_memory_has_finds_nothing(vault: Vault) -> None:
    assert vault.list(filter={"metadata.nothing.of.this": 1}) == []
    assert vault.count(filter={"metadata.nothing": {"$ne": 1}}) == 1


@pytest.mark.parametrize("call", ["get", "forget", "update", "history", "archive", "pin"])
def test_an_unknown_id_is_not_found(vault: Vault, call: str) -> None:
    before = state(vault)

    with pytest.raises(MemoryNotFoundError):
        getattr(vault, call)("coffee")

    assert state(vault) == before


def test_json_keeps_what_python_can_say(vault: Vault) -> None:
    content = {"big": 10**100, "not a number": NAN, "ünï": ["cödé", None, True, 1.5], "empty": {}}

    vault.add(content, id="json", metadata={"far": INFINITY})

    found = vault.get("json")
    assert repr(found.content) == repr(content)
    assert found.metadata == {"far": INFINITY}


def test_a_wrong_passphrase_says_so_and_no_more(tmp_path: Path) -> None:
    Vault.create(tmp_path / "alice.vault", passphrase=PASSPHRASE, kdf=CHEAP).close()
    said = set()
    for wrong in (OTHER_PASSPHRASE, PASSPHRASE + "!", "", "\ud800"):
        with pytest.raises(WrongPassphraseError) as refused:
            Vault.open(tmp_path / "alice.vault", passphrase=wrong)
        said.add(str(refused.value))
    with pytest.raises(WrongPassphraseError) as refused:
        reopen(tmp_path)  # a key file where there is no slot for one
    said.add(str(refused.value))

    assert len({text for text in said if "not a character" not in text}) == 1


@pytest.mark.parametrize("weak", ["", "short", "123456789012345", "aaaaaaaaaaaaaaaaaa", "abababababab"])
def test_a_weak_passphrase_is_refused_before_anything_is_made(tmp_path: Path, weak: str) -> None:
    with pytest.raises(InvalidInputError):
        Vault.create(tmp_path / "alice.vault", passphrase=weak)

    assert list(tmp_path.iterdir()) == []


def state(vault: Vault) -> tuple[int, list[str], list[str]]:
    memories = [memory.text for memory in vault.stream()]
    return vault.stats().commits, memories, vault.items("chat").keys()


def _deep(levels: int) -> dict[str, Any]:
    return {"$not": _deep(levels - 1)} if levels else {"metadata.a": 1}


def test_more_superseded_ids_than_a_record_may_hold_are_refused(tmp_path: Path) -> None:
    """They were stored, and the memory could never be read again."""
    with create(tmp_path) as vault:
        with pytest.raises(InvalidInputError, match="256"):
            vault.add("tea", supersedes=[str(number) for number in range(257)])
        assert len(vault.add("tea", supersedes=[str(number) for number in range(256)]).supersedes) == 256
        assert vault.count() == 1
