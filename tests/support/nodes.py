"""Nodes, filters and embeddings for the tests of the LlamaIndex adapter: seeded, without a model or a network."""

from collections.abc import Sequence
from random import Random
from typing import Any

from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from vault_core.testing import FakeEmbedder

DIMENSION = 16
KEYS = ("colour", "size", "tags", "a.b", "", "note", "ref_doc_id", "absent", "_node_type")
WORDS = ("red", "Red", "straße", "STRASSE", "re", "", "blue green", "1", "None", "\u0131", "\u0130")
NUMBERS = (0, 1, 2, -1, 0.0, 1.0, 1.5, 10**20)  # no infinities: LlamaIndex's own stores write them as null


class WordEmbedding(BaseEmbedding):
    """Shared words give nearness; the same everywhere."""

    model_name: str = "words"

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(part) for part in FakeEmbedder(DIMENSION).embed_query(text)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def node(id: str, text: str, *, document: str | None = None, **metadata: Any) -> TextNode:
    """A text node with its embedding."""
    source = {} if document is None else {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)}
    embedding = WordEmbedding().get_text_embedding(text)
    return TextNode(id_=id, text=text, metadata=metadata, embedding=embedding, relationships=source)


def random_value(rng: Random, depth: int = 0) -> Any:
    """Anything that a node's metadata may hold."""
    kind = rng.randrange(9 if depth < 2 else 6)
    if kind < 2:
        return rng.choice(WORDS)
    if kind < 4:
        return rng.choice(NUMBERS)
    if kind == 4:
        return rng.random() < 0.5
    if kind == 5:
        return None
    if kind == 8 and depth == 0:
        return {rng.choice(WORDS): random_value(rng, depth + 1) for _ in range(rng.randrange(3))}
    return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]


def random_nodes(rng: Random, count: int) -> list[TextNode]:
    """Nodes whose metadata miss some keys and mix all types."""
    return [
        node(
            f"n{number}",
            f"text {number}",
            document=rng.choice([None, "d1", "d2", "red"]),
            **{key: random_value(rng) for key in KEYS if key != "absent" and rng.random() < 0.7},
        )
        for number in range(count)
    ]


def random_operand(rng: Random) -> Any:
    """Anything that LlamaIndex lets a filter compare with."""
    kind = rng.randrange(8)
    if kind < 2:
        return rng.choice(WORDS)
    if kind < 4:
        return rng.choice(NUMBERS)
    if kind == 4:
        return None
    if kind == 5:
        return [one for one in NUMBERS if isinstance(one, float) and rng.random() < 0.5]
    if kind == 6:
        return [one for one in NUMBERS if isinstance(one, int) and rng.random() < 0.5]
    return rng.sample(WORDS, rng.randrange(4))


def random_filters(rng: Random, depth: int = 0) -> MetadataFilters:
    """A group of one to three filters, some of them groups again."""
    parts: list[Any] = []
    for _ in range(rng.randint(0 if depth else 1, 3)):
        if depth < 3 and rng.random() < 0.25:
            parts.append(random_filters(rng, depth + 1))
        else:
            operator = rng.choice(list(FilterOperator))
            parts.append(MetadataFilter(key=rng.choice(KEYS), value=random_operand(rng), operator=operator))
    return MetadataFilters(filters=parts, condition=rng.choice([*FilterCondition, None]))


def ids(nodes: Sequence[Any]) -> list[str]:
    """The ids of nodes, in order."""
    return [one.node_id for one in nodes]
