"""Memory Vault V2: the JSONL that `UnifiedMemoryVaultV2.export_memories` writes.

Rules of that file, which its source states: a line for each memory, `{"id", "type": "episodic" | "semantic" |
"procedural" | "working" | "ghost" | "soliton", "content": any JSON, "metadata": {…, "tags": [text]}, "timestamp",
"access_count", "last_accessed", "decay_rate", "importance"}`, times in seconds since 1970. Vectors are not in it.

What becomes of a memory: its type in capitals, its content as text or JSON (a number or truth value as its JSON text),
its metadata with the tags also as tags, its time, its importance (0 to 1), its uses and when it was last used. The
origin is an agent's. `decay_rate` and an importance outside of those bounds are in `metadata.memory_vault`.
"""

from collections.abc import Iterator
from typing import Any

from vault_core.memory import Draft
from vault_core.memory.canonical import compact_json
from vault_core.memory.model import State
from vault_core.memory.trust import AGENT
from vault_core.transfer.archive import head_of, opened
from vault_core.transfer.arrival import Finding, Format, Skipped
from vault_core.transfer.foreign import Importer, kept, label, labels, moment, number
from vault_core.transfer.formats import register
from vault_core.transfer.jsonparts import UnreadableError, lines, sketch
from vault_core.transfer.source import Source

MEMBERS = ("memories.jsonl", "export.jsonl")
_KEYS = {("id",), ("type",), ("content",)}
_OWN = {("access_count",), ("decay_rate",), ("last_accessed",)}
_TAKEN = ("id", "type", "content", "metadata", "timestamp", "access_count", "last_accessed")
_MOST_USES = 1 << 31


def recognise(source: Source) -> bool:
    """Whether the first line is a memory of that system."""
    keys = sketch(head_of(source, MEMBERS))
    return keys >= _KEYS and (bool(keys & _OWN) or keys >= {("timestamp",), ("metadata",)})


def read(source: Source) -> Iterator[Finding]:
    """Every memory."""
    importer = Importer(name="memory-vault", source=source)
    with opened(source, MEMBERS) as stream:
        for part in lines(stream):
            try:
                said = part.value()
            except UnreadableError as error:
                yield Skipped(part.place, str(error))
                continue
            if not isinstance(said, dict) or said.get("content") is None:
                yield Skipped(part.place, "it is no memory: it has no content")
                continue
            yield from _memory(importer, said, part.place)
        if stream.problem:
            yield Skipped("the file", stream.problem)


def _memory(importer: Importer, said: dict[str, Any], place: str) -> Iterator[Finding]:
    content, kind, own = said["content"], said.get("type"), said.get("metadata")
    metadata = dict(own) if isinstance(own, dict) else {}
    importance = number(said.get("importance"))
    rest = kept(said, *_TAKEN, *(() if importance is None else ("importance",)))
    created = moment(said.get("timestamp"))
    draft = Draft(
        content=content if isinstance(content, str | dict | list) else compact_json(content),
        id=importer.id_of(said["id"])
        if said.get("id") is not None
        else importer.id_from(content, said.get("timestamp")),
        memory_type=label(kind.upper()) if isinstance(kind, str) else None,
        tags=labels(metadata.get("tags")),
        metadata={**metadata, "memory_vault": rest} if rest else metadata,
        importance=importance,
        origin=AGENT,
    )
    uses, used = said.get("access_count"), moment(said.get("last_accessed"))
    state = State(uses=uses if type(uses) is int and 0 <= uses < _MOST_USES else 0, used_at=used)
    yield importer.arrival(draft, place, created=created, state=state)
    if created is None:
        yield Skipped(place, "its time can't be read; it has the file's")


FORMAT = register(Format(name="memory-vault", title="Memory Vault V2 export (JSONL)", recognise=recognise, read=read))
