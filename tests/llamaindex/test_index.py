"""Indexes, pipelines and storage contexts of LlamaIndex, with everything in one vault."""

import asyncio
from pathlib import Path

import pytest
from llama_index.core import (
    Document,
    StorageContext,
    SummaryIndex,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.schema import NodeWithScore
from llama_index.core.storage.docstore.keyval_docstore import KVDocumentStore
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters

from llamaindex_strongroom import StrongroomKVStore, StrongroomVectorStore, storage_context
from support.nodes import WordEmbedding
from support.processes import call
from support.vaults import create, reopen
from vault_core import Vault

EMBEDDING = WordEmbedding()
TEA = Document(text="Green tea grows in Uji. Black tea grows in Assam.", id_="tea", metadata={"kind": "drink"})
CAT = Document(text="The cat sleeps on the warm stove.", id_="cat", metadata={"kind": "animal"})
DRINKS = MetadataFilters(filters=[MetadataFilter(key="kind", value="drink")])


def indexed(vault: Vault, *documents: Document) -> VectorStoreIndex:
    context = StorageContext.from_defaults(vector_store=StrongroomVectorStore(vault))
    return VectorStoreIndex.from_documents(
        documents, storage_context=context, embed_model=EMBEDDING, transformations=[TokenTextSplitter(chunk_size=30)]
    )


def texts(found: list[NodeWithScore]) -> list[str]:
    return [one.node.get_content() for one in found]


def documents_in(vault: Vault) -> set[str | None]:
    return {node.ref_doc_id for node in StrongroomVectorStore(vault).get_nodes()}


@pytest.mark.parametrize("mode", ["default", "text_search", "sparse", "hybrid", "mmr"])
def test_an_index_answers_in_every_mode_with_filters(vault: Vault, mode: str) -> None:
    index = indexed(vault, TEA, CAT)

    found = index.as_retriever(vector_store_query_mode=mode, similarity_top_k=2).retrieve("the cat sleeps")
    drinks = index.as_retriever(vector_store_query_mode=mode, similarity_top_k=2, filters=DRINKS)

    assert texts(found)[0] == CAT.text
    assert found[0].node.ref_doc_id == "cat"
    assert {one.node.metadata["kind"] for one in drinks.retrieve("black tea and the cat")} == {"drink"}
    assert texts(asyncio.run(drinks.aretrieve("black tea"))) == texts(drinks.retrieve("black tea"))


def test_documents_are_inserted_updated_and_deleted(vault: Vault) -> None:
    index = indexed(vault, TEA)

    index.insert(CAT)
    assert documents_in(vault) == {"tea", "cat"}
    index.update_ref_doc(Document(text="The cat left.", id_="cat"))
    assert texts(index.as_retriever(similarity_top_k=1).retrieve("the cat left")) == ["The cat left."]
    index.delete_ref_doc("cat", delete_from_docstore=True)
    assert documents_in(vault) == {"tea"}
    index.delete_nodes([node.node_id for node in StrongroomVectorStore(vault).get_nodes()])
    assert documents_in(vault) == set()


def test_a_refresh_replaces_only_what_has_changed(vault: Vault) -> None:
    index = VectorStoreIndex.from_documents([TEA, CAT], storage_context=storage_context(vault), embed_model=EMBEDDING)
    kept = {node.node_id for node in StrongroomVectorStore(vault).get_nodes() if node.ref_doc_id == "tea"}

    changed = index.refresh_ref_docs([TEA, Document(text="The cat left.", id_="cat")])

    nodes = StrongroomVectorStore(vault).get_nodes()
    assert changed == [False, True]
    assert {node.node_id for node in nodes if node.ref_doc_id == "tea"} == kept
    assert [node.get_content() for node in nodes if node.ref_doc_id == "cat"] == ["The cat left."]


@pytest.mark.parametrize("strategy", [DocstoreStrategy.UPSERTS, DocstoreStrategy.UPSERTS_AND_DELETE])
def test_a_pipeline_that_runs_twice_makes_no_duplicates(vault: Vault, strategy: DocstoreStrategy) -> None:
    kvstore = StrongroomKVStore(vault)
    pipeline = IngestionPipeline(
        transformations=[TokenTextSplitter(chunk_size=30), EMBEDDING],
        docstore=KVDocumentStore(kvstore),
        vector_store=StrongroomVectorStore(vault),
        cache=IngestionCache(cache=kvstore),
        docstore_strategy=strategy,
    )

    first = pipeline.run(documents=[TEA, CAT])
    again = pipeline.run(documents=[TEA, CAT])
    changed = asyncio.run(pipeline.arun(documents=[TEA, Document(text="The cat left.", id_="cat")]))

    assert (len(first), len(again), len(changed)) == (2, 0, 1)
    contents = [node.get_content() for node in StrongroomVectorStore(vault).get_nodes()]
    assert sorted(contents) == sorted([TEA.text, "The cat left."])


def test_other_kinds_of_index_live_in_the_same_vault(vault: Vault) -> None:
    SummaryIndex.from_documents([TEA, CAT], storage_context=storage_context(vault)).set_index_id("all")
    index = load_index_from_storage(storage_context(vault), index_id="all")

    assert sorted(texts(index.as_retriever().retrieve("anything"))) == sorted([TEA.text, CAT.text])


def load_and_ask(folder: Path) -> tuple[str, str | None, bool]:
    with reopen(folder) as vault:
        index = load_index_from_storage(storage_context(vault), embed_model=EMBEDDING)
        (found,) = index.as_retriever(similarity_top_k=1).retrieve("where does the cat sleep")
        return found.node.get_content(), found.node.ref_doc_id, index.docstore.get_document_hash("cat") is not None


def test_what_one_process_indexed_another_one_loads(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        context = storage_context(vault)
        VectorStoreIndex.from_documents([TEA, CAT], storage_context=context, embed_model=EMBEDDING)
        context.persist(str(tmp_path / "persisted"))

    assert call(load_and_ask, tmp_path) == (CAT.text, "cat", True)
    for path in (tmp_path / "persisted").iterdir():
        assert b"tea" not in path.read_bytes()


def test_two_sessions_share_an_index(tmp_path: Path) -> None:
    with create(tmp_path) as one, reopen(tmp_path) as other:
        indexed(one, TEA)
        theirs = VectorStoreIndex.from_vector_store(StrongroomVectorStore(other), embed_model=EMBEDDING)
        theirs.insert(CAT)

        mine = VectorStoreIndex.from_vector_store(StrongroomVectorStore(one), embed_model=EMBEDDING)
        assert texts(mine.as_retriever(similarity_top_k=1).retrieve("cat stove")) == [CAT.text]
