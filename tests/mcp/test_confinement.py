"""A server that is confined to a namespace or a box can't be talked into any other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp import Client, MCPError
from strongroom_mcp import build_server
from support import vaults
from support.mcp_clients import ERAS, call, found, refused, said, store
from vault_core import Draft, Vault

pytestmark = pytest.mark.anyio
PLACES: tuple[tuple[tuple[str, ...], str], ...] = (
    ((), "main"), (("alice",), "main"), (("alice", "work"), "main"), (("alicex",), "main"), (("bob",), "main"),
    (("alice",), "secret"), ((), "secret"),
)  # fmt: skip


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Vault]:
    """In each place a memory that says where it is, with the same id, and one whose id says it."""
    with vaults.create(tmp_path) as vault:
        vault.add_box("secret")
        for namespace, box in PLACES:
            where = f"{box} {'/'.join(namespace)}."
            vault.add(f"a thought of {where}", id="same", namespace=namespace, box=box, memory_type="PERSONA")
            vault.add(f"another thought of {where}", id=where, namespace=namespace, box=box, tags=[where])
        yield vault


def allowed(namespace: tuple[str, ...], box: str) -> set[str]:
    """The texts that a server so confined may show."""
    return {
        f"{one} thought of {b} {'/'.join(n)}."
        for n, b in PLACES
        for one in ("a", "another")
        if b == box and n[: len(namespace)] == namespace
    }


CONFINEMENTS = [
    ((), "main"),
    (("alice",), "main"),
    (("alice", "work"), "main"),
    (("alice",), "secret"),
    (("no",), "main"),
]


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(("namespace", "box"), CONFINEMENTS)
async def test_lists_searches_figures_and_resources_show_the_confinement_and_no_more(
    many: Vault, namespace: tuple[str, ...], box: str, mode: str
) -> None:
    ours = allowed(namespace, box)
    async with Client(build_server(many, namespace=namespace, box=box), mode=mode) as client:
        assert {one["text"] for one in (await call(client, "memory_list", limit=50))["memories"]} == ours
        assert set(await found(client, "thought", limit=50)) == ours
        assert (await call(client, "memory_status"))["memories"] == len(ours)
        recent = (await client.read_resource("memory://recent")).contents[0].text
        told = str((await client.get_prompt("recall", {"topic": "thought"})).messages)
        for text in (recent, told, str(await call(client, "memory_briefing"))):
            assert not [one for one in set().union(*(allowed((), b) for b in ("main", "secret"))) - ours if one in text]


async def test_no_id_filter_or_namespace_leads_out(many: Vault) -> None:
    before = [memory.version for memory in many.stream()]
    outside = ["main bob.", "main .", "secret alice.", "secret ."]
    async with Client(build_server(many, namespace=("alice",))) as client:
        for id_ in outside:
            for labels in (None, [], ["bob"], ["..", "bob"], ["", "bob"], ["alice"]):
                for tool in ("memory_get", "memory_history"):
                    await refused(client, tool, id=id_, namespace=labels)
                await refused(client, "memory_update", id=id_, namespace=labels, text="x")
                await refused(client, "memory_forget", ids=[id_], namespace=labels)
            with pytest.raises(MCPError):
                await client.read_resource(f"memory://{id_}")
            assert (await call(client, "memory_search", query="thought", filter={"id": id_}))["results"] == []
            assert (await call(client, "memory_list", filter={"$not": {"id": "x"}, "tags": id_}))["memories"] == []
        assert await found(client, "thought", namespace=["bob"]) == []
        for argument in ({"box": "secret"}, {"boxes": ["secret"]}, {"vault": "x"}):
            assert "no argument" in await refused(client, "memory_list", **argument)

    assert [memory.version for memory in many.stream()] == before


async def test_what_is_stored_lands_inside(many: Vault) -> None:
    async with Client(build_server(many, namespace=("alice",), box="secret")) as client:
        await store(client, "first")
        await store(client, "second", namespace=["deep", "er"])

    places = {memory.text: (memory.namespace, memory.box) for memory in many.list(limit=2)}
    assert places == {"first": (("alice",), "secret"), "second": (("alice", "deep", "er"), "secret")}


async def test_an_id_that_several_memories_have_is_asked_back(many: Vault) -> None:
    async with Client(build_server(many, namespace=("alice",))) as client:
        assert "name the namespace" in await refused(client, "memory_get", id="same")
        assert (await call(client, "memory_get", id="same", namespace=[]))["text"] == "a thought of main alice."
        work = await call(client, "memory_get", id="same", namespace=["work"])
        assert work["text"] == "a thought of main alice/work."


async def test_completions_know_only_what_is_inside(many: Vault) -> None:
    from mcp.types import PromptReference, ResourceTemplateReference

    refs: dict[str, Any] = {
        "id": ResourceTemplateReference(uri="memory://{id}"),
        "tag": PromptReference(name="recall"),
    }
    inside = {"main alice.", "main alice/work."}
    async with Client(build_server(many, namespace=("alice",))) as client:
        for name, ref in refs.items():
            offered = (await client.complete(ref, {"name": name, "value": ""})).completion.values
            assert set(offered) - {"same"} == inside


async def test_a_box_that_is_not_there_is_told(many: Vault) -> None:
    async with Client(build_server(many, box="nowhere")) as client:
        result = await client.call_tool("memory_list", {})

    assert result.is_error
    assert "unexpected" not in said(result)


async def test_near_duplicates_of_others_are_not_named(many: Vault) -> None:
    text = "the quick brown fox jumps over the lazy dog near the river bank"
    for namespace, box in PLACES:
        many.add(text, namespace=namespace, box=box, id=f"fox-{box}-{'-'.join(namespace)}")
    async with Client(build_server(many, namespace=("alice",))) as client:
        done = await call(client, "memory_store", memories=[{"text": f"{text} today"}])

    inside = {"fox-main-alice", "fox-main-alice-work"}
    assert set(done["stored"][0]["similar"]) <= inside
    assert many.get(done["stored"][0]["id"], namespace=("alice",)).origin == "agent"


async def test_versions_are_numbered_by_memory_and_show_no_commits_of_others(vault: Vault) -> None:
    for text in ("green tea", "white tea"):
        vault.add(text, id="ours", namespace=("alice",))
        vault.add_many([Draft(content=f"{text} {number}", namespace=("bob",)) for number in range(5)])
    async with Client(build_server(vault, namespace=("alice",))) as client:
        told = await client.call_tool("memory_history", {"id": "ours"})
        assert [one["version"] for one in told.structured_content["versions"]] == ["1", "2"]
        first = await client.call_tool("memory_get", {"id": "ours", "version": "1"})
        assert first.structured_content["text"] == "green tea"
        for version in ("0", "3", "1.0", "\u0661", "9" * 500):
            assert (await client.call_tool("memory_get", {"id": "ours", "version": version})).is_error
        heard = [
            first,
            *[await client.call_tool(*one) for one in (("memory_list", {}), ("memory_get", {"id": "ours"}))],
        ]

    for memory in vault.history("ours", namespace=("alice",)):
        assert not [one for one in (told, *heard) if f'"{memory.version}"' in said(one)]
