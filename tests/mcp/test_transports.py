"""One server, every way to reach it, in both eras of the protocol."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from mcp import Client
from strongroom_mcp import build_server
from support import vaults
from support.mcp_clients import (
    ERAS,
    MEMORY_TOOLS,
    TOKEN,
    VERSIONS,
    WRITING_TOOLS,
    Http,
    call,
    found,
    http_server,
    names,
    over_http,
    over_stdio,
    refused,
    store,
)
from vault_core import Vault

pytestmark = pytest.mark.anyio


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Http]:
    vaults.create(tmp_path).close()
    with http_server(tmp_path, "--http", "0") as running:
        yield running


async def uses_every_tool(client: Client, mode: str) -> None:
    """Remember, find, change, look back and forget."""
    assert client.protocol_version == VERSIONS[mode]
    assert names((await client.list_tools()).tools) == MEMORY_TOOLS
    tea, _ = await store(client, "I drink green tea in the morning", "Bob works on compilers")
    assert await found(client, "morning tea") == ["I drink green tea in the morning"]
    assert (await call(client, "memory_get", id=tea))["written_by"]["tool"] == "memory_store"
    await call(client, "memory_update", id=tea, text="I drink white tea in the morning", reason="asked")
    assert [one["reason"] for one in (await call(client, "memory_history", id=tea))["versions"]] == [None, "asked"]
    assert len((await call(client, "memory_list"))["memories"]) == 2
    assert "memories" in await call(client, "memory_briefing")
    preview = await call(client, "memory_forget", ids=[tea])
    assert preview["status"] == "preview"
    assert (await call(client, "memory_forget", ids=[tea], confirm=preview["confirm"]))["status"] == "erased"
    assert (await call(client, "memory_status"))["memories"] == 1


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_in_this_process_uses_every_tool(vault: Vault, mode: str) -> None:
    async with Client(build_server(vault), mode=mode) as client:
        await uses_every_tool(client, mode)


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_over_stdio_uses_every_tool(tmp_path: Path, mode: str) -> None:
    vaults.create(tmp_path).close()
    log = tmp_path / "log"
    async with over_stdio(tmp_path, mode=mode, log=log) as client:
        await uses_every_tool(client, mode)

    assert log.read_text() == ""


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_over_http_with_the_token_uses_every_tool(served: Http, mode: str) -> None:
    async with over_http(served.where, mode=mode) as client:
        await uses_every_tool(client, mode)


def pass_over_a_race_of_the_client() -> None:
    # A read of a Unix socket that anyio cancels in the turn of the loop in which data arrives sets the result of a
    # cancelled future. Programs log that; the runner of the tests would raise it.
    loop = asyncio.get_running_loop()
    told = loop.get_exception_handler()

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if not isinstance(context.get("exception"), asyncio.InvalidStateError) and told is not None:
            told(loop, context)

    loop.set_exception_handler(handler)


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_over_a_unix_socket_uses_every_tool(tmp_path: Path, mode: str) -> None:
    pass_over_a_race_of_the_client()
    vaults.create(tmp_path).close()
    socket = tmp_path / "private" / "mcp.sock"
    with http_server(tmp_path, "--socket", str(socket)) as running:
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        async with over_http(running.where, token=None, mode=mode) as client:
            await uses_every_tool(client, mode)


async def test_http_answers_only_to_the_token_the_host_and_the_origin(served: Http) -> None:
    good = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {}}
    async with httpx2.AsyncClient() as web:

        async def status(**headers: str) -> int:
            given = {**good, **{name.replace("_", "-"): value for name, value in headers.items()}}
            return (await web.post(served.where, json=body, headers=given)).status_code

        assert await status() not in (401, 403, 421)
        for wrong in ("", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"):
            assert await status(Authorization=wrong) == 401
        assert (await web.post(served.where, json=body)).status_code == 401
        assert (await web.get(served.where.replace("/mcp", "/elsewhere"))).status_code == 401
        assert await status(Host="evil.example") == 421
        assert await status(Origin="http://evil.example") == 403
        assert await status(Origin="null") == 403


@pytest.mark.parametrize("mode", ERAS)
async def test_a_read_only_server_has_no_writing_tool(vault: Vault, mode: str) -> None:
    vault.add("I drink green tea")
    async with Client(build_server(vault, read_only=True), mode=mode) as client:
        assert names((await client.list_tools()).tools) == MEMORY_TOOLS - WRITING_TOOLS
        assert "no such tool" in await refused(client, "memory_store", memories=["x"])
        assert await found(client, "tea") == ["I drink green tea"]
