"""The profile `graph`: the nine tools of the reference memory server, with its names and shapes.

See `graph` for how entities, observations and relations are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, ConfigDict, Field

from strongroom_mcp import budget, graph, trust
from strongroom_mcp.calls import Desk
from strongroom_mcp.framing import shown
from strongroom_mcp.graph import Graph, Node, Triple
from strongroom_mcp.scope import Scope
from strongroom_mcp.shapes import Label, Offset, Query, Sparing, Text
from vault_core import Draft, Memory, Vault

T = TypeVar("T")
Seen = TypeVar("Seen", "SeenEntity", "SeenRelation")
GRAPH = "memory://knowledge-graph"
_MAX = 100  # entities, relations or observations of a call, and observations of each
_HITS = 20


class Entity(BaseModel):
    """A thing, and what is known of it."""

    model_config = ConfigDict(extra="forbid")
    name: Label = Field(description="The name of the entity")
    entityType: Label = Field(description="The type of the entity")  # noqa: N815  the reference server's name
    observations: Annotated[list[Text], Field(max_length=_MAX)] = Field(
        description="An array of observation contents associated with the entity"
    )


class Relation(BaseModel):
    """How one entity relates to another."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    start: Label = Field(alias="from", description="The name of the entity where the relation starts")
    to: Label = Field(description="The name of the entity where the relation ends")
    relationType: Label = Field(description="The type of the relation")  # noqa: N815  the reference server's name

    @property
    def triple(self) -> Triple:
        """As the graph has it."""
        return self.start, self.relationType, self.to


class Additions(BaseModel):
    """What to add to an entity."""

    model_config = ConfigDict(extra="forbid")
    entityName: Label = Field(description="The name of the entity to add the observations to")  # noqa: N815  the same
    contents: Annotated[list[Text], Field(max_length=_MAX)] = Field(
        description="An array of observation contents to add"
    )


class Deletions(BaseModel):
    """What to take from an entity."""

    model_config = ConfigDict(extra="forbid")
    entityName: Label = Field(description="The name of the entity containing the observations")  # noqa: N815  the same
    observations: Annotated[list[Text], Field(max_length=_MAX)] = Field(
        description="An array of observations to delete"
    )


class SeenEntity(Sparing):
    """An entity as it is shown.

    What is `shortened` can be read in full at the addresses in `whole`.
    """

    spared = frozenset({"shortened", "whole"})

    name: str
    entityType: str  # noqa: N815  the reference server's name
    observations: list[str]
    whole: list[str] = Field(default=[])
    shortened: list[str] = Field(default=[])


class SeenRelation(Sparing):
    """A relation as it is shown."""

    model_config = ConfigDict(populate_by_name=True)
    start: str = Field(alias="from")
    to: str
    relationType: str  # noqa: N815  the reference server's name
    whole: list[str] = Field(default=[])
    shortened: list[str] = Field(default=[])
    spared = frozenset({"shortened", "whole"})


class Entities(BaseModel):
    """The entities that are new."""

    entities: list[SeenEntity]


class Relations(BaseModel):
    """The relations that are new."""

    relations: list[SeenRelation]


class Nodes(Sparing):
    """Entities, and the relations that touch them.

    `omitted` observations and relations did not fit; the same question with `offset` set to `next_offset` has them.
    """

    spared = frozenset({"omitted", "next_offset"})
    entities: list[SeenEntity]
    relations: list[SeenRelation]
    omitted: int = 0
    next_offset: int | None = None


class Added(Sparing):
    """The observations of one entity that are new."""

    entityName: str  # noqa: N815  the reference server's name
    addedObservations: list[str]  # noqa: N815  the same
    shortened: list[str] = Field(default=[])


class AddedAll(BaseModel):
    """The observations that are new."""

    results: list[Added]


class Done(BaseModel):
    """That it is done."""

    success: bool
    message: str


class GraphReading:
    """The tools that read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def read_graph(self, offset: Offset = 0) -> Nodes:
        """Read the entire knowledge graph."""
        return await self._desk.read(
            lambda vault, scope: _seen(found := graph.read(vault, scope), found.nodes, scope, offset)
        )

    async def search_nodes(
        self,
        query: Annotated[
            Query, Field(description="The search query to match against entity names, types, and observation content")
        ],
        offset: Offset = 0,
    ) -> Nodes:
        """Search for nodes in the knowledge graph based on a query."""

        def work(vault: Vault, scope: Scope) -> Nodes:
            found = graph.read(vault, scope, untrusted=False)
            return _seen(found, [*_saying(found, query), *_hits(vault, scope, query)], scope, offset)

        return await self._desk.read(work)

    async def open_nodes(
        self,
        names: Annotated[list[Label], Field(max_length=_MAX, description="An array of entity names to retrieve")],
        offset: Offset = 0,
    ) -> Nodes:
        """Open specific nodes in the knowledge graph by their names."""

        def work(vault: Vault, scope: Scope) -> Nodes:
            found = graph.read(vault, scope)
            nodes = [node.name for name in names if (node := found.named(name)) is not None]
            return _seen(found, nodes, scope, offset)

        return await self._desk.read(work)

    async def resource(self) -> str:
        """The full knowledge graph with all entities and relations."""
        return (await self.read_graph()).model_dump_json(by_alias=True)  # says itself what is left out


class GraphWriting:
    """The tools that write. Each is one commit, but for deletions, which hide memory by memory."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def create_entities(
        self, entities: Annotated[list[Entity], Field(max_length=_MAX)], ctx: Context[Any, Any]
    ) -> Entities:
        """Create multiple new entities in the knowledge graph."""

        def work(vault: Vault, scope: Scope) -> Entities:
            found = graph.read(vault, scope)
            fresh = {one.name: one for one in reversed(entities) if found.named(one.name) is None}
            new = [one for one in entities if fresh.get(one.name) is one]
            _put(vault, scope, [draft for one in new for draft in _drafts(one, scope)])
            seen = [_entity(one.name, one.entityType, one.observations) for one in new]
            return Entities(entities=budget.together(seen))

        return await self._write(ctx, "create_entities", work)

    async def create_relations(
        self, relations: Annotated[list[Relation], Field(max_length=_MAX)], ctx: Context[Any, Any]
    ) -> Relations:
        """Create multiple new relations between entities in the knowledge graph, in active voice."""

        def work(vault: Vault, scope: Scope) -> Relations:
            found = graph.read(vault, scope)
            new = [one for one in dict.fromkeys(one.triple for one in relations) if one not in found.relations]
            _put(vault, scope, [graph.relation(one, scope, trust.AGENT) for one in new])
            return Relations(relations=budget.together([_relation(one) for one in new]))

        return await self._write(ctx, "create_relations", work)

    async def add_observations(
        self, observations: Annotated[list[Additions], Field(max_length=_MAX)], ctx: Context[Any, Any]
    ) -> AddedAll:
        """Add new observations to existing entities in the knowledge graph."""

        def work(vault: Vault, scope: Scope) -> AddedAll:
            found = graph.read(vault, scope)
            drafts, results = [], []
            for one in observations:
                node = found.named(one.entityName)
                if node is None:
                    raise ToolError(shown(f"Entity with name {one.entityName} not found"))
                new = [text for text in dict.fromkeys(one.contents) if text not in node.observations]
                drafts += [graph.observation(node.name, node.type, text, scope, trust.AGENT) for text in new]
                results.append(Added(entityName=shown(node.name), addedObservations=[shown(text) for text in new]))
            _put(vault, scope, drafts)
            return AddedAll(results=budget.together(results))

        return await self._write(ctx, "add_observations", work)

    async def delete_entities(
        self,
        entityNames: Annotated[  # noqa: N803  the reference server's name
            list[Label], Field(max_length=_MAX, description="An array of entity names to delete")
        ],
        ctx: Context[Any, Any],
    ) -> Done:
        """Delete multiple entities and their associated relations from the knowledge graph."""

        def work(vault: Vault, scope: Scope) -> Done:
            found = graph.read(vault, scope)
            nodes = [node for name in entityNames if (node := found.named(name)) is not None]
            triples = found.touching(node.name for node in nodes)
            _hide(vault, scope, [memory for node in nodes for memory in node.memories])
            _hide(vault, scope, [memory for triple in triples for memory in found.relations[triple]])
            return Done(success=True, message="Entities deleted successfully")

        return await self._write(ctx, "delete_entities", work)

    async def delete_observations(
        self, deletions: Annotated[list[Deletions], Field(max_length=_MAX)], ctx: Context[Any, Any]
    ) -> Done:
        """Delete specific observations from entities in the knowledge graph."""

        def work(vault: Vault, scope: Scope) -> Done:
            found = graph.read(vault, scope)
            for one in deletions:
                node = found.named(one.entityName)
                if node is not None:
                    _take_away(vault, scope, node, one.observations)
            return Done(success=True, message="Observations deleted successfully")

        return await self._write(ctx, "delete_observations", work)

    async def delete_relations(
        self,
        relations: Annotated[list[Relation], Field(max_length=_MAX, description="An array of relations to delete")],
        ctx: Context[Any, Any],
    ) -> Done:
        """Delete multiple relations from the knowledge graph."""
        wanted = {tuple(map(shown, one.triple)) for one in relations} | {one.triple for one in relations}

        def work(vault: Vault, scope: Scope) -> Done:
            found = graph.read(vault, scope).relations
            chosen = [triple for triple in found if triple in wanted or tuple(map(shown, triple)) in wanted]
            _hide(vault, scope, [memory for triple in chosen for memory in found[triple]])
            return Done(success=True, message="Relations deleted successfully")

        return await self._write(ctx, "delete_relations", work)

    async def _write(self, ctx: Context[Any, Any], tool: str, work: Callable[[Vault, Scope], T]) -> T:
        done = await self._desk.write(ctx, tool, work)
        await self._desk.changed(ctx)
        await ctx.notify_resource_updated(GRAPH)
        return done


def _drafts(entity: Entity, scope: Scope) -> list[Draft]:
    """The memories of a new entity."""
    known = [
        graph.observation(entity.name, entity.entityType, text, scope, trust.AGENT)
        for text in dict.fromkeys(entity.observations)
    ]
    return known or [graph.stub(entity.name, entity.entityType, scope, trust.AGENT)]


def _put(vault: Vault, scope: Scope, drafts: Sequence[Draft]) -> None:
    """Store what is new, in one commit; what was deleted before is brought back."""
    if not drafts:
        return
    before = vault.get_many([str(draft.id) for draft in drafts], namespace=scope.namespace, box=scope.box)
    vault.add_many(drafts, box=scope.box)
    for memory in before:
        if memory is not None and memory.state.archived:
            vault.archive(memory.id, namespace=memory.namespace, undo=True, box=scope.box)


def _hide(vault: Vault, scope: Scope, memories: Iterable[Memory]) -> None:
    for memory in memories:
        vault.archive(memory.id, namespace=memory.namespace, box=scope.box)


def _take_away(vault: Vault, scope: Scope, node: Node, texts: Sequence[str]) -> None:
    """Hide observations of an entity, which stays even without any."""
    gone = [text for text in node.observations if text in texts or shown(text) in texts]
    if len(gone) == len(node.observations) and not node.stubs:
        _put(vault, scope, [graph.stub(node.name, node.type, scope, trust.AGENT)])
    _hide(vault, scope, [memory for text in gone for memory in node.observations.pop(text)])


def _saying(found: Graph, query: str) -> list[str]:
    """The names of entities with this text in them, as the reference server looks for it."""
    wanted = query.casefold()
    return [
        node.name
        for node in found.nodes.values()
        if any(wanted in text.casefold() for text in (node.name, node.type, *node.observations))
    ]


def _hits(vault: Vault, scope: Scope, query: str) -> list[str]:
    """The names of entities that a search finds."""
    hits = vault.search(query, top_k=_HITS, namespace=scope.namespace, exact=True, filter=graph.OF_GRAPH, box=scope.box)
    return [str(name) for hit in hits if (name := hit.memory.metadata.get("entity")) is not None]


def _seen(found: Graph, names: Iterable[str], scope: Scope, offset: int) -> Nodes:
    """Entities as they are shown, then the relations that touch them: the page that begins at `offset`.

    What is counted are observations (one for an entity without any), and relations.
    """
    chosen = [node for name in dict.fromkeys(names) if (node := found.nodes.get(name)) is not None]
    lines: list[Callable[[], SeenEntity | SeenRelation]]
    lines = [partial(_part, node, text, scope) for node in chosen for text in node.observations or [None]]
    triples = found.touching(node.name for node in chosen)
    lines += [partial(_link, triple, found.relations[triple][0], scope) for triple in triples]
    taken, omitted = budget.fitting(lines[offset:], lambda line: line())
    return Nodes(
        entities=_joined(one for one in taken if isinstance(one, SeenEntity)),
        relations=[_brief(one) for one in taken if isinstance(one, SeenRelation)],
        omitted=omitted,
        next_offset=offset + len(taken) if omitted else None,
    )


def _part(node: Node, text: str | None, scope: Scope) -> SeenEntity:
    """An entity with one of its observations, and the address of the memory that has it in full."""
    memories = node.stubs if text is None else node.observations[text]
    seen = _entity(node.name, node.type, [] if text is None else [text])
    return seen.model_copy(update={"whole": [scope.address(memories[0])]})


def _link(triple: Triple, memory: Memory, scope: Scope) -> SeenRelation:
    return _relation(triple).model_copy(update={"whole": [scope.address(memory)]})


def _joined(entities: Iterable[SeenEntity]) -> list[SeenEntity]:
    """Neighbours that are one entity as one."""
    joined: list[SeenEntity] = []
    for one in map(_brief, entities):
        last = joined[-1] if joined else None
        if (
            last is not None
            and (last.name, last.entityType) == (one.name, one.entityType)
            and "name" not in one.shortened
        ):
            joined[-1] = last.model_copy(
                update={
                    "observations": last.observations + one.observations,
                    "whole": last.whole + one.whole,
                    "shortened": sorted({*last.shortened, *one.shortened}),
                }
            )
        else:
            joined.append(one)
    return joined


def _brief(one: Seen) -> Seen:
    """Without the address where nothing was shortened."""
    return one if one.shortened else one.model_copy(update={"whole": []})


def _entity(name: str, kind: str, observations: Iterable[str]) -> SeenEntity:
    return SeenEntity(name=shown(name), entityType=shown(kind), observations=[shown(text) for text in observations])


def _relation(triple: Triple) -> SeenRelation:
    start, kind, end = map(shown, triple)
    return SeenRelation.model_validate({"from": start, "to": end, "relationType": kind})
