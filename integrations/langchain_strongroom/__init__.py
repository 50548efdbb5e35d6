"""LangChain and LangGraph on a vault: memory, search and state behind their own interfaces.

Names are imported when they are first used: each needs only the packages that its own module imports.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_strongroom.bytestore import StrongroomByteStore
    from langchain_strongroom.classic import StrongroomMemory
    from langchain_strongroom.history import StrongroomChatMessageHistory
    from langchain_strongroom.retriever import StrongroomRetriever
    from langchain_strongroom.tools import memory_tools
    from langchain_strongroom.vectorstore import StrongroomVectorStore

_HOMES = {
    "StrongroomByteStore": "bytestore",
    "StrongroomChatMessageHistory": "history",
    "StrongroomMemory": "classic",
    "StrongroomRetriever": "retriever",
    "StrongroomVectorStore": "vectorstore",
    "memory_tools": "tools",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'langchain_strongroom' has no attribute {name!r}")
    value = getattr(import_module(f"langchain_strongroom.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "StrongroomByteStore",
    "StrongroomChatMessageHistory",
    "StrongroomMemory",
    "StrongroomRetriever",
    "StrongroomVectorStore",
    "memory_tools",
]
