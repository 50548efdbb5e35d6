"""Queries: by the vault's own ranking, and by the cosines of an index's embeddings."""

import asyncio
from typing import Any

import pytest
from langgraph.store.base import PutOp, SearchOp

from langchain_strongroom import StrongroomStore
from support.langgraph_stores import EMBEDDED, aembed, differs, embed
from vault_core import EmbedderMismatchError, InvalidInputError, UnavailableError, Vault

INDEX: dict[str, Any] = {"dims": EMBEDDED, "embed": embed, "fields": ["text"]}


def scored(found: list[Any]) -> list[tuple[str, float | None]]:
    return [(item.key, None if item.score is None else round(item.score, 3)) for item in found]


def test_scores_are_cosines_best_first(make: Any) -> None:
    store = make(index=INDEX)
    store.put(("alice",), "tea", {"text": "tea"})
    store.put(("alice",), "both", {"text": "tea and cake"})
    store.put(("alice",), "train", {"text": "a train"})

    assert scored(store.search(("alice",), query="tea")) == [("tea", 1.0), ("both", 0.709), ("train", 0.01)]
    assert scored(store.search(("alice",), query="tea", limit=1, offset=1)) == [("both", 0.709)]
    assert scored(store.search(("bob",), query="tea")) == []


def test_an_item_scores_by_the_best_of_its_fields(make: Any) -> None:
    store = make(index={**INDEX, "fields": ["text", "parts[*].said", "missing"]})
    store.put(("alice",), "many", {"text": "a train", "parts": [{"said": "cake"}, {"said": "tea"}]})
    store.put(("alice",), "one", {"text": "tea and cake"})

    assert scored(store.search(("alice",), query="tea")) == [("many", 1.0), ("one", 0.709)]


def test_a_put_may_say_what_of_it_is_indexed(make: Any) -> None:
    store = make(index=INDEX)
    store.put(("alice",), "own", {"text": "cake", "other": "tea"}, index=["other"])
    store.put(("alice",), "default", {"text": "cake", "other": "tea"})

    assert scored(store.search(("alice",), query="tea"))[0] == ("own", 1.0)


def test_what_is_not_indexed_comes_last_without_a_score(make: Any) -> None:
    store = make(index=INDEX)
    store.put(("alice",), "hidden", {"text": "tea"}, index=False)
    store.put(("alice",), "found", {"text": "cake"})
    store.put(("alice",), "empty", {"other": "tea"})

    found = store.search(("alice",), query="tea")

    assert scored(found)[0] == ("found", 0.01)
    assert {(item.key, item.score) for item in found[1:]} == {("hidden", None), ("empty", None)}


def test_without_fields_the_whole_value_is_indexed(make: Any) -> None:
    store = make(index={"dims": EMBEDDED, "embed": embed})
    store.put(("alice",), "tea", {"deep": {"in": "tea"}})
    store.put(("alice",), "cake", {"content": "cake"})

    assert [item.key for item in store.search(("alice",), query="tea")] == ["tea", "cake"]


@differs("items without a score come again on later pages")
def test_pages_of_a_query_add_up(make: Any) -> None:
    store = make(index=INDEX)
    for number in range(6):
        store.put(("alice",), f"tea {number}", {"text": "tea " * number}, index=None if number < 3 else False)

    pages = [store.search(("alice",), query="tea", limit=2, offset=offset) for offset in range(0, 8, 2)]

    assert [len(page) for page in pages] == [2, 2, 2, 0]
    assert len({item.key for page in pages for item in page}) == 6


def test_an_update_is_found_by_what_it_says_now(make: Any) -> None:
    store = make(index=INDEX)
    store.put(("alice",), "key", {"text": "tea"})
    store.put(("alice",), "key", {"text": "cake"})

    assert scored(store.search(("alice",), query="cake")) == [("key", 1.0)]


def test_texts_of_a_batch_are_embedded_once(vault: Vault) -> None:
    asked: list[list[str]] = []

    def counted(texts: list[str]) -> list[list[float]]:
        asked.append(list(texts))
        return embed(texts)

    store = StrongroomStore(vault, index={"dims": EMBEDDED, "embed": counted, "fields": ["text"]})
    store.batch([PutOp(("alice",), str(number), {"text": ["tea", "cake"][number % 2]}) for number in range(10)])

    assert asked == [["tea", "cake"]]


def test_async_embeddings_serve_the_async_methods_and_are_refused_by_the_others(vault: Vault) -> None:
    store = StrongroomStore(vault, index={"dims": EMBEDDED, "embed": aembed, "fields": ["text"]})

    async def live() -> list[Any]:
        await store.aput(("alice",), "key", {"text": "tea"})
        return await store.asearch(("alice",), query="tea")

    assert scored(asyncio.run(live())) == [("key", 1.0)]
    with pytest.raises(ValueError, match="use aput, asearch or abatch"):
        store.put(("alice",), "other", {"text": "tea"})
    assert store.get(("alice",), "other") is None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda texts: [[1.0] for _ in texts], EmbedderMismatchError),
        (lambda _: [], (EmbedderMismatchError, UnavailableError)),
        (lambda texts: [None for _ in texts], EmbedderMismatchError),
        (lambda texts: [["a"] * EMBEDDED for _ in texts], InvalidInputError),
        (lambda _: None, UnavailableError),
        (lambda _: 1 / 0, UnavailableError),
    ],
    ids=["another size", "none", "no vector", "no numbers", "no list", "broken"],
)
def test_an_embedding_that_fails_or_has_another_size_writes_nothing(vault: Vault, wrong: Any, error: Any) -> None:
    StrongroomStore(vault, index=INDEX).put(("alice",), "there", {"text": "tea"})  # type: ignore[arg-type]
    store = StrongroomStore(vault, index={"dims": EMBEDDED, "embed": wrong, "fields": ["text"]})
    before = vault.stats().commits

    put, delete = PutOp(("alice",), "key", {"text": "tea"}), PutOp(("alice",), "there", None)
    for ops in ([put], [delete, SearchOp((), query="x")]):
        with pytest.raises(error):
            store.batch([PutOp(("alice",), "more", {"text": "cake"}), *ops])
        with pytest.raises(error):
            asyncio.run(store.abatch([PutOp(("alice",), "more", {"text": "cake"}), *ops]))

    assert vault.stats().commits == before


def test_vectors_of_another_index_than_before_are_refused_by_name(vault: Vault) -> None:
    StrongroomStore(vault, index=INDEX).put(("alice",), "key", {"text": "tea"})  # type: ignore[arg-type]
    other: Any = {"dims": 1, "embed": lambda texts: [[1.0] for _ in texts]}

    with pytest.raises(EmbedderMismatchError):
        StrongroomStore(vault, index=other).put(("alice",), "other", {"text": "tea"})

    again = StrongroomStore(vault, index=other, space="langgraph 2")
    again.put(("alice",), "other", {"text": "tea"})
    assert scored(again.search(("alice",), query="x")) == [("other", 1.0), ("key", None)]


# without an index: the vault's own ranking


@differs("a query means nothing without an index")
def test_without_an_index_words_find_and_the_rest_comes_after(make: Any) -> None:
    store = make()
    for key, text in {"a": "a train to Rome", "b": "green tea with milk", "c": "cake"}.items():
        store.put(("alice",), key, {"content": text})

    found = store.search(("alice",), query="who drinks tea?")

    assert [item.key for item in found] == ["b", "c", "a"]
    assert [item.score is None for item in found] == [False, True, True]
    assert found[0].score > 0


def test_an_empty_query_is_none(make: Any) -> None:
    store = make()
    store.put(("alice",), "key", {"content": "tea"})

    for query in ("", None):
        assert scored(store.search(("alice",), query=query)) == [("key", None)]


@differs("a query means nothing without an index")
def test_a_put_may_say_what_of_it_the_words_are(make: Any) -> None:
    store = make()
    store.put(("alice",), "said", {"said": "tea", "noise": "cake"}, index=["said"])
    store.put(("alice",), "hidden", {"said": "tea"}, index=False)

    assert [item.score is None for item in store.search(("alice",), query="tea")] == [False, True]
    assert [item.score is None for item in store.search(("alice",), query="cake")] == [True, True]


def test_values_are_found_by_other_runtimes_as_well(vault: Vault) -> None:
    StrongroomStore(vault, index=INDEX).put(("alice",), "key", {"text": "green tea"})  # type: ignore[arg-type]

    assert [hit.memory.id for hit in vault.search("tea")] == ["key"]
