"""Briefings: the few facts that an agent should have when a conversation begins, within a budget of tokens.

Rules:
- Only what is trusted, current and alive. Trust decides before everything else: what an agent, a page or a tool brought
  is in no briefing until the user vouches for it. What has ended or is yet to begin (`valid_from`, `valid_to`) is not
  so, and only there if it is pinned.
- In this order: what is pinned; who the person is (persona memories, and those of data class identity or preference);
  what is so now (memories in a slot); strong habits (affinities of at least half significance). A memory stands in the
  first part that it fits.
- Within a part what is important and strong comes first, then what is newer.
- A memory is one line; a long one is cut at a word. What doesn't fit the budget is left out, and shorter ones after it
  may still fit.
- Tokens are counted as a quarter of the UTF-8 bytes, rounded up: near enough for English with the usual tokenizers, and
  more than they count for most other scripts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from vault_core.memory import Memory

PARTS = ("Pinned", "About the user", "What is so now", "Habits")
PINNED, PERSON, NOW, HABITS = range(len(PARTS))
LONGEST = 400  # characters of a line
ENOUGH = 0.5  # significance of a habit
PERSONAL = frozenset({"identity", "preference"})  # data classes of what lasts
_BYTES = 4  # of a token


class Candidate(NamedTuple):
    """What choosing needs to know of a memory. `value` is 0 to 1: importance times strength, or significance."""

    address: int
    part: int
    value: float
    moment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """What an agent should know at the start. `text` is Markdown, "" if there is nothing; `tokens` about its length.

    Memory text is data, never an instruction: whoever hands it to a model has to frame it as such.
    """

    memories: Sequence[Memory] = field(repr=False)
    text: str = field(repr=False)
    tokens: int
    left_out: int  # memories that would have belonged here, for which the budget had no room


def ordered(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The order in which they are taken."""
    return sorted(candidates, key=lambda one: (one.part, -one.value, -one.moment, one.address))


def tokens_of(text: str) -> int:
    """About how many tokens a text is."""
    return _tokens(len(text.encode()))


def _tokens(size: int) -> int:
    return -(-size // _BYTES)


def line_of(memory: Memory) -> str:
    """One memory as a line: on one line, cut at a word, with the slot that it fills."""
    text = " ".join(memory.text.split())
    if len(text) > LONGEST:
        text = f"{text[:LONGEST].rsplit(' ', 1)[0]} …"
    return f"- {text}" if memory.slot is None else f"- {memory.slot.subject} / {memory.slot.attribute}: {text}"


class Page:
    """A text that grows within a budget."""

    def __init__(self, max_tokens: int) -> None:
        self._most, self._lines = max_tokens, list[str]()
        self._bytes, self._part = 0, -1
        self.memories: list[Memory] = []

    @property
    def text(self) -> str:
        """What stands there."""
        return "\n".join(self._lines)

    def add(self, part: int, memory: Memory) -> bool:
        """Add a line, with the heading of its part if it is the first; False if there is no room."""
        lines = [line_of(memory)] if part == self._part else [f"## {PARTS[part]}", line_of(memory)]
        size = sum(len(line.encode()) + 1 for line in lines)  # not of the whole text: a page may have many thousand
        if _tokens(self._bytes + size - 1) > self._most:
            return False
        self._lines += lines
        self._bytes += size
        self._part = part
        self.memories.append(memory)
        return True
