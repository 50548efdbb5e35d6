"""The retriever: the vault's own recall, with scores and provenance."""

import asyncio
from pathlib import Path

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import MetadataMode, QueryBundle
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters

from llamaindex_strongroom import StrongroomRetriever, StrongroomVectorStore
from support.nodes import WordEmbedding, node
from support.vaults import create
from vault_core import Vault
from vault_core.errors import InvalidInputError
from vault_core.testing import FakeEmbedder


@pytest.fixture
def filled(vault: Vault) -> Vault:
    vault.add("Anna drinks green tea", id="m", namespace=("anna",), source="anna", metadata={"kind": "drink"})
    vault.add("Bob drinks black coffee", namespace=("bob",))
    StrongroomVectorStore(vault).add([node("n", "oolong leaves from Fujian", document="book", kind="drink")])
    return vault


def test_it_finds_memories_and_nodes_alike(filled: Vault) -> None:
    retriever = StrongroomRetriever(filled)

    assert isinstance(retriever, BaseRetriever)
    assert retriever.retrieve("green tea")[0].node.get_content() == "Anna drinks green tea"
    assert retriever.retrieve("oolong")[0].node.ref_doc_id == "book"


def test_a_hit_brings_its_score_and_where_it_came_from(filled: Vault) -> None:
    (hit,) = filled.search("green tea", top_k=1, include_untrusted=True)

    (found,) = StrongroomRetriever(filled, top_k=1).retrieve("green tea")

    told = found.node.metadata["memory"]
    assert found.score == pytest.approx(hit.score)
    assert sum(told["parts"].values()) == pytest.approx(found.score)
    assert told["trust"] == "trusted"
    assert (told["namespace"], told["source"], told["version"]) == (["anna"], "anna", hit.memory.version)
    assert told["created_at"] == hit.memory.created_at.isoformat()
    assert told["provenance"] == dict(hit.memory.provenance)


def test_where_it_came_from_is_not_shown_to_models(filled: Vault) -> None:
    (found,) = StrongroomRetriever(filled, top_k=1).retrieve("oolong")

    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        assert found.node.get_content(mode) == "kind: drink\n\noolong leaves from Fujian"


def test_it_keeps_to_a_namespace_and_a_filter(filled: Vault) -> None:
    drinks = MetadataFilters(filters=[MetadataFilter(key="kind", value="drink")])

    for options in ({"namespace": ("anna",)}, {"filter": drinks}, {"filter": {"metadata.kind": "drink"}}):
        found = StrongroomRetriever(filled, **options).retrieve("drinks")
        assert [one.node.node_id for one in found] == ["m"]


def test_documents_nobody_vouches_for_can_be_left_out(filled: Vault) -> None:
    retriever = StrongroomRetriever(filled, include_untrusted=False)

    assert retriever.retrieve("oolong") == []
    filled.trust("n", namespace=("llamaindex",))
    assert retriever.retrieve("oolong")[0].node.node_id == "n"


def test_awaited_it_finds_the_same(filled: Vault) -> None:
    retriever = StrongroomRetriever(filled)

    found = asyncio.run(retriever.aretrieve(QueryBundle("green tea")))

    assert [one.node.node_id for one in found] == [one.node.node_id for one in retriever.retrieve("green tea")]


def test_with_the_vault_s_embedder_it_asks_vectors_too(tmp_path: Path) -> None:
    with create(tmp_path, embedder=FakeEmbedder()) as vault:
        vault.add("green tea")

        (found,) = StrongroomRetriever(vault).retrieve("tea")

        assert found.node.metadata["memory"]["parts"]["cosine"] > 0


def test_with_llamaindex_s_embedding_model_it_asks_the_vectors_of_nodes(filled: Vault) -> None:
    retriever = StrongroomRetriever(filled, embed_model=WordEmbedding())

    for found in (retriever.retrieve("oolong"), asyncio.run(retriever.aretrieve("oolong"))):
        assert found[0].node.node_id == "n"
        assert found[0].node.metadata["memory"]["parts"]["cosine"] > 0


def test_a_retriever_that_can_t_work_says_so(vault: Vault) -> None:
    with pytest.raises(InvalidInputError, match="open vault"):
        StrongroomRetriever(None)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="top_k"):
        StrongroomRetriever(vault, top_k=0).retrieve("tea")
