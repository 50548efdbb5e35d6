"""A thread that does something now and then, until it is told to stop."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from vault_core.errors import SessionStateError, VaultError

_LOG = logging.getLogger("langchain_strongroom")


class Sweeper:
    """Calls `sweep` every so many seconds. Starting twice or stopping twice does no harm."""

    def __init__(self, sweep: Callable[[], int]) -> None:
        self._sweep = sweep
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._done: Future[None] = Future()

    def start(self, seconds: float) -> "Future[None]":
        """Begin; the future ends when the thread does, and cancelling it ends the thread."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive() and not self._stop.is_set():
                return self._done
            stop, done = threading.Event(), Future[None]()
            self._stop, self._done = stop, done
            done.add_done_callback(lambda _: stop.set())
            self._thread = threading.Thread(
                target=self._run, args=(seconds, stop, done), name="strongroom-sweeper", daemon=True
            )
            self._thread.start()
            return done

    def stop(self, timeout: float | None = None) -> bool:
        """End; False if the thread is still busy after `timeout` seconds."""
        with self._lock:
            thread = self._thread
            self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def _run(self, seconds: float, stop: threading.Event, done: "Future[None]") -> None:
        while not stop.wait(seconds):
            try:
                self._sweep()
            except SessionStateError:  # the vault was closed: there is nothing left to sweep
                break
            except VaultError as error:  # what is expired stays hidden; the next round tries again
                _LOG.warning("expired items could not be swept now: %s", type(error).__name__)
        with suppress(InvalidStateError):  # it was cancelled
            done.set_result(None)
