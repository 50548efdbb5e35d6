"""The command `strongroom`: `app` holds its commands, `main` runs it."""

import sys
from typing import TYPE_CHECKING, Any

from vault_core.cli.elsewhere import registered

if TYPE_CHECKING:
    from vault_core.cli.program import app


def main() -> None:
    """Run `strongroom`.

    Clients wait for `strongroom mcp`, so it is not kept waiting for the commands that it does not need.
    """
    serve = registered("mcp") if sys.argv[1:2] == ["mcp"] else None
    if serve is not None:
        serve(sys.argv[2:], "strongroom mcp")
        return
    from vault_core.cli import program

    program.main()


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module 'vault_core.cli' has no attribute {name!r}")
    from vault_core.cli.program import app

    return app


__all__ = ["app", "main"]
