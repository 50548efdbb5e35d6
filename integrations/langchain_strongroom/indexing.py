"""LangChain's embeddings, asked for many texts at once; what fails is one of the vault's errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.embeddings import Embeddings

from vault_core.errors import EmbedderMismatchError, InvalidInputError, UnavailableError, VaultError

Vectors = Mapping[str, Any]


def embed(
    embeddings: Embeddings, documents: Sequence[str], queries: Sequence[str], *, dimension: int | None
) -> tuple[Vectors, Vectors]:
    """Vectors of texts and of queries, each by its text.

    Raises:
        UnavailableError: the embeddings failed.
        EmbedderMismatchError: they gave other vectors than the index says.
        InvalidInputError: they are async alone; use the store's async methods.
    """
    if (documents or queries) and getattr(embeddings, "afunc", None) is not None:
        raise InvalidInputError("the index's embed function is async; use aput, asearch or abatch")
    try:
        made = list(embeddings.embed_documents(list(documents))) if documents else []
        asked = [embeddings.embed_query(query) for query in queries]
    except VaultError:
        raise
    except Exception as error:
        raise UnavailableError(f"the index's embeddings failed ({type(error).__name__})") from error
    return _named(documents, made, dimension), _named(queries, asked, dimension)


async def aembed(
    embeddings: Embeddings, documents: Sequence[str], queries: Sequence[str], *, dimension: int | None
) -> tuple[Vectors, Vectors]:
    """See `embed`; an async function is asked on the event loop, any other in a thread."""
    try:
        made = list(await embeddings.aembed_documents(list(documents))) if documents else []
        asked = [await embeddings.aembed_query(query) for query in queries]
    except VaultError:
        raise
    except Exception as error:
        raise UnavailableError(f"the index's embeddings failed ({type(error).__name__})") from error
    return _named(documents, made, dimension), _named(queries, asked, dimension)


def _named(texts: Sequence[str], vectors: Sequence[Any], dimension: int | None) -> Vectors:
    if len(vectors) != len(texts):
        raise EmbedderMismatchError(f"the index's embeddings gave {len(vectors)} vectors for {len(texts)} texts")
    if dimension is not None and any(_size(vector) != dimension for vector in vectors):
        raise EmbedderMismatchError(f"the index says {dimension} dimensions, and its embeddings gave other vectors")
    return dict(zip(texts, vectors, strict=True))


def _size(vector: Any) -> int:
    return len(vector) if hasattr(vector, "__len__") else 0
