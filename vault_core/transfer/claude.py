"""Claude's data export: `conversations.json`, or the zip it comes in.

Rules of that file: a list of conversations `{"uuid", "name", "created_at", "chat_messages": [message]}`; a message is
`{"uuid", "sender": "human" | "assistant", "text", "content": [{"type": "text", "text"}, …], "created_at",
"attachments", "files"}`.

What becomes of it: every message with text is a memory; the text is that of its `content` blocks of type `text`, else
its `text`. Left out and reported: attachments and files, what the model thought, and what tools were asked and gave.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from vault_core.transfer.archive import head_of, opened
from vault_core.transfer.arrival import Finding, Format, Skipped
from vault_core.transfer.foreign import Importer, moment
from vault_core.transfer.formats import register
from vault_core.transfer.jsonparts import UnreadableError, parts, sketch
from vault_core.transfer.source import Source
from vault_core.transfer.turns import Conversation, Turn, brought

MEMBERS = ("conversations.json",)
_ATTACHED = "an attachment or file of it is not brought"
_OTHER = "what tools did, or the model thought, is not brought"


def recognise(source: Source) -> bool:
    """Whether it is a list of conversations with messages in each."""
    keys = sketch(head_of(source, MEMBERS))
    named = {("", "uuid"), ("", "name"), ("", "created_at")} <= keys
    return ("", "chat_messages") in keys or (named and bool({("", "account"), ("", "summary")} & keys))


def read(source: Source) -> Iterator[Finding]:
    """Every message of every conversation."""
    importer = Importer(name="claude", source=source)
    with opened(source, MEMBERS) as stream:
        for part in parts(stream):
            place = f"conversation {part.number}"
            try:
                said = part.value()
            except UnreadableError as error:
                yield Skipped(place, str(error))
                continue
            messages = said.get("chat_messages") if isinstance(said, dict) else None
            if not isinstance(messages, list):
                yield Skipped(place, "it is no conversation: it has no messages")
                continue
            begun = moment(said.get("created_at"))
            conversation = Conversation(id=said.get("uuid"), title=said.get("name"), begun=begun)
            yield from brought(importer, conversation, [_turn(one) for one in messages], place)
        if stream.problem:
            yield Skipped("the file", stream.problem)


def _turn(message: Any) -> Turn:
    if not isinstance(message, dict):
        return Turn(text="", role=None, missing="it is no message")
    blocks = message.get("content")
    blocks = [one for one in blocks if isinstance(one, dict)] if isinstance(blocks, list) else []
    texts = [one["text"] for one in blocks if one.get("type") == "text" and isinstance(one.get("text"), str)]
    plain = message.get("text")
    text = "\n".join(texts) if any(one.strip() for one in texts) else plain if isinstance(plain, str) else ""
    return Turn(
        text=text,
        role=message.get("sender"),
        moment=moment(message.get("created_at")),
        id=message.get("uuid"),
        missing=_missing(message, blocks),
    )


def _missing(message: Mapping[str, Any], blocks: list[dict[str, Any]]) -> str:
    if message.get("attachments") or message.get("files"):
        return _ATTACHED
    return _OTHER if any(one.get("type") != "text" for one in blocks) else ""


FORMAT = register(
    Format(name="claude", title="Claude data export (conversations.json or its zip)", recognise=recognise, read=read)
)
