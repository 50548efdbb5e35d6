"""Receipts: what a forgetting did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was forgotten, when and where in the log. With `dry_run`, what would be.

    With `ghost_until` nothing is erased yet: they are ghosts until then.

    `stale` are the composites and affinities that went with them, because they hold words of theirs. `purged` says
    whether nothing of it is left in the store; if not, the next session finishes it.
    """

    memories: int
    versions: int
    ids: Sequence[str] = field(repr=False)
    stale: Sequence[str] = field(default=(), repr=False)
    seq: int | None
    time: datetime | None
    purged: bool
    ghost_until: datetime | None = None
    dry_run: bool = False
