"""Serving over HTTP: on this machine, to whoever has the token.

Rules:
- Every request to a port needs the bearer token; there is no way to serve one without. The refusal names no
  authorization server, for there is none that a client could ask.
- The Host header must name this machine (or a name that was allowed), and an Origin must be one of those: a web page
  that has its own name point here (DNS rebinding) gets nowhere.
- A host other than loopback has to be allowed by name. The traffic is not encrypted: put a TLS proxy in front.
- A Unix socket needs no token: its folder lets only its owner in (0700), whatever the socket's own mode is.
"""

import hmac
import ipaddress
import os
import secrets
import socket
import stat
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from strongroom_mcp import web
from vault_core.errors import InvalidInputError, UnavailableError

PATH = "/mcp"
MIN_TOKEN = 20  # characters; those made here have 43
MAX_BODY = 2 << 20  # bytes of a request: more than any call may have
MAX_SESSIONS = 100
_MAX_TOKEN_FILE = 4_096  # bytes


def place(given: str) -> tuple[str, int]:
    """The host and port of `[HOST:]PORT`."""
    host, _, port = given.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise InvalidInputError("--http takes a port, or a host and a port such as 127.0.0.1:8123")
    return host, int(port)


def token(path: str | None, given: str | None) -> str:
    """The token of the file, which is made (0600) if missing; else the given one.

    Raises:
        InvalidInputError: there is none, or it is too short.
    """
    if path is not None:
        given = _token_of(Path(path).expanduser())
    if not given:
        raise InvalidInputError("serving over HTTP needs a token: name a file with --token-file; it is made if missing")
    if len(given) < MIN_TOKEN or not given.isascii() or not given.isprintable() or " " in given:
        raise InvalidInputError(f"the token is too weak: at least {MIN_TOKEN} characters without spaces")
    return given


def app(server: MCPServer[None], names: Sequence[str], *, token: str | None) -> ASGIApp:
    """The web application at `/mcp`. `names` are the Host headers it answers to; without a token everyone may call."""
    inner = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MAX_BODY,
        max_sessions=MAX_SESSIONS,
        transport_security=TransportSecuritySettings(
            allowed_hosts=list(names),
            allowed_origins=[f"{scheme}://{name}" for name in names for scheme in ("http", "https")],
        ),
    )
    return inner if token is None else _WithToken(inner, token)


def serve(server: MCPServer[None], host: str, port: int, secret: str, allowed: Sequence[str] = ()) -> None:
    """Serve a port until the process is told to end. Says on standard error where, once it listens."""
    if not _is_loopback(host) and not allowed:
        raise InvalidInputError(
            "a host other than this machine's own needs --allow-host NAME, and a TLS proxy in front"
        )
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        raise UnavailableError(f"port {port} can't be listened on; is another server using it?") from None
    actual = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    own = [f"{name}:{actual}" for name in ("127.0.0.1", "localhost", "[::1]")] if _is_loopback(host) else []
    names = [*own, *allowed, *(f"{name}:{actual}" for name in allowed)]
    _run(app(server, names, token=secret), listening, f"http://{shown}:{actual}{PATH}")


def serve_socket(server: MCPServer[None], path: Path) -> None:
    """Serve a Unix socket in a folder that only its owner can enter, until the process is told to end."""
    path = path.expanduser()
    _check_folder(path.parent)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()  # left behind by a server that was killed; a living one loses nothing but new clients
        listening.bind(str(path))
        listening.listen()
    except OSError:
        listening.close()
        raise UnavailableError("the socket can't be made there; choose another --socket") from None
    _run(app(server, ["localhost"], token=None), listening, str(path))


class _WithToken:
    """Lets a request in that carries the token."""

    def __init__(self, inner: ASGIApp, token: str) -> None:
        self._inner, self._token = inner, token.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._knows(scope)):
            await self._inner(scope, receive, send)
        else:
            told = {"WWW-Authenticate": "Bearer", "Connection": "close"}
            refusal = PlainTextResponse("the bearer token is missing or wrong", 401, told)
            await refusal(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return hmac.compare_digest(token, self._token) and scheme.lower() == b"bearer"


def _run(application: ASGIApp, listening: socket.socket, where: str) -> None:
    running = web.server(application)
    print(f"serving {where}", file=sys.stderr, flush=True)  # noqa: T201  standard error is for the person who started it

    async def run() -> None:
        await running.serve(sockets=[listening])

    anyio.run(run)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token_of(path: Path) -> str:
    try:
        _make_token(path)
    except OSError:
        raise UnavailableError("the token file can't be made there; choose another --token-file") from None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe is not waited for
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise InvalidInputError("the token file is no file of yours; choose another --token-file")
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise InvalidInputError("others can read the token file; make it private: chmod 600")
            return file.read(_MAX_TOKEN_FILE).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise UnavailableError("the token file can't be read") from None


def _make_token(path: Path) -> None:
    """Put a new token there, whole or not at all, unless there is something already."""
    if os.path.lexists(path):
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with suppress(FileExistsError):  # of a server that was started at the same moment
            os.link(name, path)
    finally:
        Path(name).unlink()


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found: Any = folder.stat()
    except OSError:
        raise UnavailableError("the folder of the socket can't be made; choose another --socket") from None
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise InvalidInputError("the folder of the socket must be yours alone: chmod 700, or choose another")
