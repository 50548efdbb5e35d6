"""Whoever can reach the port but has no token, or means no good: nobody is kept out by it, and the server stays up."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from select import select
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest

from strongroom_mcp import http
from support import vaults
from support.mcp_clients import TOKEN, Http, call, http_server, over_http, store
from vault_core.errors import InvalidInputError, UnavailableError

SHORT = "import strongroom_mcp.web as web; web.PATIENCE = 0.5; web.MAX_CONNECTIONS = 20"
LONG = "import strongroom_mcp.web as web; web.PATIENCE = 3600; web.MAX_CONNECTIONS = 20"
PING = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}  # fmt: skip
GOOD = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json, text/event-stream"}
UPGRADE = (
    b"GET /mcp HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
WAIT = 30  # seconds: as good as for ever


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vaults.create(tmp_path).close()
    return tmp_path


@contextmanager
def serving(folder: Path, before: str = "") -> Iterator[Http]:
    """A server that has written nothing to its log in the end."""
    with http_server(folder, "--http", "0", before=before) as running:
        yield running
        assert answers(running.where), "the server is not what it was"
        running.process.terminate()
        assert running.process.stderr is not None
        assert running.process.stderr.read() == ""


def connected(where: str) -> socket.socket:
    made = socket.create_connection((urlsplit(where).hostname or "", urlsplit(where).port or 0), timeout=WAIT)
    made.settimeout(WAIT)
    return made


def answers(where: str) -> bool:
    return httpx2.post(where, json=PING, headers=GOOD, timeout=WAIT).status_code == 200


def heard(end: socket.socket) -> bytes:
    """All that comes until the other end hangs up; it has to."""
    told = b""
    try:
        while more := end.recv(65_536):
            told += more
    except (ConnectionResetError, BrokenPipeError):
        pass
    return told


@pytest.mark.parametrize("begun", [b"", b"P", b"POST /mcp HTTP/1.1\r\nHost: x\r\nX: "])
def test_a_connection_that_does_not_get_to_the_point_is_ended(folder: Path, begun: bytes) -> None:
    with serving(folder, SHORT) as running, connected(running.where) as slow:
        slow.sendall(begun)
        assert heard(slow) == b""


def test_connections_that_say_nothing_keep_nobody_out(folder: Path) -> None:
    with serving(folder, LONG) as running, ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connected(running.where)).sendall(b"POST /mcp HTTP/1.1\r\n")
        assert answers(running.where)


def test_whoever_is_refused_can_not_go_on_sending(folder: Path) -> None:
    head = b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    with serving(folder) as running, connected(running.where) as end:
        end.sendall(head + b"x" * 1_000)
        told = heard(end)

    assert told.startswith(b"HTTP/1.1 401 ")
    assert b"bearer token" in told


@pytest.mark.parametrize("rest", [1, 1_000, 1 << 20])
def test_a_refusal_reaches_whoever_is_still_sending(folder: Path, rest: int) -> None:
    head = f"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: {rest + 1}\r\n\r\nx"
    with serving(folder, LONG) as running, connected(running.where) as end:
        end.sendall(head.encode())
        assert select([end], [], [], WAIT)[0], "answered before it is all there"
        end.sendall(b"x" * rest)
        told = b"".join(iter(lambda: end.recv(65_536), b""))  # a reset would raise here

    assert told.startswith(b"HTTP/1.1 401 ")
    assert told.endswith(b"the bearer token is missing or wrong")


def test_what_is_sent_after_a_refusal_has_an_end(folder: Path) -> None:
    head = b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    with serving(folder, LONG) as running, connected(running.where) as end:
        end.sendall(head)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            end.sendall(b"x" * (64 << 20))


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET", b"\r\n" * 5_000, b"\x00" * 100_000, b"GET / HTTP/9.9\r\n\r\n",
        b"GET /mcp HTTP/1.1\r\n" + b"X: y\r\n" * 50_000, b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n",
        UPGRADE,
        b"GET /%ff%00/../mcp?x=%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_with_the_token_is_refused_and_not_logged(folder: Path, sent: bytes) -> None:
    with serving(folder, SHORT) as running, connected(running.where) as end:
        try:
            end.sendall(sent)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert heard(end)[9:12] in (b"", b"400", b"401")


def test_a_page_whose_name_leads_here_gets_nothing_even_with_the_token(folder: Path) -> None:
    with serving(folder) as running:
        port = urlsplit(running.where).port
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1",
            f"127.0.0.1.evil.example:{port}",
            "",
            "x@localhost",
        ):
            assert httpx2.post(running.where, json=PING, headers={**GOOD, "Host": host}).status_code == 421, host
        for origin in ("null", "http://evil.example", f"http://localhost.evil.example:{port}", "file://"):
            told = httpx2.post(running.where, json=PING, headers={**GOOD, "Origin": origin})
            assert told.status_code == 403, origin
            assert not [name for name in told.headers if name.startswith("access-control")]
        asked = httpx2.options(running.where, headers={"Origin": "http://evil.example", "Host": f"127.0.0.1:{port}"})
        assert asked.status_code == 401


def test_bodies_that_are_too_large_or_never_end_are_refused(folder: Path) -> None:
    with serving(folder, SHORT) as running:
        large = json.dumps({**PING, "params": {"x": "y" * (3 << 20)}}).encode()
        assert httpx2.post(running.where, content=large, headers=GOOD, timeout=WAIT).status_code == 413
        with connected(running.where) as end:
            head = "".join(f"{name}: {value}\r\n" for name, value in GOOD.items())
            host = urlsplit(running.where).netloc
            end.sendall(f"POST /mcp HTTP/1.1\r\nHost: {host}\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            try:
                for _ in range(100):
                    end.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            except (ConnectionResetError, BrokenPipeError):
                return
            assert heard(end).startswith(b"HTTP/1.1 413 ")


def test_clients_that_go_away_in_the_middle_leave_the_others_alone(folder: Path) -> None:
    body = json.dumps(
        {**PING, "method": "tools/call", "params": {"name": "memory_store", "arguments": {"memories": ["x"]}}}
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in GOOD.items()) + "Content-Type: application/json\r\n"
    with serving(folder) as running:
        host = urlsplit(running.where).netloc
        whole = f"POST /mcp HTTP/1.1\r\nHost: {host}\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        for length in (*range(1, len(whole), 40), len(whole)):
            with connected(running.where) as end:
                end.sendall(whole[:length])


@pytest.mark.anyio
async def test_calls_that_are_cancelled_leave_the_server_answering(folder: Path) -> None:
    with http_server(folder, "--http", "0") as running:
        for delay in (0.0, 0.001, 0.005, 0.02):
            with anyio.move_on_after(delay):
                async with over_http(running.where) as client, anyio.create_task_group() as tasks:
                    for number in range(20):
                        tasks.start_soon(store, client, f"thought {number}")
        async with over_http(running.where) as client:
            await store(client, "the last thought")
            assert (await call(client, "memory_search", query="last"))["results"]


@pytest.mark.anyio
async def test_a_flood_of_calls_is_slowed_down_and_answered(folder: Path) -> None:
    with http_server(folder, "--http", "0") as running:
        said: list[str] = []
        async with over_http(running.where) as client:

            async def ask() -> None:
                result = await client.call_tool("memory_status", {})
                said.append("too many" if result.is_error else "answered")

            async with anyio.create_task_group() as tasks:
                for _ in range(550):
                    tasks.start_soon(ask)
        assert len(said) == 550
        assert said.count("answered") >= 500


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder_(path: Path) -> None:
    path.mkdir(mode=0o700)


def loop(path: Path) -> None:
    path.symlink_to(path)


def binary(path: Path) -> None:
    path.write_bytes(b"\xff" * 40)
    path.chmod(0o600)


def open_to_others(path: Path) -> None:
    path.write_text("a-token-that-everybody-can-read")
    path.chmod(0o644)


def empty(path: Path) -> None:
    path.touch(0o600)


@pytest.mark.parametrize("made", [fifo, device, folder_, loop, binary, open_to_others, empty])
def test_a_token_file_that_is_none_is_refused(tmp_path: Path, made: object) -> None:
    path = tmp_path / "token"
    made(path)  # type: ignore[operator]

    with pytest.raises((InvalidInputError, UnavailableError)):
        http.token(str(path), None)


def test_a_token_is_made_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "token"
    first = http.token(str(path), None)

    assert http.token(str(path), None) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["token"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_a_token_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-that-somebody-else-chose")
    path.chmod(0o600)
    os.chown(path, 65_534, -1)

    with pytest.raises(InvalidInputError, match="no file of yours"):
        http.token(str(path), None)


LISTEN = {
    "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
        "notifications": {"resourceSubscriptions": ["memory://recent", *(f"memory://{n}" for n in range(1_000))]},
    },
}  # fmt: skip


@pytest.mark.anyio
async def test_clients_that_listen_and_never_read_hold_up_no_write(folder: Path) -> None:
    body = json.dumps(LISTEN)
    headers = {
        **GOOD,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Mcp-Method": LISTEN["method"],
    }
    headers["MCP-Protocol-Version"] = "2026-07-28"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with http_server(folder, "--http", "0") as running, ExitStack() as stack:
        whole = f"POST /mcp HTTP/1.1\r\nHost: {urlsplit(running.where).netloc}\r\n{lines}\r\n{body}"
        for _ in range(5):
            end = stack.enter_context(connected(running.where))
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            end.sendall(whole.encode())
            assert end.recv(15) == b"HTTP/1.1 200 OK"
        async with over_http(running.where) as client:
            for number in range(30):
                with anyio.fail_after(WAIT):
                    await store(client, f"thought {number}")
