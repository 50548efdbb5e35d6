"""A program that tells a vault secrets through every class of the LlamaIndex adapter."""

import asyncio
import pickle  # noqa: TID251  what others do to our objects
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.memory import Memory
from llama_index.core.schema import Document

from crash.leaks import DIMENSION, canary, vector
from llamaindex_strongroom import (
    StrongroomBufferChatStore,
    StrongroomChatStore,
    StrongroomKVStore,
    StrongroomMemoryBlock,
    StrongroomRetriever,
    StrongroomVectorStore,
    storage_context,
)
from support.vaults import create
from vault_core import Vault


class CanaryEmbedding(BaseEmbedding):
    """Embeds everything as the canary vector."""

    model_name: str = "canary"

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(number) for number in vector(len(text) % DIMENSION)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def used(vault: Vault) -> list[Any]:
    """Every object of the adapter, each of which has heard a secret and told one."""
    context = storage_context(vault)
    document = Document(text=canary("text"), id_=canary("document"), metadata={canary("key"): canary("value")})
    index = VectorStoreIndex.from_documents([document], storage_context=context, embed_model=CanaryEmbedding())
    assert canary("text") in index.as_retriever().retrieve(canary("question"))[0].node.get_content()
    kvstore, chatstore = StrongroomKVStore(vault), StrongroomChatStore(vault)
    kvstore.put(canary("kv"), {canary("k"): canary("v")})
    block = StrongroomMemoryBlock(vault, tokenizer_fn=str.split)
    memory = Memory.from_defaults(
        session_id=canary("session"), chat_store=chatstore, memory_blocks=[block], tokenizer_fn=str.split
    )

    async def talk() -> None:
        await memory.aput(ChatMessage(role="user", content=canary("said")))
        await memory.aget()

    asyncio.run(talk())
    retriever = StrongroomRetriever(vault)
    assert retriever.retrieve(canary("said"))
    return [StrongroomVectorStore(vault), context.vector_store, kvstore, chatstore, StrongroomBufferChatStore(vault),
            block, retriever]  # fmt: skip


def shown(thing: Any) -> Iterator[bytes]:
    """All that an object shows of itself."""
    yield repr(thing).encode()
    yield str(thing).encode()
    yield pickle.dumps(thing)
    for name in ("to_dict", "dict", "model_dump", "to_json", "model_dump_json"):
        if name in dir(type(thing)):
            yield str(getattr(thing, name)()).encode()


def main() -> None:
    """Use everything in the folder we are in; what is shown and persisted goes to files, to be searched."""
    with create(Path.cwd(), "canary.vault") as vault:
        for number, thing in enumerate(used(vault)):
            Path(f"shown-{number}").write_bytes(b"\n".join(shown(thing)))
        context: StorageContext = storage_context(vault)
        context.persist("persisted")


if __name__ == "__main__":
    main()
    if len(sys.argv) > 1:
        Path("on purpose").write_text(canary("text"))
