"""The profile `graph`: what was written for the reference memory server works over the vault."""

import json
from pathlib import Path

import pytest

from mcp import Client
from strongroom_mcp import build_server
from support import vaults
from support.mcp_clients import ERAS, call, names, refused
from vault_core import Vault

pytestmark = pytest.mark.anyio

ALICE = {"name": "Alice", "entityType": "person", "observations": ["likes green tea", "lives in Oslo"]}
BOB = {"name": "Bob", "entityType": "person", "observations": []}
KNOWS = {"from": "Alice", "to": "Bob", "relationType": "knows"}
NAMES = {
    "create_entities", "create_relations", "add_observations", "delete_entities", "delete_observations",
    "delete_relations", "read_graph", "search_nodes", "open_nodes",
}  # fmt: skip


async def begun(client: Client) -> None:
    """The graph that every test here begins with."""
    assert await call(client, "create_entities", entities=[ALICE, BOB]) == {"entities": [ALICE, BOB]}
    assert await call(client, "create_relations", relations=[KNOWS]) == {"relations": [KNOWS]}


def graph_client(vault: Vault, mode: str = "auto") -> Client:
    return Client(build_server(vault, profile="graph"), mode=mode)


@pytest.mark.parametrize("mode", ERAS)
async def test_the_nine_tools_do_what_the_reference_server_does(vault: Vault, mode: str) -> None:
    async with graph_client(vault, mode) as client:
        assert names((await client.list_tools()).tools) == NAMES
        await begun(client)
        assert await call(client, "read_graph") == {"entities": [ALICE, BOB], "relations": [KNOWS]}

        added = await call(
            client, "add_observations", observations=[{"entityName": "Bob", "contents": ["builds compilers"] * 2}]
        )
        assert added == {"results": [{"entityName": "Bob", "addedObservations": ["builds compilers"]}]}
        bob = {**BOB, "observations": ["builds compilers"]}
        assert await call(client, "search_nodes", query="COMPILER") == {"entities": [bob], "relations": [KNOWS]}
        assert await call(client, "open_nodes", names=["Alice", "Zoe"]) == {"entities": [ALICE], "relations": [KNOWS]}

        await call(
            client, "delete_observations", deletions=[{"entityName": "Bob", "observations": ["builds compilers"]}]
        )
        assert await call(client, "open_nodes", names=["Bob"]) == {"entities": [BOB], "relations": [KNOWS]}
        await call(client, "delete_relations", relations=[KNOWS])
        await call(client, "delete_entities", entityNames=["Alice"])
        assert await call(client, "read_graph") == {"entities": [BOB], "relations": []}


async def test_what_is_there_is_not_created_again_and_what_was_deleted_comes_back(vault: Vault) -> None:
    async with graph_client(vault) as client:
        await begun(client)
        assert await call(client, "create_entities", entities=[ALICE]) == {"entities": []}
        assert await call(client, "create_relations", relations=[KNOWS, KNOWS]) == {"relations": []}

        await call(client, "delete_entities", entityNames=["Alice"])
        assert await call(client, "create_entities", entities=[ALICE]) == {"entities": [ALICE]}
        assert (await call(client, "open_nodes", names=["Alice"]))["entities"] == [ALICE]


async def test_two_entities_may_have_the_same_observation(vault: Vault) -> None:
    async with graph_client(vault) as client:
        twins = [{"name": name, "entityType": "cat", "observations": ["is black"]} for name in ("Tom", "Tim")]
        await call(client, "create_entities", entities=twins)

        assert (await call(client, "read_graph"))["entities"] == twins


async def test_observations_of_nobody_are_refused_and_nothing_is_stored(vault: Vault) -> None:
    async with graph_client(vault) as client:
        await begun(client)
        before = vault.count()
        said = await refused(
            client,
            "add_observations",
            observations=[{"entityName": "Alice", "contents": ["sings"]}, {"entityName": "Zoe", "contents": ["x"]}],
        )

    assert "Entity with name Zoe not found" in said
    assert vault.count() == before


async def test_the_graph_is_made_of_memories_with_agreed_metadata(vault: Vault) -> None:
    async with graph_client(vault) as client:
        await begun(client)

    seen = {memory.text: dict(memory.metadata) for memory in vault.list(filter={"tags": {"$all": ["graph"]}})}
    alice = {"graph": "observation", "entity": "Alice", "entity_type": "person"}
    assert seen == {
        "likes green tea": alice,
        "lives in Oslo": alice,
        "Bob (person)": {"graph": "entity", "entity": "Bob", "entity_type": "person"},
        "Alice knows Bob": {"graph": "relation", "from": "Alice", "relation": "knows", "to": "Bob"},
    }
    assert vaults.found(vault, "Where does Alice live?")[0] == "lives in Oslo"


async def test_a_graph_that_someone_else_stored_is_read(vault: Vault) -> None:
    about = {"entity": "Alice", "entity_type": "person"}
    vault.add("likes green tea", tags=["graph"], metadata=about)
    vault.add("Alice (person)", tags=["graph"], metadata=about)
    vault.add("Alice knows Bob", tags=["graph"], metadata={"relation": {"from": "Alice", "to": "Bob", "type": "knows"}})
    vault.add("lives in Oslo", metadata={"graph": "observation", **about})
    vault.add("of no graph", tags=["graph"], metadata={"relation": "odd"})
    async with graph_client(vault) as client:
        found = await call(client, "read_graph")

    assert found == {"entities": [ALICE], "relations": [KNOWS]}


async def test_deleting_hides_and_erases_nothing(vault: Vault) -> None:
    async with graph_client(vault) as client:
        await begun(client)
        await call(client, "delete_entities", entityNames=["Alice"])

    hidden = vault.list(include_archived=True, filter={"metadata.entity": "Alice"})
    assert sorted(memory.text for memory in hidden if memory.state.archived) == ["likes green tea", "lives in Oslo"]


async def test_a_read_only_graph_has_three_tools(vault: Vault) -> None:
    async with Client(build_server(vault, profile="graph", read_only=True)) as client:
        assert names((await client.list_tools()).tools) == {"read_graph", "search_nodes", "open_nodes"}


async def test_the_graph_is_a_resource_too(vault: Vault) -> None:
    async with graph_client(vault) as client:
        await begun(client)
        [content] = (await client.read_resource("memory://knowledge-graph")).contents
        assert '"from":"Alice"' in content.text


async def test_search_and_fetch_have_the_shapes_that_connectors_ask_for(vault: Vault) -> None:
    tea = vault.add("I drink green tea in the morning")
    async with Client(build_server(vault, profile="openai")) as client:
        assert names((await client.list_tools()).tools) == {"search", "fetch"}
        [hit] = (await call(client, "search", query="morning tea"))["results"]
        document = await call(client, "fetch", id=hit["id"])

    assert hit == {"id": tea.id, "title": tea.text, "url": f"memory://{tea.id}"}
    assert {**document, "metadata": None} == {**hit, "text": tea.text, "metadata": None}


async def test_profiles_can_be_served_together(vault: Vault) -> None:
    async with Client(build_server(vault, profile=["memory", "graph", "openai"])) as client:
        assert names((await client.list_tools()).tools) > NAMES | {"search", "fetch", "memory_store"}


async def test_a_graph_imported_from_the_reference_server_is_served(vault: Vault, tmp_path: Path) -> None:
    lines = [
        {"type": "entity", **ALICE},
        {"type": "entity", **BOB},
        {"type": "relation", **KNOWS},
    ]
    (tmp_path / "memory.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    vault.import_memories(tmp_path / "memory.jsonl")
    async with graph_client(vault) as client:
        assert await call(client, "read_graph") == {"entities": [ALICE, BOB], "relations": [KNOWS]}
        assert await call(client, "create_entities", entities=[ALICE]) == {"entities": []}
