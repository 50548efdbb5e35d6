"""The web server under `http`: it has patience with those who have shown the token, and with nobody else.

Rules:
- A connection has a few seconds to get to its next request, and to send the rest of one that was answered already; so
  one that says nothing, or a byte at a time, costs little.
- There is a limit to how many connections there are. Beyond it the one that has kept silent longest makes room, so
  that filling all of them keeps nobody out.
- A refused connection is closed, in two steps (RFC 9112, 9.6): it is told that nothing more will come, and what it is
  still sending is read and thrown away, so that the refusal is not lost with it; then, after a few seconds or bytes
  too many, it is cut.
- Nothing of a request is logged, and no traceback; no WebSocket is spoken.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 10.0  # seconds until the next request of a connection has come
MAX_CONNECTIONS = 256  # a quarter of the files that a process usually may have open
MAX_REST = 8 << 20  # bytes of a request that are thrown away after its answer: a few times what one may have


class _Wire:
    """A transport with another way to close it. Asked again, it closes at once."""

    def __init__(self, wire: asyncio.Transport, leave: Callable[[], bool]) -> None:
        self._wire, self._leave, self._left = wire, leave, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def is_closing(self) -> bool:
        return self._left or self._wire.is_closing()

    def close(self) -> None:
        if self.is_closing() or not self._leave():
            self._wire.close()
        self._left = True


class Connection(H11Protocol):
    """One connection, with an end to patience."""

    silent_since = 0.0  # of the loop's clock
    _rest: int | None = None  # bytes that may still be thrown away, once the last word is said
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(cast("Any", _Wire(transport, self._leave)))
        self._wait()
        if len(self.connections) > MAX_CONNECTIONS:
            ours = cast("set[Any]", self.connections)
            silent = [(one.silent_since, id(one), one) for one in ours if one.is_silent()]
            min(silent)[-1].hang_up()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._rest is None:
            super().data_received(data)
            return
        self._rest -= len(data)
        if self._rest < 0:
            self.hang_up()

    def handle_events(self) -> None:
        """See what has come; patience has no end once it is a request."""
        super().handle_events()
        if not self.is_silent():
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request. Whoever has not sent all of this one may not go on for ever."""
        self._wait()
        super().on_response_complete()

    def is_silent(self) -> bool:
        """Whether there is no request that waits for its answer."""
        request: Any = self.cycle  # None before the first one
        return request is None or bool(request.response_complete)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._stop_waiting()
        super().connection_lost(exc)

    def hang_up(self) -> None:
        """End a connection that has asked for nothing."""
        self._stop_waiting()
        self.transport.abort()

    def _leave(self) -> bool:
        """Say that this was all, and let the other end finish; False if it has nothing left to say."""
        if self.conn.their_state not in (h11.SEND_BODY, h11.ERROR):
            return False
        self._rest = MAX_REST
        if not self.is_silent():  # what is being worked at has lost its reader
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        self.transport.write_eof()
        self._wait()
        return True

    def _wait(self) -> None:
        self._stop_waiting()
        self.silent_since = self.loop.time()
        self._patience = self.loop.call_later(PATIENCE, self.hang_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def configured(application: ASGIApp) -> uvicorn.Config:
    """How a server of an application is run."""
    return uvicorn.Config(
        application,
        http=Connection,
        ws="none",
        log_level="critical",
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=2,
    )


def server(application: ASGIApp) -> Any:
    """A web server."""
    return uvicorn.Server(configured(application))
