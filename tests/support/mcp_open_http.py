"""An MCP server on a port without a token, for checkers that can't send one. Never part of the product."""

import socket
import sys
from pathlib import Path

from strongroom_mcp import Limits, build_server, http
from support import vaults


def main(folder: str) -> None:
    """Serve a new vault in this folder; print where."""
    vault = vaults.create(Path(folder))
    vault.add("I drink green tea in the morning", id="tea", tags=["habit"])
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    names = [f"{name}:{port}" for name in ("127.0.0.1", "localhost")]
    server = build_server(vault, limits=Limits(calls=None))
    http._run(http.app(server, names, token=None), listening, f"http://localhost:{port}{http.PATH}")


if __name__ == "__main__":
    main(sys.argv[1])
