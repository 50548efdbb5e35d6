"""`strongroom mcp`: the MCP server, which is a program of its own.

The core knows no adapter, so it asks the installation: whatever is registered as `mcp` in the entry-point group
`strongroom.commands` is run with the rest of the command line.
"""

from importlib.metadata import entry_points

import typer

from vault_core.errors import UnavailableError

GROUP = "strongroom.commands"


def mcp(ctx: typer.Context) -> None:
    """Serve the vault to clients of the Model Context Protocol: Claude, Cursor, VS Code and others.

    Needs `pip install 'strongroom[mcp]'`. `strongroom mcp --help` lists its options; they are those of
    `python -m strongroom_mcp`.
    """
    found = entry_points(group=GROUP, name="mcp")
    if not found:
        error = UnavailableError("this installation of strongroom has no MCP server")
        error.add_note("pip install --force-reinstall 'strongroom[mcp]'")
        raise error
    next(iter(found)).load()(ctx.args, "strongroom mcp")
