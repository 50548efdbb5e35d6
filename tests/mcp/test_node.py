"""Other people's clients and the protocol's own checks, from npm: see `support.node_tools` for when they run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.mcp_clients import MEMORY_TOOLS, TOKEN, http_server, variables
from support.node_tools import SOURCE, NodeTools, installed, needs_node

pytestmark = needs_node
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("memory_search", {"query": "morning tea"}),
    ("memory_get", {"id": "tea"}),
    ("memory_list", {"limit": 5}),
    ("memory_history", {"id": "tea"}),
    ("memory_briefing", {}),
    ("memory_status", {}),
    ("memory_store", {"memories": [{"text": "Bob works on compilers", "tags": ["bob"]}]}),
    ("memory_update", {"id": "tea", "text": "I drink white tea in the morning"}),
    ("memory_forget", {"ids": ["tea"]}),
]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> NodeTools:
    return installed(tmp_path_factory.mktemp("home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with vaults.create(tmp_path) as vault:
        vault.add("I drink green tea in the morning", id="tea", tags=["habit"])
    return tmp_path


def server(folder: Path) -> dict[str, Any]:
    """A server as a client's configuration names it."""
    return {"command": sys.executable, "args": ["-m", "strongroom_mcp"], "env": variables(folder)}


def check(results: dict[str, Any]) -> None:
    """What each of the tools gave to the steps above."""
    assert results["memory_search"]["results"][0]["id"] == "tea"
    assert results["memory_get"]["tags"] == ["habit"]
    assert len(results["memory_list"]["memories"]) == 1
    assert len(results["memory_history"]["versions"]) == 1
    assert results["memory_status"]["memories"] == 1
    assert results["memory_store"]["stored"][0]["trust"] == "unconfirmed"
    assert results["memory_update"]["stored"][0]["id"] == "tea"
    assert results["memory_forget"]["status"] == "preview"


@pytest.mark.parametrize("which", ["v1", "legacy", "auto"])
def test_the_typescript_client_lists_and_calls_every_tool(node: NodeTools, folder: Path, which: str) -> None:
    given = json.dumps({"server": server(folder), "steps": STEPS})
    done = node.run("node", str(node.folder / "client.mjs"), which, given=given)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["tools"]) == MEMORY_TOOLS == {name for name, _ in STEPS}
    assert not [one for one in told["results"] if one["error"]]
    check({one["name"]: one["data"] for one in told["results"]})


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_lists_and_calls_every_tool(node: NodeTools, folder: Path, era: str) -> None:
    config = folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"strongroom": {**server(folder), "protocolEra": era}}}))

    def inspect(*arguments: str) -> Any:
        done = node.run(
            "mcp-inspector", "--cli", "--config", str(config), "--server", "strongroom", *arguments, "--format", "json"
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)["result"]

    tools = inspect("--method", "tools/list", "--strict")["tools"]
    assert {tool["name"] for tool in tools} == MEMORY_TOOLS
    results = {}
    for name, given in STEPS:
        options = ["--method", "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(given)]
        results[name] = inspect(*options)["structuredContent"]
    check(results)
    assert inspect("--method", "resources/read", "--uri", "memory://tea")["contents"]
    assert inspect("--method", "prompts/get", "--prompt-name", "recall", "--prompt-args", "topic=tea")["messages"]


def test_the_inspector_gets_in_over_http_with_the_token_alone(node: NodeTools, folder: Path) -> None:
    with http_server(folder, "--http", "0") as running:
        options = ["--cli", running.where, "--transport", "http", "--method", "tools/list", "--format", "json"]
        good = node.run("mcp-inspector", *options, "--header", f"Authorization: Bearer {TOKEN}")
        bad = node.run("mcp-inspector", *options, "--header", "Authorization: Bearer wrong")

    assert {tool["name"] for tool in json.loads(good.stdout)["result"]["tools"]} == MEMORY_TOOLS
    assert bad.returncode != 0


@pytest.fixture
def open_server(tmp_path: Path) -> Iterator[str]:
    """A server without a token: the suite can't send one."""
    command = [sys.executable, "-m", "support.mcp_open_http", str(tmp_path)]
    env = {**os.environ, **variables(tmp_path)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        found = re.fullmatch(r"serving (\S+)\n", process.stderr.readline())
        assert found
        yield found[1]
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_the_conformance_suite_finds_what_is_expected_and_no_more(
    node: NodeTools, open_server: str, tmp_path: Path, revision: str
) -> None:
    expected = SOURCE / f"expected-{revision}.yml"
    options = ["--requirements", revision, "--expected-failures", str(expected), "-o", str(tmp_path / "out")]
    done = node.run("conformance", "server", "--url", open_server, *options)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "Baseline check passed" in done.stdout
    for scenario in ("tools-list", "resources-list", "prompts-list", "dns-rebinding-protection"):
        assert f"✓ {scenario}" in done.stdout
