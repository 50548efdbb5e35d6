"""Nodes and memories: a node is a memory whose id is the node's, and back again.

- The text is the content; the node's metadata are the memory's, so that every other agent reads and filters them too.
- What else a node has (type, relationships, templates) is under the one reserved key `_node`, as LlamaIndex's own JSON.
- The source document is the thread: chunks of one document are neighbours for the vault's search.
- The embedding is a vector in the space of the store.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MetadataMode,
    Node,
    TextNode,
)

from vault_core import Draft, Memory, SearchResult
from vault_core.errors import InvalidInputError

RESERVED = "_node"
PROVENANCE = "memory"
TYPES: dict[str, type[BaseNode]] = {
    kind.class_name(): kind for kind in (TextNode, ImageNode, IndexNode, Node, Document, ImageDocument)
}
_ELSEWHERE = {"id_", "embedding", "metadata", "text"}  # fields that the memory keeps in places of its own


def to_draft(node: BaseNode, *, namespace: tuple[str, ...], space: str, origin: str) -> Draft:
    """The memory that a node with an embedding becomes.

    Raises:
        InvalidInputError: it has no embedding, or its metadata have the reserved key.
    """
    if not isinstance(node, BaseNode):
        raise InvalidInputError("add takes nodes: TextNode, Document, …")
    if node.embedding is None:
        raise InvalidInputError("a node has no embedding; embed the nodes first (VectorStoreIndex does it)")
    if RESERVED in node.metadata:
        raise InvalidInputError(f"the metadata key {RESERVED!r} is reserved; rename it")
    text = node.get_content(metadata_mode=MetadataMode.NONE)
    plain = bool(text.strip()) and "\x00" not in text
    return Draft(
        id=node.node_id,
        content=text if plain else {"text": text},
        index=None if plain else {"text": text.replace("\x00", " ")} if text.strip() else False,
        namespace=namespace,
        memory_type="SEMANTIC",
        metadata={**node.metadata, RESERVED: _rest(node)},
        thread=node.ref_doc_id,
        vectors={space: node.embedding},
        origin=origin,
        keep_history=False,
    )


def to_node(memory: Memory) -> BaseNode:
    """The node that a memory was, or a text node of one that was none."""
    rest = memory.metadata.get(RESERVED)
    metadata = {key: value for key, value in memory.metadata.items() if key != RESERVED}
    if isinstance(rest, Mapping):
        try:
            return _restored(memory, dict(rest), metadata)
        except (TypeError, ValueError):  # somebody else wrote there; the text is still one
            pass
    return TextNode(id_=memory.id, text=_text(memory), metadata=metadata)


def _rest(node: BaseNode) -> dict[str, Any]:
    """What has no place of its own in a memory, without what is as LlamaIndex makes it anyway."""
    try:
        rest = node.model_dump(mode="json", exclude=_ELSEWHERE, exclude_defaults=True)
    except ValueError:  # its message holds what can't be written
        raise InvalidInputError("a node holds an object that can't be written as JSON") from None
    rest["class_name"] = node.class_name()
    if isinstance(rest.get("text_resource"), dict):
        rest["text_resource"] = {key: value for key, value in rest["text_resource"].items() if key != "text"}
    return rest


def _restored(memory: Memory, rest: dict[str, Any], metadata: dict[str, Any]) -> BaseNode:
    kind = TYPES.get(rest.get("class_name", ""), TextNode)
    # Declared fields only: some constructors take others, such as a URL that they fetch at once.
    rest = {key: value for key, value in rest.items() if key in kind.model_fields}
    text = _text(memory)
    if issubclass(kind, TextNode):
        rest["text"] = text
    elif "text_resource" in rest or text:
        rest["text_resource"] = {**rest.get("text_resource", {}), "text": text}
    return kind.from_dict({**rest, "id_": memory.id, "metadata": metadata})


def _text(memory: Memory) -> str:
    content = memory.content
    if isinstance(content, Mapping) and isinstance(content.get("text"), str):
        return str(content["text"])
    return memory.text


def with_provenance(hit: SearchResult) -> BaseNode:
    """The node of a hit, with where it came from under `memory`: kept from the embedding model and the LLM."""
    node, memory = to_node(hit.memory), hit.memory
    told = {
        "namespace": list(memory.namespace),
        "type": memory.memory_type,
        "tier": memory.tier,
        "source": memory.source,
        "origin": memory.origin,
        "trust": memory.trust,
        "thread": memory.thread,
        "tags": list(memory.tags),
        "event_time": _written(memory.event_time),
        "created_at": _written(memory.created_at),
        "updated_at": _written(memory.updated_at),
        "version": memory.version,
        "box": memory.box,
        "provenance": dict(memory.provenance),
        "parts": dict(hit.parts),
    }
    node.metadata = {**node.metadata, PROVENANCE: {key: value for key, value in told.items() if value is not None}}
    node.excluded_llm_metadata_keys = [*node.excluded_llm_metadata_keys, PROVENANCE]
    node.excluded_embed_metadata_keys = [*node.excluded_embed_metadata_keys, PROVENANCE]
    return node


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
