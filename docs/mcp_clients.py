"""Write the part of `docs/mcp.md` about clients, from what `strongroom connect` would write."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vault_core.cli.connect import jsonc, toml_block
from vault_core.cli.connect.clients import CLIENTS, Client, ClientName
from vault_core.cli.connect.server import Entry

PAGE = Path(__file__).with_name("mcp.md")
BEGIN, END = "<!-- clients -->\n", "<!-- end of clients -->\n"
HOME = "/home/alice"
ENTRY = Entry(command=f"{HOME}/.local/bin/strongroom", args=("mcp", "--vault", f"{HOME}/me.vault"), env={})


def write() -> str:
    """Give the page with the part made anew; the same text for the same program."""
    head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    parts = [_part(name, client) for name, client in CLIENTS.items()]
    return f"{head}{BEGIN}\n" + "\n".join(parts) + f"\n{END}{tail}"


def _part(name: ClientName, client: Client) -> str:
    editor, language = (toml_block, "toml") if client.toml else (jsonc, "json")
    empty = "" if client.toml else "{}\n"
    splice = editor.put(empty, client.servers, "strongroom", client.shape(ENTRY))
    written = splice.applied(empty) if splice else empty
    return (
        f"### {client.title}\n\n`strongroom connect {name}` writes to {_places(client)}:\n\n"
        f"```{language}\n{written}```\n\nThen {client.after}.\n"
    )


def _places(client: Client) -> str:
    linux, mac = _place(client, "linux"), _place(client, "darwin")
    return f"`{linux}`" if linux == mac else f"`{linux}` (macOS: `{mac}`)"


def _place(client: Client, platform: str) -> str:
    with _machine(platform):
        return str(client.file()).replace(HOME, "~")


@contextmanager
def _machine(platform: str) -> Iterator[None]:
    """As if this were a machine of that kind, and Alice's."""
    before, real = dict(os.environ), sys.platform
    os.environ["HOME"] = HOME
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME"):
        os.environ.pop(name, None)
    sys.platform = platform
    try:
        yield
    finally:
        sys.platform = real
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    PAGE.write_text(write(), encoding="utf-8")
