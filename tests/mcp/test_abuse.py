"""Hostile arguments, 200 for each tool: refused or harmless, never a crash, never anything of someone else."""

import re
from pathlib import Path
from typing import Any

import pytest
from mcp.types import PromptReference, ResourceTemplateReference

from mcp import Client, MCPError
from strongroom_mcp import Limits, build_server
from strongroom_mcp.reading import Reading
from support import vaults
from support.hostile_arguments import TEXTS, hostile
from support.mcp_clients import said
from vault_core import Vault

pytestmark = pytest.mark.anyio
HOSTILE = 200
CANARY = "xylophone-canary"  # in everything that the server must not show
OURS = "alice"
FREE = Limits(calls=None)
GRAPH = [{"name": "Zed", "entityType": "cat", "observations": ["sleeps"]}]
VALID: dict[str, dict[str, Any]] = {
    "memory_search": {"query": "xylophone canary", "include_untrusted": True},
    "memory_get": {"id": "ours"},
    "memory_list": {},
    "memory_history": {"id": "ours"},
    "memory_briefing": {},
    "memory_status": {},
    "memory_store": {"memories": [{"text": "a thought"}]},
    "memory_update": {"id": "ours", "text": "another thought"},
    "memory_forget": {"ids": ["ours"]},
    "create_entities": {"entities": GRAPH},
    "create_relations": {"relations": [{"from": "Zed", "to": "Tom", "relationType": "knows"}]},
    "add_observations": {"observations": [{"entityName": "Zed", "contents": ["purrs"]}]},
    "delete_entities": {"entityNames": ["Tom"]},
    "delete_observations": {"deletions": [{"entityName": "Zed", "observations": ["purrs"]}]},
    "delete_relations": {"relations": [{"from": "Zed", "to": "Tom", "relationType": "knows"}]},
    "read_graph": {},
    "search_nodes": {"query": "xylophone"},
    "open_nodes": {"names": ["Zed"]},
    "search": {"query": "xylophone"},
    "fetch": {"id": "ours"},
}


def others(vault: Vault) -> list[tuple[Any, ...]]:
    """Everything that is not the server's."""
    return [
        (memory.box, memory.namespace, memory.id, memory.version, memory.state)
        for memory in vault.stream(include_superseded=True, include_expired=True, include_archived=True)
        if memory.box != "main" or memory.namespace[:1] != (OURS,)
    ]


def shared_vault(folder: Path) -> Vault:
    """A vault with much that a server of Alice's namespace must never show or change."""
    vault = vaults.create(folder)
    vault.add_box("secret")
    vault.add("I play music on Sundays", id="ours", namespace=(OURS,))
    for namespace, box in (((), "main"), (("bob",), "main"), ((OURS + "x",), "main"), ((OURS,), "secret")):
        for name in ("theirs", "ours", "Zed"):
            about = {"graph": "observation", "entity": "Zed", "entity_type": CANARY}
            vault.add(
                f"{CANARY} of {name}", id=name, namespace=namespace, box=box, tags=["graph", CANARY], metadata=about,
                source=CANARY, memory_type="PERSONA",
            )  # fmt: skip
    return vault


@pytest.mark.parametrize("tool", VALID)
async def test_200_hostile_arguments_crash_nothing_and_show_nothing_of_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tool: str
) -> None:
    with shared_vault(tmp_path) as vault:
        before = others(vault)
        server = build_server(vault, namespace=(OURS,), profile=["memory", "graph", "openai"], limits=FREE)
        refusals, findings = await tried(server, tool)
        assert others(vault) == before
        assert vault.verify(full=True)

    assert findings == []
    assert refusals > HOSTILE // 10, "the arguments are not hostile enough"
    assert caplog.text == ""


async def tried(server: Any, tool: str) -> tuple[int, list[str]]:
    """Use hostile arguments; gives how many were refused, and what should not have happened."""
    refusals, findings = 0, []
    async with Client(server) as client:
        schema = next(one.input_schema for one in (await client.list_tools()).tools if one.name == tool)
        for arguments in hostile(schema, VALID[tool], seed=len(tool), count=HOSTILE):
            result = await client.call_tool(tool, arguments)
            told = said(result)
            refusals += result.is_error
            crashed, leaked = "Traceback" in told or "unexpected" in told, f"{CANARY} of" in told
            if crashed or leaked or len(told) > 100_000:
                findings.append(f"{'a crash' if crashed else 'a leak' if leaked else 'too much'}: {arguments}"[:500])
        assert not (await client.call_tool("memory_status", {})).is_error
    return refusals, findings


async def careless(self: Reading, id: str, namespace: list[str] | None = None, offset: int = 0) -> str:
    return {"ours": str(offset)}[id]


async def unconfined(self: Reading, id: str, namespace: list[str] | None = None, offset: int = 0) -> str:
    def work(vault: Vault, _: Any) -> str:
        return vault.get(id, namespace=namespace or ()).text

    return await self._desk.read(work)


@pytest.mark.parametrize(("bug", "finding"), [(careless, "a crash"), (unconfined, "a leak")])
async def test_hostile_arguments_find_a_tool_that_crashes_and_one_that_shows_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: Any, finding: str
) -> None:
    bug.__name__ = "memory_get"
    monkeypatch.setattr(Reading, "memory_get", bug)
    with shared_vault(tmp_path) as vault:
        _, findings = await tried(build_server(vault, namespace=(OURS,), limits=FREE), "memory_get")

    assert any(one.startswith(finding) for one in findings)


async def test_hostile_addresses_prompts_and_completions_crash_nothing_and_show_nothing_of_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    template, prompt = ResourceTemplateReference(uri="memory://{id}"), PromptReference(name="recall")
    heard: list[str] = []
    with shared_vault(tmp_path) as vault:
        async with Client(build_server(vault, namespace=(OURS,), limits=FREE)) as client:
            for text in (*(text for text in TEXTS if len(text) < 10_000), CANARY, "theirs"):
                try:
                    heard += [str(await client.read_resource(f"memory://{text}"))]
                except (MCPError, ValueError) as error:
                    heard += [str(error)]
                try:
                    heard += [str(await client.get_prompt("recall", {"topic": text, "tag": text}))]
                except MCPError as error:
                    heard += [str(error)]
                for ref, name in ((template, "id"), (prompt, "tag"), (prompt, text)):
                    heard += [str(await client.complete(ref, {"name": name, "value": text[:3]}))]

    assert not [one for one in heard if "Traceback" in one or "unexpected" in one]
    assert not [one for one in heard if re.search(rf"{CANARY} of|'{CANARY}'", one)]
    assert caplog.text == ""
