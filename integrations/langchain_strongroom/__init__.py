"""LangChain and LangGraph on a vault: memory, search and state behind their own interfaces.

Names are imported when they are first used: each needs only the packages that its own module imports.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_strongroom.bytestore import StrongroomByteStore
    from langchain_strongroom.cipher import StrongroomCipher, StrongroomSerializer
    from langchain_strongroom.classic import StrongroomMemory
    from langchain_strongroom.history import StrongroomChatMessageHistory
    from langchain_strongroom.middleware import StrongroomMiddleware
    from langchain_strongroom.retriever import StrongroomRetriever
    from langchain_strongroom.saver import StrongroomSaver
    from langchain_strongroom.store import StrongroomStore
    from langchain_strongroom.tools import memory_tools
    from langchain_strongroom.vectorstore import StrongroomVectorStore

_HOMES = {
    "StrongroomByteStore": "bytestore",
    "StrongroomChatMessageHistory": "history",
    "StrongroomCipher": "cipher",
    "StrongroomMemory": "classic",
    "StrongroomMiddleware": "middleware",
    "StrongroomRetriever": "retriever",
    "StrongroomSaver": "saver",
    "StrongroomSerializer": "cipher",
    "StrongroomStore": "store",
    "StrongroomVectorStore": "vectorstore",
    "memory_tools": "tools",
}
_OF_THE_EXTRA = ("langchain_core", "langgraph.checkpoint", "langgraph.store")  # the rest is the user's app's


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'langchain_strongroom' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"langchain_strongroom.{home}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(__name__):
            raise
        message = f"{name} needs {error.name}: pip install {_package(error.name)}"
        raise ModuleNotFoundError(message, name=error.name) from error
    globals()[name] = value
    return value


def _package(module: str) -> str:
    if module == "langgraph" or module.startswith(_OF_THE_EXTRA):
        return "'strongroom[langchain]'"
    return module.partition(".")[0].replace("_", "-")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "StrongroomByteStore",
    "StrongroomChatMessageHistory",
    "StrongroomCipher",
    "StrongroomMemory",
    "StrongroomMiddleware",
    "StrongroomRetriever",
    "StrongroomSaver",
    "StrongroomSerializer",
    "StrongroomStore",
    "StrongroomVectorStore",
    "memory_tools",
]
