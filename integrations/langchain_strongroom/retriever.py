"""Retrievers: the vault's own search, and upstream's over a vector store with hybrid search added."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from langchain_core.vectorstores import VectorStoreRetriever
from pydantic import ConfigDict, Field

from langchain_strongroom.documents import document_test, found_document
from langchain_strongroom.private import Private
from vault_core import Filter, InvalidInputError, Vault

HYBRID = "hybrid"
_OPTIONS = frozenset(
    {"k", "mode", "score_threshold", "diversity", "filter", "memory_type", "thread", "include_untrusted"}
)


class StrongroomRetriever(Private, BaseRetriever):
    """Finds memories of any agent: by words and, if the vault has an embedder, by meaning.

    A document's metadata are the memory's own; what else the vault knows, such as the score, is under `strongroom`.
    Each option may also be given to one call: `retriever.invoke(query, k=3)`. Queries and documents are in clear for
    LangChain's callbacks and traces, as those of every retriever. `ainvoke` works
    in a thread.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)

    vault: Vault = Field(exclude=True, repr=False)
    namespace: tuple[str, ...] | None = Field(default=None, exclude=True, repr=False)
    """Where to search, and below; None for the whole vault."""
    exact: bool = False
    """Only this namespace, not what is below it."""
    k: int = 4
    """How many documents at most."""
    mode: Literal["hybrid", "lexical", "dense"] = "hybrid"
    """`dense` is plain cosine with min(k, n) documents and needs the vault's embedder."""
    score_threshold: float | None = None
    """The least score of a document; scores are comparable within one mode."""
    diversity: float | None = None
    """0 to 1: prefer documents that are unlike each other (maximal marginal relevance, 1 - lambda_mult)."""
    filter: Mapping[str, Any] | Filter | Callable[[Document], bool] | None = Field(
        default=None, exclude=True, repr=False
    )
    """The vault's own filter, such as `{"tags": {"$contains": "tea"}}`, or a function of a document."""
    memory_type: str | None = None
    include_untrusted: bool = False
    """Also what came from tools, pages and files, as documents of a `StrongroomVectorStore` do."""
    thread: str | None = Field(default=None, exclude=True, repr=False)

    def __init__(self, vault: Vault, **options: Any) -> None:
        super().__init__(vault=vault, **options)  # type: ignore[call-arg]  # a field of this class

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002  upstream gives it by name
        **options: Any,
    ) -> list[Document]:
        return self._found(query, options)

    async def _aget_relevant_documents(  # upstream's own takes no options
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002  as above
        **options: Any,
    ) -> list[Document]:
        return await run_in_executor(None, self._found, query, options)

    def _found(self, query: str, options: Mapping[str, Any]) -> list[Document]:
        unknown = set(options) - _OPTIONS
        if unknown:
            raise InvalidInputError(f"unknown option {min(unknown)!r}; there are {', '.join(sorted(_OPTIONS))}")
        asked = {name: getattr(self, name) for name in _OPTIONS} | dict(options)
        test = asked.pop("filter")
        hits = self.vault.search(
            query,
            top_k=asked.pop("k"),
            min_score=asked.pop("score_threshold"),
            namespace=self.namespace,
            exact=self.exact,
            filter=document_test(test) if callable(test) else test,
            **asked,
        )
        return [found_document(hit) for hit in hits]


class StrongroomVectorStoreRetriever(Private, VectorStoreRetriever):
    """Upstream's retriever over a vector store, with `"hybrid"` as one more search type."""

    allowed_search_types: ClassVar[Sequence[str]] = (*VectorStoreRetriever.allowed_search_types, HYBRID)
    search_kwargs: dict[str, Any] = Field(default_factory=dict, exclude=True, repr=False)  # filters are the user's

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        if self.search_type == HYBRID:
            return self.vectorstore.search(query, HYBRID, **self.search_kwargs | kwargs)
        return super()._get_relevant_documents(query, run_manager=run_manager, **kwargs)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        if self.search_type == HYBRID:
            return await self.vectorstore.asearch(query, HYBRID, **self.search_kwargs | kwargs)
        return await super()._aget_relevant_documents(query, run_manager=run_manager, **kwargs)
