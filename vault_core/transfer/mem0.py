"""mem0 and OpenMemory: what `Memory.get_all()` gives, the platform's export, and OpenMemory's backup.

Rules of those files:
- mem0: `{"results": [memory]}`, `{"memories": [memory]}` or a list of memories; a memory has `id`, `memory` (its text),
  `metadata`, `created_at`, `updated_at`, and any of `user_id`, `agent_id`, `run_id`, `app_id`, `actor_id`, `role`,
  `categories`, `expiration_date`, `hash`. A graph store adds `relations`: `{source, relationship, target}`.
- OpenMemory: a zip with `memories.json` (`user`, `apps`, `categories`, `memories` with `content`, `state`, `app_id` and
  `category_ids`) and `memories.jsonl.gz` (the same memories, a line each, with `app` and the names of `categories`).
  `memories.json` is read, for it has more; the other where that is missing, or given by itself.

What becomes of a memory: `user_id` is its namespace, `agent_id` (else `actor_id`, `app_id` or OpenMemory's app) its
source, `run_id` its thread; categories and `metadata.tags` are tags; its own metadata stays, all else is in
`metadata.mem0` under its own name. A paused or archived one is archived, a deleted one is left out and reported.
`expiration_date` is kept. The origin is the user's where `role` says so, else an agent's, for a model chose the words.
What there is of users, access rights and history of states is counted and left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vault_core.memory import Draft
from vault_core.memory.model import State
from vault_core.memory.trust import AGENT, USER
from vault_core.transfer.archive import head_of, opened
from vault_core.transfer.arrival import Finding, Format, Skipped
from vault_core.transfer.foreign import Importer, kept, label, labels, moment
from vault_core.transfer.formats import register
from vault_core.transfer.jsonparts import Part, UnreadableError, lines, parts, sketch
from vault_core.transfer.knowledge_graph import relation
from vault_core.transfer.source import Source

MEMBERS = ("memories.json", "memories.jsonl.gz", "memories.jsonl")
_LISTS = ("", "results", "memories")
_TEXTS = ("memory", "content", "text", "data")
_SOURCES = ("agent_id", "actor_id", "app", "app_id")
_HIDDEN = ("paused", "archived")
_NAMED = 100_000  # apps and categories whose names are kept in RAM
_TAKEN = ("memory", "content", "text", "metadata", "created_at", "updated_at", "categories", "category_ids", "app")


@dataclass(slots=True)
class _Names:
    """What an OpenMemory backup calls by ids: its user, apps and categories."""

    user: str | None = None
    apps: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)


def recognise(source: Source) -> bool:
    """Whether memories lie there as mem0 or OpenMemory write them."""
    keys = sketch(head_of(source, MEMBERS))
    for above in ((), ("",), ("results", ""), ("memories", "")):
        if (*above, "memory") in keys and {(*above, "id"), (*above, "user_id"), (*above, "hash")} & keys:
            return True
    openmemory = {("content",), ("state",)} <= keys and bool({("app",), ("categories",)} & keys)
    return openmemory or (("user", "user_id") in keys and ("user",) in keys)


def read(source: Source) -> Iterator[Finding]:
    """Every memory, and every relation of a graph store."""
    importer, names, left = Importer(name="mem0", source=source), _Names(), dict[str, int]()
    keys = sketch(head_of(source, MEMBERS))
    by_lines = {("content",), ("state",)} <= keys or {("memory",), ("id",)} <= keys
    with opened(source, MEMBERS) as stream:
        for part in lines(stream) if by_lines else parts(stream):
            try:
                said = part.value()
            except UnreadableError as error:
                yield Skipped(part.place, str(error))
                continue
            if by_lines or part.key in _LISTS:
                yield from _memory(importer, names, said, part)
            elif part.key == "relations" and isinstance(said, dict):
                verb = said.get("relationship", said.get("relation"))
                yield relation(
                    importer, said.get("source"), verb, said.get("target", said.get("destination")), part.place
                )
            elif not _named(names, part.key, said) and part.number:
                left[part.key] = left.get(part.key, 0) + 1
        if stream.problem:
            yield Skipped("the file", stream.problem)
    for key, count in left.items():
        yield Skipped(label(key) or "a list", f"{count:,} entries that are no memories are left out")


def _named(names: _Names, key: str, said: Any) -> bool:
    """Whether this is what an id of the backup stands for."""
    if not isinstance(said, dict):
        return False
    if key == "user":
        names.user = label(said.get("user_id"))
        return True
    known = {"apps": names.apps, "categories": names.categories}.get(key)
    id_, name = said.get("id"), label(said.get("name"))
    if known is None or not isinstance(id_, str) or name is None or len(known) >= _NAMED:
        return False
    known[id_] = name
    return True


def _memory(importer: Importer, names: _Names, said: Any, part: Part) -> Iterator[Finding]:
    text = (
        next((said[key] for key in _TEXTS if isinstance(said.get(key), str)), None) if isinstance(said, dict) else None
    )
    if text is None:
        yield Skipped(part.place, "it is no memory: it has no text")
        return
    if said.get("state") == "deleted":
        yield Skipped(part.place, "it was deleted there")
        return
    own = said.get("metadata")
    metadata = dict(own) if isinstance(own, dict) else {}
    rest = kept(said, *_TAKEN)
    user = names.user or label(said.get("user_id"))
    ids = said.get("category_ids")
    categories = [names.categories.get(one) for one in ids if isinstance(one, str)] if isinstance(ids, list) else []
    created, updated = moment(said.get("created_at")), moment(said.get("updated_at"))
    known = said.get("id")
    draft = Draft(
        content=text,
        id=importer.id_from(user, text) if known is None else importer.id_of(known),
        namespace=(user,) if user else (),
        tags=labels([*labels(said.get("categories")), *categories, *labels(metadata.get("tags"))]),
        metadata={**metadata, "mem0": rest} if rest else metadata,
        source=_source(names, said),
        thread=label(said.get("run_id")),
        expires_at=moment(said.get("expiration_date")),
        origin=USER if said.get("role") == "user" else AGENT,
    )
    state = State(archived=said.get("state") in _HIDDEN)
    yield importer.arrival(draft, part.place, created=created or updated, updated=updated, state=state)
    if said.get("created_at") is not None and created is None:
        yield Skipped(part.place, "its time can't be read; it has another of its times, or the file's")


def _source(names: _Names, said: Mapping[str, Any]) -> str | None:
    app = names.apps.get(str(said.get("app_id")))
    return (
        next((found for key in _SOURCES[:2] if (found := label(said.get(key)))), None) or app or label(said.get("app"))
    )


FORMAT = register(Format(name="mem0", title="mem0 or OpenMemory export", recognise=recognise, read=read))
