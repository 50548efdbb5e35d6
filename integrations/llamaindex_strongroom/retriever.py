"""StrongroomRetriever: the vault's own recall behind LlamaIndex's retriever interface."""

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import MetadataFilters

from llamaindex_strongroom.filters import NodeFilter
from llamaindex_strongroom.handle import opened
from llamaindex_strongroom.nodes import with_provenance
from llamaindex_strongroom.vectorstore import SPACE
from vault_core import SearchResult, Vault


class StrongroomRetriever(BaseRetriever):
    """What the vault recalls for a question: by words, vectors, neighbours and times; from all it holds.

    It finds what any agent has stored, memories as well as nodes; `namespace` keeps to it and what is below. `filter`
    is a filter of the vault's, or LlamaIndex's `MetadataFilters`. Vectors are those of the vault's embedder; with
    `embed_model`, those that a `StrongroomVectorStore` stored in `space` with the same model. `options` go to
    `Vault.search`. Documents and what else nobody vouches for are found too; `include_untrusted=False` leaves them out.

    Each node's score is the vault's, and where it came from is in its metadata under `memory`, which neither the
    embedding model nor the LLM is shown. Events and traces of LlamaIndex hold the nodes in clear.
    """

    def __init__(
        self,
        vault: Vault,
        *,
        top_k: int = 10,
        namespace: Sequence[str] | None = None,
        filter: Any = None,
        embed_model: BaseEmbedding | None = None,
        space: str = SPACE,
        callback_manager: Any = None,
        **options: Any,
    ) -> None:
        self._handle, self._embed_model = opened(vault), embed_model
        self._space = None if embed_model is None else space
        chosen = NodeFilter(filters=filter) if isinstance(filter, MetadataFilters) else filter
        self._options = {"include_untrusted": True, **options, "top_k": top_k, "namespace": namespace, "filter": chosen}
        super().__init__(callback_manager=callback_manager)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = None
        if self._embed_model is not None:
            vector = query_bundle.embedding or self._embed_model.get_query_embedding(query_bundle.query_str)
        return self._nodes(query_bundle.query_str, vector)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = None
        if self._embed_model is not None:
            vector = query_bundle.embedding or await self._embed_model.aget_query_embedding(query_bundle.query_str)
        return await asyncio.to_thread(self._nodes, query_bundle.query_str, vector)

    def _nodes(self, text: str, vector: Any) -> list[NodeWithScore]:
        found: list[SearchResult] = self._handle.vault.search(
            text, query_vector=vector, space=self._space, explain=True, **self._options
        )
        return [NodeWithScore(node=with_provenance(hit), score=hit.score) for hit in found]
