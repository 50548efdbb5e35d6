"""StrongroomByteStore: LangChain's key-value store of bytes, as items of the vault."""

from collections.abc import AsyncIterator, Iterator, Sequence

from langchain_core.runnables import run_in_executor
from langchain_core.stores import ByteStore

from langchain_strongroom.private import Private
from vault_core import Vault


class StrongroomByteStore(Private, ByteStore):
    """Bytes by key, sealed; for caches of embeddings, parent documents and the like.

    Every `mset` and `mdelete` is one durable commit: all of it or none. Overwritten and deleted bytes are erased. Keys
    are 1 to 1,024 bytes of text, values at most 32 MiB. Several stores may share a vault, each in its own `collection`;
    one store may be used from any thread, and by any number of processes. The async methods work in threads.
    """

    def __init__(self, vault: Vault, *, collection: str = "langchain.bytes", box: str = "main") -> None:
        self._items = vault.items(collection, box=box)

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of the keys; None where there is none."""
        return [None if item is None else item.value for item in self._items.get_many(keys)]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Write all pairs in one commit; of two with one key the last holds."""
        self._items.put_many(key_value_pairs)

    def mdelete(self, keys: Sequence[str]) -> None:
        """Erase all keys in one commit; those that are not there are passed over."""
        self._items.delete_many(keys)

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        """The keys that begin with `prefix`, in order, as they were when the first was asked for."""
        yield from self._items.keys(prefix or "")

    async def ayield_keys(self, *, prefix: str | None = None) -> AsyncIterator[str]:
        """See `yield_keys`."""
        for key in await run_in_executor(None, self._items.keys, prefix or ""):
            yield key
