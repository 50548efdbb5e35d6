"""ChatGPT's data export: `conversations.json`, or the zip it comes in.

Rules of that file: a list of conversations; each has a `title`, times in seconds, and `mapping`, a tree of nodes
`{"id", "parent", "children", "message"}` in which every edit and every new answer is a branch. `current_node` is the
last turn that is shown.

What becomes of it: the branch that is shown, from the root to `current_node` (without one, to the newest leaf). Turns
with text are memories, whoever said it. Left out and reported: other branches (how many turns), pictures and files,
what the model thought. Left out without a word: messages without text, settings repeated in each conversation, and what
the export marks as hidden, for nobody said or saw it.
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
_ATTACHED = "a picture or file in it is not brought"
_THOUGHT = "what the model thought is not brought"
_THOUGHTS = ("thoughts", "reasoning_recap")
_WITHOUT_TEXT = ("user_editable_context", "model_editable_context")  # settings, repeated in each conversation


def recognise(source: Source) -> bool:
    """Whether it is a list of conversations with a tree in each."""
    keys = sketch(head_of(source, MEMBERS))
    return ("", "mapping") in keys or {("", "title"), ("", "create_time")} <= keys


def read(source: Source) -> Iterator[Finding]:
    """Every turn that is shown of every conversation."""
    importer = Importer(name="chatgpt", source=source)
    with opened(source, MEMBERS) as stream:
        for part in parts(stream):
            place = f"conversation {part.number}"
            try:
                said = part.value()
            except UnreadableError as error:
                yield Skipped(place, str(error))
                continue
            if isinstance(said, dict) and isinstance(said.get("mapping"), dict):
                yield from _conversation(importer, said, place)
            else:
                yield Skipped(place, "it is no conversation: it has no tree of turns")
        if stream.problem:
            yield Skipped("the file", stream.problem)


def _conversation(importer: Importer, said: Mapping[str, Any], place: str) -> Iterator[Finding]:
    tree: dict[str, Any] = said["mapping"]
    branch, problem = _branch(tree, said.get("current_node"))
    if problem:
        yield Skipped(place, problem)
    shown = {id(node) for node in branch}
    others = sum(1 for node in tree.values() if id(node) not in shown and _turn(node) is not None)
    if others:
        yield Skipped(place, f"{others:,} turns of other branches, which are not shown, are left out")
    known = said.get("conversation_id", said.get("id"))
    conversation = Conversation(id=known, title=said.get("title"), begun=moment(said.get("create_time")))
    turns = [turn for node in branch if (turn := _turn(node)) is not None]
    yield from brought(importer, conversation, turns, place)


def _branch(tree: Mapping[str, Any], last: Any) -> tuple[list[dict[str, Any]], str | None]:
    """The nodes from the root to the last one; and what is wrong with the tree."""
    problem = None
    if not isinstance(last, str) or last not in tree:
        last, problem = _newest(tree), "it does not say which turn is the last; the newest is taken"
    nodes: list[dict[str, Any]] = []
    seen: set[str] = set()
    while isinstance(last, str) and isinstance(node := tree.get(last), dict):
        if last in seen:
            problem = "its turns run in a circle; they are brought up to where it closes"
            break
        seen.add(last)
        nodes.append(node)
        last = node.get("parent")
    return nodes[::-1], problem if tree else None


def _newest(tree: Mapping[str, Any]) -> str | None:
    def when(key: str) -> float:
        message = tree[key].get("message") if isinstance(tree[key], dict) else None
        made = moment(message.get("create_time")) if isinstance(message, dict) else None
        return made.timestamp() if made else 0.0

    parents = {node.get("parent") for node in tree.values() if isinstance(node, dict) and _hashable(node.get("parent"))}
    return max((key for key in tree if key not in parents), key=when, default=None)


def _hashable(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _turn(node: Any) -> Turn | None:
    """The turn in a node; None where there is none, or nobody saw it."""
    message = node.get("message") if isinstance(node, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(content, dict):
        return None
    author, about = message.get("author"), message.get("metadata")
    role = author.get("role") if isinstance(author, dict) else None
    kind = content.get("content_type")
    if kind in _WITHOUT_TEXT or (isinstance(about, dict) and about.get("is_visually_hidden_from_conversation") is True):
        return None
    text, missing = _text(content), _THOUGHT if kind in _THOUGHTS else ""
    if missing:
        text = ""
    elif _attached(content):
        missing = _ATTACHED
    if not text.strip() and not missing:
        return None
    name = author.get("name") if isinstance(author, dict) and role == "tool" else None
    return Turn(
        text=text,
        role=role,
        name=name,
        moment=moment(message.get("create_time")),
        id=message.get("id"),
        missing=missing,
    )


def _text(content: Mapping[str, Any]) -> str:
    given = content.get("parts")
    texts = [given] if isinstance(given, str) else given if isinstance(given, list) else [content.get("text")]
    return "\n".join(one for part in texts if (one := _said(part)))


def _said(part: Any) -> str:
    """The text of a part; what was spoken has it one level deeper."""
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""


def _attached(content: Mapping[str, Any]) -> bool:
    given = content.get("parts")
    return isinstance(given, list) and any(isinstance(part, dict) and not _said(part) for part in given)


FORMAT = register(
    Format(name="chatgpt", title="ChatGPT data export (conversations.json or its zip)", recognise=recognise, read=read)
)
