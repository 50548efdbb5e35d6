"""What conversations of all systems become: every turn a memory, in its thread, at its place and its time.

Rules:
- The thread is the conversation's id there, the position the turn's order in it, the source who said it ("user",
  "assistant", or what the file says), the event's time the turn's own, else the one before's, else the conversation's.
- Ids are made of the conversation and of the turn's own id, or else its place and what it says.
- The origin says whose word it is: the user's, an agent's, a tool's; anybody else's is an import's, for which nobody
  vouches.
- What was said twice was said twice: turns are not compared by content.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vault_core.memory import Draft
from vault_core.memory.trust import AGENT, IMPORT, TOOL, USER
from vault_core.transfer.arrival import Finding, Skipped
from vault_core.transfer.foreign import Importer, label

NOTHING = "there is no text in it"
_ORIGINS = {"user": USER, "assistant": AGENT, "system": TOOL, "tool": TOOL, "function": TOOL}
_ROLES = {"human": "user", "ai": "assistant", "bot": "assistant", "model": "assistant"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn: what was said, by whom, when. `missing` says what of it can't be brought.

    `name` is that of a tool, if it has one.
    """

    text: str
    role: Any
    name: Any = None
    moment: datetime | None = None
    id: Any = None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What turns have in common: the conversation's id, its title, and when it began."""

    id: Any
    title: Any = None
    begun: datetime | None = None


def brought(
    importer: Importer, conversation: Conversation, turns: Sequence[Turn], place: str, *, only: int | None = None
) -> Iterator[Finding]:
    """The memories of a conversation's turns, in their order. Of a log's single turn `only` is the position."""
    known = conversation.id is not None
    thread = label(conversation.id) or importer.id_from("thread", conversation.id if known else place)
    moment = conversation.begun
    title = label(conversation.title)
    for position, turn in enumerate(turns, only or 0):
        where = place if only is not None else f"{place}, turn {position + 1}"
        moment = turn.moment or moment
        if turn.missing:
            yield Skipped(where, turn.missing)
        if not turn.text.strip():
            if not turn.missing:
                yield Skipped(where, NOTHING)
            continue
        named = [turn.id] if turn.id is not None else [position, turn.text]
        role = turn.role.lower() if isinstance(turn.role, str) else None
        draft = Draft(
            content=turn.text,
            id=importer.id_from(thread, *named),
            source=label(turn.name) or (label(_ROLES.get(role, turn.role)) if role else None),
            thread=thread,
            origin=_ORIGINS.get(_ROLES.get(role, role), IMPORT) if role else IMPORT,
            event_time=moment,
            metadata={"conversation": title} if title else None,
        )
        yield importer.arrival(draft, where, created=moment, position=position, unique=False)
