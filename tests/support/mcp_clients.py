"""Clients of the MCP server: in this process, over stdio, and over HTTP."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from mcp import Client, StdioServerParameters
from support import vaults

ERAS = ("auto", "legacy")
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
TOKEN = "a-token-for-tests-0123456789"
MEMORY_TOOLS = {
    "memory_search", "memory_get", "memory_list", "memory_history", "memory_briefing", "memory_status",
    "memory_store", "memory_update", "memory_forget",
}  # fmt: skip
WRITING_TOOLS = {"memory_store", "memory_update", "memory_forget"}


def variables(folder: Path, **more: str) -> dict[str, str]:
    """What a client's configuration would set for a server of the folder's vault."""
    vaults.key_in(folder)
    given = {
        "STRONGROOM_VAULT": str(folder / vaults.NAME),
        "STRONGROOM_PASSPHRASE_FILE": str(folder / "key"),
        "STRONGROOM_STATE_DIR": os.environ["STRONGROOM_STATE_DIR"],
        "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path),
        **more,
    }
    return {name: value for name, value in given.items() if value}


@asynccontextmanager
async def over_stdio(
    folder: Path, *options: str, mode: str = "auto", log: Path | None = None, **more: Any
) -> AsyncIterator[Client]:
    """A client of a server process of its own. What the server writes to standard error goes to `log`."""
    env = variables(folder, **more.pop("env", {}))
    started = StdioServerParameters(command=sys.executable, args=["-m", "strongroom_mcp", *options], env=env)
    with (log or Path(os.devnull)).open("a") as errors:
        async with Client(stdio_client(started, errlog=errors), mode=mode, **more) as client:
            yield client


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """A running HTTP server."""

    where: str
    process: "subprocess.Popen[str]"


@contextmanager
def http_server(folder: Path, *options: str, before: str = "") -> Iterator[Http]:
    """A server process on a port of this machine, or on a socket, ready to answer. It runs what is to run `before`."""
    command = [sys.executable, "-c", f"{before}\nfrom strongroom_mcp.program import main\nmain()", *options]
    with subprocess.Popen(
        command,
        env={**os.environ, **variables(folder, STRONGROOM_MCP_TOKEN=TOKEN)},
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.fullmatch(r"serving (\S+)\n", line)
            assert found, line
            yield Http(where=found[1], process=process)
        finally:
            process.terminate()
            process.communicate(timeout=30)


@asynccontextmanager
async def over_http(where: str, *, token: str | None = TOKEN, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    """A client of a server's URL, or of its socket."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    socket = None if where.startswith("http") else httpx2.AsyncHTTPTransport(uds=where)
    async with httpx2.AsyncClient(headers=headers, transport=socket, timeout=30) as web:
        url = where if socket is None else "http://localhost/mcp"
        async with Client(streamable_http_client(url, http_client=web), mode=mode, **more) as client:
            yield client


async def call(client: Client, tool: str, /, **arguments: Any) -> Any:
    """What a tool gives; it has to succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refused(client: Client, tool: str, /, **arguments: Any) -> str:
    """What a tool says when it refuses; it has to."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return said(result)


def said(result: Any) -> str:
    """The words of a result."""
    return "".join(block.text for block in result.content)


async def store(client: Client, *texts: str, **fields: Any) -> list[str]:
    """Store texts and give their ids."""
    done = await call(client, "memory_store", memories=[{"text": text, **fields} for text in texts])
    return [one["id"] for one in done["stored"]]


async def found(client: Client, query: str, **options: Any) -> list[str]:
    """The texts that a search finds."""
    return [hit["text"] for hit in (await call(client, "memory_search", query=query, **options))["results"]]


linux = pytest.mark.skipif(sys.platform != "linux", reason="finds the server's process in /proc")


def server_process() -> int:
    """The server that this process has started last: the highest of the ids."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError, IndexError, ValueError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"strongroom_mcp" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return max(found)


def names(tools: Sequence[Any]) -> set[str]:
    """The names of tools."""
    return {tool.name for tool in tools}
