"""Uses: which memories a session's searches found. Gathered in RAM; they ride on the session's next commit.

So using a memory costs no commit, and a session that only reads leaves no trace. What was gathered when a session ends
without another write is lost, which does no harm: it says how often, roughly.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

MOST = 10_000  # memories of a box: bounds what a session that never writes can gather
ABOARD = 1_000  # of one commit


@dataclass(slots=True)
class Uses:
    """What was used, by box id and address: how often, and when last, in microseconds."""

    _gathered: dict[bytes, dict[int, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))

    def note(self, box: bytes, addresses: Iterable[int], now: int) -> None:
        """Count one use of each."""
        gathered = self._gathered[box]
        for address in addresses:
            if address in gathered or len(gathered) < MOST:
                count, _ = gathered.get(address, (0, 0))
                gathered[address] = count + 1, now

    def waiting(self, box: bytes) -> dict[int, tuple[int, int]]:
        """What the next commit of a box may take along, those first that have waited longest."""
        gathered = self._gathered.get(box, {})
        return {address: gathered[address] for address in list(gathered)[:ABOARD]}

    def taken(self, box: bytes, noted: dict[int, tuple[int, int]]) -> None:
        """These are in the log by now."""
        for address in noted:
            self._gathered[box].pop(address, None)
