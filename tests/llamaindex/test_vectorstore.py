"""The vector store: adding, replacing, deleting and every mode of asking."""

from pathlib import Path

import pytest
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.simple import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from llamaindex_strongroom import StrongroomVectorStore
from support.nodes import DIMENSION, WordEmbedding, ids, node
from support.vaults import create, reopen
from vault_core import Vault
from vault_core.errors import EmbedderMismatchError, InvalidInputError, UnavailableError

TEXTS = {
    "a": "green tea from Uji",
    "b": "black tea from Assam",
    "c": "espresso from Naples",
    "d": "green tea from Uji, again",
    "e": "the cat sleeps",
}
RED = MetadataFilters(filters=[MetadataFilter(key="colour", value="red")])


@pytest.fixture
def store(tmp_path: Path) -> StrongroomVectorStore:
    return filled(create(tmp_path))


def filled(vault: Vault) -> StrongroomVectorStore:
    store = StrongroomVectorStore(vault)
    store.add([node(id_, text, document="menu" if "tea" in text else "other") for id_, text in TEXTS.items()])
    return store


def asked(
    store: BasePydanticVectorStore, text: str, mode: str = "default", **options: object
) -> VectorStoreQueryResult:
    arguments = {"similarity_top_k": 3, **options}
    embedding = WordEmbedding().get_query_embedding(text)
    return store.query(
        VectorStoreQuery(query_str=text, query_embedding=embedding, mode=VectorStoreQueryMode(mode), **arguments)
    )


def test_it_is_a_vector_store_of_llamaindex(store: StrongroomVectorStore) -> None:
    assert isinstance(store, BasePydanticVectorStore)
    assert store.stores_text
    assert store.class_name() == "StrongroomVectorStore"


def test_nodes_added_in_one_session_are_found_in_the_next(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        filled(vault)
    with reopen(tmp_path) as vault:
        assert asked(StrongroomVectorStore(vault), "espresso from Naples").ids[0] == "c"


def test_the_nearest_are_those_of_the_simple_store_with_the_same_similarities(store: StrongroomVectorStore) -> None:
    simple = SimpleVectorStore()
    simple.add([node(id_, text) for id_, text in TEXTS.items()])

    mine, plain = asked(store, "green tea"), asked(simple, "green tea")

    assert mine.ids == plain.ids
    assert mine.similarities == pytest.approx(plain.similarities, abs=1e-5)
    assert ids(mine.nodes) == mine.ids
    assert all(type(similarity) is float for similarity in mine.similarities)


def test_adding_a_node_again_replaces_it(store: StrongroomVectorStore) -> None:
    store.add([node("a", "now about cats")])

    assert [one.get_content() for one in store.get_nodes(["a"])] == ["now about cats"]
    assert len(store.get_nodes()) == len(TEXTS)
    assert len(store.client.history("a", namespace=store.namespace)) == 1  # what was there is erased


def test_of_two_nodes_with_one_id_in_a_batch_the_last_holds(store: StrongroomVectorStore) -> None:
    store.add([node("x", "first"), node("x", "second")])

    assert [one.get_content() for one in store.get_nodes(["x"])] == ["second"]


def test_words_alone_find_what_holds_them(store: StrongroomVectorStore) -> None:
    for mode in ("text_search", "sparse"):
        found = asked(store, "Assam", mode).ids
        assert found[0] == "b"
        assert set(found) <= {"b", "a", "d"}  # and nothing from another document


def test_words_need_no_embedding(store: StrongroomVectorStore) -> None:
    for mode in (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE):
        found = store.query(VectorStoreQuery(query_str="Naples", similarity_top_k=1, mode=mode))
        assert found.ids == ["c"]


def test_hybrid_asks_words_and_vectors(store: StrongroomVectorStore) -> None:
    found = asked(store, "espresso", "hybrid", similarity_top_k=5)

    assert found.ids[0] == "c"
    assert len(found.ids) == 5
    assert found.similarities == sorted(found.similarities, reverse=True)


def test_the_ends_of_alpha_are_words_alone_and_vectors_alone(store: StrongroomVectorStore) -> None:
    assert asked(store, "Assam", "hybrid", alpha=0.0).ids == asked(store, "Assam", "text_search").ids
    assert asked(store, "Assam", "hybrid", alpha=1.0) == asked(store, "Assam")
    with pytest.raises(InvalidInputError, match="alpha"):
        asked(store, "Assam", "hybrid", alpha=0.5)


def test_diverse_hits_are_unlike_each_other(store: StrongroomVectorStore) -> None:
    near = asked(store, "green tea from Uji", similarity_top_k=2).ids
    query = VectorStoreQuery(
        query_embedding=WordEmbedding().get_query_embedding("green tea from Uji"),
        similarity_top_k=2,
        mode=VectorStoreQueryMode.MMR,
    )

    assert near == ["a", "d"]
    assert store.query(query, mmr_threshold=0.1).ids != near
    assert store.query(query, mmr_threshold=1.0).ids == near
    query.mmr_threshold = 1.0
    assert store.query(query).ids == near


@pytest.mark.parametrize("mode", ["semantic_hybrid", "svm", "logistic_regression", "linear_regression", "telepathy"])
def test_a_mode_that_is_not_there_is_refused(store: StrongroomVectorStore, mode: str) -> None:
    query = VectorStoreQuery(query_embedding=[0.0] * DIMENSION, mode=mode)
    with pytest.raises(InvalidInputError, match="hybrid and mmr"):
        store.query(query)


@pytest.mark.parametrize("mode", ["default", "text_search", "sparse", "hybrid", "mmr"])
def test_every_mode_keeps_to_ids_documents_and_filters(store: StrongroomVectorStore, mode: str) -> None:
    store.add([node("r", "green tea, red cup", document="menu", colour="red")])

    assert asked(store, "green tea", mode, node_ids=["a", "e"]).ids[0] == "a"
    assert set(asked(store, "green tea", mode, doc_ids=["menu"], similarity_top_k=9).ids) <= {"a", "b", "d", "r"}
    assert asked(store, "green tea", mode, filters=RED).ids == ["r"]
    assert asked(store, "green tea", mode, node_ids=["nobody"]).ids == []
    assert asked(store, "green tea", mode, node_ids=[], doc_ids=[]).ids != []  # what VectorStoreIndex sends for "all"


def test_nodes_are_deleted_by_their_document(store: StrongroomVectorStore) -> None:
    store.delete("menu")

    assert ids(store.get_nodes()) == ["c", "e"]
    assert asked(store, "green tea", "text_search").ids == []
    store.delete("menu")  # once more does no harm


def test_nodes_are_deleted_by_id_and_by_filter(store: StrongroomVectorStore) -> None:
    store.add([node("r", "red", colour="red"), node("s", "red too", colour="red")])

    store.delete_nodes(["a", "nobody"])
    store.delete_nodes(["r", "b"], filters=RED)
    assert ids(store.get_nodes()) == ["b", "c", "d", "e", "s"]
    store.delete_nodes(filters=RED)
    store.delete_nodes([])
    assert ids(store.get_nodes()) == ["b", "c", "d", "e"]


def test_deleting_nothing_in_particular_is_refused(store: StrongroomVectorStore) -> None:
    for filters in (None, MetadataFilters(filters=[])):
        with pytest.raises(InvalidInputError, match="clear"):
            store.delete_nodes(filters=filters)

    assert len(store.get_nodes()) == len(TEXTS)


def test_clearing_a_store_leaves_the_rest_of_the_vault_alone(store: StrongroomVectorStore) -> None:
    vault = store.client
    below = StrongroomVectorStore(vault, namespace=(*store.namespace, "below"))
    below.add([node("a", "another store's")])
    vault.add("the user's own")

    store.delete_nodes(["a"])
    store.delete("menu")
    store.clear()

    assert store.get_nodes() == []
    assert ids(below.get_nodes()) == ["a"]
    assert vault.count() == 2


def test_nodes_come_in_the_order_of_the_ids_and_missing_ones_are_left_out(store: StrongroomVectorStore) -> None:
    assert ids(store.get_nodes(["c", "nobody", "a", "c"])) == ["c", "a"]
    assert store.get_nodes([]) == []
    assert ids(store.get_nodes()) == list(TEXTS)


def test_an_empty_store_answers_with_nothing(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        assert store.add([]) == []
        for mode in ("default", "text_search", "sparse", "hybrid", "mmr"):
            found = asked(store, "tea", mode)
            assert (found.nodes, found.similarities, found.ids) == ([], [], [])


def test_an_embedding_of_another_dimension_is_refused_and_nothing_of_its_batch_is_written(
    store: StrongroomVectorStore,
) -> None:
    with pytest.raises(EmbedderMismatchError):
        store.add([node("x", "fits"), TextNode(id_="y", text="does not", embedding=[1.0, 2.0])])
    with pytest.raises(EmbedderMismatchError):
        store.query(VectorStoreQuery(query_embedding=[1.0, 2.0]))

    assert ids(store.get_nodes()) == list(TEXTS)


def test_questions_that_can_t_be_answered_are_refused(store: StrongroomVectorStore) -> None:
    vector = [0.1] * DIMENSION
    for query, says in [
        (VectorStoreQuery(), "query_embedding"),
        (VectorStoreQuery(query_embedding=[]), "vector"),
        (VectorStoreQuery(query_embedding=vector, similarity_top_k=0), "top_k"),
        (VectorStoreQuery(query_embedding=vector, mode=VectorStoreQueryMode.HYBRID), "query_str"),
        (VectorStoreQuery(mode=VectorStoreQueryMode.SPARSE), "query_str"),
        (VectorStoreQuery(query_embedding=vector, mode=VectorStoreQueryMode.MMR, mmr_threshold=2.0), "mmr_threshold"),
        (VectorStoreQuery(query_embedding=vector, node_ids="a"), "node_ids"),
    ]:
        with pytest.raises(InvalidInputError, match=says):
            store.query(query)


def test_a_store_needs_an_open_vault_and_a_namespace_of_its_own(tmp_path: Path) -> None:
    for wrong in (None, "alice.vault"):
        with pytest.raises(InvalidInputError, match="open vault"):
            StrongroomVectorStore(wrong)
    with create(tmp_path) as vault:
        for namespace in ((), "notes", ("",), (1,)):
            with pytest.raises(InvalidInputError, match=r"namespace"):
                StrongroomVectorStore(vault, namespace=namespace)
        with pytest.raises(InvalidInputError, match="box"):
            StrongroomVectorStore(vault, box="nowhere")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        filled(vault)
    with reopen(tmp_path, read_only=True) as vault:
        store = StrongroomVectorStore(vault)
        with pytest.raises(Exception) as refused:  # noqa: PT011  which kind is asked below
            store.add([node("x", "new")])

        assert type(refused.value).__module__ == "vault_core.errors"
        assert not isinstance(refused.value, UnavailableError)
        assert ids(store.get_nodes()) == list(TEXTS)
