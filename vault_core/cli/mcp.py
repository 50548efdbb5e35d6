"""`strongroom mcp`: the MCP server, which is a program of its own (`elsewhere`)."""

import typer

from vault_core.cli.elsewhere import registered
from vault_core.errors import UnavailableError


def mcp(ctx: typer.Context) -> None:
    """Serve the vault to clients of the Model Context Protocol: Claude, Cursor, VS Code and others.

    Needs `pip install 'strongroom[mcp]'`. `strongroom mcp --help` lists its options; they are those of
    `python -m strongroom_mcp`.
    """
    serve = registered("mcp")
    if serve is None:
        error = UnavailableError("this installation of strongroom has no MCP server")
        error.add_note("pip install --force-reinstall 'strongroom[mcp]'")
        raise error
    serve(ctx.args, "strongroom mcp")
