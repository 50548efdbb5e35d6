"""The embedder protocol, and what makes one of other people's objects.

To add an embedder (docs/how-to/embedder.md): the four members of `Embedder`, raising `UnavailableError` when the model
can't be reached. A fingerprint names the model and everything that changes its vectors.
"""

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vault_core.errors import (
    EmbedderMismatchError,
    EmbedderUnavailableWarning,
    InvalidInputError,
    UnavailableError,
    VaultError,
)
from vault_core.memory.draft import check_vector
from vault_core.memory.limits import MAX_DIMENSION
from vault_core.memory.model import Vector


class Embedder(Protocol):
    """Gives vectors for texts. Called outside of every lock, maybe from several threads.

    `dimension` and `fingerprint` may have to ask the model too, and may raise `UnavailableError` as the others do.
    """

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        ...

    @property
    def fingerprint(self) -> str:
        """The name of what makes the vectors; the same name, the same vectors."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Sequence[Any]:
        """One vector for each text, in order."""
        ...

    def embed_query(self, text: str) -> Any:
        """The vector of a query."""
        ...


@dataclass(frozen=True, slots=True)
class CallableEmbedder:
    """An embedder from a function that takes a list of texts and gives a list of vectors."""

    function: Callable[[list[str]], Sequence[Any]]
    dimension: int
    fingerprint: str

    def embed_documents(self, texts: Sequence[str]) -> Sequence[Any]:
        """See `Embedder.embed_documents`."""
        return self.function(list(texts))

    def embed_query(self, text: str) -> Any:
        """See `Embedder.embed_query`."""
        return self.function([text])[0]


@dataclass(frozen=True, slots=True)
class _Adapted:
    """An object that has VaultMem's `embed` and maybe `embed_batch`."""

    inner: Any
    dimension: int
    fingerprint: str

    def embed_documents(self, texts: Sequence[str]) -> Sequence[Any]:
        batch = getattr(self.inner, "embed_batch", None)
        if batch is not None:
            return batch(list(texts))  # type: ignore[no-any-return]  # checked by embed_checked
        return [self.inner.embed(text) for text in texts]

    def embed_query(self, text: str) -> Any:
        return self.inner.embed(text)


def as_embedder(given: Any) -> Embedder | None:
    """The embedder in what a caller hands over: an `Embedder`, a VaultMem embedder, or None.

    Raises:
        InvalidInputError: it is none of these.
    """
    if given is None:
        return None
    if hasattr(given, "embed_documents") and hasattr(given, "embed_query"):
        if not (_has(given, "dimension") and _has(given, "fingerprint")):
            raise InvalidInputError("an embedder needs `dimension` and `fingerprint`; wrap it in CallableEmbedder")
        return given  # type: ignore[no-any-return]  # checked for the protocol's shape just above
    if hasattr(given, "embed"):
        dimension = getattr(given, "dimension", None) or getattr(given, "dim", None) or len(given.embed("dimension"))
        name = getattr(given, "fingerprint", None) or getattr(given, "model_name", None) or type(given).__name__
        return _Adapted(given, int(dimension), str(name))
    raise InvalidInputError("an embedder has embed_documents, embed_query, dimension and fingerprint")


def _has(given: Any, name: str) -> bool:
    """Whether there is such a member; a property is not asked, for that may take a model."""
    return inspect.getattr_static(given, name, None) is not None or hasattr(given, name)


def embed_checked(embedder: Embedder, texts: Sequence[str]) -> list[Vector]:
    """Vectors for texts, every one checked.

    Raises:
        UnavailableError: the embedder failed.
        EmbedderMismatchError: it gave other dimensions or another number of vectors than it should.
    """
    try:
        vectors = embedder.embed_documents(texts)
    except VaultError:
        raise
    except Exception as error:
        raise UnavailableError(f"the embedder failed ({type(error).__name__})") from error
    return _checked(embedder, vectors, len(texts))


def embed_query_checked(embedder: Embedder, text: str) -> Vector:
    """The vector of a query, checked. Raises as `embed_checked` does."""
    try:
        vector = embedder.embed_query(text)
    except VaultError:
        raise
    except Exception as error:
        raise UnavailableError(f"the embedder failed ({type(error).__name__})") from error
    return _checked(embedder, [vector], 1)[0]


def fingerprint_of(embedder: Embedder) -> str:
    """The embedder's name for its vectors.

    Raises:
        UnavailableError: the embedder had to ask, and failed.
        InvalidInputError: it is no text.
    """
    try:
        name = embedder.fingerprint
    except VaultError:
        raise
    except Exception as error:
        raise UnavailableError(f"the embedder failed ({type(error).__name__})") from error
    if not isinstance(name, str):
        raise InvalidInputError("an embedder's fingerprint must be text")
    return name


def dimension_of(embedder: Embedder) -> int:
    """How many numbers the embedder's vectors have. Raises as `fingerprint_of` does."""
    try:
        dimension = embedder.dimension
    except VaultError:
        raise
    except Exception as error:
        raise UnavailableError(f"the embedder failed ({type(error).__name__})") from error
    if type(dimension) is not int or not 1 <= dimension <= MAX_DIMENSION:
        raise InvalidInputError(f"an embedder's dimension must be a number from 1 to {MAX_DIMENSION:,}")
    return dimension


def warn_unavailable(what: str, error: UnavailableError) -> None:
    """Tell the caller that it goes on without the embedder, at the line outside of this package that called."""
    depth, frame = 1, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "vault_core":
        depth, frame = depth + 1, frame.f_back
    warnings.warn(f"{what}: {error}", EmbedderUnavailableWarning, stacklevel=depth)


def _checked(embedder: Embedder, vectors: Sequence[Any], count: int) -> list[Vector]:
    try:
        checked = [check_vector(vector) for vector in vectors]
    except (InvalidInputError, TypeError):
        raise EmbedderMismatchError("the embedder gave something that is no vector; check its settings") from None
    if len(checked) != count:
        raise EmbedderMismatchError(f"the embedder gave {len(checked)} vectors for {count} texts; check its settings")
    dimension = dimension_of(embedder)
    if any(len(vector) != dimension for vector in checked):
        raise EmbedderMismatchError(
            f"the embedder says {dimension} dimensions but gave other vectors; check its settings"
        )
    return checked
