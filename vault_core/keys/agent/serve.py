"""The agent's loop: one thread, connections that can't hold each other up, and an end when no key is left."""

import selectors
import socket
import time
from collections.abc import Callable

from vault_core.crypto import KEY_BYTES, Key, wipe
from vault_core.keys.agent import place, wire
from vault_core.keys.agent.keeper import Keeper

GRACE = 30.0  # seconds that a new agent waits for its first key
MAX_CONNECTIONS = 32


def clock() -> float:
    """Seconds that go on while the machine sleeps: a laptop that was closed for the night has locked its vaults."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Conversation:
    """One connection: its request as far as it has come, and when patience ends."""

    def __init__(self, end: socket.socket, until: float) -> None:
        self.end, self.until = end, until
        self._buffer = bytearray(wire.REQUEST.size)
        self._got = 0

    def more(self) -> bytearray | None:
        """Read on; the request once it is complete.

        Raises:
            OSError: the other end has gone.
        """
        got = self.end.recv_into(memoryview(self._buffer)[self._got :])
        if not got:
            raise ConnectionResetError
        self._got += got
        return self._buffer if self._got == len(self._buffer) else None

    def close(self) -> None:
        """Let go, and wipe what was read."""
        wipe(self._buffer)
        self.end.close()


class Server:
    """Answers at a listening socket until no key is left."""

    def __init__(self, listener: socket.socket, keeper: Keeper, now: Callable[[], float] = clock) -> None:
        self._listener, self._keeper, self._now = listener, keeper, now
        self._open: dict[socket.socket, Conversation] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._first_key_by: float | None = now() + GRACE

    def run(self) -> None:
        """Serve until there is nothing to serve."""
        listener = self._listener
        listener.setblocking(False)
        while (wait := self._wait()) is not None:
            for key, _ in self._selector.select(wait):
                if key.fileobj is listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._open:
                    self._hear(self._open[key.fileobj])

    def _wait(self) -> float | None:
        """How long nothing may happen; None when it is time to end."""
        now = self._now()
        self._keeper.sweep(now)
        for one in [one for one in self._open.values() if one.until <= now]:
            self._close(one)
        if len(self._keeper):
            self._first_key_by = None
        elif self._first_key_by is None or self._first_key_by <= now:
            return None
        ends = [one.until for one in self._open.values()]
        ends += [end for end in (self._keeper.next_end(), self._first_key_by) if end is not None]
        return max(0.0, min(ends) - now)

    def _accept(self) -> None:
        try:
            end, _ = self._listener.accept()
        except OSError:
            return  # it has gone again
        if not place.is_ours(end) or len(self._open) >= MAX_CONNECTIONS:
            end.close()
            return
        end.setblocking(False)
        self._open[end] = Conversation(end, self._now() + wire.TIMEOUT)
        self._selector.register(end, selectors.EVENT_READ)

    def _hear(self, one: Conversation) -> None:
        try:
            asked = one.more()
            if asked is None:
                return
            answer = self._answer(asked)
            try:
                one.end.send(answer)  # far smaller than the system's buffer
            finally:
                wipe(answer)
        except BlockingIOError:
            return
        except OSError:
            pass  # whoever asked has gone
        self._close(one)

    def _close(self, one: Conversation) -> None:
        self._selector.unregister(one.end)
        del self._open[one.end]
        one.close()

    def _answer(self, asked: bytearray) -> bytearray:
        magic, version, verb, vault, salt, seconds = wire.HEAD.unpack_from(asked)
        if (magic, version) != (wire.MAGIC, wire.VERSION):
            return _said(wire.NOTHING)
        now = self._now()
        if verb == wire.GET:
            return _said_key(*self._keeper.get(vault, salt, now=now))
        if verb == wire.PUT and vault != wire.EVERY:
            key = Key.taken_from(memoryview(asked)[wire.KEY_AT : wire.KEY_AT + KEY_BYTES])
            told = bytes(asked[wire.KEY_AT + KEY_BYTES :])
            timeout = min(max(1, seconds), wire.MAX_TIMEOUT)
            return _said(wire.DONE if self._keeper.put(vault, salt, key, told, timeout=timeout, now=now) else wire.FULL)
        if verb == wire.DROP:
            return _said(wire.DONE, self._keeper.drop(vault))
        if verb == wire.LIST:
            found = self._keeper.entries(now)
            return _said(wire.ENTRIES, len(found)) + b"".join(found)
        return _said(wire.NOTHING)


def _said(answer: int, count: int = 0) -> bytearray:
    return bytearray(wire.ANSWER.pack(wire.MAGIC, wire.VERSION, answer, count))


def _said_key(answer: int, key: Key | None) -> bytearray:
    said = _said(answer)
    if key is None:
        return said
    whole = bytearray(len(said) + KEY_BYTES)  # as long as it gets: growing would leave a copy behind
    whole[: len(said)] = said
    whole[len(said) :] = key.view()
    return whole
