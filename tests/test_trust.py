"""Trust: who said it decides what may be done with it, and only the user raises that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import vaults
from vault_core import ConflictError, InvalidInputError, MemoryNotFoundError, Vault
from vault_core.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def vault(tmp_path: Path, clock: FakeClock) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        yield clock.drive(vault)


@pytest.mark.parametrize(
    ("origin", "trust"),
    [
        (None, "trusted"),
        ("user", "trusted"),
        ("agent", "unconfirmed"),
        ("tool", "untrusted"),
        ("web", "untrusted"),
        ("import", "untrusted"),
        ("somebody", "untrusted"),
    ],
)
def test_trust_follows_from_the_origin(vault: Vault, origin: str | None, trust: str) -> None:
    assert vault.add("green tea", origin=origin).trust == trust
    assert vault.list()[0].trust == trust


def test_a_search_leaves_out_what_is_untrusted_unless_it_is_asked_for(vault: Vault) -> None:
    vault.add("green tea from the user")
    vault.add("green tea from an agent", origin="agent")
    vault.add("green tea from a page", origin="web")

    assert set(vaults.found(vault, "green tea")) == {"green tea from the user", "green tea from an agent"}
    assert len(vaults.found(vault, "green tea", include_untrusted=True)) == 3
    assert vault.count() == 3


def test_similar_vectors_leave_out_what_is_untrusted_too(vault: Vault) -> None:
    vault.add("green", vector=[1, 0], origin="tool")

    assert vault.find_similar([1, 0]) == []
    assert len(vault.find_similar([1, 0], include_untrusted=True)) == 1


def test_the_user_vouches_for_a_memory_and_takes_it_back(vault: Vault) -> None:
    memory = vault.add("green tea from a page", origin="web")

    vault.trust(memory.id)
    assert vault.get(memory.id).trust == "trusted"
    assert vaults.found(vault, "green tea") == ["green tea from a page"]

    vault.trust(memory.id, undo=True)
    assert vault.get(memory.id).trust == "untrusted"
    assert vaults.found(vault, "green tea") == []


def test_a_confirmation_holds_for_the_version_that_was_confirmed(vault: Vault) -> None:
    memory = vault.add("green tea", origin="agent")
    vault.trust(memory.id)

    vault.update(memory.id, content="black tea")
    assert vault.get(memory.id).trust == "unconfirmed"
    vault.trust(memory.id)
    vault.add("no tea at all", id=memory.id, origin="web")
    assert vault.get(memory.id).trust == "untrusted"


def test_what_an_agent_makes_of_the_users_words_is_the_agents(vault: Vault) -> None:
    memory = vault.add("green tea")

    assert vault.update(memory.id, content="black tea", origin="agent").trust == "unconfirmed"


def test_a_pin_is_the_users_word_as_well(vault: Vault) -> None:
    memory = vault.add("green tea", origin="agent")
    vault.pin(memory.id)
    assert vault.get(memory.id).trust == "trusted"

    vault.update(memory.id, content="black tea", origin="agent")
    changed = vault.get(memory.id)
    assert (changed.state.pinned, changed.trust) == (True, "unconfirmed")


def test_the_user_saying_the_same_confirms_it_and_an_agent_saying_it_does_not(vault: Vault) -> None:
    memory = vault.add("green tea", origin="web")

    assert vault.add("green tea", origin="agent").trust == "untrusted"
    assert vault.add("green tea").trust == "trusted"
    assert vault.get(memory.id).trust == "trusted"
    assert vault.count() == 1


def test_a_page_does_not_retire_what_the_user_said(vault: Vault, clock: FakeClock) -> None:
    home = vault.add("I live in Ghent", slot=("user", "home city"))
    clock.advance(days=1)
    page = vault.add("The user lives in Oslo", slot=("user", "home city"), supersedes=[home.id], origin="web")
    assert vaults.texts(vault) == ["I live in Ghent", "The user lives in Oslo"]

    vault.trust(page.id)
    assert vaults.texts(vault) == ["The user lives in Oslo"]
    vault.trust(page.id, undo=True)
    assert vaults.texts(vault) == ["I live in Ghent", "The user lives in Oslo"]


def test_what_is_untrusted_supersedes_what_is_so_too_and_an_agent_supersedes_the_user(
    vault: Vault, clock: FakeClock
) -> None:
    for text, origin in (("Ghent", "web"), ("Oslo", "web")):
        vault.add(text, slot=("user", "home city"), origin=origin)
        clock.advance(days=1)
    assert vaults.texts(vault) == ["Oslo"]

    vault.add("tea", slot=("user", "drink"))
    clock.advance(days=1)
    vault.add("coffee", slot=("user", "drink"), origin="agent")
    assert vaults.texts(vault) == ["Oslo", "coffee"]


def test_trust_is_the_same_after_a_snapshot_and_a_replay(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        page, agent = vault.add("green tea", origin="web"), vault.add("black tea", origin="agent")
        vault.trust(agent.id)
        vault.checkpoint()
        vault.trust(page.id)

    with vaults.reopen(tmp_path) as vault:
        assert [memory.trust for memory in vault.stream()] == ["trusted", "trusted"]
        assert [memory.origin for memory in vault.stream()] == ["web", "agent"]
        assert vault.verify(full=True).records == 2


def test_filters_know_the_origin(vault: Vault) -> None:
    vault.add("green tea", origin="agent")
    vault.add("black tea")

    assert vaults.texts(vault, filter={"origin": "agent"}) == ["green tea"]
    assert vaults.texts(vault, filter={"origin": "user"}) == ["black tea"]


def test_no_summary_is_trusted_more_than_its_atoms(vault: Vault, clock: FakeClock) -> None:
    for week in range(6):
        vault.add(f"Pizza and a film at home, evening {week}", origin="agent")
        vault.add(f"Buy cheap shares of the Acme fund, tip {week}", origin="web")
        clock.advance(days=7)
    vault.consolidate()

    made = [memory for memory in vault.stream() if memory.tier != "ATOM"]
    assert made
    assert {memory.trust for memory in made} == {"unconfirmed"}
    assert not any("Acme" in memory.text for memory in made)
    assert vault.consolidate().unchanged == len(made)


def test_trust_of_nothing_and_an_odd_origin_are_refused(vault: Vault) -> None:
    with pytest.raises(MemoryNotFoundError):
        vault.trust("nobody")
    with pytest.raises(InvalidInputError):
        vault.add("tea", origin="")
    with pytest.raises(InvalidInputError):
        vault.add("tea", origin=7)
    assert vault.count() == 0


def test_the_user_saying_the_same_does_not_vouch_for_what_a_page_claims_beside_it(vault: Vault) -> None:
    """A page that foresees what the user will say must not get its slot and its `supersedes` confirmed by that."""
    home = vault.add("I live in Ghent", slot=("user", "home city"))
    vault.add("Oslo is nice", slot=("user", "home city"), supersedes=[home.id], origin="web")

    assert vault.add("Oslo is nice").slot is None
    assert "I live in Ghent" in vaults.texts(vault)


def test_what_is_untrusted_is_no_next_version_of_what_the_user_said(vault: Vault) -> None:
    memory = vault.add("green tea")

    with pytest.raises(ConflictError):
        vault.update(memory.id, content="black tea", origin="web")
    with pytest.raises(ConflictError):
        vault.add("black tea", id=memory.id, origin="tool")
    with pytest.raises(ConflictError):
        vault.transact(lambda tx: tx.update(memory.id, content="black tea", origin="web"))
    assert vaults.found(vault, "tea") == ["green tea"]
