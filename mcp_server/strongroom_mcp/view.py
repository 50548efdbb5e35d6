"""From memories to what a client sees of them. `budget` sees to it that it fits into a reply."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from strongroom_mcp import budget
from strongroom_mcp.budget import Model
from strongroom_mcp.framing import excerpt, shown, shown_value
from strongroom_mcp.limits import MAX_EXCERPT, MAX_PAGE, MAX_REPLY_BYTES
from strongroom_mcp.scope import Scope
from strongroom_mcp.shapes import Entry, Hit, Part, Place, Stored, Version, Whole
from vault_core import Memory, SearchResult

_MAX_NAMESPACE = 2_000  # bytes of one namespace among others
_KNOWN = MAX_REPLY_BYTES // 2  # bytes of what is known of a memory, beside a page of its text


def entry(memory: Memory, scope: Scope) -> Entry:
    """A memory among others."""
    return Entry(**_entry(memory, scope))


def hit(result: SearchResult, scope: Scope) -> Hit:
    """A hit of a search."""
    return Hit(**_entry(result.memory, scope), score=round(result.score, 4))


def stored(memory: Memory, scope: Scope) -> Stored:
    """The receipt for a memory that was written."""
    return Stored(
        id=scope.name(memory),
        namespace=scope.relative(memory.namespace),
        type=shown(memory.memory_type),
        origin=shown(memory.origin),
        trust=memory.trust,
        similar=[scope.named(id_, memory.namespace) for id_ in memory.similar],
    )


def whole(memory: Memory, scope: Scope, offset: int = 0, part: Part = "text") -> Whole:
    """One memory, with the page of its text (or of another part, as JSON) that begins at `offset`."""
    known = Whole(
        **{**_entry(memory, scope), "text": "", "truncated": False},
        part=part,
        tier=memory.tier,
        importance=memory.importance,
        expires_at=_time(memory.expires_at),
        thread=None if memory.thread is None else shown(memory.thread),
        metadata=shown_value(memory.metadata),
        pinned=memory.state.pinned,
        archived=memory.state.archived,
        written_by=_written_by(memory),
    )
    known = budget.trimmed(known, _KNOWN)
    text, length = _part(memory, scope, part), MAX_PAGE
    while True:  # escapes can make a page seven times as long
        page, more = excerpt(text[offset:], length)
        next_offset = offset + length if more else None
        view = known.model_copy(update={"text": page, "truncated": more, "next_offset": next_offset})
        if budget.size(view) <= MAX_REPLY_BYTES:
            return view
        length //= 2


def version(memory: Memory, number: int) -> Version:
    """One version of a memory's history, the first one number 1.

    Its name in the vault stays untold: it counts the commits of everybody, whatever the server is confined to.
    """
    text, more = excerpt(memory.text, MAX_EXCERPT)
    return Version(
        version=str(number),
        text=text,
        truncated=more,
        updated_at=memory.updated_at.isoformat(),
        reason=None if memory.reason is None else shown(memory.reason),
        origin=shown(memory.origin),
        trust=memory.trust,
        written_by=_written_by(memory),
    )


def place(namespace: Sequence[str], scope: Scope) -> Place:
    """A namespace among others."""
    return budget.trimmed(Place(labels=scope.relative(tuple(namespace))), _MAX_NAMESPACE)


def each(memories: Sequence[Memory], scope: Scope, show: Callable[[Memory, Scope], Model]) -> tuple[list[Model], int]:
    """The memories of a reply, and how many were left out."""
    return budget.fitting(memories, lambda memory: show(memory, scope))


def _entry(memory: Memory, scope: Scope) -> dict[str, Any]:
    text, more = excerpt(memory.text, MAX_EXCERPT)
    return {
        "id": scope.name(memory),
        "text": text,
        "truncated": more,
        "type": shown(memory.memory_type),
        "namespace": scope.relative(memory.namespace),
        "tags": [shown(tag) for tag in memory.tags],
        "origin": shown(memory.origin),
        "trust": memory.trust,
        "created_at": memory.created_at.isoformat(),
        "updated_at": memory.updated_at.isoformat(),
        "event_time": _time(memory.event_time),
        "source": None if memory.source is None else shown(memory.source),
    }


def _part(memory: Memory, scope: Scope, part: Part) -> str:
    """A part of a memory, as text; not yet as it is shown."""
    parts: dict[str, Any] = {
        "text": memory.text,
        "id": memory.id,
        "namespace": list(memory.namespace[len(scope.namespace) :]),
        "tags": list(memory.tags),
        "metadata": memory.metadata,
        "type": memory.memory_type,
        "origin": memory.origin,
        "source": memory.source,
        "thread": memory.thread,
        "reason": memory.reason,
        "written_by": dict(memory.provenance),
    }
    value = parts[part]
    return value if part == "text" else json.dumps(value, ensure_ascii=False)


def _written_by(memory: Memory) -> dict[str, str]:
    return {shown(name): shown(value) for name, value in memory.provenance.items()}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
