"""No reply is over the budget, whatever is asked and stored; what is shortened says so and can be had in full."""

import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.types import PromptReference, ResourceTemplateReference

from mcp import Client
from strongroom_mcp import Limits, budget, build_server
from strongroom_mcp.framing import shown
from strongroom_mcp.limits import MAX_REPLY_BYTES
from strongroom_mcp.reading import Reading
from support.mcp_clients import call, said
from vault_core import Vault

pytestmark = pytest.mark.anyio
FREE = Limits(calls=None)
EVIL = ("\u200b", "<", "\u00ad", '"', "\\", "\U000e0041", "😀", "x", "&lt;", "é")  # each a few times as long when shown
PROFILES = ["memory", "graph", "openai"]


def label(lucky: random.Random) -> str:
    """A label as long as the vault takes, which gets longer by being shown."""
    letter = lucky.choice(EVIL)
    return (letter * 512)[: 500 // len(letter.encode())] + f"{lucky.randrange(10**8):08}"


def fill(vault: Vault, seed: int, count: int = 24) -> list[str]:
    """Memories of which everything is as large as it may be; gives their texts."""
    lucky, texts = random.Random(seed), []
    for number in range(count):
        deep = tuple(label(lucky) for _ in range(lucky.choice((0, 1, 3, 32))))
        texts.append(f"tea number {number} " + lucky.choice(EVIL) * lucky.choice((10, 3_000, 70_000)))
        vault.add(
            texts[-1],
            id=label(lucky),
            namespace=deep if number % 2 else (),
            tags=[label(lucky) for n in range(lucky.choice((1, 200)))],
            metadata={f"{label(lucky)}{n}": label(lucky) for n in range(lucky.choice((1, 100)))},
            source=label(lucky),
            thread=label(lucky),
            memory_type=label(lucky),
            origin=lucky.choice(("user", "user", label(lucky))),
            reason=label(lucky),
        )
        graph = {"graph": "observation", "entity": label(lucky) * lucky.choice((1, 90)), "entity_type": label(lucky)}
        vault.add(f"thought {number} " + lucky.choice(EVIL) * 40_000, tags=["graph"], metadata=graph)
        relation = {"graph": "relation", "from": graph["entity"], "relation": label(lucky), "to": label(lucky) * 50}
        vault.add(f"relation {number}", metadata=relation)
    return texts


async def asked(
    client: Client, lucky: random.Random, ids: list[str], texts: list[str]
) -> AsyncIterator[tuple[str, str]]:
    """Every tool with much to tell; what it said."""
    names = [label(lucky) for _ in range(99)]
    many = [{"text": text[:60_000]} for text in lucky.sample(texts, 8)]
    entities = [{"name": name, "entityType": name, "observations": [name * 20] * 9} for name in names[:60]]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("memory_store", {"memories": many}),
        ("memory_store", {"memories": [{"text": f"tea {text[:100]}", "namespace": names[:32]} for text in texts[:30]]}),
        ("memory_status", {}), ("memory_briefing", {"max_tokens": 8_000}), ("read_graph", {}),
        ("search", {"query": "tea"}), ("search_nodes", {"query": "thought"}),
        ("create_entities", {"entities": entities}), ("open_nodes", {"names": names}),
        ("create_relations", {"relations": [{"from": one, "to": one, "relationType": one} for one in names]}),
        ("add_observations", {"observations": [{"entityName": name, "contents": [name * 99]} for name in names[:60]]}),
        ("delete_observations", {"deletions": [{"entityName": name, "observations": [name * 99]} for name in names]}),
        ("memory_forget", {"ids": ids[:50]}), ("memory_forget", {"ids": ["x" * 512]}),
    ]  # fmt: skip
    for offset in (0, 7, 25):
        calls += [("memory_search", {"query": "tea number", "limit": 50, "offset": offset, "include_untrusted": True})]
        calls += [("memory_list", {"limit": 50, "offset": offset})]
    for id_ in ids[:12]:
        calls += [("memory_history", {"id": id_}), ("fetch", {"id": id_}), ("memory_get", {"id": id_})]
        calls += [("memory_update", {"id": id_, "tags": names[:64]}), ("memory_get", {"id": id_, "part": "metadata"})]
    for tool, arguments in calls:
        result = await client.call_tool(tool, arguments)
        yield tool, said(result)
        if result.structured_content is not None:
            assert json.loads(said(result)) == result.structured_content
    for uri in ("memory://recent", "memory://briefing", "memory://stats", "memory://knowledge-graph"):
        yield uri, (await client.read_resource(uri)).contents[0].text
    yield (
        "recall",
        (await client.get_prompt("recall", {"topic": "tea" + "\U000e0041" * 4_000})).messages[1].content.text,
    )
    for ref, name in ((ResourceTemplateReference(uri="memory://{id}"), "id"), (PromptReference(name="recall"), "tag")):
        yield "complete", json.dumps((await client.complete(ref, {"name": name, "value": ""})).completion.values)


@pytest.mark.parametrize("seed", range(2))
async def test_no_reply_is_over_the_budget_and_no_tool_runs_into_the_lock(vault: Vault, seed: int) -> None:
    texts = fill(vault, seed)
    async with Client(build_server(vault, profile=PROFILES, limits=FREE)) as client:
        listed = [one async for one in every(client, "memory_list", "memories", limit=50)]
        told = [one async for one in asked(client, random.Random(seed), [one["id"] for one in listed], texts)]

    assert len(listed) == len({one["id"] for one in listed}) == vault_size(texts)
    sizes = {what: max(len(text.encode()) for name, text in told if name == what) for what, _ in told}
    assert max(sizes.values()) <= MAX_REPLY_BYTES, sizes
    assert not [what for what, text in told if budget.TOO_LARGE in text]


def vault_size(texts: list[str]) -> int:
    return 3 * len(texts)


async def every(client: Client, tool: str, field: str, **arguments: Any) -> AsyncIterator[Any]:
    """What a tool gives on all its pages."""
    offset: int | None = 0
    while offset is not None:
        page = await call(client, tool, **arguments, offset=offset)
        for one in page[field]:
            yield one
        offset = page.get("next_offset")


async def test_the_lock_keeps_in_what_a_tool_without_a_budget_gives(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def memory_list(self: Reading) -> dict[str, str]:
        """All of it."""
        return {"all": "x" * MAX_REPLY_BYTES}

    monkeypatch.setattr(Reading, "memory_list", memory_list)
    async with Client(build_server(vault)) as client:
        result = await client.call_tool("memory_list", {})

    assert result.is_error
    assert said(result) == budget.TOO_LARGE


async def test_a_receipt_names_every_memory_by_what_finds_it(vault: Vault) -> None:
    texts = [f"I drink tea number {number}" for number in range(50)]
    for number, text in enumerate(texts):
        vault.add(text, id="\u200b" * 160 + f"id{number}", namespace=["\u200b" * 168] * 4)
    async with Client(build_server(vault, namespace=["\u200b" * 168])) as client:
        where = [shown("\u200b" * 168)] * 3
        stored = (await call(client, "memory_store", memories=[{"text": t, "namespace": where} for t in texts]))[
            "stored"
        ]
        found = [await call(client, "memory_get", id=one["id"]) for one in stored]

    assert [one["text"] for one in found] == texts
    assert vault.count() == 50, "they were there already"
    assert all("namespace" in one["shortened"] for one in stored)


async def test_near_duplicates_with_long_ids_are_named_by_what_finds_them(vault: Vault) -> None:
    vault.add("I drink green tea in the morning with my friend Bob", id="<" * 512)
    async with Client(build_server(vault)) as client:
        text = "I drink green tea in the morning with my friend Bob Smith"
        [stored] = (await call(client, "memory_store", memories=[text]))["stored"]
        assert (await call(client, "memory_get", id=stored["similar"][0]))["text"].endswith("Bob")
        assert json.loads(await whole(client, "memory_get", id=stored["similar"][0], part="id")) == shown("<" * 512)


async def whole(client: Client, tool: str, **arguments: Any) -> str:
    """The text of all pages."""
    text, offset = "", 0
    while offset is not None:
        page = await call(client, tool, **arguments, offset=offset)
        text, offset = text + page["text"], page.get("next_offset") or page["metadata"].get("next_offset")
        offset = None if offset is None else int(offset)
    return text


async def test_what_a_reply_shortens_is_had_in_full(vault: Vault) -> None:
    tags = [f"{n}{'é' * 200}" for n in range(256)]
    about = {f"key {n}": ["v" * 1_000] for n in range(100)}
    namespace = tuple("n" * 500 + str(n) for n in range(32))
    vault.add("tea " * 20_000, id="large", tags=tags, metadata=about, namespace=namespace)
    vault.update("large", namespace=namespace, content="coffee")
    async with Client(build_server(vault, profile=PROFILES)) as client:
        [hit] = (await call(client, "memory_search", query="coffee"))["results"]
        assert {"tags", "namespace"} <= set(hit["shortened"])
        assert json.loads(await whole(client, "memory_get", id=hit["id"], part="tags")) == tags
        assert json.loads(await whole(client, "memory_get", id=hit["id"], part="namespace")) == list(namespace)
        assert json.loads(await whole(client, "memory_get", id=hit["id"], part="metadata")) == about
        [first, _] = (await call(client, "memory_history", id=hit["id"]))["versions"]
        assert first["truncated"]
        assert await whole(client, "memory_get", id=hit["id"], version=first["version"]) == "tea " * 20_000


async def test_fetch_and_resources_go_on_where_they_left_off(vault: Vault) -> None:
    memory = vault.add("tea, " * 9_000)
    async with Client(build_server(vault, profile="openai")) as client:
        text, offset = "", 0
        while offset is not None:
            page = await call(client, "fetch", id=memory.id, offset=offset)
            text, offset = text + page["text"], page["metadata"].get("next_offset")
            offset = None if offset is None else int(offset)
        rest = json.loads((await client.read_resource(f"memory://{memory.id}?offset=16000")).contents[0].text)

    assert text == "tea, " * 9_000
    assert rest["text"] == text[16_000:32_000]


async def test_namespaces_hits_and_versions_that_do_not_fit_are_counted_and_had_next(vault: Vault) -> None:
    for number in range(250):
        vault.add(f"tea {number}", namespace=(f"{number:03}" + "é" * 100,))
    for number in range(40):
        vault.add(f"green {number} " + "tea " * 1_000, id="often")
    async with Client(build_server(vault)) as client:
        first = await call(client, "memory_status")
        assert first["omitted"] == 251 - len(first["namespaces"]) > 0
        names = [tuple(one) async for one in every(client, "memory_status", "namespaces")]
        assert names == vault.namespaces()
        history = await call(client, "memory_history", id="often")
        assert history["omitted"] == 40 - len(history["versions"]) > 0
        versions = [one["version"] async for one in every(client, "memory_history", "versions", id="often")]
        assert sorted(map(int, versions)) == list(range(1, 41))


async def test_a_graph_that_is_too_large_for_a_reply_comes_in_pages(vault: Vault) -> None:
    async with Client(build_server(vault, profile="graph")) as client:
        for number in range(5):
            said = [f"{number} {n} " + "is green " * 200 for n in range(20)]
            await call(
                client,
                "create_entities",
                entities=[{"name": f"tea {number}", "entityType": "tea", "observations": said}],
            )
        seen = [
            (one["name"], text) async for one in every(client, "read_graph", "entities") for text in one["observations"]
        ]
        assert (await call(client, "read_graph"))["omitted"] > 0

    assert len(seen) == len(set(seen)) == 100


async def test_a_long_observation_names_where_all_of_it_is(vault: Vault) -> None:
    async with Client(build_server(vault, profile="graph")) as client:
        entity = {"name": "tea", "entityType": "drink", "observations": ["green " * 5_000]}
        receipt = await call(client, "create_entities", entities=[entity])
        assert receipt["entities"][0]["name"] == "tea"
        [seen] = (await call(client, "open_nodes", names=["tea"]))["entities"]
        assert seen["shortened"] == ["observations"]
        assert "green green".startswith(seen["observations"][0][:11])
        text = json.loads((await client.read_resource(seen["whole"][0])).contents[0].text)["text"]

    assert text.startswith("green green")


async def test_an_id_that_looks_like_a_short_name_is_not_taken_for_one(vault: Vault) -> None:
    long = "\u200b" * 170
    vault.add("the long one", id=long)
    async with Client(build_server(vault)) as client:
        [one] = (await call(client, "memory_list"))["memories"]
        vault.add("the impostor", id=one["id"])
        assert (await call(client, "memory_get", id=one["id"]))["text"] == "the long one"
        names = {one["text"]: one["id"] for one in (await call(client, "memory_list"))["memories"]}
        assert (await call(client, "memory_get", id=names["the impostor"]))["text"] == "the impostor"
