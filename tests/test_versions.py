"""Versions of a memory: upserts, updates, history, restoring; and what changes a memory without a new version."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.copies import storage
from support.processes import Other
from vault_core import Draft, InvalidInputError, Memory, MemoryNotFoundError, Vault
from vault_core.testing import FakeClock, FakeEmbedder


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def vault(tmp_path: Path, clock: FakeClock) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        yield clock.drive(vault)


def versions(vault: Vault, id_: str) -> list[str]:
    return [memory.text for memory in vault.history(id_)]


# adding again


def test_an_add_with_an_id_replaces_everything_and_keeps_when_it_was_created(vault: Vault, clock: FakeClock) -> None:
    first = vault.add("tea", id="drink", tags=["hot"], metadata={"cups": 2}, importance=0.9, source="Anna")
    clock.advance(days=1)
    second = vault.add("coffee", id="drink")

    assert vault.get("drink") == second
    assert (second.text, second.tags, second.metadata, second.importance, second.source) == (
        "coffee",
        (),
        {},
        None,
        None,
    )
    assert second.created_at == first.created_at < second.updated_at
    assert versions(vault, "drink") == ["tea", "coffee"]
    assert vaults.texts(vault) == ["coffee"]
    assert vaults.found(vault, "tea") == []


def test_an_add_with_an_id_is_never_taken_for_another_memory_that_says_the_same(vault: Vault) -> None:
    vault.add("tea")
    vault.add("tea", id="a")
    vault.add("tea", id="b")

    assert vault.count() == 3


def test_an_upsert_keeps_pins_and_uses(vault: Vault) -> None:
    vault.add("tea", id="drink")
    vault.pin("drink")
    vault.touch(["drink"])
    vault.add("coffee", id="drink")

    assert (vault.get("drink").state.pinned, vault.get("drink").state.uses) == (True, 1)


def test_an_upsert_without_history_erases_what_was_there(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, storage() as side:
        first = vault.add("tea", id="drink")
        vault.add("milk", id="drink")
        before = stored_record(side, tmp_path, first)
        assert any(before)
        vault.add("coffee", id="drink", keep_history=False)

        assert versions(vault, "drink") == ["coffee"]
        assert vault.verify(full=True).erased == 2
        assert not any(stored_record(side, tmp_path, first))
    raw = (tmp_path / vaults.NAME).read_bytes()
    assert before[40:80] not in raw


def stored_record(side: Any, folder: Path, memory: Memory) -> bytes:
    ((body,),) = side.rows(folder / vaults.NAME, "SELECT body FROM record WHERE address = ?", memory.address.number)
    assert isinstance(body, bytes)
    return body


@pytest.mark.parametrize("keep", [True, False], ids=["with history", "without"])
def test_of_two_drafts_with_one_id_in_a_batch_the_last_holds(vault: Vault, keep: bool) -> None:
    drafts = [Draft(content=text, id="drink", keep_history=keep) for text in ("tea", "milk", "coffee")]
    given = vault.add_many([drafts[0], Draft(content="unrelated"), *drafts[1:]])

    assert vault.get("drink").text == given[-1].text == "coffee"
    assert versions(vault, "drink") == (["tea", "milk", "coffee"] if keep else ["coffee"])
    assert vault.count() == 2
    vault.verify(full=True)


def test_a_turn_that_is_said_again_keeps_its_place_in_the_thread(vault: Vault) -> None:
    for text in "one", "two", "three":
        vault.add(text, id=text, thread="talk")
    vault.add("two, I mean", id="two", thread="talk")
    vault.add_many([Draft(content=text, id="one", thread="talk") for text in ("eins", "uno")])

    assert [vault.get(id_).position for id_ in ("one", "two", "three")] == [0, 1, 2]
    assert vault.add("four", thread="talk").position == 3


# the same again


def test_the_same_content_again_is_the_same_memory_refreshed(vault: Vault, clock: FakeClock) -> None:
    first = vault.add("I prefer short answers")
    again = clock.advance(days=3)
    second = vault.add("I prefer short answers")

    assert (second.id, second.version) == (first.id, first.version)
    assert second.state.refreshed_at == again == vault.get(first.id).state.refreshed_at
    assert vault.count() == 1
    assert len(vault.history(first.id)) == 1


SAME: dict[str, tuple[Any, Any]] = {
    "composed and not": ("caf\u00e9", "cafe\u0301"),
    "keys in another order": ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
    "in one batch": ("tea", "tea"),
}
DIFFERENT: dict[str, tuple[Any, Any]] = {
    "a space more": ("tea", "tea "),
    "another case": ("tea", "Tea"),
    "text and JSON": ('{"a":1}', {"a": 1}),
    "a truth and a number": ({"a": True}, {"a": 1}),
    "a number and a fraction": ({"a": 1}, {"a": 1.0}),
    "a list in another order": ([1, 2], [2, 1]),
}


@pytest.mark.parametrize("pair", SAME)
def test_what_says_the_same_is_one_memory(vault: Vault, pair: str) -> None:
    one, other = vault.add_many([Draft(content=content) for content in SAME[pair]])

    assert one.id == other.id
    assert vault.count() == 1
    vault.verify(full=True)


@pytest.mark.parametrize("pair", DIFFERENT)
def test_what_says_something_else_is_another_memory(vault: Vault, pair: str) -> None:
    vault.add_many([Draft(content=content) for content in DIFFERENT[pair]])

    assert vault.count() == 2


def test_the_same_content_elsewhere_is_another_memory(vault: Vault) -> None:
    vault.add_box("work")
    for namespace in (), ("alice",), ("alice", "work"):
        vault.add("tea", namespace=namespace)
    vault.add("tea", box="work")

    assert vault.count() == 4


GONE: dict[str, Callable[[Vault, Memory], object]] = {
    "archived": lambda vault, memory: vault.archive(memory.id),
    "forgotten": lambda vault, memory: vault.forget(memory.id),
    "expired": lambda vault, memory: vault.touch([memory.id], expires_at="2026-01-01T11:00:00Z"),
    "superseded": lambda vault, memory: vault.add("milk now", supersedes=[memory.id]),
    "changed": lambda vault, memory: vault.update(memory.id, content="milk"),
}


@pytest.mark.parametrize("gone", GONE)
def test_what_is_gone_is_remembered_anew_when_it_is_said_again(vault: Vault, gone: str) -> None:
    first = vault.add("tea")
    GONE[gone](vault, first)
    assert "tea" not in vaults.texts(vault)

    second = vault.add("tea")

    assert second.id != first.id
    assert "tea" in vaults.texts(vault)


def add_the_same(pipe: Any, folder: Path) -> None:
    with vaults.reopen(folder) as vault:
        pipe.send("open")
        for number in range(40):
            pipe.recv()
            pipe.send(vault.add(f"both say {number}").id)


def test_two_processes_that_add_the_same_at_once_make_one_memory(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    with Other(add_the_same, tmp_path) as one, Other(add_the_same, tmp_path) as other:
        assert (one.hear(), other.hear()) == ("open", "open")
        for _ in range(40):
            one.say("now")
            other.say("now")
            assert one.hear() == other.hear()

    with vaults.reopen(tmp_path) as vault:
        assert sorted(vaults.texts(vault)) == sorted(f"both say {number}" for number in range(40))


# changing


def test_an_update_replaces_the_named_fields_and_leaves_the_others(vault: Vault, clock: FakeClock) -> None:
    first = vault.add("tea", id="drink", tags=["hot"], metadata={"cups": 2}, importance=0.9, thread="talk")
    later = clock.advance(hours=1)
    second = vault.update("drink", tags=["green", "hot"], importance=None, reason="she said so")

    assert (second.text, second.metadata, second.position) == ("tea", {"cups": 2}, 0)
    assert (second.tags, second.importance, second.reason) == (("green", "hot"), None, "she said so")
    assert (second.created_at, second.updated_at) == (first.created_at, later)
    assert vault.get("drink") == second
    assert [one.reason for one in vault.history("drink")] == [None, "she said so"]


def test_an_update_without_history_erases_the_versions_before(vault: Vault) -> None:
    vault.add("tea", id="drink")
    vault.update("drink", content="milk")
    vault.update("drink", content="coffee", keep_history=False)

    assert versions(vault, "drink") == ["coffee"]
    assert vault.verify(full=True).erased == 2


def test_the_vector_of_a_changed_content_is_the_new_one(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    with vaults.create(tmp_path, embedder=embedder) as vault:
        vault.add("green tea", id="drink")
        vault.update("drink", content="black coffee")
        asked = len(embedder.asked)
        vault.update("drink", tags=["hot"])

        assert len(embedder.asked) == asked  # another tag has no other vector
        (hit,) = vault.find_similar(embedder.embed_query("black coffee"))
        assert hit.score == pytest.approx(1.0, abs=1e-5)
        assert vault.get("drink").vectors["default"][""].tolist() == embedder.embed_query("black coffee").tolist()


@pytest.mark.parametrize("fields", [{"namespace": ("a",)}, {"colour": "green"}, {"content": ""}])
def test_an_update_of_what_no_memory_has_is_refused_and_changes_nothing(vault: Vault, fields: dict[str, Any]) -> None:
    vault.add("tea", id="drink")
    commits = vault.stats().commits

    with pytest.raises(InvalidInputError if "namespace" not in fields else MemoryNotFoundError):
        vault.update("drink", **fields)

    assert vault.stats().commits == commits


def test_restoring_a_version_writes_it_again_and_loses_none(vault: Vault, clock: FakeClock) -> None:
    first = vault.add("tea", id="drink", tags=["hot"])
    second = vault.add("coffee", id="drink")
    vault.pin("drink")
    later = clock.advance(days=1)
    back = vault.restore("drink", first.version)

    assert (back.text, back.tags, back.created_at, back.updated_at) == ("tea", ("hot",), first.created_at, later)
    assert vault.get("drink") == back
    assert back.state.pinned
    assert versions(vault, "drink") == ["tea", "coffee", "tea"]
    assert vault.restore("drink", second.version).text == "coffee"
    for version in "9.9", "tea":
        with pytest.raises(MemoryNotFoundError):
            vault.restore("drink", version)


def test_forgetting_erases_every_version(vault: Vault) -> None:
    for text in "tea", "milk", "coffee":
        vault.add(text, id="drink")
    plan = vault.forget("drink", dry_run=True)
    assert (plan.memories, plan.versions, plan.seq, plan.dry_run) == (1, 3, None, True)
    assert vault.get("drink").text == "coffee"

    receipt = vault.forget("drink")

    assert (receipt.memories, receipt.versions, receipt.ids, receipt.purged) == (1, 3, ["drink"], True)
    assert receipt.seq == vault.stats().commits
    with pytest.raises(MemoryNotFoundError):
        vault.history("drink")
    with pytest.raises(MemoryNotFoundError):
        vault.forget("drink")
    assert vault.add("tea", id="drink").created_at == vault.get("drink").created_at


def test_forgetting_one_that_is_not_there_forgets_none(vault: Vault) -> None:
    vault.add("tea", id="drink")

    with pytest.raises(MemoryNotFoundError):
        vault.forget_many(["drink", "nobody"])

    assert vault.count() == 1


def test_forgetting_passes_over_those_that_are_not_there_if_that_is_fine(vault: Vault) -> None:
    vault.add("tea", id="one")
    vault.add("coffee", id="two")

    tried = vault.forget_many(["nowhere", "one"], missing_ok=True, dry_run=True)
    receipt = vault.forget_many(["nowhere", "one"], missing_ok=True)
    nothing = vault.forget_many(["nowhere", "one"], missing_ok=True)

    assert (list(tried.ids), list(receipt.ids), list(nothing.ids)) == (["one"], ["one"], [])
    assert [memory.id for memory in vault.list()] == ["two"]


def test_forgetting_by_filter_takes_what_is_hidden_too(vault: Vault) -> None:
    vault.add("tea", id="kept", tags=["keep"])
    for number, hide in enumerate(GONE):
        memory = vault.add(f"old {number}", tags=["old"])
        if hide != "forgotten":
            GONE[hide](vault, memory)

    receipt = vault.forget_many(filter={"tags": {"$any": ["old"]}})

    assert receipt.memories == 5
    assert vault.count(filter={"tags": {"$any": ["old"]}}, include_archived=True, include_expired=True) == 0
    assert vault.get("kept").text == "tea"


def test_a_history_names_who_wrote_each_version(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add("tea", id="drink")
    with vaults.reopen(tmp_path) as vault:
        vault.update("drink", content="coffee")
        one, other = vault.history("drink")

    assert one.provenance["session"] != other.provenance["session"]
    assert one.provenance["program"] == other.provenance["program"] != ""


# without a new version


def test_archiving_hides_a_memory_from_every_query_and_can_be_undone(vault: Vault) -> None:
    vault.add("tea", id="drink", vector=[1.0, 0.0], namespace=())
    vault.archive("drink")

    assert vault.search("tea") == vault.search("tea", query_vector=[1.0, 0.0]) == vault.find_similar([1.0, 0.0]) == []
    assert vault.list() == list(vault.stream()) == []
    assert vault.count() == vault.stats().memories == 0
    assert vault.get("drink").state.archived
    assert [memory.id for memory in vault.list(include_archived=True)] == ["drink"]
    assert len(vault.history("drink")) == 1

    vault.archive("drink", undo=True)

    assert vaults.found(vault, "tea") == ["tea"]
    assert not vault.get("drink").state.archived


def test_a_pin_is_a_mark_that_filters_see_and_that_can_be_taken_off(vault: Vault) -> None:
    for drink in "tea", "coffee":
        vault.add(drink, id=drink)
    vault.pin("tea")

    assert [memory.id for memory in vault.list(filter={"state.pinned": True})] == ["tea"]
    vault.archive("tea")
    assert (vault.get("tea").state.pinned, vault.get("tea").state.archived) == (True, True)
    vault.pin("tea", undo=True)
    assert (vault.get("tea").state.pinned, vault.get("tea").state.archived) == (False, True)


def test_a_touch_counts_confirms_and_moves_the_expiry(vault: Vault, clock: FakeClock) -> None:
    vault.add("tea", id="tea", expires_at=clock.now + timedelta(days=1))
    vault.add("coffee", id="coffee")
    later = clock.advance(hours=1)

    assert vault.touch(["tea", "coffee", "tea"]) == 2
    tea = vault.get("tea")
    assert (tea.state.uses, tea.state.used_at, tea.state.refreshed_at) == (1, later, later)
    assert tea.expires_at == datetime(2026, 1, 2, 12, tzinfo=UTC)

    vault.touch(["tea"], expires_at=None)
    vault.touch(["coffee"], expires_at=clock.now + timedelta(minutes=1))
    clock.advance(days=30)
    assert vaults.texts(vault) == ["tea"]
    assert [memory.id for memory in vault.list(include_expired=True, order_by="created")] == ["tea", "coffee"]
    assert vault.get("tea").expires_at is None

    vault.touch(["coffee"], expires_at=clock.now + timedelta(days=1))
    assert sorted(vaults.texts(vault)) == ["coffee", "tea"]


def test_a_touch_of_one_that_is_not_there_changes_none(vault: Vault) -> None:
    vault.add("tea", id="tea")

    with pytest.raises(MemoryNotFoundError):
        vault.touch(["tea", "nobody"])

    assert vault.get("tea").state.uses == 0


def test_marks_and_touches_are_the_same_after_opening_anew(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        for number in range(4):
            vault.add(f"memory {number}", id=str(number))
        vault.pin("0")
        vault.archive("1")
        vault.touch(["2", "3"], expires_at="2099-01-01T00:00:00Z")
        vault.touch(["2"])
        before = [vault.get(str(number)) for number in range(4)]
    for way in "replayed", "from a snapshot":
        with vaults.reopen(tmp_path) as vault:
            assert [vault.get(str(number)) for number in range(4)] == before, way
            vault.checkpoint()
