"""The clients: where each keeps its configuration, and under which name it looks for servers.

Sources: the clients' own documentation, as of 2026-11. A client whose place could not be established is not here.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from vault_core.cli.connect.server import Entry


class ClientName(StrEnum):
    """What can be connected."""

    CLAUDE_CODE = "claude-code"
    CLAUDE_DESKTOP = "claude-desktop"
    CODEX = "codex"
    CURSOR = "cursor"
    GEMINI_CLI = "gemini-cli"
    VSCODE = "vscode"
    WINDSURF = "windsurf"
    ZED = "zed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client. `typed` says whether an entry has to name its transport; `after` what a person does next."""

    title: str
    file: Callable[[], Path]
    servers: str
    typed: bool = False
    toml: bool = False
    after: str

    def shape(self, entry: Entry) -> dict[str, object]:
        """The entry as this client reads it."""
        kind: dict[str, object] = {"type": "stdio"} if self.typed else {}
        env: dict[str, object] = {"env": dict(entry.env)} if entry.env else {}
        return {**kind, "command": entry.command, "args": list(entry.args), **env}


def _home(*parts: str) -> Callable[[], Path]:
    return lambda: Path.home().joinpath(*parts)


def _configuration(*parts: str) -> Callable[[], Path]:
    """In the folder where desktop programs of this system keep their settings."""

    def found() -> Path:
        if sys.platform == "darwin":
            return Path.home().joinpath("Library", "Application Support", *parts)
        return _xdg().joinpath(*parts)

    return found


def _xdg() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _zed() -> Path:
    # Zed follows XDG on Linux alone; on macOS it is ~/.config as well, whatever the variable says
    return (Path.home() / ".config" if sys.platform == "darwin" else _xdg()) / "zed" / "settings.json"


def _codex() -> Path:
    return Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex") / "config.toml"


CLIENTS: Mapping[ClientName, Client] = MappingProxyType(
    {
        ClientName.CLAUDE_CODE: Client(
            title="Claude Code",
            file=_home(".claude.json"),
            servers="mcpServers",
            typed=True,
            after="start a new session of Claude Code; /mcp shows the server",
        ),
        ClientName.CLAUDE_DESKTOP: Client(
            title="Claude Desktop",
            file=_configuration("Claude", "claude_desktop_config.json"),
            servers="mcpServers",
            after="quit Claude Desktop and start it again",
        ),
        ClientName.CODEX: Client(
            title="Codex",
            file=_codex,
            servers="mcp_servers",
            toml=True,
            after="start a new session of Codex; /mcp shows the server",
        ),
        ClientName.CURSOR: Client(
            title="Cursor",
            file=_home(".cursor", "mcp.json"),
            servers="mcpServers",
            after="look for the server in Cursor's settings, under MCP, and switch it on",
        ),
        ClientName.GEMINI_CLI: Client(
            title="Gemini CLI",
            file=_home(".gemini", "settings.json"),
            servers="mcpServers",
            after="start Gemini CLI again; /mcp shows the server",
        ),
        ClientName.VSCODE: Client(
            title="VS Code",
            file=_configuration("Code", "User", "mcp.json"),
            servers="servers",
            typed=True,
            after="run “MCP: List Servers” in VS Code and start it",
        ),
        ClientName.WINDSURF: Client(
            title="Windsurf",
            file=_home(".codeium", "windsurf", "mcp_config.json"),
            servers="mcpServers",
            after="refresh the list of MCP servers in Windsurf's Cascade panel",
        ),
        ClientName.ZED: Client(
            title="Zed",
            file=_zed,
            servers="context_servers",
            after="look for the server in Zed's agent panel settings",
        ),
    }
)
