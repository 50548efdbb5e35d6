"""An MCP server: one vault for every client that speaks the Model Context Protocol.

`build_server` makes it from an open vault, or from a function that opens one; `python -m strongroom_mcp` and
`strongroom mcp` run it. Needs the extra `mcp`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strongroom_mcp.limits import Limits
    from strongroom_mcp.server import build_server

_HOMES = {"Limits": "strongroom_mcp.limits", "build_server": "strongroom_mcp.server"}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'strongroom_mcp' has no attribute {name!r}")
    return getattr(import_module(home), name)


__all__ = ["Limits", "build_server"]
