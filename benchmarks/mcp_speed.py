"""What the MCP server costs over stdio. `python -m benchmarks.mcp_speed [--size 10000] [--rounds 100]`.

Start: from the start of the process to the answer of the first tool that needs the vault (opened with a key file), and
to the answer of a tool of a bare server of the SDK's, which is the least that a client waits. Calls: a search beside an
echo on that bare server, in turns, so that a busy moment of the machine meets both; what is left is ours. Medians, and
the quickest tenth.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
from mcp.client.stdio import stdio_client

from benchmarks.words import queries, turns
from mcp import Client, StdioServerParameters
from vault_core import Draft, FileKey, Vault, new_key_text

BARE = """
from mcp.server import MCPServer
server = MCPServer("bare", log_level="WARNING")
@server.tool()
async def echo(text: str) -> str:
    return text
server.run("stdio")
"""
BATCH = 2_000
STARTS = 7
GOAL_START, GOAL_SEARCH = 1.0, 0.015  # seconds, of issue 5


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mcp_speed", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, given.size)
        anyio.run(measure, folder, given.size, given.rounds)


def fill(folder: Path, size: int) -> None:
    """A vault of so many memories, with a snapshot."""
    (folder / "key").write_text(new_key_text("file"))
    with Vault.create(folder / "it.vault", unlock=FileKey(folder / "key")) as vault:
        for start in range(0, size, BATCH):
            vault.add_many([Draft(content=text) for text in turns(start, min(BATCH, size - start))])
        vault.checkpoint()


async def measure(folder: Path, size: int, rounds: int) -> None:
    """Measure and print."""
    print("| what | quickest tenth, ms | median, ms |\n|---|---|---|")
    started: dict[str, list[float]] = {"bare server": [], "strongroom": []}
    for _ in range(STARTS):
        started["bare server"].append(await _started(bare(folder), "echo", {"text": "x"}))
        started["strongroom"].append(await _started(ours(folder), "memory_status", {}))
    for name, seconds in started.items():
        print(line(f"start to first answer, {name}", seconds))
    async with client(bare(folder)) as plain, client(ours(folder)) as server:
        took = await in_turns(
            {
                "echo, bare server": lambda text: plain.call_tool("echo", {"text": text}),
                f"search of {size:,}": lambda text: server.call_tool("memory_search", {"query": text}),
            },
            rounds,
        )
    for name, seconds in took.items():
        print(line(name, seconds))
    echo, search = (statistics.median(seconds) for seconds in took.values())
    start = statistics.median(started["strongroom"])
    print(f"\nstart {start:.2f} s (goal {GOAL_START:g} s); search beyond the client's own cost", end=" ")
    print(f"{(search - echo) * 1e3:.1f} ms (goal {GOAL_SEARCH * 1e3:g} ms)")


async def in_turns(calls: dict[str, Callable[[str], Awaitable[Any]]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each call, made in turns. The first ones warm up."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    asked = queries(0, rounds)
    for turn in range(-10, rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            result = await call(asked[turn % len(asked)])
            if turn >= 0:
                took[name].append(time.perf_counter() - start)
            assert not result.is_error, result.content  # noqa: S101  a benchmark of refusals would be none
    return took


async def _started(server: StdioServerParameters, tool: str, arguments: dict[str, Any]) -> float:
    start = time.perf_counter()
    async with client(server) as connected:
        await connected.call_tool(tool, arguments)
        return time.perf_counter() - start


def client(server: StdioServerParameters) -> Client:
    """A client of a new server process."""
    return Client(stdio_client(server))


def bare(folder: Path) -> StdioServerParameters:
    """A server of the SDK's with one tool."""
    return StdioServerParameters(command=sys.executable, args=["-c", BARE], cwd=folder)


def ours(folder: Path) -> StdioServerParameters:
    """Our server over the folder's vault."""
    env = {
        "STRONGROOM_VAULT": str(folder / "it.vault"),
        "STRONGROOM_PASSPHRASE_FILE": str(folder / "key"),
        "STRONGROOM_STATE_DIR": os.environ.get("STRONGROOM_STATE_DIR") or str(folder / "state"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return StdioServerParameters(command=sys.executable, args=["-m", "strongroom_mcp"], env=env)


def line(name: str, seconds: Sequence[float]) -> str:
    """A row of the table."""
    quick = sorted(seconds)[len(seconds) // 10]
    return f"| {name} | {quick * 1e3:.1f} | {statistics.median(seconds) * 1e3:.1f} |"


if __name__ == "__main__":
    main()
