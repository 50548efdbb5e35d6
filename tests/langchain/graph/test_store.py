"""StrongroomStore as a LangGraph store: what every store does, and where ours takes a side of its own.

Every test runs against upstream's InMemoryStore too; those marked `differs` have to fail there.
"""

from typing import Any

import pytest
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchItem,
    SearchOp,
)

from langchain_strongroom import StrongroomStore
from support.langgraph_stores import differs
from vault_core import InvalidInputError, Vault

VALUES: dict[str, dict[str, Any]] = {
    "text": {"content": "likes tea"},
    "text and more": {"content": "likes tea", "kind": "Memory"},
    "blank text": {"content": "  "},
    "no text": {"content": ""},
    "nothing": {},
    "a number as content": {"content": 5},
    "an object as content": {"content": {"content": "likes tea"}},
    "nested": {"a": {"b": [1, 2.5, None, True, {"c": "d"}]}},
    "odd keys": {"": 1, "a.b": 2, "$gt": 3, 'quo"te': 4, "%_*?[]": 5},
    "odd text": {"text": "naïve 🫖 \x00 \n ' \" \\"},
    "a NUL in text alone": {"content": "a\x00b"},
    "numbers": {"large": 10**100, "small": -(10**100), "fine": 1e-300},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_what_was_put_is_what_is_given(store: Any, value: dict[str, Any]) -> None:
    store.put(("alice", "notes"), "key", value)

    item = store.get(("alice", "notes"), "key")

    assert isinstance(item, Item)
    assert (item.value, item.key, item.namespace) == (value, "key", ("alice", "notes"))
    assert item.created_at <= item.updated_at
    assert item.created_at.tzinfo is not None
    [found] = store.search(("alice",))
    assert isinstance(found, SearchItem)
    assert (found.value, found.score) == (value, None)


def test_what_is_not_there_is_none(store: Any) -> None:
    store.put(("alice",), "key", {"a": 1})

    assert store.get(("alice",), "other") is None
    assert store.get(("alice", "key"), "key") is None
    assert store.get(("bob",), "key") is None
    assert store.search(("bob",)) == []


def test_an_update_replaces_the_whole_value(store: Any) -> None:
    store.put(("alice",), "key", {"a": 1, "b": 2})
    store.put(("alice",), "key", {"c": 3})

    assert store.get(("alice",), "key").value == {"c": 3}
    assert len(store.search(("alice",))) == 1


@differs("created_at is overwritten (langgraph#7411, #8340)")
def test_an_update_keeps_when_an_item_was_created(store: Any) -> None:
    store.put(("alice",), "key", {"a": 1})
    before = store.get(("alice",), "key")
    store.put(("alice",), "key", {"a": 2})

    after = store.get(("alice",), "key")

    assert after.created_at == before.created_at
    assert after.updated_at > before.updated_at


def test_an_update_leaves_no_history_of_the_value_behind(vault: Vault) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "key", {"a": 1})
    store.put(("alice",), "key", {"a": 2})

    assert [version.content for version in vault.history("key", namespace=("alice",))] == [{"a": 2}]


def test_deleting_erases_and_what_is_not_there_is_deleted_without_a_word(store: Any) -> None:
    store.put(("alice",), "key", {"a": 1})

    store.delete(("alice",), key="key")
    store.delete(("alice",), "key")
    store.delete(("nobody",), "nothing")

    assert store.get(("alice",), "key") is None
    assert store.search(()) == []


def test_a_put_of_none_deletes(store: Any) -> None:
    store.put(("alice",), "key", {"a": 1})
    store.batch([PutOp(("alice",), "key", None)])

    assert store.get(("alice",), "key") is None


@differs("the caller gets the store's own dict")
def test_what_is_given_is_the_callers_own(store: Any) -> None:
    store.put(("alice",), "key", {"a": [1]})

    store.get(("alice",), "key").value["a"].append(2)
    store.search(("alice",))[0].value.clear()

    assert store.get(("alice",), "key").value == {"a": [1]}


@differs("a nested value is the store's own")
def test_what_was_put_may_be_changed_by_the_caller_afterwards(store: Any) -> None:
    value = {"a": [1]}
    store.put(("alice",), "key", value)
    value["a"].append(2)

    assert store.get(("alice",), "key").value == {"a": [1]}


# batches


def test_reads_of_a_batch_show_the_state_before_it_in_the_order_of_the_ops(store: Any) -> None:
    store.put(("alice",), "old", {"a": 1})

    results = store.batch(
        [
            PutOp(("alice",), "new", {"a": 2}),
            GetOp(("alice",), "new"),
            GetOp(("alice",), "old"),
            PutOp(("alice",), "old", None),
            SearchOp(("alice",)),
            ListNamespacesOp(),
            GetOp(("alice",), "old"),
            PutOp(("bob",), "new", {"a": 3}),
        ]
    )

    found = [item and item.key for item in (results[1], results[2], results[6])]
    assert found == [None, "old", "old"]
    assert [item.key for item in results[4]] == ["old"]
    assert results[5] == [("alice",)]
    assert [results[at] for at in (0, 3, 7)] == [None, None, None]
    assert sorted((item.namespace, item.key) for item in store.search(())) == [(("alice",), "new"), (("bob",), "new")]


def test_of_several_puts_to_one_key_the_last_one_holds(store: Any) -> None:
    store.put(("alice",), "gone", {"a": 0})

    store.batch(
        [
            PutOp(("alice",), "twice", {"a": 1}),
            PutOp(("alice",), "twice", {"a": 2}),
            PutOp(("alice",), "back", None),
            PutOp(("alice",), "back", {"a": 3}),
            PutOp(("alice",), "gone", {"a": 4}),
            PutOp(("alice",), "gone", None),
        ]
    )

    assert {item.key: item.value for item in store.search(("alice",))} == {"twice": {"a": 2}, "back": {"a": 3}}


def test_an_empty_batch_has_no_results(store: Any) -> None:
    assert store.batch([]) == []
    assert store.batch(iter([GetOp(("alice",), "key")])) == [None]


def test_a_batch_is_one_commit(vault: Vault) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "old", {"a": 1})
    commits = vault.stats().commits

    store.batch([PutOp(("alice",), f"key {at}", {"a": at}) for at in range(50)] + [PutOp(("alice",), "old", None)])

    assert vault.stats().commits == commits + 1


def test_reading_is_no_commit(vault: Vault) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "key", {"a": 1})
    commits = vault.stats().commits

    store.batch([GetOp(("alice",), "key"), SearchOp(()), ListNamespacesOp(), SearchOp((), query="tea")])

    assert vault.stats().commits == commits


BAD_OPS: dict[str, tuple[Any, type[Exception]]] = {
    "no namespace": (PutOp((), "key", {"a": 1}), InvalidNamespaceError),
    "an empty label": (PutOp(("alice", ""), "key", {"a": 1}), InvalidNamespaceError),
    "a dot": (PutOp(("a.b",), "key", {"a": 1}), InvalidNamespaceError),
    "a NUL": (PutOp(("a\x00b",), "key", {"a": 1}), InvalidNamespaceError),
    "a number": (PutOp((5,), "key", {"a": 1}), InvalidNamespaceError),  # type: ignore[arg-type]
    "the reserved root": (PutOp(("langgraph", "x"), "key", {"a": 1}), InvalidNamespaceError),
    "a text for a namespace": (PutOp("alice", "key", {"a": 1}), InvalidNamespaceError),  # type: ignore[arg-type]
    "a dot in a read": (GetOp(("a.b",), "key"), InvalidNamespaceError),
    "a dot in a search": (SearchOp(("a.b",)), InvalidNamespaceError),
    "a dot in a delete": (PutOp(("a.b",), "key", None), InvalidNamespaceError),
    "a dot in a listing": (ListNamespacesOp((MatchCondition("prefix", ("a.b",)),)), InvalidNamespaceError),
    "another match": (ListNamespacesOp((MatchCondition("infix", ("a",)),)), ValueError),  # type: ignore[arg-type]
    "no op": ("put", ValueError),
    "an unknown operator": (SearchOp((), filter={"a": {"$near": 1}}), ValueError),
    "a set": (PutOp(("alice",), "key", {"a": {1}}), ValueError),
    "an object": (PutOp(("alice",), "key", {"a": object()}), ValueError),
    "a number as a key of JSON": (PutOp(("alice",), "key", {"a": {1: 2}}), ValueError),
    "no dict": (PutOp(("alice",), "key", ["a"]), ValueError),  # type: ignore[arg-type]
    "a negative limit": (SearchOp((), limit=-1), ValueError),
    "no limit": (SearchOp((), limit=None), ValueError),  # type: ignore[arg-type]
    "a control character": (PutOp(("alice",), "a\nb", {"a": 1}), ValueError),
    "a negative TTL": (PutOp(("alice",), "key", {"a": 1}, ttl=-1), ValueError),
    "no number of minutes": (PutOp(("alice",), "key", {"a": 1}, ttl=float("nan")), ValueError),
    "an index of text": (PutOp(("alice",), "key", {"a": 1}, index="a"), ValueError),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("wrong", BAD_OPS)
def test_one_wrong_op_refuses_the_whole_batch_and_nothing_is_written(vault: Vault, wrong: str) -> None:
    store = StrongroomStore(vault)
    op, error = BAD_OPS[wrong]
    store.put(("alice",), "there", {"a": 0})
    before = vault.stats().commits

    for ops in ([op], [PutOp(("alice",), "there", {"a": 1}), op], [op, PutOp(("alice",), "there", None)]):
        with pytest.raises(error) as refused:
            store.batch(ops)
        assert isinstance(refused.value, InvalidNamespaceError | InvalidInputError)

    assert vault.stats().commits == before
    assert store.get(("alice",), "there").value == {"a": 0}  # type: ignore[union-attr]


@differs("raw ops are not checked")
@pytest.mark.parametrize("namespace", [(), ("a.b",), ("",), ("langgraph",)], ids=str)
def test_a_raw_put_is_checked_like_any_other(store: Any, namespace: tuple[str, ...]) -> None:
    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(namespace, "key", {"a": 1})])


# namespaces


def test_a_prefix_selects_a_namespace_and_what_is_below_it_label_by_label(store: Any) -> None:
    for namespace in [("foo",), ("foo", "child"), ("foobar",), ("FOO",), ("f%",), ("f_o",), ("*",), ("f[o]",)]:
        store.put(namespace, "key", {"a": 1})

    def found(prefix: tuple[str, ...]) -> list[tuple[str, ...]]:
        return sorted(item.namespace for item in store.search(prefix, limit=100))

    assert found(("foo",)) == [("foo",), ("foo", "child")]
    assert found(("fo",)) == []
    for literal in ("f%", "f_o", "*", "f[o]", "FOO"):
        assert found((literal,)) == [(literal,)]
    assert len(found(())) == 8


def test_no_two_namespaces_are_one(store: Any) -> None:
    separators = ("/", ":", ",", " ", "|", "\\", '","')
    places = [("a", "b"), ("b", "a"), *((f"a{one}b",) for one in separators)]
    for number, namespace in enumerate(places):
        store.put(namespace, "key", {"n": number})

    assert [store.get(namespace, "key").value["n"] for namespace in places] == list(range(9))
    assert len(store.list_namespaces()) == 9


@differs("a prefix that is a list finds nothing")
def test_a_list_is_as_good_as_a_tuple(store: Any) -> None:
    store.put(("alice", "notes"), "key", {"a": 1})

    assert len(store.search(["alice"])) == 1
    assert store.list_namespaces(prefix=["alice"]) == [("alice", "notes")]


def test_namespaces_are_listed_by_prefix_suffix_depth_and_page(store: Any) -> None:
    places = [("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c"), ("b", "c"), ("c",)]
    for namespace in places:
        store.put(namespace, "key", {"a": 1})

    assert store.list_namespaces() == sorted(places)
    assert store.list_namespaces(prefix=("a",)) == [("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c")]
    assert store.list_namespaces(suffix=("c",)) == [("a", "b", "c"), ("a", "x", "c"), ("b", "c"), ("c",)]
    assert store.list_namespaces(prefix=("a",), suffix=("c",)) == [("a", "b", "c"), ("a", "x", "c")]
    assert store.list_namespaces(prefix=("a", "*", "c")) == [("a", "b", "c"), ("a", "x", "c")]
    assert store.list_namespaces(suffix=("*", "c")) == [("a", "b", "c"), ("a", "x", "c"), ("b", "c")]
    assert store.list_namespaces(max_depth=2) == [("a", "b"), ("a", "x"), ("b", "c"), ("c",)]
    assert store.list_namespaces(max_depth=1, limit=2) == [("a",), ("b",)]
    assert store.list_namespaces(limit=2, offset=1) == [("a", "b", "d"), ("a", "x", "c")]
    assert store.list_namespaces(prefix=("nobody",)) == []


def test_several_conditions_on_namespaces_all_have_to_hold(store: Any) -> None:
    for namespace in [("a", "b", "c"), ("a", "x", "c"), ("a", "b", "d")]:
        store.put(namespace, "key", {"a": 1})

    def found(*conditions: tuple[Any, tuple[str, ...]]) -> Any:
        return store.batch([ListNamespacesOp(tuple(MatchCondition(*one) for one in conditions))])[0]

    assert found(("prefix", ("a",)), ("prefix", ("*", "b"))) == [("a", "b", "c"), ("a", "b", "d")]
    assert found(("prefix", ("a", "b")), ("prefix", ("*", "x"))) == []
    assert found(("suffix", ("c",)), ("suffix", ("*", "*", "c")), ("prefix", ("*", "x"))) == [("a", "x", "c")]


def test_a_namespace_is_gone_with_its_last_item(vault: Vault) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "key", {"a": 1})
    store.delete(("alice",), "key")

    assert store.list_namespaces() == []


# pages


def test_pages_without_a_query_add_up(store: Any) -> None:
    for number in range(25):
        store.put(("alice",), str(number), {"n": number})

    assert len(store.search(("alice",))) == 10
    pages = [store.search(("alice",), limit=7, offset=offset) for offset in range(0, 35, 7)]
    assert [len(page) for page in pages] == [7, 7, 7, 4, 0]
    assert sorted(item.value["n"] for page in pages for item in page) == list(range(25))
    assert store.search(("alice",), limit=0) == []


@differs("the oldest come first")
def test_without_a_query_the_newest_come_first(store: Any) -> None:
    for number in range(5):
        store.put(("alice",), str(number), {"n": number})
    store.put(("alice",), "1", {"n": 1})

    assert [item.key for item in store.search(("alice",))] == ["1", "4", "3", "2", "0"]


# with others


def test_what_others_remember_is_an_item_too(vault: Vault) -> None:
    store = StrongroomStore(vault)
    note = vault.add("likes tea", namespace=("alice",))
    vault.add({"city": "Rome"}, id="home", namespace=("alice",))

    assert store.get(("alice",), note.id).value == {"content": "likes tea"}  # type: ignore[union-attr]
    assert store.get(("alice",), "home").value == {"city": "Rome"}  # type: ignore[union-attr]
    assert [item.key for item in store.search(("alice",), filter={"content": "likes tea"})] == [note.id]


def test_a_value_that_is_only_text_is_a_memory_of_text_to_others(vault: Vault) -> None:
    StrongroomStore(vault).put(("alice",), "key", {"content": "likes tea"})

    assert vault.get("key", namespace=("alice",)).content == "likes tea"
    assert [hit.memory.id for hit in vault.search("tea")] == ["key"]


def test_a_store_keeps_to_its_box(vault: Vault) -> None:
    vault.add_box("work")
    work, main = StrongroomStore(vault, box="work"), StrongroomStore(vault)
    work.put(("alice",), "key", {"a": "tea"})

    assert main.get(("alice",), "key") is None
    assert (main.search(()), main.search((), query="tea"), main.list_namespaces()) == ([], [], [])
    assert len(work.search((), query="tea")) == 1
    main.delete(("alice",), "key")
    assert work.list_namespaces() == [("alice",)]


def test_what_is_put_is_unconfirmed_unless_the_app_says_whose_word_it_is(vault: Vault) -> None:
    StrongroomStore(vault).put(("alice",), "agent's", {"content": "tea"})
    StrongroomStore(vault, origin="user").put(("alice",), "user's", {"content": "tea"})

    assert vault.get("agent's", namespace=("alice",)).trust == "unconfirmed"
    assert vault.get("user's", namespace=("alice",)).trust == "trusted"


def test_what_is_untrusted_is_read_and_listed_but_no_answer_to_a_query(vault: Vault) -> None:
    store = StrongroomStore(vault)
    vault.add("tea on a page", id="page", namespace=("alice",), origin="web")
    store.put(("alice",), "key", {"content": "tea"})

    assert [item.key for item in store.search(("alice",), query="tea")] == ["key"]
    assert [item.key for item in store.search(("alice",))] == ["key", "page"]
    assert store.get(("alice",), "page") is not None
