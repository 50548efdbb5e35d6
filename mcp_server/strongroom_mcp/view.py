"""From memories to what a client sees of them, within the bytes of a reply."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from strongroom_mcp.framing import excerpt, shown, shown_value
from strongroom_mcp.limits import MAX_EXCERPT, MAX_PAGE, MAX_REPLY_BYTES
from strongroom_mcp.scope import Scope
from strongroom_mcp.shapes import Entry, Hit, Stored, Version, Whole
from vault_core import Memory, SearchResult

Model = TypeVar("Model", bound=BaseModel)
_ENVELOPE = 500  # bytes of a reply around its entries


def entry(memory: Memory, scope: Scope) -> Entry:
    """A memory among others."""
    return Entry(**_entry(memory, scope))


def hit(result: SearchResult, scope: Scope) -> Hit:
    """A hit of a search."""
    return Hit(**_entry(result.memory, scope), score=round(result.score, 4))


def stored(memory: Memory, scope: Scope) -> Stored:
    """The receipt for a memory that was written."""
    return Stored(
        id=shown(memory.id),
        namespace=scope.relative(memory.namespace),
        type=shown(memory.memory_type),
        origin=shown(memory.origin),
        trust=memory.trust,
        similar=[shown(id_) for id_ in memory.similar],
    )


def whole(memory: Memory, scope: Scope, offset: int) -> Whole:
    """One memory, with the page of its text that begins at `offset`. Metadata that is too large is left out."""
    text = memory.text
    page, more = excerpt(text[offset:], MAX_PAGE)
    metadata = shown_value(memory.metadata)
    view = Whole(
        **{**_entry(memory, scope), "text": page, "truncated": more},
        next_offset=offset + MAX_PAGE if more else None,
        tier=memory.tier,
        importance=memory.importance,
        expires_at=_time(memory.expires_at),
        thread=None if memory.thread is None else shown(memory.thread),
        metadata=metadata,
        pinned=memory.state.pinned,
        archived=memory.state.archived,
        written_by=_written_by(memory),
    )
    if size(view) > MAX_REPLY_BYTES:
        view = view.model_copy(update={"metadata": {"omitted": "too large to show"}})
    length = MAX_PAGE
    while size(view) > MAX_REPLY_BYTES and length > 1:  # escapes can make a page seven times as long
        length //= 2
        page, more = excerpt(text[offset:], length)
        view = view.model_copy(
            update={"text": page, "truncated": more, "next_offset": offset + length if more else None}
        )
    return view


def version(memory: Memory) -> Version:
    """One version of a memory's history."""
    text, more = excerpt(memory.text, MAX_EXCERPT)
    return Version(
        version=memory.version,
        text=text,
        truncated=more,
        updated_at=memory.updated_at.isoformat(),
        reason=None if memory.reason is None else shown(memory.reason),
        origin=shown(memory.origin),
        trust=memory.trust,
        written_by=_written_by(memory),
    )


def fitting(models: Iterable[Model]) -> tuple[list[Model], int]:
    """As many as fit into a reply, at least one, in order; and how many do not."""
    taken: list[Model] = []
    left, omitted = MAX_REPLY_BYTES - _ENVELOPE, 0
    for model in models:
        left -= size(model) + 2
        if omitted or (left < 0 and taken):
            omitted += 1
        else:
            taken.append(model)
    return taken, omitted


def within(labels: Iterable[list[str]]) -> list[list[str]]:
    """As many namespaces as fit into a reply, in order."""
    taken, left = [], MAX_REPLY_BYTES - _ENVELOPE
    for one in labels:
        left -= len(json.dumps(one, ensure_ascii=False).encode()) + 1
        if left < 0:
            break
        taken.append(one)
    return taken


def size(model: BaseModel) -> int:
    """The bytes of a model as JSON."""
    return len(model.model_dump_json().encode())


def each(memories: Sequence[Memory], scope: Scope, show: Callable[[Memory, Scope], Model]) -> tuple[list[Model], int]:
    """The memories of a reply, and how many were left out."""
    return fitting(show(memory, scope) for memory in memories)


def _entry(memory: Memory, scope: Scope) -> dict[str, Any]:
    text, more = excerpt(memory.text, MAX_EXCERPT)
    return {
        "id": shown(memory.id),
        "text": text,
        "truncated": more,
        "type": shown(memory.memory_type),
        "namespace": scope.relative(memory.namespace),
        "tags": [shown(tag) for tag in memory.tags[:20]],
        "origin": shown(memory.origin),
        "trust": memory.trust,
        "created_at": memory.created_at.isoformat(),
        "updated_at": memory.updated_at.isoformat(),
        "event_time": _time(memory.event_time),
        "source": None if memory.source is None else shown(memory.source),
    }


def _written_by(memory: Memory) -> dict[str, str]:
    return {shown(name): shown(value) for name, value in memory.provenance.items()}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
