"""The log: sealed commits, each bound to the one before. The only truth; everything else is computed from it."""

from vault_core.log.entry import ClearPart, chain_start
from vault_core.log.log import Commit, Log, LogState, Plan
from vault_core.log.ops import Erase, Ghost, HeaderChange, Mark, Op, Put, Restored, Touch, Trust

__all__ = [
    "ClearPart",
    "Commit",
    "Erase",
    "Ghost",
    "HeaderChange",
    "Log",
    "LogState",
    "Mark",
    "Op",
    "Plan",
    "Put",
    "Restored",
    "Touch",
    "Trust",
    "chain_start",
]
