"""StrongroomByteStore: LangChain's own suites, and what they don't ask."""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from langchain_core.stores import BaseStore
from langchain_tests.integration_tests import BaseStoreAsyncTests, BaseStoreSyncTests

from langchain_strongroom import StrongroomByteStore
from support.processes import Other
from support.vaults import reopen
from vault_core import InvalidInputError, Vault

THREE = (b"tea", b"\x00\xff", b"")


class TestSync(BaseStoreSyncTests[bytes]):
    @pytest.fixture
    def kv_store(self, vault: Vault) -> BaseStore[str, bytes]:
        return StrongroomByteStore(vault)

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return THREE


@pytest.mark.anyio
class TestAsync(BaseStoreAsyncTests[bytes]):
    @pytest.fixture
    def kv_store(self, vault: Vault) -> BaseStore[str, bytes]:  # type: ignore[override]  # no need to await it
        return StrongroomByteStore(vault)

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return THREE


def test_two_collections_of_one_vault_do_not_see_each_other(vault: Vault) -> None:
    one, other = StrongroomByteStore(vault, collection="one"), StrongroomByteStore(vault, collection="other")

    one.mset([("key", b"tea")])

    assert other.mget(["key"]) == [None]
    assert list(one.yield_keys()) == ["key"]


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        ([("fine", b"tea"), ("", b"tea")], "key"),
        ([("fine", b"tea"), ("a\x00b", b"tea")], "key"),
        ([("fine", b"tea"), ("k" * 1025, b"tea")], "key"),
        ([("fine", b"tea"), ("text", "tea")], "bytes"),
        ([("fine", b"tea"), ("huge", bytes((32 << 20) + 1))], "bytes"),
        ([("fine", b"tea"), "pair"], "put_many"),
    ],
    ids=["empty key", "NUL", "long key", "text", "huge", "no pair"],
)
def test_a_pair_that_can_not_be_stored_keeps_the_whole_batch_out(vault: Vault, pairs: Any, named: str) -> None:
    store = StrongroomByteStore(vault)

    with pytest.raises(InvalidInputError, match=named):
        store.mset(pairs)

    assert list(store.yield_keys()) == []


def test_of_two_values_for_one_key_the_last_holds(vault: Vault) -> None:
    store = StrongroomByteStore(vault)

    store.mset([("key", b"first"), ("key", b"last")])

    assert store.mget(["key", "key"]) == [b"last", b"last"]


def test_sixteen_threads_lose_nothing(vault: Vault) -> None:
    store = StrongroomByteStore(vault)

    def work(number: int) -> bytes | None:
        store.mset([(f"{number:03}", str(number).encode())])
        return store.mget([f"{number:03}"])[0]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(200))) == [str(number).encode() for number in range(200)]
    assert len(list(store.yield_keys())) == 200


@pytest.mark.anyio
async def test_two_hundred_tasks_lose_nothing_and_the_loop_goes_on(vault: Vault, ticking: Callable[[], Any]) -> None:
    store = StrongroomByteStore(vault)

    async def work(number: int) -> bytes | None:
        await store.amset([(f"{number:03}", str(number).encode())])
        return (await store.amget([f"{number:03}"]))[0]

    async with ticking():
        done = await asyncio.gather(*map(work, range(200)))

    assert done == [str(number).encode() for number in range(200)]
    assert len([key async for key in store.ayield_keys()]) == 200


@pytest.mark.anyio
async def test_a_store_that_blocks_the_loop_would_be_seen(vault: Vault, ticking: Callable[[], Any]) -> None:
    class Blocking(StrongroomByteStore):
        async def amset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
            self.mset(key_value_pairs)

    with pytest.raises(AssertionError, match="turns"):
        async with ticking():
            await asyncio.gather(*(Blocking(vault).amset([(str(number), b"")]) for number in range(200)))


def _other(pipe: Connection, folder: str) -> None:
    with reopen(Path(folder)) as vault:
        store = StrongroomByteStore(vault)
        pipe.send(store.mget(["ours"]))
        store.mset([("theirs", b"coffee")])
        pipe.send(None)
        pipe.recv()


def test_two_processes_see_each_others_writes_at_once(vault: Vault, tmp_path: Path) -> None:
    store = StrongroomByteStore(vault)
    store.mset([("ours", b"tea")])

    with Other(_other, os.fspath(tmp_path)) as other:
        assert other.hear() == [b"tea"]
        other.hear()
        assert store.mget(["theirs"]) == [b"coffee"]
        other.say()
