"""What one server accepts and gives, each number with its reason, and the rate it accepts it at."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_ARGUMENT_BYTES = 1 << 20  # of one call, as JSON: a store of 50 long memories; less than the transport's 4 MiB
MAX_TEXT = 65_536  # characters of one memory: a model writes thoughts, not files
MAX_STORED = 50  # memories of one call: one commit that a model can still check
MAX_IDS = 50  # of one forgetting, so that a person can read what it is about
MAX_LIMIT = 50  # hits or entries of one reply
MAX_QUERY = 4_096  # characters
MAX_REPLY_BYTES = 40_000  # clients cut replies at about 25,000 tokens; the same JSON goes out twice, as text and data
MAX_ENTRY_BYTES = 10_000  # of one entry among others, so that none keeps the rest out
MAX_EXCERPT = 2_000  # characters of a text among others; memory_get has the rest
MAX_PAGE = 16_000  # characters of a text that was asked for by id
MAX_LABEL = 512  # as the vault's own
RECENT = 500  # memories whose ids and tags are offered as completions
MAX_COMPLETIONS = 100  # the protocol's own limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often a server may be called: `burst` at once, then `calls` in each second. None for calls: any number."""

    calls: float | None = 50.0  # no person or model is so fast; a loop gone wild is
    burst: int = 500


class Meter:
    """A token bucket, safe from any thread."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._now = limits, now
        self._lock = threading.Lock()
        self._left, self._at = float(limits.burst), now()

    def take(self) -> bool:
        """Whether one more call is within the rate."""
        if self._limits.calls is None:
            return True
        with self._lock:
            at = self._now()
            self._left = min(float(self._limits.burst), self._left + (at - self._at) * self._limits.calls)
            self._at = at
            if self._left < 1.0:
                return False
            self._left -= 1.0
            return True
