"""The key-value store, and the document store, index store and cache that LlamaIndex builds on it."""

import asyncio
from pathlib import Path

import pytest
from llama_index.core.ingestion import IngestionCache
from llama_index.core.schema import TextNode
from llama_index.core.storage.docstore.keyval_docstore import KVDocumentStore
from llama_index.core.storage.kvstore import SimpleKVStore

from llamaindex_strongroom import StrongroomKVStore
from support.vaults import create, reopen
from vault_core import Vault
from vault_core.errors import InvalidInputError, VaultTamperedError


@pytest.mark.parametrize("kind", [SimpleKVStore, StrongroomKVStore], ids=["theirs", "ours"])
def test_it_answers_as_the_simple_store(vault: Vault, kind: type) -> None:
    store = kind(vault) if kind is StrongroomKVStore else kind()
    store.put("b", {"n": 1, "deep": {"x": [1, None, "ü"]}})
    store.put_all([("a", {"n": 2}), ("b", {"n": 3})])
    store.put("a", {}, collection="other/one")

    assert store.get("b") == {"n": 3}
    assert store.get("nobody") is None
    assert store.get("b", collection="other/one") is None
    assert store.get_all() == {"a": {"n": 2}, "b": {"n": 3}}
    assert store.get_all("nothing") == {}
    assert (store.delete("a"), store.delete("a"), store.delete("a", "other/one")) == (True, False, True)
    assert store.get_all() == {"b": {"n": 3}}


def test_values_are_copies_and_outlive_the_session(tmp_path: Path) -> None:
    value = {"tags": ["tea"]}
    with create(tmp_path) as vault:
        store = StrongroomKVStore(vault)
        store.put("a", value)
        value["tags"].append("coffee")
        store.get("a")["tags"].append("milk")  # type: ignore[index]
    with reopen(tmp_path) as vault:
        assert StrongroomKVStore(vault).get("a") == {"tags": ["tea"]}


def test_many_values_are_one_commit(vault: Vault) -> None:
    store, before = StrongroomKVStore(vault), vault.stats().commits

    store.put_all([(str(number), {"n": number}) for number in range(100)], batch_size=10)
    asyncio.run(store.aput_all([("x", {}), ("y", {})]))

    assert vault.stats().commits == before + 2


def test_stores_of_other_names_don_t_see_each_other(vault: Vault) -> None:
    StrongroomKVStore(vault, name="one").put("a", {})

    assert StrongroomKVStore(vault, name="two").get_all() == {}


def test_no_name_can_spell_another_store_s_collection(vault: Vault) -> None:
    """The store "a" has the collection "b/c"; the collection "c" of a store "a/b" would be the same."""
    StrongroomKVStore(vault, name="a").put("key", {}, collection="b/c")

    with pytest.raises(InvalidInputError, match="slash"):
        StrongroomKVStore(vault, name="a/b")


def test_what_can_t_be_stored_is_refused_and_nothing_is_written(vault: Vault) -> None:
    store = StrongroomKVStore(vault)
    for key, value in [("", {}), ("k" * 2000, {}), (1, {}), ("k", {"s": {1}}), ("k", "text"), ("k", {"x": "\ud800"})]:
        with pytest.raises(InvalidInputError):
            store.put_all([("good", {}), (key, value)])  # type: ignore[list-item]
    with pytest.raises(InvalidInputError, match="batch_size"):
        store.put_all([("good", {})], batch_size=0)
    with pytest.raises(InvalidInputError):
        store.put("a", {}, collection="\n")
    with pytest.raises(InvalidInputError):
        StrongroomKVStore(vault, name="\n")

    assert store.get_all() == {}


def test_what_another_program_wrote_there_is_refused(vault: Vault) -> None:
    store = StrongroomKVStore(vault)
    for value in (b"\xff", b"[1", b"[1]"):
        vault.items("llamaindex.kv/data").put("a", value)
        with pytest.raises(VaultTamperedError):
            store.get("a")


def test_a_document_store_and_a_cache_are_built_on_it(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        store = StrongroomKVStore(vault)
        KVDocumentStore(store).add_documents([TextNode(id_="n", text="tea", metadata={"a": 1})])
        IngestionCache(cache=store).put("k", [TextNode(id_="c", text="cached")])
    with reopen(tmp_path) as vault:
        store = StrongroomKVStore(vault)
        docstore, cache = KVDocumentStore(store), IngestionCache(cache=store)

        assert docstore.get_document("n").to_dict() == TextNode(id_="n", text="tea", metadata={"a": 1}).to_dict()
        assert docstore.get_document_hash("n")
        assert [one.get_content() for one in cache.get("k")] == ["cached"]
        docstore.delete_document("n")
        cache.clear()
        assert (docstore.docs, cache.get("k")) == ({}, None)
