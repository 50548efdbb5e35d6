"""Ctrl-C at a moment that suits: never between a commit and its acknowledgement."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """While used as a context, Ctrl-C inside `held()` takes effect at its end; elsewhere it does so at once."""

    def __init__(self) -> None:
        self._held = self._asked = False
        self._before: Any = None

    def __enter__(self) -> "Interrupts":
        # A job that was started with Ctrl-C ignored keeps ignoring it.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._asked_to_stop)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block finish first.

        Raises:
            KeyboardInterrupt: at the end, if Ctrl-C was pressed meanwhile.
        """
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._asked:
            raise KeyboardInterrupt

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        if not self._held:
            raise KeyboardInterrupt
        self._asked = True
