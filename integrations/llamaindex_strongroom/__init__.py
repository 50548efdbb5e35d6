"""LlamaIndex on a vault: stores, retriever and memory behind its own interfaces.

Names are imported when they are first used, so that one part does not wait for what another needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamaindex_strongroom.block import StrongroomMemoryBlock
    from llamaindex_strongroom.chatstore import StrongroomBufferChatStore, StrongroomChatStore
    from llamaindex_strongroom.kvstore import StrongroomKVStore
    from llamaindex_strongroom.retriever import StrongroomRetriever
    from llamaindex_strongroom.storage import storage_context
    from llamaindex_strongroom.vectorstore import StrongroomVectorStore

_HOMES = {
    "StrongroomBufferChatStore": "llamaindex_strongroom.chatstore",
    "StrongroomChatStore": "llamaindex_strongroom.chatstore",
    "StrongroomKVStore": "llamaindex_strongroom.kvstore",
    "StrongroomMemoryBlock": "llamaindex_strongroom.block",
    "StrongroomRetriever": "llamaindex_strongroom.retriever",
    "StrongroomVectorStore": "llamaindex_strongroom.vectorstore",
    "storage_context": "llamaindex_strongroom.storage",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llamaindex_strongroom' has no attribute {name!r}")
    try:
        value = getattr(import_module(home), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "llama_index":
            raise
        raise ImportError("llamaindex_strongroom needs LlamaIndex: pip install 'strongroom[llamaindex]'") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "StrongroomBufferChatStore",
    "StrongroomChatStore",
    "StrongroomKVStore",
    "StrongroomMemoryBlock",
    "StrongroomRetriever",
    "StrongroomVectorStore",
    "storage_context",
]
