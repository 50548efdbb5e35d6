"""StrongroomVectorStore: LlamaIndex's vector store interface over the memories of one namespace."""

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from llamaindex_strongroom.filters import NodeFilter
from llamaindex_strongroom.handle import Handle, opened
from llamaindex_strongroom.nodes import to_draft, to_node
from vault_core import SearchResult, Vault
from vault_core.errors import InvalidInputError

NAMESPACE = ("llamaindex",)
SPACE = "llamaindex"
ORIGIN = "import"
MMR_THRESHOLD = 0.5  # LlamaIndex's own default
MODES = "default, text_search, sparse, hybrid and mmr"


class StrongroomVectorStore(BasePydanticVectorStore):
    """Nodes as memories of one namespace, their embeddings as vectors of one space. Durable when a call returns.

    The namespace is this store's own: `clear` erases what is in it, and the root is refused. Several stores share a
    vault under different namespaces; those that share a space use one embedding model. Texts are searchable by words as
    well, here and by every other agent that opens the vault; with an embedder of its own the vault embeds them too.

    `origin` is who says what the nodes say. Documents come from files and pages, so it is `import`: this store finds
    them, but they are not taken for the user's word. Other searches see them with `include_untrusted=True`, or once the
    user vouches for one (`Vault.trust`). Give `origin="user"` for what the user wrote.

    Modes: `default` (cosine), `text_search` and `sparse` (words, and what stands beside them in a
    document), `hybrid` (both, weighed by the vault; `alpha` may be 0
    for words alone or 1 for vectors alone), `mmr` (`mmr_threshold`, 0 to 1). Others are refused.

    Any method may raise `InvalidInputError` (a `ValueError`) naming the argument, and `EmbedderMismatchError` for an
    embedding of another dimension; nothing is half-written. Async methods work in threads.
    """

    stores_text: bool = True
    is_embedding_query: bool = True
    namespace: tuple[str, ...] = NAMESPACE
    space: str = SPACE
    box: str = "main"
    origin: str = ORIGIN
    _handle: Handle = PrivateAttr()

    def __init__(
        self,
        vault: Vault,
        *,
        namespace: Sequence[str] = NAMESPACE,
        space: str = SPACE,
        box: str = "main",
        origin: str = ORIGIN,
    ) -> None:
        handle = opened(vault)
        if isinstance(namespace, str) or not namespace:
            raise InvalidInputError('namespace must be a tuple with at least one label, such as ("notes",)')
        vault.count(namespace=namespace, box=box)  # refuses labels and boxes that no write would accept
        super().__init__(namespace=tuple(namespace), space=space, box=box, origin=origin)  # type: ignore[call-arg]
        self._handle = handle

    @classmethod
    def class_name(cls) -> str:
        """The name in dumps."""
        return "StrongroomVectorStore"

    @property
    def client(self) -> Vault:
        """The vault."""
        return self._handle.vault

    # writing

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:  # noqa: ARG002  the interface's
        """Store nodes that have embeddings, in one commit; a node that is there already is replaced."""
        drafts = [to_draft(node, namespace=self.namespace, space=self.space, origin=self.origin) for node in nodes]
        self.client.add_many(drafts, box=self.box)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:  # noqa: ARG002
        """Erase the nodes of a source document; none is no error."""
        self._erase(doc_ids=[_text(ref_doc_id, "ref_doc_id")])

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Erase the nodes with these ids that fit these filters; ids that are not there are no error.

        Raises:
            InvalidInputError: neither ids nor filters; `clear` erases everything.
        """
        if node_ids is None and (filters is None or not filters.filters):
            raise InvalidInputError("say which nodes to delete, by node_ids or filters; clear() deletes all of them")
        self._erase(node_ids=node_ids, filters=filters)

    def clear(self) -> None:
        """Erase every memory of the store's namespace."""
        self._erase()

    def _erase(self, **selected: Any) -> None:
        chosen = NodeFilter(namespace=self.namespace, **selected)
        self.client.forget_many(namespace=self.namespace, filter=chosen, box=self.box)

    # reading

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Nodes in the order of the ids, those that are not there left out; without ids in the order of writing."""
        found = self.client.list(
            namespace=self.namespace,
            exact=True,
            filter=NodeFilter(node_ids=node_ids, filters=filters),
            order_by="created",
            limit=None,
            box=self.box,
        )
        nodes = {memory.id: to_node(memory) for memory in found}
        if node_ids is None:
            return list(nodes.values())
        return [nodes[id_] for id_ in dict.fromkeys(node_ids) if id_ in nodes]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nodes that answer a query best, best first; similarities are higher for better."""
        hits = self._hits(query, kwargs)
        return VectorStoreQueryResult(
            nodes=[to_node(hit.memory) for hit in hits],
            similarities=[hit.score for hit in hits],
            ids=[hit.memory.id for hit in hits],
        )

    def _hits(self, query: VectorStoreQuery, kwargs: dict[str, Any]) -> list[SearchResult]:
        match _mode(query):
            case VectorStoreQueryMode.DEFAULT:
                return self._near(query, None)
            case VectorStoreQueryMode.MMR:
                given = kwargs.get("mmr_threshold", query.mmr_threshold)
                return self._near(query, 1.0 - _part(MMR_THRESHOLD if given is None else given, "mmr_threshold"))
            case VectorStoreQueryMode.HYBRID:
                return self._both(query)
            case _:
                return self._worded(query)

    def _near(self, query: VectorStoreQuery, diversity: float | None) -> list[SearchResult]:
        return self.client.find_similar(
            _embedding(query),
            top_k=query.similarity_top_k,
            diversity=diversity,
            space=self.space,
            **self._seen(query),
        )

    def _worded(self, query: VectorStoreQuery) -> list[SearchResult]:
        top_k = query.sparse_top_k or query.similarity_top_k
        return self.client.search(_words(query), mode="lexical", top_k=top_k, **self._seen(query))

    def _both(self, query: VectorStoreQuery) -> list[SearchResult]:
        top_k = query.hybrid_top_k or query.similarity_top_k
        words, vector = _words(query), _embedding(query)
        return self.client.search(
            words, query_vector=vector, space=self.space, top_k=top_k, cut=False, **self._seen(query)
        )

    def _seen(self, query: VectorStoreQuery) -> dict[str, Any]:
        # VectorStoreIndex sends an empty list of ids when it keeps none itself: in a query that asks for all.
        chosen = NodeFilter(filters=query.filters, node_ids=query.node_ids or None, doc_ids=query.doc_ids or None)
        return {
            "namespace": self.namespace,
            "exact": True,
            "filter": chosen if chosen.asks else None,
            "include_untrusted": True,
            "box": self.box,
        }

    # the same, awaited: each works in a thread

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """See `add`."""
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """See `delete`."""
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """See `delete_nodes`."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)

    async def aclear(self) -> None:
        """See `clear`."""
        await asyncio.to_thread(self.clear)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """See `get_nodes`."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """See `query`."""
        return await asyncio.to_thread(self.query, query, **kwargs)


def _mode(query: VectorStoreQuery) -> VectorStoreQueryMode:
    """The mode that is meant; hybrid at either end of alpha is another one."""
    try:
        mode = VectorStoreQueryMode(query.mode)
    except ValueError:
        raise InvalidInputError(f"unknown query mode; this store answers {MODES}") from None
    if mode is VectorStoreQueryMode.HYBRID and query.alpha is not None:
        ends = {0: VectorStoreQueryMode.TEXT_SEARCH, 1: VectorStoreQueryMode.DEFAULT}
        if query.alpha not in ends:
            raise InvalidInputError("the vault weighs words and vectors itself: alpha may be left out, 0 or 1")
        return ends[int(query.alpha)]
    known = (
        VectorStoreQueryMode.DEFAULT,
        VectorStoreQueryMode.TEXT_SEARCH,
        VectorStoreQueryMode.SPARSE,
        VectorStoreQueryMode.HYBRID,
        VectorStoreQueryMode.MMR,
    )
    if mode not in known:
        raise InvalidInputError(f"this store has no query mode {mode.value!r}; it answers {MODES}")
    return mode


def _embedding(query: VectorStoreQuery) -> list[float]:
    if query.query_embedding is None:
        raise InvalidInputError("this query mode needs a query_embedding")
    return query.query_embedding


def _words(query: VectorStoreQuery) -> str:
    return _text(query.query_str, "query_str")


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"{what} must be text that is not empty")
    return value


def _part(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInputError(f"{what} must be a number from 0 to 1")
    return float(value)
