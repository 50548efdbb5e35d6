"""A connection that does not wait for ever.

The server's own timeouts end what takes too long, as long as the server runs. One that is stopped, or hangs in its
disk, keeps its connections and says nothing: its kernel answers for it, so that TCP's keepalives notice nothing.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg

from vault_core.store.postgres.address import SILENCE


class Attended(psycopg.Connection[Any]):
    """A connection that is given up, and closed, after `silence` seconds without a sign of the server."""

    silence = SILENCE

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
        """See `psycopg.Connection.wait`, by which every exchange with the server goes."""
        return super().wait(self._attending(gen), *arguments, **options)

    def _attending(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        end = time.monotonic() + self.silence
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    end = time.monotonic() + self.silence
                elif time.monotonic() > end:
                    self.pgconn.finish()  # what is still to come must never be taken for the next answer
                    raise psycopg.OperationalError("the server is silent")
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value
