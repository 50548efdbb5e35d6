"""Chat logs as nearly every program writes them: messages with a role and a content, as JSON or as lines of JSON.

Rules:
- A list of messages, an object with a list `messages`, or a line for each message.
- A message has `content` (text, or a list of `{"type": "text", "text"}`), and may have `role`, a time (`created_at`,
  `timestamp`, `time` or `date`), `id`, and the conversation it is of (`thread`, `thread_id`, `conversation_id` or
  `session_id`; else the file is one conversation).
- Left out and reported: content that is no text.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from vault_core.transfer.archive import head_of, opened
from vault_core.transfer.arrival import Finding, Format, Skipped
from vault_core.transfer.foreign import Importer, moment
from vault_core.transfer.formats import register
from vault_core.transfer.jsonparts import UnreadableError, lines, parts, sketch
from vault_core.transfer.source import Source
from vault_core.transfer.turns import Conversation, Turn, brought

MEMBERS = ("messages.json", "messages.jsonl")
_LISTS = ("", "messages")
_TIMES = ("created_at", "timestamp", "time", "date")
_THREADS = ("thread", "thread_id", "conversation_id", "session_id")
_MOST_THREADS = 1_000_000  # whose number of turns is kept in RAM
_OTHER = "what is no text in it is not brought"


def recognise(source: Source) -> bool:
    """Whether there are messages with a role and a content."""
    keys = sketch(head_of(source, MEMBERS))
    return any({(*above, "role"), (*above, "content")} <= keys for above in ((), ("",), ("messages", "")))


def read(source: Source) -> Iterator[Finding]:
    """Every message."""
    importer = Importer(name="chat", source=source)
    by_lines = {("role",), ("content",)} & sketch(head_of(source, MEMBERS)) != set()
    whole = source.path.name.encode("utf-8", "replace").decode()
    positions: dict[Any, int] = {}
    with opened(source, MEMBERS) as stream:
        for part in lines(stream) if by_lines else parts(stream):
            try:
                said = part.value()
            except UnreadableError as error:
                yield Skipped(part.place, str(error))
                continue
            if part.key not in _LISTS and not by_lines:
                continue
            if not isinstance(said, dict) or "content" not in said:
                yield Skipped(part.place, "it is no message: it has no content")
                continue
            thread = next((said[key] for key in _THREADS if isinstance(said.get(key), str | int)), whole)
            position = positions.get(thread, 0)
            if thread in positions or len(positions) < _MOST_THREADS:
                positions[thread] = position + 1
            conversation = Conversation(id=str(thread))
            yield from brought(importer, conversation, [_turn(said)], part.place, only=position)
        if stream.problem:
            yield Skipped("the file", stream.problem)


def _turn(said: Mapping[str, Any]) -> Turn:
    content = said["content"]
    blocks = content if isinstance(content, list) else [content]
    texts = [text for one in blocks if isinstance(text := one.get("text") if isinstance(one, dict) else one, str)]
    when = next((found for key in _TIMES if (found := moment(said.get(key)))), None)
    return Turn(
        text="\n".join(texts),
        role=said.get("role"),
        moment=when,
        id=said.get("id") if isinstance(said.get("id"), str | int) else None,
        missing=_OTHER if len(texts) < len(blocks) else "",
    )


FORMAT = register(
    Format(
        name="chat", title="chat log: messages with role and content (JSON or JSONL)", recognise=recognise, read=read
    )
)
