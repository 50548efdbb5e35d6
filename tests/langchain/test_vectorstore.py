"""StrongroomVectorStore: what upstream's suite does not ask."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_strongroom import StrongroomVectorStore
from support.processes import Other
from support.vaults import create, reopen
from vault_core import EmbedderMismatchError, Filter, InvalidInputError, MemoryNotFoundError, UnavailableError, Vault
from vault_core.testing import FakeEmbedder


class Words(Embeddings):
    """Nearness by shared words; counts who asks, and how."""

    def __init__(self, dimension: int = 64) -> None:
        self._fake = FakeEmbedder(dimension)
        self.awaited = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [vector.tolist() for vector in self._fake.embed_documents(texts)]

    def embed_query(self, text: str) -> list[float]:
        return self._fake.embed_query(text).tolist()

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.awaited += 1
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        self.awaited += 1
        return self.embed_query(text)


class Broken(Embeddings):
    """Fails, or gives one vector too few."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self._error is not None:
            raise self._error
        return [[1.0]] * (len(texts) - 1)

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text, text])[0]


DRINKS = [
    Document(id="green", page_content="green tea from Uji", metadata={"kind": "tea", "year": 2021}),
    Document(id="black", page_content="black tea from Assam", metadata={"kind": "tea", "year": 2023}),
    Document(id="beans", page_content="coffee beans from Kenya", metadata={"kind": "coffee", "origin": {"land": "KE"}}),
    Document(id="cake", page_content="a cake", metadata={"kind": "food", "fits": ["tea", "coffee"]}),
]


@pytest.fixture
def store(vault: Vault) -> StrongroomVectorStore:
    made = StrongroomVectorStore(vault, Words())
    made.add_documents(DRINKS)
    return made


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


# documents and their ids


def test_documents_with_and_without_id_come_back_in_order_and_unchanged(vault: Vault) -> None:
    store, given = StrongroomVectorStore(vault, Words()), [Document("no id"), Document("an id", id="mine")]

    made, mine = store.add_documents(given)

    assert mine == "mine"
    assert made not in ("", "mine")
    assert given == [Document("no id"), Document("an id", id="mine")]
    assert store.get_by_ids([mine, "nowhere", made]) == [Document("an id", id="mine"), Document("no id", id=made)]


def test_ids_of_the_call_come_before_those_of_the_documents(vault: Vault) -> None:
    store = StrongroomVectorStore(vault, Words())

    named = store.add_documents([Document("one", id="old"), Document("two", id="kept")], ids=["new", None])

    assert named[0] == "new"
    assert store.get_by_ids(["old", "kept"]) == []
    assert [document.page_content for document in store.get_by_ids(named)] == ["one", "two"]


def test_identical_documents_without_id_stay_two(vault: Vault) -> None:
    store = StrongroomVectorStore(vault, Words())

    named = store.add_texts(["tea", "tea"])

    assert len(set(named)) == 2
    assert len(store.similarity_search("tea", k=5)) == 2


def test_of_two_documents_with_one_id_the_last_holds(vault: Vault) -> None:
    store = StrongroomVectorStore(vault, Words())

    assert store.add_documents([Document("first", id="x"), Document("last", id="x")]) == ["x", "x"]

    assert [document.page_content for document in store.similarity_search("first", k=5)] == ["last"]


def test_adding_an_id_again_leaves_no_trace_of_the_document_before(store: StrongroomVectorStore, vault: Vault) -> None:
    store.add_documents([Document("white tea", id="green")])

    assert [memory.text for memory in vault.history("green", namespace=("documents",))] == ["white tea"]
    assert store.get_by_ids(["green"]) == [Document("white tea", id="green")]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"": 0, "a.b": None, "$in": True, "ключ": "значение", "nul": "a\x00b"},
        {"deep": {"list": [1, 2.5, "x", None, False, {"y": []}]}, "big": 10**100, "tiny": 5e-324},
    ],
    ids=["empty", "odd keys", "nested"],
)
def test_any_json_in_metadata_comes_back_as_it_was(vault: Vault, metadata: dict[str, Any]) -> None:
    store = StrongroomVectorStore(vault, Words())

    store.add_documents([Document("tea", id="x", metadata=metadata)])

    assert store.get_by_ids(["x"])[0].metadata == metadata
    assert store.similarity_search("tea")[0].metadata == metadata


def test_a_document_that_is_given_out_is_the_callers_own(store: StrongroomVectorStore) -> None:
    store.get_by_ids(["cake"])[0].metadata["fits"].append("milk")
    store.similarity_search("cake")[0].metadata["kind"] = "drink"

    assert store.get_by_ids(["cake"]) == [DRINKS[3]]


# deleting


def test_deleting_passes_over_what_is_not_there_and_erases_the_rest(store: StrongroomVectorStore, vault: Vault) -> None:
    assert store.delete(["nowhere", "green", "green"]) is True

    assert store.get_by_ids(["green"]) == []
    assert "green" not in ids(store.similarity_search("green tea", k=10))
    with pytest.raises(MemoryNotFoundError):
        vault.history("green", namespace=("documents",))


@pytest.mark.parametrize("arguments", [{}, {"ids": None}, {"ids": ["green"], "delete_all": True}, {"where": "x"}])
def test_deleting_without_saying_what_deletes_nothing(store: StrongroomVectorStore, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        store.delete(**arguments)

    assert len(store.similarity_search("tea", k=10)) == 4


def test_delete_all_keeps_to_the_namespace(store: StrongroomVectorStore, vault: Vault) -> None:
    below = StrongroomVectorStore(vault, Words(), namespace=("documents", "below"))
    below.add_texts(["tea below"])
    vault.add("tea beside")

    store.delete(delete_all=True)

    assert store.similarity_search("tea") == []
    assert [memory.text for memory in vault.list(order_by="created")] == ["tea below", "tea beside"]


# searching


def test_similarity_is_the_cosine_that_upstreams_own_store_gives(store: StrongroomVectorStore) -> None:
    theirs = InMemoryVectorStore(Words())
    theirs.add_documents(DRINKS)

    for query in ("tea from Uji", "coffee", "nothing of all that", ""):
        mine = store.similarity_search_with_score(query, k=9)
        other = theirs.similarity_search_with_score(query, k=9)

        assert [score for _, score in mine] == pytest.approx([score for _, score in other], abs=1e-5)
        assert {document.id for document, _ in mine} == {document.id for document, _ in other}


@pytest.mark.parametrize("lambda_mult", [0.0, 0.3, 0.5, 1.0])
def test_marginal_relevance_picks_what_upstreams_own_store_picks(
    store: StrongroomVectorStore, lambda_mult: float
) -> None:
    theirs = InMemoryVectorStore(Words())
    theirs.add_documents(DRINKS)
    options = {"k": 3, "fetch_k": 4, "lambda_mult": lambda_mult}

    mine = store.max_marginal_relevance_search("black tea", **options)

    assert ids(mine) == ids(theirs.max_marginal_relevance_search("black tea", **options))
    assert ids(store.max_marginal_relevance_search("black tea", k=3, fetch_k=1)) == ["black"]


def test_relevance_is_from_zero_to_one_and_a_threshold_applies_to_it(store: StrongroomVectorStore) -> None:
    scored = store.similarity_search_with_relevance_scores("green tea from Uji", k=9)
    retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.9})

    assert all(0 <= score <= 1 for _, score in scored)
    assert ids(retriever.invoke("green tea from Uji")) == ["green"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "tea"}, {"green", "black"}),
        ({"kind": "tea", "year": {"$gte": 2022}}, {"black"}),
        ({"$or": [{"origin.land": "KE"}, {"kind": "food"}]}, {"beans", "cake"}),
        ({"$not": {"kind": {"$in": ["tea", "food"]}}}, {"beans"}),
        ({"fits": ["tea", "coffee"]}, {"cake"}),
        ({"origin": {"land": "KE"}}, {"beans"}),
        ({}, {"green", "black", "beans", "cake"}),
        (lambda document: document.id != "cake" and "from" in document.page_content, {"green", "black", "beans"}),
        (lambda document: document.id is None, set()),
    ],
    ids=["equal", "operator", "or, dotted", "not", "list", "object", "empty", "function", "none"],
)
def test_filters_are_dicts_of_metadata_or_functions_of_a_document(
    store: StrongroomVectorStore, given: Any, expected: set[str]
) -> None:
    assert {document.id for document in store.similarity_search("tea", k=9, filter=given)} == expected
    assert {document.id for document in store.max_marginal_relevance_search("tea", k=9, filter=given)} == expected
    assert {document.id for document in store.hybrid_search("tea from", k=9, filter=given)} <= expected


@pytest.mark.parametrize(
    "given", [{"kind": {"$near": 1}}, {"$xor": []}, {"$or": {}}, {"$or": ["tea"]}, {"kind": object()}, ["tea"], "tea"]
)
def test_a_filter_that_means_nothing_is_refused(store: StrongroomVectorStore, given: Any) -> None:
    with pytest.raises(InvalidInputError):
        store.similarity_search("tea", filter=given)


def test_the_vaults_own_filters_are_taken_as_they_are(store: StrongroomVectorStore) -> None:
    from vault_core.memory.filters import Compare

    own: Filter = Compare(("id",), "eq", "cake")

    assert ids(store.similarity_search("tea", filter=own)) == ["cake"]


def test_a_misspelt_option_is_refused_rather_than_ignored(store: StrongroomVectorStore) -> None:
    for search in (store.similarity_search, store.max_marginal_relevance_search, store.hybrid_search):
        with pytest.raises(InvalidInputError, match="filters"):
            search("tea", filters={"kind": "tea"})  # type: ignore[operator]


def test_hybrid_search_finds_a_word_that_the_vectors_do_not_know(vault: Vault) -> None:
    store = StrongroomVectorStore(vault, DeterministicFakeEmbedding(size=32))  # its cosines mean nothing
    store.add_texts([f"note {number}" for number in range(30)], ids=[str(number) for number in range(30)])
    store.add_documents([Document("the password of the wifi is on the fridge", id="wifi")])

    assert ids(store.hybrid_search("wifi", k=1)) == ["wifi"]
    assert ids(store.search("wifi", "hybrid", k=1)) == ["wifi"]
    assert ids(store.as_retriever(search_type="hybrid", search_kwargs={"k": 1}).invoke("wifi")) == ["wifi"]


@pytest.mark.anyio
async def test_every_search_type_is_there_for_async_callers(vault: Vault) -> None:
    embedding = Words()
    store = StrongroomVectorStore(vault, embedding)
    await store.aadd_documents(DRINKS)

    for search_type in ("similarity", "mmr", "hybrid"):
        sync = store.search("green tea", search_type, k=2)
        assert ids(await store.asearch("green tea", search_type, k=2)) == ids(sync)
        retriever = store.as_retriever(search_type=search_type, search_kwargs={"k": 2})
        assert ids(await retriever.ainvoke("green tea")) == ids(sync)
    assert await store.aget_by_ids(["cake"]) == [DRINKS[3]]
    assert await store.adelete(["cake"]) is True
    assert embedding.awaited == 7, "the embedding's own async methods are asked"


def test_an_unknown_search_type_is_refused_as_upstream_refuses_it(store: StrongroomVectorStore) -> None:
    with pytest.raises(ValueError, match="telepathy"):
        store.search("tea", "telepathy")
    with pytest.raises(ValueError, match="telepathy"):
        store.as_retriever(search_type="telepathy")


def test_a_document_is_a_memory_that_other_agents_find_only_if_they_ask_for_imports(
    store: StrongroomVectorStore, vault: Vault
) -> None:
    assert vault.search("Assam") == []
    (hit,) = vault.search("Assam", top_k=1, include_untrusted=True)

    assert (hit.memory.id, hit.memory.metadata, hit.memory.memory_type) == ("black", DRINKS[1].metadata, "SEMANTIC")
    assert (hit.memory.origin, hit.memory.trust) == ("import", "untrusted")


def test_documents_that_are_the_users_own_are_found_by_every_agent(vault: Vault) -> None:
    StrongroomVectorStore(vault, Words(), origin="user").add_documents(DRINKS)

    assert [hit.memory.id for hit in vault.search("Assam", top_k=1)] == ["black"]


def test_a_memory_of_another_namespace_is_not_found(store: StrongroomVectorStore, vault: Vault) -> None:
    other = StrongroomVectorStore(vault, Words(), namespace=("documents", "below"))
    other.add_documents([Document("green tea from Uji", id="below")])

    assert "below" not in ids(store.similarity_search("green tea", k=9))
    assert store.get_by_ids(["below"]) == []
    assert ids(other.similarity_search("green tea", k=9)) == ["below"]


# embeddings


def test_vectors_are_in_a_space_named_for_the_embedding(store: StrongroomVectorStore, vault: Vault) -> None:
    class Named(Words):
        model = "words-3"

    named = StrongroomVectorStore(vault, Named(), namespace=("other",))

    assert set(vault.stats().spaces) == {"langchain:Words"}
    assert named.space == "langchain:Named:words-3"
    assert StrongroomVectorStore(vault, Words(), space="mine").space == "mine"


def test_a_vault_with_an_embedder_finds_documents_by_its_own_vectors_too(tmp_path: Path) -> None:
    with create(tmp_path, name="embedding.vault", embedder=FakeEmbedder()) as vault:
        store = StrongroomVectorStore(vault, DeterministicFakeEmbedding(size=6), origin="user")
        store.add_documents(DRINKS)

        (hit,) = vault.search("green tea from Uji", mode="dense", top_k=1)

        assert hit.memory.id == "green"
        assert set(vault.stats().spaces) == {"default", "langchain:DeterministicFakeEmbedding"}


def test_an_embedding_of_another_size_is_refused_and_nothing_is_written(
    store: StrongroomVectorStore, vault: Vault
) -> None:
    wider, commits = StrongroomVectorStore(vault, Words(65)), vault.stats().commits

    with pytest.raises(EmbedderMismatchError):
        wider.add_texts(["tea"])
    with pytest.raises(EmbedderMismatchError):
        wider.similarity_search("tea")

    assert vault.stats().commits == commits


def test_documents_of_another_embedding_are_not_passed_off_as_nothing(
    store: StrongroomVectorStore, vault: Vault
) -> None:
    other = StrongroomVectorStore(vault, DeterministicFakeEmbedding(size=6))

    with pytest.raises(EmbedderMismatchError, match="langchain:Words"):
        other.similarity_search("tea")


def test_an_empty_store_and_memories_without_vectors_are_no_mismatch(vault: Vault) -> None:
    store = StrongroomVectorStore(vault, Words(), namespace=())

    assert store.similarity_search("tea") == []
    vault.add("tea")
    assert store.similarity_search("tea") == []


def test_what_the_embedding_raises_becomes_our_error_with_its_cause(vault: Vault) -> None:
    store = StrongroomVectorStore(vault, Broken(ConnectionError("secret host")))

    for call in (lambda: store.add_texts(["tea"]), lambda: store.similarity_search("tea")):
        with pytest.raises(UnavailableError) as caught:
            call()
        assert isinstance(caught.value.__cause__, ConnectionError)
        assert "secret host" not in str(caught.value)
    assert vault.count() == 0


def test_an_embedding_that_gives_too_few_vectors_is_refused(vault: Vault) -> None:
    with pytest.raises(EmbedderMismatchError, match="1 vectors for 2 texts"):
        StrongroomVectorStore(vault, Broken()).add_texts(["tea", "coffee"])

    assert vault.count() == 0


# bad input


@pytest.mark.parametrize(
    "bad",
    [
        Document(""),
        Document(" \n"),
        Document("a\x00b"),
        Document("\ud800"),
        Document("x" * ((1 << 20) + 1)),
        Document("tea", metadata={"when": datetime(2026, 1, 1, tzinfo=UTC)}),
        Document("tea", metadata={"set": {1}}),
        Document("tea", metadata={"bytes": b"x"}),
        Document("tea", metadata={"big": "x" * ((1 << 20) + 1)}),
        Document("tea", id=""),
        Document("tea", id="a\x00b"),
        Document("tea", id="x" * 513),
        "tea",
    ],
    ids=[
        "empty", "blank", "NUL", "surrogate", "huge", "datetime", "set", "bytes", "huge metadata", "empty id", "NUL id",
        "long id", "no document",
    ],
)  # fmt: skip
def test_one_document_that_can_not_be_stored_keeps_the_whole_batch_out(vault: Vault, bad: Any) -> None:
    store = StrongroomVectorStore(vault, Words())

    with pytest.raises(InvalidInputError):
        store.add_documents([Document("fine", id="fine"), bad])

    assert vault.count() == 0


@pytest.mark.parametrize("given", [["one"], ["one", "two", "three"], []])
def test_ids_that_do_not_go_with_the_documents_are_refused(vault: Vault, given: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="ids for 2 documents"):
        StrongroomVectorStore(vault, Words()).add_texts(["tea", "coffee"], ids=given)

    with pytest.raises(InvalidInputError, match="metadatas for 2 texts"):
        StrongroomVectorStore(vault, Words()).add_texts(["tea", "coffee"], [{} for _ in given] or [{}])
    assert vault.count() == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.similarity_search("tea", k=0),
        lambda store: store.similarity_search("tea", k=10_001),
        lambda store: store.similarity_search_by_vector([float("nan")]),
        lambda store: store.similarity_search_by_vector("tea"),
        lambda store: store.get_by_ids("green"),
        lambda store: store.delete("green"),
    ],
    ids=["k 0", "k huge", "NaN", "text as vector", "one id", "one id to delete"],
)
def test_arguments_that_make_no_sense_are_refused(store: StrongroomVectorStore, call: Callable[[Any], Any]) -> None:
    with pytest.raises(InvalidInputError):
        call(store)


@pytest.mark.parametrize("namespace", ["documents", None, ("",), (1,)])
def test_a_namespace_that_can_not_be_is_refused_at_once(vault: Vault, namespace: Any) -> None:
    with pytest.raises(InvalidInputError):
        StrongroomVectorStore(vault, Words(), namespace=namespace)


def test_from_texts_needs_a_vault(vault: Vault) -> None:
    with pytest.raises(InvalidInputError, match="vault"):
        StrongroomVectorStore.from_texts(["tea"], Words())
    with pytest.raises(InvalidInputError, match="embed"):
        StrongroomVectorStore(vault, object())  # type: ignore[arg-type]

    store = StrongroomVectorStore.from_texts(["tea"], Words(), [{"kind": "tea"}], ids=["x"], vault=vault)
    assert store.get_by_ids(["x"]) == [Document("tea", id="x", metadata={"kind": "tea"})]


def test_nothing_to_add_asks_nobody_and_writes_nothing(vault: Vault) -> None:
    commits = vault.stats().commits

    assert StrongroomVectorStore(vault, Broken(ConnectionError())).add_documents([]) == []

    assert vault.stats().commits == commits


def test_upstreams_indexing_adds_skips_and_deletes(vault: Vault) -> None:
    store, records = StrongroomVectorStore(vault, Words()), InMemoryRecordManager("drinks")
    records.create_schema()
    pages = [Document("tea", metadata={"source": "a"}), Document("coffee", metadata={"source": "b"})]

    def run(documents: list[Document]) -> Any:
        return index(documents, records, store, cleanup="full", source_id_key="source", key_encoder="sha256")

    assert run(pages)["num_added"] == 2
    assert run(pages)["num_skipped"] == 2
    assert run(pages[:1])["num_deleted"] == 1
    assert [document.page_content for document in store.similarity_search("drink", k=9)] == ["tea"]


# many at once


def test_sixteen_threads_lose_nothing(vault: Vault) -> None:
    store = StrongroomVectorStore(vault, Words())

    def work(number: int) -> str | None:
        store.add_documents([Document(f"note {number}", id=str(number))])
        return store.similarity_search(f"note {number}", k=1)[0].id

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(100))) == [str(number) for number in range(100)]
    assert len(store.similarity_search("note", k=200)) == 100


@pytest.mark.anyio
async def test_two_hundred_tasks_lose_nothing_and_the_loop_goes_on(vault: Vault, ticking: Callable[[], Any]) -> None:
    store = StrongroomVectorStore(vault, Words())

    async def work(number: int) -> str | None:
        await store.aadd_documents([Document(f"note {number}", id=str(number))])
        return (await store.asimilarity_search(f"note {number}", k=1))[0].id

    async with ticking():
        done = await asyncio.gather(*map(work, range(200)))

    assert done == [str(number) for number in range(200)]


def _other(pipe: Connection, folder: str) -> None:
    with reopen(Path(folder)) as vault:
        store = StrongroomVectorStore(vault, Words())
        pipe.send(ids(store.similarity_search("coffee beans", k=1)))
        store.add_documents([Document("hot chocolate", id="theirs")])
        pipe.send(None)
        pipe.recv()


def test_two_processes_see_each_others_documents_at_once(
    store: StrongroomVectorStore, vault: Vault, tmp_path: Path
) -> None:
    with Other(_other, os.fspath(tmp_path)) as other:
        assert other.hear() == ["beans"]
        other.hear()
        assert ids(store.similarity_search("hot chocolate", k=1)) == ["theirs"]
        other.say()
