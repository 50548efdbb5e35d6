"""Serving over standard input and output.

Rules:
- A line that is no message of the protocol, but has an id, is answered with an error: the SDK passes over it in
  silence, and whoever sent it would wait. Half a surrogate pair, as a model may write it, is enough for that.
- One without an id that could be answered is passed over. Nothing that a client sends ends the server.
"""

import contextvars
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

_MAX_ID = 256  # characters: an id is given back
_BROKEN = "This is no valid JSON in UTF-8, or it holds half a surrogate pair. Send it again without that."
_INVALID = "This is no request of JSON-RPC 2.0."


async def serve(server: Server[Any]) -> None:
    """Serve until the client closes standard input."""
    async with stdio_server() as (reading, writing):
        await server.run(Answering(reading, writing), writing, server.create_initialization_options())


class Answering:
    """What is read from a client; what the SDK could not read is answered here."""

    def __init__(self, reading: Any, writing: Any) -> None:
        self._reading, self._writing = reading, writing

    @property
    def last_context(self) -> contextvars.Context | None:
        """The context in which the last message was sent."""
        context: contextvars.Context | None = self._reading.last_context
        return context

    async def receive(self) -> SessionMessage | Exception:
        """The next message."""
        while True:
            item: SessionMessage | Exception = await self._reading.receive()
            if not isinstance(item, Exception):
                return item
            refusal = refused(item)
            if refusal is not None:
                await self._writing.send(SessionMessage(refusal))

    async def aclose(self) -> None:
        """Stop reading."""
        await self._reading.aclose()

    def __aiter__(self) -> "Answering":
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> "Answering":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def refused(error: Exception) -> JSONRPCError | None:
    """The answer to a line that could not be read, if it can have one."""
    if not isinstance(error, ValidationError):
        return None
    code, words, given = INVALID_REQUEST, _INVALID, None
    for one in error.errors(include_url=False, include_context=False):
        if one["type"] == "json_invalid":
            code, words, given = PARSE_ERROR, _BROKEN, _parsed(one["input"])
        elif one["type"] == "missing" and len(one["loc"]) == 2:  # which of the kinds of messages, and its field
            given = one["input"]
    if not isinstance(given, Mapping) or "result" in given or "error" in given:
        return None
    number = given.get("id")
    if type(number) not in (int, str) or len(str(number)) > _MAX_ID:
        return None
    return JSONRPCError(jsonrpc="2.0", id=_encodable(number), error=ErrorData(code=code, message=words))


def _parsed(line: Any) -> Any:
    """The line as a more lenient reader takes it."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _encodable(number: Any) -> Any:
    return number.encode("utf-8", "replace").decode() if isinstance(number, str) else number
