"""A knowledge graph of entities, observations and relations, kept as memories.

Rules, which the importer of the reference server's files shares:
- `metadata` is the graph. `graph` is "observation", "entity" or "relation"; the first two have `entity` and
  `entity_type`, the last `from`, `relation` and `to`. All are in one namespace, the server's own.
- An observation is a memory whose text is the observation. What is searched of it has the entity's name and type in
  front, for "Lives in Oslo" alone names nobody.
- An entity is the observations that name it. One without any is a memory whose text is `name (type)`.
- A relation is a memory that says it.
- What is written here also has the tag `graph`. A memory with that tag and without `graph` in its metadata is read as
  an observation (an entity, if its text is `name (type)`), or as a relation if `relation` is an object with `from`,
  `to` and `type`.
- What is made here has an id made of what it says, so that two servers that store the same store it once. What others
  made is read whatever its id.
- Deleting hides (archives): the reference server asks nobody before it deletes, so nothing is lost here. Storing it
  again brings it back. `strongroom forget` erases for good.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from strongroom_mcp.framing import shown
from strongroom_mcp.scope import Scope
from vault_core import Draft, Memory, Vault

TAG = "graph"
OF_GRAPH = {"$or": [{"tags": {"$all": [TAG]}}, {"metadata.graph": {"$in": ["observation", "entity", "relation"]}}]}
Triple = tuple[str, str, str]  # from, type, to


@dataclass(slots=True, kw_only=True)
class Node:
    """An entity and the memories that make it: its observations by their text, and those that only say that it is."""

    name: str
    type: str
    observations: dict[str, list[Memory]] = field(default_factory=dict)
    stubs: list[Memory] = field(default_factory=list)

    @property
    def memories(self) -> list[Memory]:
        """All of them."""
        return [*self.stubs, *(memory for some in self.observations.values() for memory in some)]


@dataclass(slots=True, kw_only=True)
class Graph:
    """What the vault holds of a graph, in the order in which it was written."""

    nodes: dict[str, Node] = field(default_factory=dict)
    relations: dict[Triple, list[Memory]] = field(default_factory=dict)
    _shown: dict[str, str] = field(default_factory=dict)

    def named(self, given: str) -> Node | None:
        """The entity with this name, as it is or as it was shown."""
        if given not in self.nodes and not self._shown:
            self._shown = {shown(name): name for name in self.nodes}
        return self.nodes.get(given) or self.nodes.get(self._shown.get(given, given))

    def touching(self, names: Iterable[str]) -> list[Triple]:
        """The relations with an end among these names."""
        wanted = set(names)
        return [triple for triple in self.relations if triple[0] in wanted or triple[2] in wanted]


def read(vault: Vault, scope: Scope, *, untrusted: bool = True) -> Graph:
    """The graph that a server serves; without what is untrusted, if so wanted."""
    graph = Graph()
    for memory in vault.list(
        namespace=scope.namespace,
        exact=True,
        filter=OF_GRAPH,
        order_by="created",
        limit=None,
        box=scope.box,
    ):
        if untrusted or memory.trust != "untrusted":
            take(graph, memory)
    return graph


def take(graph: Graph, memory: Memory) -> None:
    """Put a memory where it belongs; one that says nothing of a graph is left out."""
    about = memory.metadata
    entity, kind = about.get("entity"), about.get("entity_type")
    triple = _triple(about)
    if triple is not None:
        graph.relations.setdefault(triple, []).append(memory)
    elif isinstance(entity, str):
        node = graph.nodes.setdefault(entity, Node(name=entity, type=kind if isinstance(kind, str) else ""))
        says = about.get("graph") or ("entity" if memory.text == stub_text(node.name, node.type) else "observation")
        if says == "entity":
            node.stubs.append(memory)
        else:
            node.observations.setdefault(memory.text, []).append(memory)


def observation(name: str, kind: str, text: str, scope: Scope, origin: str) -> Draft:
    """The memory of an observation."""
    searched = {"": f"{name} ({kind}): {text}"}
    about = {"graph": "observation", "entity": name, "entity_type": kind}
    return _draft(text, about, ("observation", name, text), scope, origin, searched)


def stub(name: str, kind: str, scope: Scope, origin: str) -> Draft:
    """The memory of an entity of which nothing else is known."""
    about = {"graph": "entity", "entity": name, "entity_type": kind}
    return _draft(stub_text(name, kind), about, ("entity", name), scope, origin)


def relation(triple: Triple, scope: Scope, origin: str) -> Draft:
    """The memory of a relation."""
    start, kind, end = triple
    about = {"graph": "relation", "from": start, "relation": kind, "to": end}
    return _draft(f"{start} {kind.replace('_', ' ')} {end}", about, ("relation", *triple), scope, origin)


def stub_text(name: str, kind: str) -> str:
    """What the memory of an entity without observations says."""
    return f"{name} ({kind})"


def _triple(about: Mapping[str, Any]) -> Triple | None:
    said = about.get("relation")
    if isinstance(said, Mapping):
        start, kind, end = said.get("from"), said.get("type"), said.get("to")
    else:
        start, kind, end = about.get("from"), said, about.get("to")
    if isinstance(start, str) and isinstance(kind, str) and isinstance(end, str):
        return start, kind, end
    return None


def _draft(
    text: str,
    metadata: dict[str, Any],
    says: tuple[str, ...],
    scope: Scope,
    origin: str,
    index: Mapping[str, str] | None = None,
) -> Draft:
    digest = sha256(repr(says).encode("utf-8", "surrogatepass")).hexdigest()
    return Draft(
        content=text,
        id=f"graph-{digest[:24]}",
        namespace=scope.namespace,
        tags=(TAG,),
        metadata=metadata,
        index=index,
        origin=origin,
    )
