"""LangMem on a vault: its tools and its store manager, as they are published."""

import asyncio
import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langmem import create_manage_memory_tool, create_memory_store_manager, create_search_memory_tool

from langchain_strongroom import StrongroomStore
from support.graphs import Scripted, calling, saying
from support.langgraph_stores import EMBEDDED, embed
from vault_core import Vault

INDEX: Any = {"dims": EMBEDDED, "embed": embed}
USER: Any = {"configurable": {"langgraph_user_id": "alice"}}
NAMESPACE = ("memories", "{langgraph_user_id}")


@pytest.fixture(params=[None, INDEX], ids=["ranked by the vault", "cosines"])
def store(request: pytest.FixtureRequest, vault: Vault) -> StrongroomStore:
    return StrongroomStore(vault, index=request.param)


def test_the_manage_and_search_tools_keep_find_change_and_delete(store: StrongroomStore, vault: Vault) -> None:
    manage = create_manage_memory_tool(NAMESPACE, store=store)
    search = create_search_memory_tool(NAMESPACE, store=store)

    manage.invoke({"content": "Alice likes green tea", "action": "create"}, USER)
    manage.invoke({"content": "Alice takes the train", "action": "create"}, USER)
    [first, *_] = json.loads(search.invoke({"query": "tea", "limit": 2}, USER))
    assert first["value"] == {"content": "Alice likes green tea"}
    assert first["score"] > 0
    manage.invoke({"content": "Alice likes black tea", "action": "update", "id": first["key"]}, USER)
    assert json.loads(search.invoke({"query": "tea"}, USER))[0]["value"] == {"content": "Alice likes black tea"}
    manage.invoke({"action": "delete", "id": first["key"]}, USER)

    assert [memory.text for memory in vault.list()] == ["Alice takes the train"]
    assert vault.list()[0].namespace == ("memories", "alice")


def test_the_tools_can_be_awaited(store: StrongroomStore) -> None:
    manage = create_manage_memory_tool(NAMESPACE, store=store)
    search = create_search_memory_tool(NAMESPACE, store=store)

    async def live() -> Any:
        await asyncio.gather(
            *(manage.ainvoke({"content": f"tea {number}", "action": "create"}, USER) for number in range(10))
        )
        return json.loads(await search.ainvoke({"query": "tea", "limit": 20}, USER))

    assert len(asyncio.run(live())) == 10


@pytest.mark.parametrize("awaited", [False, True])
def test_the_store_manager_keeps_what_a_model_extracts(store: StrongroomStore, awaited: bool) -> None:
    extracted = calling("Memory", content="Alice likes green tea")
    manager = create_memory_store_manager(
        Scripted(script=saying(extracted, AIMessage("done"))), namespace=NAMESPACE, store=store
    )
    said: Any = {"messages": [HumanMessage("I like green tea")], "max_steps": 1}

    if awaited:
        asyncio.run(manager.ainvoke(said, USER))
    else:
        manager.invoke(said, USER)

    [item] = store.search(("memories", "alice"))
    assert item.value == {"kind": "Memory", "content": {"content": "Alice likes green tea"}}
    assert manager.search(query="tea", config=USER)[0].key == item.key
