"""LangChain and LangGraph on a vault: memory, search and state behind their own interfaces.

Names are imported when they are first used: each needs no more of LangChain than its own module does.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "StrongroomCipher": "langchain_strongroom.cipher",
    "StrongroomMiddleware": "langchain_strongroom.middleware",
    "StrongroomSaver": "langchain_strongroom.saver",
    "StrongroomSerializer": "langchain_strongroom.cipher",
    "StrongroomStore": "langchain_strongroom.store",
}
_OF_THE_EXTRA = ("langchain_core", "langgraph.checkpoint", "langgraph.store")  # the rest is the user's app's


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'langchain_strongroom' has no attribute {name!r}")
    try:
        value = getattr(import_module(home), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(__name__):
            raise
        package = _package(error.name or "")
        raise ModuleNotFoundError(f"{name} needs {error.name}: pip install {package}", name=error.name) from error
    globals()[name] = value
    return value


def _package(module: str) -> str:
    if module == "langgraph" or module.startswith(_OF_THE_EXTRA):
        return "'strongroom[langchain]'"
    return module.partition(".")[0]


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = list(_HOMES)
