"""Threads: for every row the turn before it and the turn after it, in the conversation it came from.

Only versions that hold are turns. Links are brought up to date by the query that follows them, a thread at a time.
"""

import numpy as np
from numpy.typing import NDArray

from vault_core.index.columns import CURRENT, ERASED, NOBODY, Columns, Ints

_FEW = 16  # threads that are linked anew by themselves; for more, all are

Links = NDArray[np.int64]


class Threads:
    """Links between rows: `before[row]` and `after[row]`, NOBODY at the ends; one place more, for NOBODY itself."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._linked = 0
        self._changed: set[int] = set()
        self._before: Links = np.full(1, NOBODY, np.int64)
        self._after: Links = np.full(1, NOBODY, np.int64)

    def changed(self, address: int) -> None:
        """A row is not a turn any more, or is one again."""
        thread = int(self._columns.thread[self._columns.row(address)])
        if thread != NOBODY:
            self._changed.add(thread)

    def links(self) -> tuple[Links, Links]:
        """The turns before and after each row."""
        size = self._columns.size
        if size > self._linked:
            self._changed |= set(np.unique(self._columns.thread[self._linked :]).tolist()) - {NOBODY}
            if size + 1 > len(self._before):
                room = np.full(2 * size + 1 - len(self._before), NOBODY, np.int64)
                self._before, self._after = np.append(self._before, room), np.append(self._after, room)
            self._linked = size
        if self._changed:
            self._link()
        return self._before, self._after

    def around(self, rows: Ints, reach: int) -> list[Ints]:
        """These rows, and those up to `reach` turns before and after them: one array for each step, with NOBODY."""
        before, after = self.links()
        steps, back, on = [rows], rows, rows
        for _ in range(reach):
            back, on = before[back], after[on]
            steps += [back, on]
        return steps

    def _link(self) -> None:
        columns, some = self._columns, len(self._changed) <= _FEW
        wanted = np.isin(columns.thread, list(self._changed)) if some else columns.thread != NOBODY
        self._changed.clear()
        members = np.flatnonzero(wanted)
        self._before[members] = self._after[members] = NOBODY
        turns = members[(columns.flags[members] & (CURRENT | ERASED)) == CURRENT]
        turns = turns[np.lexsort((turns, columns.position[turns], columns.thread[turns]))]
        same = columns.thread[turns[1:]] == columns.thread[turns[:-1]]
        self._before[turns[1:][same]] = turns[:-1][same]
        self._after[turns[:-1][same]] = turns[1:][same]
