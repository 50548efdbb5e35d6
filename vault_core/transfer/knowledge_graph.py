"""The `memory.jsonl` of the Model Context Protocol's reference memory server (`@modelcontextprotocol/server-memory`).

Rules of that file: a line of JSON each; `{"type": "entity", "name", "entityType", "observations": [text]}` and
`{"type": "relation", "from", "to", "relationType"}`. There are no ids and no times; the whole file is written anew with
every change.

What becomes of it:
- Each observation is a memory. Its text is the observation; searched and embedded is it with its entity's name and type
  in front, for "Lives in Lisbon" alone names nobody. Tags: the entity's name and type.
- An entity of which nothing was observed is a memory with its name and type as the text.
- Each relation is a memory that says it ("Alice lives in Lisbon").
- The origin is an agent's: the graph is what a model wrote down.
- Ids are made of the entity and the observation, or of the relation's three parts; a memory is the same whenever the
  file was written. Two entities may have the same observation, so that contents are not compared.

`metadata` is the graph, and a graph can be shown from it alone: `graph` is "observation", "entity" or "relation"; the
first two have `entity` and `entity_type`, the last `from`, `relation` and `to`. Entities are those that any of the
first two name, in their order; an entity has the observations of its memories, in their order.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from vault_core.memory import Draft
from vault_core.memory.draft import CONTENT_FIELD
from vault_core.memory.trust import AGENT
from vault_core.transfer.archive import head_of, opened
from vault_core.transfer.arrival import Arrival, Finding, Format, Skipped
from vault_core.transfer.foreign import Importer, labels
from vault_core.transfer.formats import register
from vault_core.transfer.jsonparts import UnreadableError, lines, sketch
from vault_core.transfer.source import Source

MEMBERS = ("memory.jsonl", "memory.json")


def recognise(source: Source) -> bool:
    """Whether the first line is an entity or a relation."""
    return bool(sketch(head_of(source, MEMBERS)) & {("entityType",), ("relationType",)})


def read(source: Source) -> Iterator[Finding]:
    """Every observation and relation, and the entities without any."""
    importer = Importer(name="knowledge-graph", source=source)
    with opened(source, MEMBERS) as stream:
        for part in lines(stream):
            try:
                said = part.value()
            except UnreadableError as error:
                yield Skipped(part.place, str(error))
                continue
            if isinstance(said, dict) and said.get("type") == "entity":
                yield from _entity(importer, said, part.place)
            elif isinstance(said, dict) and said.get("type") == "relation":
                yield relation(importer, said.get("from"), said.get("relationType"), said.get("to"), part.place)
            else:
                yield Skipped(part.place, "it is neither an entity nor a relation")
        if stream.problem:
            yield Skipped("the file", stream.problem)


def _entity(importer: Importer, said: Mapping[str, Any], place: str) -> Iterator[Finding]:
    name, kind, observations = said.get("name"), said.get("entityType"), said.get("observations")
    if not isinstance(name, str) or not isinstance(kind, str) or not isinstance(observations, list):
        yield Skipped(place, "an entity needs a name and a type that are text, and a list of observations")
        return
    about = {"entity": name, "entity_type": kind}
    if not observations:
        draft = Draft(
            content=f"{name} ({kind})" if kind else name,
            id=importer.id_from("entity", name),
            tags=labels([name, kind]),
            metadata={"graph": "entity", **about},
            origin=AGENT,
        )
        yield importer.arrival(draft, place, created=None, unique=False)
    for at, text in enumerate(observations, 1):
        yield _observation(importer, about, text, f"{place}, observation {at}")


def _observation(importer: Importer, about: Mapping[str, str], text: Any, place: str) -> Arrival | Skipped:
    if not isinstance(text, str):
        return Skipped(place, "an observation must be text")
    name, kind = about["entity"], about["entity_type"]
    draft = Draft(
        content=text,
        id=importer.id_from("observation", name, text),
        tags=labels([name, kind]),
        metadata={"graph": "observation", **about},
        origin=AGENT,
        index={CONTENT_FIELD: f"{name} ({kind}): {text}" if kind else f"{name}: {text}"},
    )
    return importer.arrival(draft, place, created=None, unique=False)


def relation(importer: Importer, subject: Any, verb: Any, object: Any, place: str) -> Arrival | Skipped:
    """A relation of a graph as a memory that says it."""
    if not (isinstance(subject, str) and isinstance(verb, str) and isinstance(object, str)):
        return Skipped(place, "a relation needs a beginning, an end and a type that are text")
    draft = Draft(
        content=f"{subject} {verb.replace('_', ' ')} {object}",
        id=importer.id_from("relation", subject, verb, object),
        tags=labels([subject, object]),
        metadata={"graph": "relation", "from": subject, "relation": verb, "to": object},
        origin=AGENT,
    )
    return importer.arrival(draft, place, created=None, unique=False)


FORMAT = register(
    Format(
        name="knowledge-graph", title="memory.jsonl of the MCP reference memory server", recognise=recognise, read=read
    )
)
