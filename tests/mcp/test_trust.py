"""Whose word a memory is: what a client claims can lower trust, never raise it."""

from typing import Any

import pytest

from mcp import Client
from strongroom_mcp import build_server
from support.mcp_clients import ERAS, call, found, refused, store
from vault_core import Vault

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(
    ("claim", "origin", "trust"),
    [
        ({}, "agent", "unconfirmed"),
        ({"origin": None}, "agent", "unconfirmed"),
        ({"origin": "user"}, "agent", "unconfirmed"),
        ({"origin": "agent"}, "agent", "unconfirmed"),
        ({"origin": "tool"}, "tool", "untrusted"),
        ({"origin": "web"}, "web", "untrusted"),
        ({"origin": "import"}, "import", "untrusted"),
        ({"origin": "User"}, "User", "untrusted"),
        ({"origin": "user "}, "user ", "untrusted"),
    ],
)
async def test_a_client_is_an_agent_unless_it_claims_less(
    vault: Vault, mode: str, claim: dict[str, Any], origin: str, trust: str
) -> None:
    async with Client(build_server(vault), mode=mode) as client:
        done = await call(client, "memory_store", memories=[{"text": "I like tea", "type": "PERSONA", **claim}])
        seen = await call(client, "memory_get", id=done["stored"][0]["id"])

        assert (done["stored"][0]["origin"], done["stored"][0]["trust"]) == (origin, trust)
        assert (seen["origin"], seen["trust"]) == (origin, trust)
        assert (await call(client, "memory_briefing"))["memories"] == []
        assert await found(client, "tea") == (["I like tea"] if trust == "unconfirmed" else [])
        assert await found(client, "tea", include_untrusted=True) == ["I like tea"]


async def test_what_the_user_vouches_for_is_in_the_briefing(vault: Vault) -> None:
    async with Client(build_server(vault)) as client:
        [id_] = await store(client, "I like tea", type="PERSONA")
        vault.trust(id_)

        assert [one["trust"] for one in (await call(client, "memory_briefing"))["memories"]] == ["trusted"]


@pytest.mark.parametrize(
    ("was", "vouched", "claim", "now"),
    [
        ("user", False, None, "unconfirmed"),
        ("user", False, "user", "unconfirmed"),
        ("agent", True, "user", "unconfirmed"),
        ("agent", False, "tool", "untrusted"),
        ("web", False, None, "untrusted"),
        ("web", False, "user", "untrusted"),
        ("web", True, "agent", "untrusted"),
        ("import", False, "agent", "untrusted"),
    ],
)
async def test_no_change_makes_a_memory_more_trusted(
    vault: Vault, was: str, vouched: bool, claim: str | None, now: str
) -> None:
    memory = vault.add("I like tea", origin=was)
    if vouched:
        vault.trust(memory.id)
    async with Client(build_server(vault)) as client:
        await call(client, "memory_update", id=memory.id, text="I like coffee", origin=claim)

    assert vault.get(memory.id).trust == now


async def test_what_a_page_said_does_not_replace_what_the_user_said(vault: Vault) -> None:
    memory = vault.add("I like tea")
    async with Client(build_server(vault)) as client:
        said = await refused(client, "memory_update", id=memory.id, text="I like coffee", origin="web")

    assert "an id of its own" in said
    assert (vault.get(memory.id).text, vault.get(memory.id).trust) == ("I like tea", "trusted")


async def test_an_agent_does_not_let_expire_what_the_user_said(vault: Vault) -> None:
    mine, agents = vault.add("I like tea"), vault.add("The user likes coffee", origin="agent")
    async with Client(build_server(vault)) as client:
        said = await refused(client, "memory_update", id=mine.id, expires_at="2020-01-01T00:00:00Z")
        await call(client, "memory_update", id=agents.id, expires_at="2020-01-01T00:00:00Z")

    assert "only the user decides" in said
    assert [memory.text for memory in vault.list()] == ["I like tea"]


async def test_saying_again_what_came_from_the_web_does_not_make_it_an_agents(vault: Vault) -> None:
    vault.add("I like tea", origin="web")
    async with Client(build_server(vault)) as client:
        await store(client, "I like tea")
        assert await found(client, "tea") == []


async def test_the_other_profiles_write_as_agents_and_search_what_may_be_found(vault: Vault) -> None:
    vault.add("Zed sleeps", origin="web")
    about = {"graph": "observation", "entity": "Zed", "entity_type": "cat"}
    vault.add("purrs loudly", origin="import", metadata=about)
    async with Client(build_server(vault, profile=["graph", "openai"])) as client:
        assert (await call(client, "search", query="sleeps"))["results"] == []
        assert (await call(client, "search_nodes", query="purrs"))["entities"] == []
        assert len((await call(client, "read_graph"))["entities"]) == 1
        await call(client, "add_observations", observations=[{"entityName": "Zed", "contents": ["naps"]}])
        await call(client, "create_relations", relations=[{"from": "Zed", "to": "Tom", "relationType": "knows"}])

    assert {memory.text: memory.origin for memory in vault.list(limit=2)} == {"naps": "agent", "Zed knows Tom": "agent"}
