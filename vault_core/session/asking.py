"""A caller's function as a filter: asked outside of the vault's lock, so that it may wait for whoever needs the lock.

Rules:
- A query looks up answers. What nobody has answered does not count, and the query runs again once it was asked about:
  no answer is ever guessed, least of all where something is forgotten by it.
- An answer is of one version, by its address. A version that comes meanwhile is asked about as well.
- Each run may come upon twice as many unanswered ones as the one before, so that long lists take few runs.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from vault_core.errors import InvalidInputError
from vault_core.memory import Memory

if TYPE_CHECKING:
    from vault_core.session.reading import Query

T = TypeVar("T")
MemoryTest = Callable[[Memory], bool]
Key = tuple[str, int]  # box, address

MAX_RUNS = 64  # twice as many each time: more than any vault holds, unless the function goes on adding some


class _Unanswered(Exception):  # noqa: N818  a signal between a query and `asking`, never seen outside
    """A query has come upon memories that the function has to be asked about first."""


class Asked:
    """The function and its answers so far."""

    def __init__(self, test: MemoryTest) -> None:
        self._test = test
        self._answers: dict[Key, bool] = {}
        self._waiting: dict[Key, Memory | None] = {}
        self._room = 1

    def judge(self, box: str, addresses: list[int], opened: Callable[[list[int]], dict[int, Memory]]) -> list[bool]:
        """The answers about these versions, False where there is none yet; `opened` opens those by their addresses."""
        fresh = [address for address in addresses if (box, address) not in self._answers]
        if fresh:
            found = opened(fresh)
            self._waiting.update({(box, address): found.get(address) for address in fresh})
            if len(self._waiting) >= self._room:
                raise _Unanswered
        return [self._answers.get((box, address), False) for address in addresses]

    def check(self) -> None:
        """Refuse to go on with a query for which something is unanswered."""
        if self._waiting:
            raise _Unanswered

    def ask(self) -> None:
        """Ask about all that waits. Whatever the function raises passes as it is."""
        waiting, self._waiting = self._waiting, {}
        for key, memory in waiting.items():
            self._answers[key] = memory is not None and bool(self._test(memory))
        self._room = 2 * len(self._answers)


def askable(query: "Query") -> "Query":
    """The query with its filter, if that is a function, ready to be asked."""
    return replace(query, filter=Asked(query.filter)) if callable(query.filter) else query


def asking(query: "Query", work: Callable[["Query"], T]) -> T:
    """What `work` gives for a query, run anew until all that its filter has to be asked about is answered."""
    ready = askable(query)
    asked = ready.filter
    if not isinstance(asked, Asked):
        return work(ready)
    for _ in range(MAX_RUNS):
        with suppress(_Unanswered):
            found = work(ready)
            asked.check()
            return found
        asked.ask()
    raise InvalidInputError("the filter adds memories faster than it can be asked about them; let it only look")
