"""The program: `strongroom mcp`, and `python -m strongroom_mcp`.

Rules:
- No secret is part of the command line: a URL with a password is refused there and in STRONGROOM_VAULT, as by every
  command. The vault is unlocked by `Vault.open`'s own order; the token of the HTTP server comes from a file, or from
  STRONGROOM_MCP_TOKEN.
- It starts whether or not the vault can be opened: a client that sees only "server disconnected" helps nobody.
- Standard output belongs to the protocol; what has to be said at the start is said on standard error.
- A client waits while it starts. So nothing is imported before the options are read, and nothing looks for garbage
  among what the imports bring, which stays: that was a fifth of the start.
"""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vault_core.errors import InvalidInputError, UnavailableError, VaultError

if TYPE_CHECKING:
    from vault_core import Vault

TOKEN = "STRONGROOM_MCP_TOKEN"  # noqa: S105  the name of a variable
USAGE, FAILED = 2, 1
MISSING = "the MCP server needs the extra mcp: pip install 'strongroom[mcp]'"


def main(arguments: Sequence[str] | None = None, program: str = "python -m strongroom_mcp") -> None:
    """Serve until the client goes away, then exit."""
    given = parser(program).parse_args(arguments)
    gc.disable()
    try:
        serve(given)
    except VaultError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  before the protocol begins
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.enable()


def parser(program: str) -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog=program,
        description="Serve a vault to clients of the Model Context Protocol, over stdio unless --http or --socket says "
        "otherwise. It starts locked if nothing opens the vault yet, and tells clients what to do.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("--vault", metavar="PATH", help="the vault's file; default: STRONGROOM_VAULT, else me.vault in the data folder")
    add("--namespace", "-n", metavar="LABEL", action="append", default=[], help="serve only this namespace and what is "
        "below it; repeat it for deeper ones")  # fmt: skip
    add("--box", metavar="BOX", default="main", help="serve this box alone (default: main)")
    add("--read-only", action="store_true", help="offer no tool that writes")
    add("--profile", metavar="NAME", action="append", help="memory (default), graph (the reference memory server's "
        "nine tools) or openai (search and fetch); repeat it for several")  # fmt: skip
    add("--embedder", metavar="NAME", help="what makes vectors: ollama[:MODEL], ollama-remote[:MODEL], sentence:FOLDER "
        "or none; default: STRONGROOM_EMBEDDER, else none")  # fmt: skip
    add("--http", metavar="[HOST:]PORT", help="serve streamable HTTP there, for clients that send the token; the host "
        "is 127.0.0.1 unless given")  # fmt: skip
    add("--token-file", metavar="PATH", help=f"the file with the token, made if missing; default: {TOKEN}")
    add("--allow-host", metavar="NAME", action="append", default=[], help="accept this Host header as well; needed for "
        "any host but this machine's own")  # fmt: skip
    add("--socket", metavar="PATH", help="serve HTTP on this Unix socket, in a folder that only you can enter")
    return made


def serve(given: argparse.Namespace) -> None:
    """Serve as the options say.

    Raises:
        VaultError: the options can't be used as they stand, or something is missing.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # or pydantic reads what all packages here register
    try:
        from strongroom_mcp.server import build_server
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("mcp", "mcp_types", "pydantic"):
            raise UnavailableError(MISSING) from None
        raise
    if given.http is not None and given.socket is not None:
        raise InvalidInputError("give --http or --socket, not both")
    server = build_server(
        opener(given.vault, given.embedder, read_only=given.read_only),
        namespace=given.namespace,
        box=given.box,
        read_only=given.read_only,
        profile=given.profile or "memory",
    )
    keep_quiet()
    gc.freeze()
    gc.enable()
    if given.http is None and given.socket is None:
        server.run("stdio")
        return
    from strongroom_mcp import http

    if given.socket is not None:
        http.serve_socket(server, Path(given.socket))
    else:
        host, port = http.place(given.http)
        http.serve(server, host, port, http.token(given.token_file, os.environ.get(TOKEN)), given.allow_host)


def keep_quiet() -> None:
    """Let nobody but this server write to its log: the SDK's own words are tracebacks, and may quote what was sent."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.name.split(".")[0] == "strongroom_mcp")


def opener(place: str | None, embedder: str | None, *, read_only: bool) -> "Callable[[], Vault]":
    """What opens the vault. What is wrong with the place's or the embedder's name is told at the start."""
    from vault_core import Vault, chosen_location, embedder_named

    location = chosen_location(place)
    made: Any = embedder_named(embedder)
    return lambda: Vault.open(location, embedder=made, read_only=read_only)
