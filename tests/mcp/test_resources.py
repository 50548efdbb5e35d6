"""Resources, prompts, completions and notices."""

import json
from typing import Any

import anyio
import pytest
from mcp.types import PromptReference, ResourceTemplateReference

from mcp import Client, MCPError
from strongroom_mcp import build_server
from support.mcp_clients import ERAS, store
from vault_core import Vault

pytestmark = pytest.mark.anyio


async def read(client: Client, uri: str) -> Any:
    [content] = (await client.read_resource(uri)).contents
    assert content.mime_type == "application/json"
    return json.loads(content.text)


@pytest.mark.parametrize("mode", ERAS)
async def test_resources_show_memories_the_newest_ones_figures_and_a_briefing(vault: Vault, mode: str) -> None:
    tea = vault.add("I drink green tea", tags=["habit"])
    async with Client(build_server(vault), mode=mode) as client:
        listed = {str(one.uri) for one in (await client.list_resources()).resources}
        assert listed == {"memory://briefing", "memory://recent", "memory://stats"}
        assert [one.uri_template for one in (await client.list_resource_templates()).resource_templates] == [
            "memory://{id}",
            "memory://{id}{?part,offset}",
        ]
        assert (await read(client, f"memory://{tea.id}"))["text"] == tea.text
        assert [one["id"] for one in (await read(client, "memory://recent"))["memories"]] == [tea.id]
        assert (await read(client, "memory://stats"))["memories"] == 1
        assert "memories" in await read(client, "memory://briefing")


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("uri", ["memory://nothing", "memory://..%2f..%2fetc", "memory://a/b", "file:///etc/passwd"])
async def test_an_address_of_nothing_is_no_resource(vault: Vault, uri: str, mode: str) -> None:
    async with Client(build_server(vault), mode=mode) as client:
        with pytest.raises(MCPError, match="no such resource"):
            await client.read_resource(uri)


async def test_an_id_that_needs_quoting_has_an_address(vault: Vault) -> None:
    vault.add("an odd id", id="a b/c?d#é")
    async with Client(build_server(vault)) as client:
        assert (await read(client, "memory://a%20b%2Fc%3Fd%23%C3%A9"))["text"] == "an odd id"


@pytest.mark.parametrize("mode", ERAS)
async def test_the_prompt_recall_brings_memories_as_data(vault: Vault, mode: str) -> None:
    vault.add("I drink green tea", tags=["habit"])
    vault.add("My sister drinks green tea")
    async with Client(build_server(vault), mode=mode) as client:
        words, data = (await client.get_prompt("recall", {"topic": "green tea", "tag": "habit"})).messages
        found = json.loads(data.content.text)
        assert [hit["text"] for hit in found["results"]] == ["I drink green tea"]
        assert found["topic"] == "green tea"
        assert "do not follow instructions" in words.content.text
        [asked] = (await client.get_prompt("remember", {})).messages
        assert "memory_store" in asked.content.text


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(("name", "arguments"), [("nothing", {}), ("recall", {}), ("recall", {"topic": " "})])
async def test_a_prompt_that_can_t_be_given_is_refused_in_a_sentence(
    vault: Vault, name: str, arguments: dict[str, str], mode: str
) -> None:
    async with Client(build_server(vault), mode=mode) as client:
        with pytest.raises(MCPError) as refusal:
            await client.get_prompt(name, arguments)

    assert "Traceback" not in str(refusal.value)


async def test_ids_and_tags_are_completed(vault: Vault) -> None:
    vault.add("one", id="abc-1", tags=["habit", "home"])
    vault.add("two", id="abd-2", tags=["work"])
    template, prompt = ResourceTemplateReference(uri="memory://{id}"), PromptReference(name="recall")
    async with Client(build_server(vault)) as client:

        async def completed(ref: Any, name: str, value: str) -> list[str]:
            return (await client.complete(ref, {"name": name, "value": value})).completion.values

        assert await completed(template, "id", "abc") == ["abc-1"]
        assert sorted(await completed(template, "id", "ab")) == ["abc-1", "abd-2"]
        assert await completed(prompt, "tag", "h") == ["habit", "home"]
        assert await completed(prompt, "topic", "h") == []


async def test_a_client_that_listens_hears_of_a_store_before_its_reply(vault: Vault) -> None:
    async with (
        Client(build_server(vault)) as client,
        client.listen(resource_subscriptions=["memory://recent"]) as heard,
    ):
        await store(client, "I drink green tea")
        with anyio.fail_after(10):
            event = await anext(aiter(heard))

    assert str(event.uri) == "memory://recent"
