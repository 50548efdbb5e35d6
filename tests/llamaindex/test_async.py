"""Awaited, every method leaves the event loop free while it works."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters, VectorStoreQuery

from llamaindex_strongroom import (
    StrongroomBufferChatStore,
    StrongroomChatStore,
    StrongroomKVStore,
    StrongroomMemoryBlock,
    StrongroomRetriever,
    StrongroomVectorStore,
)
from support.nodes import WordEmbedding, node
from vault_core import Vault

HI = ChatMessage(role="user", content="hi")
RED = MetadataFilters(filters=[MetadataFilter(key="colour", value="red")])
QUERY = VectorStoreQuery(query_embedding=WordEmbedding().get_query_embedding("tea"))

Call = Callable[[Any], Awaitable[Any]]
CLASSES: dict[type, dict[str, Call]] = {
    StrongroomVectorStore: {
        "async_add": lambda store: store.async_add([node("a", "tea")]),
        "adelete": lambda store: store.adelete("menu"),
        "adelete_nodes": lambda store: store.adelete_nodes(filters=RED),
        "aclear": lambda store: store.aclear(),
        "aget_nodes": lambda store: store.aget_nodes(["a"]),
        "aquery": lambda store: store.aquery(QUERY),
    },
    StrongroomChatStore: {
        "get_messages": lambda store: store.get_messages("a"),
        "count_messages": lambda store: store.count_messages("a"),
        "add_message": lambda store: store.add_message("a", HI),
        "add_messages": lambda store: store.add_messages("a", [HI]),
        "set_messages": lambda store: store.set_messages("a", [HI]),
        "delete_message": lambda store: store.delete_message("a", 1),
        "delete_messages": lambda store: store.delete_messages("a"),
        "delete_oldest_messages": lambda store: store.delete_oldest_messages("a", 1),
        "archive_oldest_messages": lambda store: store.archive_oldest_messages("a", 1),
        "get_keys": lambda store: store.get_keys(),
    },
    StrongroomBufferChatStore: {
        "aset_messages": lambda store: store.aset_messages("a", [HI]),
        "aget_messages": lambda store: store.aget_messages("a"),
        "async_add_message": lambda store: store.async_add_message("a", HI),
        "adelete_messages": lambda store: store.adelete_messages("a"),
        "adelete_message": lambda store: store.adelete_message("a", 0),
        "adelete_last_message": lambda store: store.adelete_last_message("a"),
        "aget_keys": lambda store: store.aget_keys(),
    },
    StrongroomKVStore: {
        "aput": lambda store: store.aput("a", {}),
        "aput_all": lambda store: store.aput_all([("a", {})]),
        "aget": lambda store: store.aget("a"),
        "aget_all": lambda store: store.aget_all(),
        "adelete": lambda store: store.adelete("a"),
    },
    StrongroomRetriever: {"aretrieve": lambda retriever: retriever.aretrieve("tea")},
    StrongroomMemoryBlock: {
        "aget": lambda block: block.aget([HI], session_id="s"),
        "aput": lambda block: block.aput([HI], session_id="s"),
        "aremember": lambda block: block.aremember("tea"),
    },
}
CALLS = [(kind, name, call) for kind, calls in CLASSES.items() for name, call in calls.items()]
NOT_OURS = {"acall", "achat", "aretrieve_from_object"}
PURE = {"atruncate"}  # asks no vault


@contextmanager
def busy(vault: Vault, seconds: float) -> Iterator[tuple[threading.Event, threading.Event]]:
    """The vault's lock, held by another thread until the first event is set; the second says that it waited in vain."""
    held, release, in_vain = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        with vault._session.lock:
            held.set()
            if not release.wait(seconds):
                in_vain.set()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    yield release, in_vain
    release.set()
    thread.join()


async def left_the_loop_free(vault: Vault, call: Callable[[], Awaitable[Any]], seconds: float = 30.0) -> bool:
    """Whether the loop went on while the vault was busy. A call that blocks it waits for what only the loop can do."""
    with busy(vault, seconds) as (release, in_vain):
        task = asyncio.ensure_future(call())
        for _ in range(5):
            await asyncio.sleep(0)
        worked_on = not task.done() and not in_vain.is_set()
        release.set()
        await task
    return worked_on


@pytest.mark.parametrize(("kind", "name", "call"), CALLS, ids=[f"{kind.__name__}.{name}" for kind, name, _ in CALLS])
def test_an_awaited_method_leaves_the_loop_free(vault: Vault, kind: type, name: str, call: Call) -> None:
    thing = kind(vault)

    assert asyncio.run(left_the_loop_free(vault, lambda: call(thing)))


def test_a_method_that_blocks_is_found(vault: Vault) -> None:
    class Blocking(StrongroomVectorStore):
        async def aclear(self) -> None:
            self.clear()

    assert not asyncio.run(left_the_loop_free(vault, Blocking(vault).aclear, seconds=0.2))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_no_public_coroutine_is_left_out(kind: type) -> None:
    public = {name for name in dir(kind) if not name.startswith("_") and name not in NOT_OURS | PURE}
    coroutines = {name for name in public if asyncio.iscoroutinefunction(getattr(kind, name))}

    assert coroutines == set(CLASSES[kind])
