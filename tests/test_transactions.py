"""Transactions: what a function reads and writes is one commit, or nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from vault_core import (
    CallableEmbedder,
    Draft,
    EmbedderMismatchError,
    EmbedderUnavailableWarning,
    InvalidInputError,
    MemoryNotFoundError,
    SessionStateError,
    Transaction,
    Vault,
    VaultError,
)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        vault.add("tea", id="drink", importance=0.1)
        vault.items("chat").put("row", b"1")
        yield vault
        vault.verify(full=True)


def state(vault: Vault) -> tuple[object, ...]:
    items = [(item.key, item.value) for item in vault.items("chat").scan()]
    return vaults.texts(vault), items, vault.stats().commits


def test_all_that_a_transaction_writes_is_one_commit(vault: Vault) -> None:
    def work(tx: Transaction) -> str:
        tx.update("drink", content=tx.get("drink").text + " with milk")
        tx.add("biscuits", id="food")
        tx.put_item("chat", "row", b"2", {"by": "Anna"})
        tx.put_item("chat", "other", b"3")
        return "done"

    commits = vault.stats().commits

    assert vault.transact(work) == "done"

    assert vault.stats().commits == commits + 1
    assert sorted(vaults.texts(vault)) == ["biscuits", "tea with milk"]
    assert [(item.value, item.attributes) for item in vault.items("chat").scan()] == [
        (b"3", {}),
        (b"2", {"by": "Anna"}),
    ]


def test_a_transaction_that_only_reads_is_no_commit(vault: Vault) -> None:
    before = state(vault)

    assert vault.transact(lambda tx: (tx.get("drink").text, tx.get_item("chat", "nothing"))) == ("tea", None)

    assert state(vault) == before


class Unwell(Exception):  # noqa: N818 - not an error of ours
    pass


@pytest.mark.parametrize("error", [Unwell, KeyError, VaultError, KeyboardInterrupt, SystemExit])
def test_a_transaction_that_raises_writes_nothing_and_the_session_goes_on(
    vault: Vault, error: type[BaseException]
) -> None:
    before = state(vault)

    def work(tx: Transaction) -> None:
        tx.add("half done")
        tx.put_item("chat", "row", b"half done")
        tx.forget("drink")
        raise error("halfway")

    with pytest.raises(error, match="halfway"):
        vault.transact(work)

    assert state(vault) == before
    vault.add("and on it goes")


WRONG: dict[str, Any] = {
    "an unknown memory": (lambda tx: tx.update("nobody", content="x"), MemoryNotFoundError),
    "an unknown field": (lambda tx: tx.update("drink", colour="green"), InvalidInputError),
    "no content": (lambda tx: tx.add(""), InvalidInputError),
    "an unknown argument": (lambda tx: tx.add("x", colour="green"), InvalidInputError),
    "no bytes": (lambda tx: tx.put_item("chat", "row", "text"), InvalidInputError),
    "another dimension": (lambda tx: tx.add("x", vector=[1.0, 2.0, 3.0]), EmbedderMismatchError),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_one_wrong_write_takes_the_whole_transaction_back(vault: Vault, wrong: str) -> None:
    vault.add("with a vector", vector=[1.0, 0.0])
    before = state(vault)
    work, error = WRONG[wrong]

    def both(tx: Transaction) -> None:
        tx.add("written first")
        work(tx)

    with pytest.raises(error):
        vault.transact(both)

    assert state(vault) == before


def test_reads_of_a_transaction_show_the_state_before_it(vault: Vault) -> None:
    def work(tx: Transaction) -> tuple[object, ...]:
        tx.update("drink", content="coffee")
        tx.put_item("chat", "row", b"2")
        item = tx.get_item("chat", "row")
        return tx.get("drink").text, None if item is None else item.value

    assert vault.transact(work) == ("tea", b"1")


def test_each_write_of_a_transaction_builds_on_those_before_it(vault: Vault) -> None:
    def work(tx: Transaction) -> None:
        tx.update("drink", importance=0.5)
        tx.update("drink", tags=["hot"])
        tx.update("drink", metadata={"cups": 2})
        tx.add("milk", id="new")
        tx.update("new", tags=["cold"])

    vault.transact(work)

    drink, new = vault.get("drink"), vault.get("new")
    assert (drink.importance, drink.tags, drink.metadata) == (0.5, ("hot",), {"cups": 2})
    assert (new.text, new.tags) == ("milk", ("cold",))
    assert len(vault.history("drink")) == 4


def test_a_content_that_a_transaction_has_replaced_can_be_remembered_anew(vault: Vault) -> None:
    def work(tx: Transaction) -> None:
        tx.update("drink", content="coffee")
        tx.add("tea")
        milk = tx.add("milk")
        tx.update(milk.id, content="cream")
        tx.add("milk")

    vault.transact(work)

    assert sorted(vaults.texts(vault)) == ["coffee", "cream", "milk", "tea"]


def test_without_history_only_the_last_version_of_a_transaction_is_left(vault: Vault) -> None:
    def work(tx: Transaction) -> None:
        for text in "one", "two", "three":
            tx.update("drink", content=text, keep_history=False)
        tx.put_item("chat", "row", b"2")
        tx.put_item("chat", "row", b"3")

    vault.transact(work)

    assert [memory.text for memory in vault.history("drink")] == ["three"]
    assert [item.value for item in vault.items("chat").scan()] == [b"3"]


def test_what_a_transaction_forgets_is_gone_for_its_later_writes(vault: Vault) -> None:
    created = vault.get("drink").created_at

    def work(tx: Transaction) -> None:
        assert tx.forget("drink") == 1
        with pytest.raises(MemoryNotFoundError):
            tx.update("drink", content="coffee")
        tx.add("coffee", id="drink")
        assert tx.delete_item("chat", "row")
        assert not tx.delete_item("chat", "row")
        tx.put_item("chat", "row", b"2")

    vault.transact(work)

    assert [memory.text for memory in vault.history("drink")] == ["coffee"]
    assert vault.get("drink").created_at > created
    assert [item.value for item in vault.items("chat").scan()] == [b"2"]


def test_a_transaction_can_not_take_back_what_it_wrote(vault: Vault) -> None:
    def forget(tx: Transaction) -> None:
        tx.update("drink", content="coffee")
        tx.forget("drink")

    def delete(tx: Transaction) -> None:
        tx.put_item("chat", "row", b"2")
        tx.delete_item("chat", "row")

    before = state(vault)
    for work in forget, delete:
        with pytest.raises(InvalidInputError):
            vault.transact(work)
    assert state(vault) == before


def test_a_transaction_works_on_one_box(vault: Vault) -> None:
    vault.add_box("work")

    def work(tx: Transaction) -> None:
        with pytest.raises(MemoryNotFoundError):
            tx.get("drink")
        tx.add("report", id="drink")
        tx.put_item("chat", "row", b"work")

    vault.transact(work, box="work")

    assert (vault.get("drink").text, vault.get("drink", box="work").text) == ("tea", "report")
    assert vault.items("chat", box="work").get("row").value == b"work"  # type: ignore[union-attr]
    with pytest.raises(InvalidInputError):
        vault.transact(lambda tx: tx.add("x"), box="nowhere")


NESTED = {
    "add": lambda vault: vault.add("x"),
    "transact": lambda vault: vault.transact(lambda tx: tx.add("x")),
    "items": lambda vault: vault.items("chat").put("row", b"x"),
    "forget": lambda vault: vault.forget("drink"),
    "checkpoint": lambda vault: vault.checkpoint(),
    "rotate": lambda vault: vault.add_box("work"),
}


@pytest.mark.parametrize("verb", NESTED)
def test_writing_past_the_transaction_from_inside_it_is_refused(vault: Vault, verb: str) -> None:
    before = state(vault)

    with pytest.raises(SessionStateError):
        vault.transact(lambda _: NESTED[verb](vault))

    assert state(vault) == before


def test_the_vault_can_be_read_from_inside_a_transaction(vault: Vault) -> None:
    found = vault.transact(lambda tx: (vaults.found(vault, "tea"), tx.add("milk").text))

    assert found == (["tea"], "milk")


def test_a_transaction_that_was_used_after_its_end_changes_nothing(vault: Vault) -> None:
    kept: list[Transaction] = []
    vault.transact(kept.append)
    before = state(vault)

    kept[0].add("too late")

    assert state(vault) == before


def test_a_transaction_scans_items_as_they_were_before_it(vault: Vault) -> None:
    vault.items("chat").put_many([("a/1", b"1", {"by": "Anna"}), ("a/2", b"2"), ("b/1", b"3", {"by": "Anna"})])

    def work(tx: Transaction) -> list[list[bytes]]:
        tx.put_item("chat", "a/3", b"4")
        tx.delete_item("chat", "a/2")
        scans = [
            tx.scan_items("chat", "a/"),
            tx.scan_items("chat", where={"by": "Anna"}),
            tx.scan_items("chat", "row"),
            tx.scan_items("nothing"),
        ]
        return [[item.value for item in items] for items in scans]

    assert vault.transact(work) == [[b"1", b"2"], [b"1", b"3"], [b"1"], []]
    assert [item.key for item in vault.items("chat").scan("a/")] == ["a/1", "a/3"]


def test_the_vaults_own_reads_inside_a_transaction_show_the_state_before_it(vault: Vault) -> None:
    def work(tx: Transaction) -> tuple[object, ...]:
        tx.add("biscuits", namespace=("kitchen",))
        tx.put_item("chat", "row two", b"2")
        seen = [memory.text for memory in vault.list()], vaults.found(vault, "biscuits"), vault.namespaces()
        return *seen, vault.items("chat").keys()

    assert vault.transact(work) == (["tea"], [], [()], ["row"])

    assert vaults.found(vault, "biscuits") == ["biscuits"]
    assert vault.items("chat").keys() == ["row", "row two"]


def test_inside_a_transaction_the_vault_itself_writes_nothing(vault: Vault) -> None:
    before = state(vault)

    with pytest.raises(SessionStateError, match="write with its tx"):
        vault.transact(lambda _: vault.add("coffee"))

    assert state(vault) == before


def test_what_others_wrote_before_is_seen_by_the_reads_inside_a_transaction(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, vaults.reopen(tmp_path) as other:
        other.add("coffee")

        assert vault.transact(lambda _: vaults.texts(vault)) == ["coffee"]


def test_a_transaction_embeds_what_it_adds_and_what_it_changes_outside_of_its_critical_section(tmp_path: Path) -> None:
    asked: list[list[str]] = []
    busy: list[bool] = []

    def embed(given: list[str]) -> list[list[float]]:
        asked.append(given)
        with vaults.reopen(tmp_path) as other:
            other.add(f"note {len(asked)}")  # would wait for the critical section, and for ever
        return [[float(len(one)), 1.0] for one in given]

    def work(tx: Transaction) -> None:
        tx.add("tea", id="drink")
        tx.add("with a vector", id="own", vector=[1.0, 0.0])
        tx.update("food", content="cake")
        busy.append(True)

    with vaults.create(tmp_path, embedder=CallableEmbedder(embed, 2, "lengths")) as vault:
        vault.add("biscuits", id="food")
        asked.clear()
        vault.transact(work)

        assert [sorted(texts) for texts in asked] == [["cake", "tea"]]
        assert len(busy) == 2  # once to say what it adds, once with the vectors
        assert all(memory.vectors for memory in vault.get_many(["drink", "own", "food"]) if memory is not None)
        assert len(vault.history("food")) == 2


def test_a_transaction_is_stored_without_vectors_while_the_embedder_is_away(tmp_path: Path) -> None:
    def away(texts: list[str]) -> list[list[float]]:
        raise ConnectionError("nobody there")

    with vaults.create(tmp_path, embedder=CallableEmbedder(away, 2, "away")) as vault:
        with pytest.warns(EmbedderUnavailableWarning, match="stored without vectors"):
            vault.transact(lambda tx: tx.add("tea"))

        assert vaults.texts(vault) == ["tea"]


def test_a_transaction_touches_memories_and_changes_when_they_expire(vault: Vault) -> None:
    later = datetime.now(UTC) + timedelta(days=1)

    vault.transact(lambda tx: tx.touch("drink", expires_at=later))

    memory = vault.get("drink")
    assert (memory.expires_at, memory.state.uses) == (later, 1)
    vault.transact(lambda tx: tx.touch("drink"))
    assert vault.get("drink").expires_at == later
    vault.transact(lambda tx: tx.touch("drink", expires_at=None))
    assert vault.get("drink").expires_at is None
    with pytest.raises(MemoryNotFoundError):
        vault.transact(lambda tx: tx.touch("nobody"))


def test_a_transaction_adds_many_drafts_in_their_order(vault: Vault) -> None:
    drafts = [Draft(content="milk"), Draft(content="tea"), Draft(content="milk")]

    added = vault.transact(lambda tx: tx.add_many(drafts))

    assert [memory.text for memory in added] == ["milk", "tea", "milk"]
    assert (added[1].id, added[0].id) == ("drink", added[2].id)


def test_what_a_transaction_forgets_is_not_left_in_the_journal(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        memory = vault.add("a secret")
        journal = tmp_path / f"{vaults.NAME}-wal"
        assert journal.stat().st_size > 0

        vault.transact(lambda tx: tx.forget(memory.id))

        assert journal.stat().st_size == 0
        vault.transact(lambda tx: tx.add("another thought"))
        assert journal.stat().st_size > 0, "what erases nothing pays for no purge"
