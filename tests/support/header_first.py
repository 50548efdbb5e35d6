"""A store in RAM that can't write a header and its commit at once, as object storage can't."""

from collections.abc import Callable
from dataclasses import replace

from vault_core import EphemeralStore, UnavailableError
from vault_core.store import Change, Head


class HeaderFirstStore(EphemeralStore):
    """Header, then commit, each created if nothing else took its place; `make` runs again after a conflict.

    `between` holds what happens after the next headers are written and before their commits; it may raise, and then the
    header waits for its commit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.between: list[Callable[[], object]] = []

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        while True:
            head = Head(self.head(), self.read_header())
            change = make(head)
            if change is None or self._written(change, head):
                return change

    def _written(self, change: Change, head: Head) -> bool:
        if change.header is not None:
            if self.header not in (head.header, change.header):
                return False
            self.header = change.header
            if self.between:
                self.between.pop(0)()
        if change.entry is not None and change.seq <= self.head():
            return self.entry[change.seq] == change.entry
        self._carry_out(replace(change, header=None))
        return True


def lose_the_answer() -> None:
    """End a write in the middle."""
    raise UnavailableError("the connection was cut")
