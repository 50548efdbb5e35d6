"""StrongroomKVStore: LlamaIndex's key-value store on items, and with it its document store, index store and cache."""

import asyncio
from typing import Any

from llama_index.core.storage.kvstore.types import DEFAULT_BATCH_SIZE, DEFAULT_COLLECTION, BaseKVStore

from llamaindex_strongroom.handle import checked_name, opened
from llamaindex_strongroom.values import from_bytes, to_bytes
from vault_core import Items, Vault
from vault_core.errors import InvalidInputError

Value = dict[str, Any]
NAME = "llamaindex.kv"


class StrongroomKVStore(BaseKVStore):
    """JSON objects under (collection, key), each an item of the vault. Durable when a call returns.

    Two stores of one vault under different names, which have no slash, don't see each other. Values come back as
    copies. Async methods work in threads. Any method may raise `InvalidInputError` for an empty key, one beyond 1,024
    bytes, or what JSON can't hold.
    """

    def __init__(self, vault: Vault, *, name: str = NAME, box: str = "main") -> None:
        self._handle = opened(vault)
        self._name, self._box = checked_name(name), box
        self._items(DEFAULT_COLLECTION).count()  # refuses names and boxes that no write would accept

    def put(self, key: str, val: Value, collection: str = DEFAULT_COLLECTION) -> None:
        """Store a value; the one before is erased."""
        self.put_all([(key, val)], collection)

    def put_all(
        self,
        kv_pairs: list[tuple[str, Value]],
        collection: str = DEFAULT_COLLECTION,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        """Store values in one commit: all of them, or none. `batch_size` bounds nothing here."""
        if type(batch_size) is not int or batch_size < 1:
            raise InvalidInputError("batch_size must be 1 or more")
        items = self._items(collection)
        items.put_many([(key, to_bytes(lambda val=val: _object(val), "the value")) for key, val in kv_pairs])  # type: ignore[misc]

    def get(self, key: str, collection: str = DEFAULT_COLLECTION) -> Value | None:
        """The value under a key, or None."""
        item = self._items(collection).get(key)
        return None if item is None else from_bytes(item.value)

    def get_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, Value]:
        """All values of a collection, by key, in the order of the keys."""
        return {item.key: from_bytes(item.value) for item in self._items(collection).scan()}

    def delete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """Erase a value; False if there is none."""
        return self._items(collection).delete(key)

    async def aput(self, key: str, val: Value, collection: str = DEFAULT_COLLECTION) -> None:
        """See `put`."""
        await asyncio.to_thread(self.put, key, val, collection)

    async def aput_all(
        self,
        kv_pairs: list[tuple[str, Value]],
        collection: str = DEFAULT_COLLECTION,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        """See `put_all`."""
        await asyncio.to_thread(self.put_all, kv_pairs, collection, batch_size)

    async def aget(self, key: str, collection: str = DEFAULT_COLLECTION) -> Value | None:
        """See `get`."""
        return await asyncio.to_thread(self.get, key, collection)

    async def aget_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, Value]:
        """See `get_all`."""
        return await asyncio.to_thread(self.get_all, collection)

    async def adelete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """See `delete`."""
        return await asyncio.to_thread(self.delete, key, collection)

    def _items(self, collection: str) -> Items:
        return self._handle.vault.items(f"{self._name}/{collection}", box=self._box)

    def __repr__(self) -> str:
        return f"StrongroomKVStore({self._name!r})"


def _object(value: Any) -> Value:
    if not isinstance(value, dict):
        raise InvalidInputError("a value must be a dict")
    return value
