"""LangChain's embeddings as the vault wants them: a name for their vectors, and failures as its own errors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.embeddings import Embeddings

from vault_core import EmbedderMismatchError, InvalidInputError, UnavailableError, VaultError

PREFIX = "langchain:"
_MODEL = ("model", "model_name", "model_id", "deployment")  # where LangChain's classes keep the model's name


def space_of(embedding: Embeddings) -> str:
    """The name of the space for an embedding's vectors: its class and its model, if it names one."""
    names = (getattr(embedding, attribute, None) for attribute in _MODEL)
    model = next((name for name in names if isinstance(name, str) and name), "")
    return PREFIX + ":".join(filter(None, (type(embedding).__name__, model)))


def check_embedding(given: Any) -> Embeddings:
    """Something with LangChain's two methods."""
    if not (callable(getattr(given, "embed_documents", None)) and callable(getattr(given, "embed_query", None))):
        raise InvalidInputError("an embedding has embed_documents and embed_query, as langchain_core's Embeddings")
    return given  # type: ignore[no-any-return]  # checked for its shape just above


def check_count(vectors: Sequence[Any], texts: Sequence[str]) -> Sequence[Any]:
    """One vector for each text.

    Raises:
        EmbedderMismatchError: more or fewer.
    """
    if len(vectors) != len(texts):
        raise EmbedderMismatchError(f"the embedding gave {len(vectors)} vectors for {len(texts)} texts")
    return vectors


@contextmanager
def asking() -> Iterator[None]:
    """While an embedding is asked: what it raises becomes `UnavailableError`, with the cause kept."""
    try:
        yield
    except VaultError:
        raise
    except Exception as error:
        raise UnavailableError(f"the embedding failed ({type(error).__name__})") from error
