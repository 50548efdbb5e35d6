"""StrongroomVectorStore: documents as memories with vectors of their own.

Rules:
- A document is a memory in exactly the store's namespace, with one vector in the space that is named for the embedding.
  Two embeddings never mix.
- Documents are imported: `vault.search` and briefings leave them out, for a page may hold instructions that are not the
  user's. With `origin="user"` they are the user's own word, and every agent's search finds them.
- Ids are upserts: adding an id again replaces the document and erases the one before. Documents without an id get one.
- Every call that writes is one commit, made after the embedding was asked.
- Similarity is plain cosine, higher is better, min(k, n) documents. `hybrid_search` is the vault's own search.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self
from uuid import uuid4

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import run_in_executor
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from langchain_strongroom.documents import DocumentFilter, document_filter, document_of, draft_of, refuse_more
from langchain_strongroom.embedding import PREFIX, asking, check_count, check_embedding, space_of
from langchain_strongroom.private import Private
from langchain_strongroom.retriever import HYBRID, StrongroomVectorStoreRetriever
from vault_core import EmbedderMismatchError, InvalidInputError, SearchResult, Vault

Scored = list[tuple[Document, float]]


class StrongroomVectorStore(Private, VectorStore):
    """LangChain's vector store on a vault.

    `space` is where the vectors are; by default it is named for the embedding's class and model. Safe from any thread
    and with any number of processes. The async methods ask the embedding's own async methods, and the vault in threads.

    Raises, from every method: `UnavailableError` where the embedding fails, `EmbedderMismatchError` for vectors of
    another embedding or size, `InvalidInputError` (a `ValueError`) for what can't be stored. Nothing is half written.
    """

    def __init__(
        self,
        vault: Vault,
        embedding: Embeddings,
        *,
        namespace: Sequence[str] = ("documents",),
        space: str | None = None,
        origin: str = "import",
        box: str = "main",
    ) -> None:
        self._vault, self._embedding = vault, check_embedding(embedding)
        self._place: dict[str, Any] = {"namespace": namespace, "box": box}
        self._origin = origin
        self.space = space_of(embedding) if space is None else space
        vault.get_many([], **self._place)  # a namespace or box that can't be is refused here

    @property
    def embeddings(self) -> Embeddings:
        """The embedding."""
        return self._embedding

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        vault: Vault | None = None,
        **options: Any,
    ) -> Self:
        """A store on `vault` to which the texts are added; options are those of the class."""
        store = cls(_given(vault), embedding, **options)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        vault: Vault | None = None,
        **options: Any,
    ) -> Self:
        """See `from_texts`."""
        store = cls(_given(vault), embedding, **options)
        await store.aadd_texts(texts, metadatas, ids=ids)
        return store

    # writing

    def add_documents(
        self, documents: list[Document], ids: Sequence[str | None] | None = None, **options: Any
    ) -> list[str]:
        """Add documents in one commit; gives their ids in order.

        `ids` come before the documents' own; where there is neither, one is made. Of two with one id the last holds.
        `batch_size`, which `langchain_core.indexing.index` gives, changes nothing.
        """
        named = _named(documents, ids, options)
        if not named:
            return []
        texts = [document.page_content for _, document in named]
        with asking():
            vectors = check_count(self._embedding.embed_documents(texts), texts)
        return self._add(named, vectors)

    async def aadd_documents(
        self, documents: list[Document], ids: Sequence[str | None] | None = None, **options: Any
    ) -> list[str]:
        """See `add_documents`."""
        named = _named(documents, ids, options)
        if not named:
            return []
        texts = [document.page_content for _, document in named]
        with asking():
            vectors = check_count(await self._embedding.aembed_documents(texts), texts)
        return await run_in_executor(None, self._add, named, vectors)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **options: Any,
    ) -> list[str]:
        """See `add_documents`. Upstream's own would drop the texts for which there is no id."""
        return self.add_documents(_documents(texts, metadatas), ids=ids, **options)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **options: Any,
    ) -> list[str]:
        """See `add_texts`."""
        return await self.aadd_documents(_documents(texts, metadatas), ids=ids, **options)

    def delete(self, ids: Sequence[str] | None = None, *, delete_all: bool = False, **options: Any) -> bool:
        """Erase documents by id in one commit; those that are not there are passed over.

        `delete_all=True` erases every memory in exactly this namespace. Without ids and without it nothing is erased.

        Raises:
            InvalidInputError: neither ids nor `delete_all`.
        """
        refuse_more(options)
        if delete_all == (ids is not None):
            raise InvalidInputError("say what to delete: ids, or delete_all=True for all of the namespace")
        if ids is not None:
            self._vault.forget_many(ids, missing_ok=True, **self._place)
        else:
            exactly = {"namespace": list(self._place["namespace"])}
            self._vault.forget_many(filter=exactly, **self._place)
        return True

    # reading

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, in order; those that are not there are left out."""
        return [document_of(memory) for memory in self._vault.get_many(ids, **self._place) if memory is not None]

    def similarity_search(
        self, query: str, k: int = 4, filter: DocumentFilter = None, **options: Any
    ) -> list[Document]:
        """The min(k, n) nearest documents, best first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter, **options)]

    async def asimilarity_search(
        self, query: str, k: int = 4, filter: DocumentFilter = None, **options: Any
    ) -> list[Document]:
        """See `similarity_search`."""
        return [document for document, _ in await self.asimilarity_search_with_score(query, k, filter, **options)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: DocumentFilter = None, **options: Any
    ) -> Scored:
        """The nearest documents with their cosines, -1 to 1, higher for better."""
        refuse_more(options)
        return self.similarity_search_with_score_by_vector(self._asked(query), k, filter)

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, filter: DocumentFilter = None, **options: Any
    ) -> Scored:
        """See `similarity_search_with_score`."""
        refuse_more(options)
        vector = await self._aasked(query)
        return await run_in_executor(None, self.similarity_search_with_score_by_vector, vector, k, filter)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: DocumentFilter = None, **options: Any
    ) -> list[Document]:
        """The nearest documents to a vector of the same embedding."""
        refuse_more(options)
        return [document for document, _ in self.similarity_search_with_score_by_vector(embedding, k, filter)]

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, filter: DocumentFilter = None
    ) -> Scored:
        """The nearest documents to a vector, with their cosines."""
        return [(document_of(hit.memory), hit.score) for hit in self._near(embedding, k, filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: DocumentFilter = None,
        **options: Any,
    ) -> list[Document]:
        """Of the `fetch_k` nearest, `k` that are near and unlike each other, by upstream's own formula."""
        refuse_more(options)
        return self.max_marginal_relevance_search_by_vector(self._asked(query), k, fetch_k, lambda_mult, filter)

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: DocumentFilter = None,
        **options: Any,
    ) -> list[Document]:
        """See `max_marginal_relevance_search`."""
        refuse_more(options)
        vector = await self._aasked(query)
        return await run_in_executor(
            None, self.max_marginal_relevance_search_by_vector, vector, k, fetch_k, lambda_mult, filter
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: DocumentFilter = None,
        **options: Any,
    ) -> list[Document]:
        """See `max_marginal_relevance_search`."""
        refuse_more(options)
        hits = self._near(embedding, fetch_k, filter)
        vectors = [next(iter(hit.memory.vectors[self.space].values())).tolist() for hit in hits]
        chosen = maximal_marginal_relevance(np.asarray(embedding, np.float32), vectors, lambda_mult, k)
        return [document_of(hits[place].memory) for place in chosen]

    def hybrid_search(self, query: str, k: int = 4, filter: DocumentFilter = None, **options: Any) -> list[Document]:
        """The vault's own search, by words and by this embedding together; what is far worse than the best is cut."""
        refuse_more(options)
        return self._hybrid(query, self._asked(query), k, filter)

    async def ahybrid_search(
        self, query: str, k: int = 4, filter: DocumentFilter = None, **options: Any
    ) -> list[Document]:
        """See `hybrid_search`."""
        refuse_more(options)
        return await run_in_executor(None, self._hybrid, query, await self._aasked(query), k, filter)

    def search(self, query: str, search_type: str, **options: Any) -> list[Document]:
        """As upstream's, with `"hybrid"` as one more search type."""
        return (
            self.hybrid_search(query, **options)
            if search_type == HYBRID
            else super().search(query, search_type, **options)
        )

    async def asearch(self, query: str, search_type: str, **options: Any) -> list[Document]:
        """See `search`."""
        if search_type == HYBRID:
            return await self.ahybrid_search(query, **options)
        return await super().asearch(query, search_type, **options)

    def as_retriever(self, **options: Any) -> VectorStoreRetriever:
        """A retriever over this store; `search_type` may also be `"hybrid"`."""
        tags = options.pop("tags", None) or self._get_retriever_tags()
        return StrongroomVectorStoreRetriever(vectorstore=self, tags=tags, **options)

    def _select_relevance_score_fn(self) -> Any:
        return lambda cosine: min(max(cosine, 0.0), 1.0)  # what points the other way is not relevant at all

    def _asked(self, query: str) -> list[float]:
        with asking():
            return self._embedding.embed_query(query)

    async def _aasked(self, query: str) -> list[float]:
        with asking():
            return await self._embedding.aembed_query(query)

    def _add(self, named: Sequence[tuple[str, Document]], vectors: Iterable[Any]) -> list[str]:
        namespace, box = self._place["namespace"], self._place["box"]
        drafts = [
            draft_of(document, id=id_, namespace=namespace, origin=self._origin, space=self.space, vector=vector)
            for (id_, document), vector in zip(named, vectors, strict=True)
        ]
        self._vault.add_many(drafts, box=box)
        return [id_ for id_, _ in named]

    def _near(self, vector: Any, k: int, given: DocumentFilter) -> list[SearchResult]:
        hits = self._vault.find_similar(
            vector,
            top_k=k,
            space=self.space,
            filter=document_filter(given),
            exact=True,
            include_untrusted=True,
            **self._place,
        )
        if not hits and given is None:
            self._check_embedding()
        return hits

    def _hybrid(self, query: str, vector: Any, k: int, given: DocumentFilter) -> list[Document]:
        hits = self._vault.search(
            query,
            top_k=k,
            query_vector=vector,
            space=self.space,
            filter=document_filter(given),
            exact=True,
            include_untrusted=True,
            **self._place,
        )
        return [document_of(hit.memory) for hit in hits]

    def _check_embedding(self) -> None:
        """Refuse to find nothing where another embedding's vectors are: that would look like an empty store."""
        for memory in self._vault.list(exact=True, limit=1, **self._place):
            others = [name for name in memory.vectors if name.startswith(PREFIX)]
            if others and self.space not in memory.vectors:
                raise EmbedderMismatchError(
                    f"the documents here have vectors of {others[0]!r}, not of {self.space!r}; "
                    "use that embedding, or add the documents again with this one"
                )


def _given(vault: Vault | None) -> Vault:
    if vault is None:
        raise InvalidInputError("give an open vault: from_texts(texts, embedding, vault=vault)")
    return vault


def _documents(texts: Iterable[str], metadatas: Sequence[dict[str, Any]] | None) -> list[Document]:
    given = list(texts)
    if not all(isinstance(text, str) for text in given):
        raise InvalidInputError("add_texts takes texts")
    beside = [{} for _ in given] if metadatas is None else list(metadatas)
    if len(beside) != len(given):
        raise InvalidInputError(f"there are {len(beside)} metadatas for {len(given)} texts; give one for each")
    return [Document(page_content=text, metadata=one or {}) for text, one in zip(given, beside, strict=True)]


def _named(
    documents: Iterable[Document], ids: Sequence[str | None] | None, options: dict[str, Any]
) -> list[tuple[str, Document]]:
    """Each document with its id, made where there is none."""
    options.pop("batch_size", None)
    refuse_more(options)
    given = list(documents)
    if not all(isinstance(document, Document) for document in given):
        raise InvalidInputError("add_documents takes Document values")
    names = [document.id for document in given] if ids is None else list(ids)
    if len(names) != len(given):
        raise InvalidInputError(f"there are {len(names)} ids for {len(given)} documents; give one for each, or None")
    return [(str(uuid4()) if name is None else name, document) for name, document in zip(names, given, strict=True)]
