"""A storage context whose documents, indexes and vectors are all in one vault."""

from collections.abc import Sequence
from typing import Any

from llama_index.core import StorageContext
from llama_index.core.storage.docstore.keyval_docstore import KVDocumentStore
from llama_index.core.storage.index_store.keyval_index_store import KVIndexStore

from llamaindex_strongroom.kvstore import NAME, StrongroomKVStore
from llamaindex_strongroom.vectorstore import NAMESPACE, ORIGIN, SPACE, StrongroomVectorStore
from vault_core import Vault


def storage_context(
    vault: Vault,
    *,
    name: str = NAME,
    namespace: Sequence[str] = NAMESPACE,
    space: str = SPACE,
    box: str = "main",
    origin: str = ORIGIN,
    **others: Any,
) -> StorageContext:
    """The stores of a vault as LlamaIndex wants them: `VectorStoreIndex(…, storage_context=storage_context(vault))`.

    Everything is durable at once: `persist()` is not needed, and `load_index_from_storage` finds the index in any
    process that opens the vault. `others` go to `StorageContext.from_defaults`; a graph store, if you use one, is your
    own.
    """
    kvstore = StrongroomKVStore(vault, name=name, box=box)
    return StorageContext.from_defaults(
        docstore=KVDocumentStore(kvstore),
        index_store=KVIndexStore(kvstore),
        vector_store=StrongroomVectorStore(vault, namespace=namespace, space=space, box=box, origin=origin),
        **others,
    )
