"""Between LangGraph's items and the vault's memories.

Rules:
- An item is the memory with its key as id in its namespace; the value is the memory's content, as JSON.
- A value that says nothing but `{"content": "some text"}` is kept as that text, and a memory of text is shown as such
  a value: so what LangMem keeps reads like any other memory elsewhere, and the other way round.
- A TTL is the memory's `expires_at`; its minutes are in the metadata, for reads begin it anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from langgraph.store.base import Item, PutOp, SearchItem, get_text_at_path, tokenize_path

from vault_core import Draft, Memory
from vault_core.errors import InvalidInputError

Namespace = tuple[str, ...]
Key = tuple[Namespace, str]
Texts = Mapping[str, str]

WHOLE = "$"  # the path of the whole value
TTL_MINUTES = "langgraph_ttl_minutes"  # the key in a memory's metadata
_ONLY_TEXT = {"content"}


def key_of(memory: Memory) -> Key:
    """The identity of an item."""
    return memory.namespace, memory.id


def item_of(memory: Memory) -> Item:
    """A memory as an item. What is handed out is the caller's own."""
    return Item(
        value=_value(memory.content),
        key=memory.id,
        namespace=memory.namespace,
        created_at=memory.created_at,
        updated_at=memory.updated_at,
    )


def hit_of(memory: Memory, score: float | None) -> SearchItem:
    """A memory as an item that was found."""
    return SearchItem(
        namespace=memory.namespace,
        key=memory.id,
        value=_value(memory.content),
        created_at=memory.created_at,
        updated_at=memory.updated_at,
        score=score,
    )


def draft_of(
    op: PutOp, texts: Texts | None, vectors: Mapping[str, Any] | None, now: datetime, origin: str | None
) -> Draft:
    """The memory that a put writes. `texts` are what is searched of it: None for everything, none for nothing."""
    return Draft(
        content=_content(op.value),
        id=op.key,
        namespace=op.namespace,
        index=None if texts is None else dict(texts) or False,
        vectors=vectors or None,
        metadata=None if op.ttl is None else {TTL_MINUTES: op.ttl},
        expires_at=None if op.ttl is None else _after(op.ttl, now),
        keep_history=False,
        origin=origin,
    )


def refreshed(memory: Memory, now: datetime) -> datetime | None:
    """When a memory expires that is read now; None if reading changes nothing.

    Metadata are anybody's to write: minutes that can't be counted from now leave the time as it is. So does a time
    that would lie beyond the calendar's end.
    """
    if memory.expires_at is None:
        return None
    try:
        return _after(memory.metadata.get(TTL_MINUTES), now)
    except InvalidInputError:
        return None


def expired(memory: Memory, now: datetime) -> bool:
    """Whether a memory's time is over."""
    return memory.expires_at is not None and memory.expires_at <= now


def texts_of(op: PutOp, fields: Sequence[str]) -> dict[str, str]:
    """What is to be searched of a value, by field; nothing with `index=False`."""
    if op.index is False:
        return {}
    found: dict[str, str] = {}
    for path in fields if op.index is None else _paths(op.index):
        found.update(_named(path, _texts_at(op.value, path)))
    return found


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)


def _texts_at(value: Any, path: str) -> list[str]:
    try:
        texts = get_text_at_path(value, WHOLE if path == WHOLE else tokenize_path(path))
    except (TypeError, ValueError, RecursionError):  # not JSON: the vault will say what is wrong with it
        return []
    return [text for text in texts if text.strip()]


def _value(content: Any) -> dict[str, Any]:
    return content if isinstance(content, dict) else {"content": content}


def _content(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise InvalidInputError("a store keeps dicts; wrap other values as {'value': …}")
    text = value.get("content")
    if value.keys() == _ONLY_TEXT and isinstance(text, str) and text.strip() and "\x00" not in text:
        return text
    return dict(value)


def _after(minutes: Any, moment: datetime) -> datetime:
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not minutes >= 0:
        raise InvalidInputError("a TTL is a number of minutes, 0 or more")
    try:
        return moment + timedelta(minutes=minutes)
    except OverflowError:
        raise InvalidInputError("a TTL of so many minutes ends after the year 9999; use ttl=None") from None


def _paths(index: Any) -> list[str]:
    if isinstance(index, str) or not isinstance(index, Iterable):
        raise InvalidInputError("index is False, or a list of the paths that are searched")
    paths = list(index)
    if not all(isinstance(path, str) and path for path in paths):
        raise InvalidInputError("the paths of an index are texts such as 'topic' or 'chapters[*].text'")
    return paths


def _named(path: str, texts: Sequence[str]) -> dict[str, str]:
    """Each text under its path; where a path leads to several, they are numbered."""
    if len(texts) == 1:
        return {path: texts[0]}
    return {f"{path}.{number}": text for number, text in enumerate(texts)}
