"""Consolidating: what is made of which atoms, that it is stable, and that it holds nothing longer than its atoms do."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.copies import Storage, storage
from tiers.corpus import LATER, load, vault_of
from vault_core import (
    Draft,
    InvalidInputError,
    Memory,
    MemoryNotFoundError,
    SessionStateError,
    UnavailableError,
    Vault,
)
from vault_core.testing import FakeClock, FakeEmbedder

TEA = (
    "Green tea with ginger on the balcony",
    "A pot of green tea with ginger before the post came",
    "Ginger in my green tea again, on the balcony",
    "Green tea and ginger, the balcony was cold",
)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        yield FakeClock(LATER).drive(vault)


def drink(vault: Vault, texts: Sequence[str] = TEA, *, days: Sequence[int] = (3, 10, 17, 24), **fields: Any) -> None:
    """Add texts as memories tea1, tea2, … that happened on these days of March."""
    for number, (text, day) in enumerate(zip(texts, days, strict=False), 1):
        vault.add(text, id=f"tea{number}", event_time=f"2025-03-{day:02}T08:00:00Z", **fields)


def of_tier(vault: Vault, tier: str, **query: Any) -> list[Memory]:
    return vault.list(filter={"tier": tier}, order_by="created", **query)


def everything(vault: Vault) -> list[Memory]:
    return vault.list(limit=None, order_by="updated", include_archived=True, include_expired=True)


# what is made


def test_a_pattern_becomes_an_affinity_that_says_what_how_often_and_when(vault: Vault) -> None:
    drink(vault)
    vault.add("The boiler was serviced", id="boiler", event_time="2025-03-12T08:00:00Z")

    vault.consolidate()

    (affinity,) = of_tier(vault, "AFFINITY")
    assert affinity.text.startswith("Usually on Mondays: ")
    assert affinity.text.endswith("(4 times, 2025-03-03 to 2025-03-24)")
    assert {"green", "tea", "ginger", "balcony"} <= set(affinity.text.lower().replace(",", " ").split())
    assert affinity.metadata == {
        "atoms": ["tea1", "tea2", "tea3", "tea4"],
        "count": 4,
        "days": 4,
        "first": "2025-03-03",
        "last": "2025-03-24",
    }


def test_a_composite_quotes_its_atoms_in_order_of_time(vault: Vault) -> None:
    drink(vault, days=(24, 17, 10, 3))

    vault.consolidate()

    (composite,) = of_tier(vault, "COMPOSITE")
    assert composite.text == "4 memories, 2025-03-03 to 2025-03-24: " + " · ".join(reversed(TEA))
    assert composite.metadata["atoms"] == ["tea4", "tea3", "tea2", "tea1"]


def test_several_times_on_two_days_is_no_pattern(vault: Vault) -> None:
    drink(vault, days=(3, 3, 10, 10))

    vault.consolidate()

    assert of_tier(vault, "AFFINITY") == []
    assert len(of_tier(vault, "COMPOSITE")) == 1


def test_one_word_in_common_is_a_pattern_only_if_little_else_is_said(vault: Vault) -> None:
    for day, text in enumerate(["Swimming at noon", "Went swimming", "Swimming, cold"], 3):
        vault.add(text, event_time=f"2025-03-0{day}T08:00:00Z", namespace=("short",))
    about = [[f"word{number}{letter}" for letter in "abc"] for number in range(1000)]
    said = [["awesome", *some[: 1 if number < 2 else 3]] for number, some in enumerate(about[:8])]
    vault.add_many(
        Draft(content=" ".join(text), event_time=f"2025-03-{number % 28 + 1:02}T08:00:00Z", namespace=("long",))
        for number, text in enumerate([*said, *about[8:]])
    )

    vault.consolidate()

    assert [one.namespace for one in of_tier(vault, "AFFINITY")] == [("short",)]
    assert {one.namespace: one.metadata["count"] for one in of_tier(vault, "COMPOSITE")}[("long",)] == 8


def test_a_composite_is_of_one_type_and_an_affinity_of_any(vault: Vault) -> None:
    drink(vault, TEA[:3], memory_type="EPISODIC")
    vault.add(TEA[3], id="tea4", event_time="2025-03-24T08:00:00Z", memory_type="PERSONA")

    vault.consolidate()

    (composite,), (affinity,) = of_tier(vault, "COMPOSITE"), of_tier(vault, "AFFINITY")
    assert (composite.memory_type, composite.metadata["atoms"]) == ("EPISODIC", ["tea1", "tea2", "tea3"])
    assert (affinity.memory_type, affinity.metadata["count"]) == ("EPISODIC", 4)


@pytest.mark.parametrize("name", ["source", "sensitivity", "data_class"])
def test_what_is_put_together_shares_its(name: str, vault: Vault) -> None:
    for number, text in enumerate(TEA):
        for label in "Anna", "Bea":
            event = f"2025-03-{3 + number:02}T08:00:00Z"
            vault.add(text, id=f"{label}{number}", event_time=event, **{name: label})

    vault.consolidate()

    for tier in "COMPOSITE", "AFFINITY":
        made = of_tier(vault, tier)
        assert sorted(getattr(one, name) for one in made) == ["Anna", "Bea"]
        assert all(atom.startswith(getattr(one, name)) for one in made for atom in one.metadata["atoms"])


def test_each_namespace_is_for_itself_and_one_can_be_chosen(vault: Vault) -> None:
    for namespace in ("anna",), ("anna", "work"), ("bea",):
        drink(vault, namespace=namespace)
    drink(vault, TEA[:2])

    below = vault.consolidate(namespace=("anna",))
    rest = vault.consolidate()

    assert (below.affinities, len(rest.made), rest.unchanged) == (2, 2, 4)
    assert sorted(one.namespace for one in of_tier(vault, "AFFINITY")) == [("anna",), ("anna", "work"), ("bea",)]


def test_hidden_memories_are_no_atoms(vault: Vault) -> None:
    drink(vault)
    vault.archive("tea1")
    vault.add(TEA[1], id="tea2", expires_at="2025-06-01T00:00:00Z")
    vault.add(TEA[2], id="tea3", index=False)
    vault.add("Coffee now", id="coffee", supersedes=["tea4"])

    assert vault.consolidate().made == []


def test_an_expiry_of_an_atom_is_that_of_what_is_made_of_it(vault: Vault) -> None:
    drink(vault, expires_at="2025-09-01T00:00:00Z")

    vault.consolidate()

    assert {one.expires_at for one in everything(vault)} == {datetime(2025, 9, 1, tzinfo=UTC)}


def test_another_box_has_its_own(vault: Vault) -> None:
    vault.add_box("work")
    drink(vault, box="work")

    assert vault.consolidate().made == []
    assert len(vault.consolidate(box="work").made) == 2
    assert {memory.box for memory in of_tier(vault, "AFFINITY")} == {"work"}


def test_an_embedder_gives_vectors_to_what_is_made(tmp_path: Path) -> None:
    with vaults.create(tmp_path, embedder=FakeEmbedder()) as vault:
        drink(vault)
        vault.consolidate()

        assert all(memory.vectors for memory in everything(vault))


# again


@pytest.mark.parametrize("name", ["corpus_one", "corpus_two"])
def test_twice_changes_nothing(name: str, tmp_path: Path) -> None:
    with vault_of(load(name), tmp_path) as vault:
        first = vault.consolidate()
        commits, before = vault.stats().commits, everything(vault)
        again = vault.consolidate()

        assert len(first.made) == first.composites + first.affinities > 6
        assert (again.made, again.updated, again.erased) == ([], [], [])
        assert again.unchanged == len(first.made)
        assert vault.stats().commits == commits
        assert everything(vault) == before


def test_the_same_atoms_give_the_same_memories_in_another_vault_whatever_the_order(tmp_path: Path) -> None:
    made = []
    for name, turned in ("a.vault", False), ("b.vault", True):
        with vaults.create(tmp_path, name) as vault:
            atoms = load("corpus_one").atoms
            for atom in reversed(atoms) if turned else atoms:
                event = f"{atom['day']}T12:00:00Z"
                vault.add(atom["text"], id=atom["id"], event_time=event, memory_type=atom["type"])
            vault.consolidate()
            made.append({(one.id, one.text, one.tier, json.dumps(one.metadata)) for one in vault.stream()})

    assert made[0] == made[1]


def test_a_pattern_that_grows_updates_its_memory_and_keeps_its_pin(vault: Vault) -> None:
    drink(vault, TEA[:3])
    vault.consolidate()
    (before,) = of_tier(vault, "AFFINITY")
    vault.pin(before.id)
    drink(vault)

    done = vault.consolidate()

    (after,) = of_tier(vault, "AFFINITY")
    assert (after.id, after.created_at, after.state.pinned) == (before.id, before.created_at, True)
    assert (before.metadata["count"], after.metadata["count"]) == (3, 4)
    assert before.id in done.updated
    assert done.made == []
    assert [one.text for one in vault.history(before.id)] == [after.text]


def test_an_archived_one_stays_so_while_it_grows(vault: Vault) -> None:
    drink(vault, TEA[:3])
    vault.consolidate()
    for one in of_tier(vault, "AFFINITY"):
        vault.archive(one.id)
    drink(vault)

    vault.consolidate()

    assert of_tier(vault, "AFFINITY") == []
    assert len(of_tier(vault, "AFFINITY", include_archived=True)) == 1


def test_what_has_no_atoms_any_more_is_erased(vault: Vault) -> None:
    drink(vault)
    made = vault.consolidate().made
    for number in range(1, 5):
        vault.archive(f"tea{number}")

    done = vault.consolidate()

    assert sorted(done.erased) == sorted(made)
    assert (done.composites, done.affinities) == (0, 0)
    assert [one.tier for one in everything(vault)] == ["ATOM"] * 4


def test_what_a_caller_made_is_left_alone_and_is_no_atom(vault: Vault) -> None:
    drink(vault, TEA[:2])
    for number in range(3):
        vault.add(f"{TEA[2]} {number}", tier="AFFINITY", event_time=f"2025-04-{1 + number:02}T08:00:00Z")
    before = everything(vault)

    done = vault.consolidate()

    assert (done.made, done.erased) == ([], [])
    assert everything(vault) == before


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        drink(vault)
    with vaults.reopen(tmp_path, read_only=True) as vault:
        told = vault.consolidate(dry_run=True)
        assert (told.dry_run, told.affinities, told.composites, vault.count()) == (True, 1, 1, 4)
        with pytest.raises(SessionStateError):
            vault.consolidate()
    with vaults.reopen(tmp_path) as vault:
        done = vault.consolidate()
        assert (done.made, done.texts) == (told.made, told.texts)


# a summariser


def test_a_summariser_words_composites_and_is_asked_again_only_for_other_atoms(vault: Vault) -> None:
    asked: list[Sequence[str]] = []

    def summarise(texts: Sequence[str]) -> str:
        asked.append(texts)
        return f"Tea, {len(texts)} times"

    drink(vault, TEA[:3])
    vault.consolidate(summarise=summarise)
    vault.consolidate(summarise=summarise)
    vault.consolidate()
    assert [one.text for one in of_tier(vault, "COMPOSITE")] == ["Tea, 3 times"]
    assert asked == [list(TEA[:3])]

    drink(vault)
    vault.consolidate(summarise=summarise)
    assert [one.text for one in of_tier(vault, "COMPOSITE")] == ["Tea, 4 times"]

    vault.update("tea1", content=TEA[0] + ".")
    vault.consolidate(summarise=summarise)
    assert len(asked) == 3


def test_a_summariser_that_fails_changes_nothing(vault: Vault) -> None:
    drink(vault)

    def broken(texts: Sequence[str]) -> str:
        raise ConnectionError

    with pytest.raises(UnavailableError):
        vault.consolidate(summarise=broken)
    with pytest.raises(InvalidInputError):
        vault.consolidate(summarise=lambda texts: "" if texts else "?")

    assert vault.count() == 4


def test_what_changes_while_a_summariser_works_is_left_for_the_next_time(vault: Vault) -> None:
    drink(vault)

    def slow(texts: Sequence[str]) -> str:
        vault.forget("tea2")
        return " ".join(texts)

    done = vault.consolidate(summarise=slow)

    assert (done.made, done.postponed) == ([], 2)
    assert [one.tier for one in everything(vault)] == ["ATOM"] * 3
    assert len(vault.consolidate().made) == 2


# forgetting


def body(side: Storage, folder: Path, memory: Memory) -> bytes:
    ((found,),) = side.rows(folder / vaults.NAME, "SELECT body FROM record WHERE address = ?", memory.address.number)
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize("gone", ["forget", "by filter", "upsert", "transaction"])
def test_nothing_made_of_an_erased_atom_is_left_anywhere(gone: str, tmp_path: Path) -> None:
    secret = "with a dash of cardamom"
    with vaults.create(tmp_path) as vault, storage() as side:
        drink(vault, [TEA[0], TEA[1], f"{TEA[2]} {secret}", TEA[3]])
        vault.consolidate()
        vault.checkpoint()
        made = [*of_tier(vault, "COMPOSITE"), *of_tier(vault, "AFFINITY")]
        assert any(secret in one.text for one in made)
        vault.update(made[0].id, tags=["seen"])  # so that there is an earlier version, too
        versions = [version for one in made for version in vault.history(one.id)]
        assert all(any(body(side, tmp_path, version)) for version in versions)
        commits = vault.stats().commits

        match gone:
            case "forget":
                planned = vault.forget("tea3", dry_run=True)
                receipt = vault.forget("tea3")
                assert sorted(receipt.stale) == sorted(planned.stale) == sorted(one.id for one in made)
                assert (receipt.memories, receipt.versions) == (1, 1)
            case "by filter":
                vault.forget_many(filter={"content": {"$contains": "cardamom"}})
            case "upsert":
                vault.add(TEA[2], id="tea3", event_time="2025-03-17T08:00:00Z", keep_history=False)
            case _:
                vault.transact(lambda tx: tx.forget("tea3"))

        assert vault.stats().commits == commits + 1
        assert not any(any(body(side, tmp_path, version)) for version in versions)
        assert vault.search("cardamom") == []
        assert not any(secret in one.text for one in everything(vault))
        for one in made:
            with pytest.raises(MemoryNotFoundError):
                vault.history(one.id)
        assert secret.encode() not in vault._session.index(vault._session.box("main")).catalogue.image()

        vault.consolidate()
        assert len(of_tier(vault, "AFFINITY")) == 1
        assert not any(secret in one.text for one in everything(vault))
        assert vault.verify(full=True).erased >= len(versions)
    with vaults.reopen(tmp_path) as vault:
        assert not any(secret in one.text for one in everything(vault))


def test_forgetting_takes_what_was_made_along_in_another_session_and_from_a_snapshot(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        drink(vault)
        vault.consolidate()
        vault.checkpoint()
    with vaults.reopen(tmp_path) as one, vaults.reopen(tmp_path) as other:
        assert len(one.forget("tea1").stale) == 2
        assert [memory.tier for memory in everything(other)] == ["ATOM"] * 3


def test_an_atom_of_another_namespace_with_the_same_id_takes_nothing_along(vault: Vault) -> None:
    drink(vault, namespace=("anna",))
    drink(vault, TEA[:1])
    vault.consolidate()

    assert vault.forget("tea1").stale == []
    assert len(of_tier(vault, "AFFINITY")) == 1


def test_a_transaction_cannot_erase_the_atom_of_a_summary_that_it_wrote(vault: Vault) -> None:
    vault.add("tea", id="tea")

    def work(tx: Any) -> None:
        tx.add("Mostly tea", tier="COMPOSITE", metadata={"atoms": ["tea"]})
        tx.forget("tea")

    with pytest.raises(InvalidInputError):
        vault.transact(work)

    assert vaults.texts(vault) == ["tea"]


# what is seen of them


def test_a_hit_and_the_figures_say_the_tier(vault: Vault) -> None:
    drink(vault)
    vault.consolidate()

    hit = vault.search("What do I usually drink on the balcony?", explain=True)[0]

    assert (hit.tier, hit.memory.tier) == ("AFFINITY", "AFFINITY")
    assert hit.parts["tier"] > 0
    assert (vault.stats().memories, vault.stats().by_tier) == (6, {"ATOM": 4, "COMPOSITE": 1, "AFFINITY": 1})
    assert vault.count(filter={"tier": "ATOM"}) == 4


def test_composites_and_affinities_can_be_searched_for_alone(vault: Vault) -> None:
    drink(vault)
    vault.consolidate()

    for tier in "COMPOSITE", "AFFINITY":
        assert [hit.tier for hit in vault.search("green tea", filter={"tier": tier})] == [tier]


@pytest.mark.parametrize("metadata", [{"atoms": 5}, {"atoms": [1, None]}, {"count": -1, "last": "soon"}, {}])
def test_a_tier_of_a_callers_own_may_say_anything_of_itself(metadata: dict[str, Any], vault: Vault) -> None:
    vault.add("Usually tea", id="mine", tier="AFFINITY", metadata=metadata)
    vault.add_many([Draft(content="tea with milk", id="milk")])

    assert vault.search("what do I usually drink with tea")[0].memory.id == "mine"
    assert vault.forget("milk").stale == []
    assert vault.forget("mine").versions == 1
