"""Memories as documents and back, and LangChain's filters as the vault's.

- A document's text, metadata and id are the memory's content, metadata and id, unchanged in both directions. JSON
  content, which documents don't have, is given as its JSON text.
- A retriever's documents say what else the vault knows, under the key `strongroom` of their metadata.
- In a dict filter for documents a key is a metadata key, dotted for nested ones; values and operators are the vault's.
  A function gets the document.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from langchain_core.documents import Document

from vault_core import Draft, Filter, InvalidInputError, Memory, SearchResult

ABOUT = "strongroom"
_NESTING = ("$and", "$or")

DocumentTest = Callable[[Document], bool]
DocumentFilter = Mapping[str, Any] | Filter | DocumentTest | None


def document_of(memory: Memory) -> Document:
    """The document that a memory is: its text, metadata and id, and nothing else."""
    return Document(id=memory.id, page_content=memory.text, metadata=dict(memory.metadata))


def found_document(hit: SearchResult) -> Document:
    """The document of a hit, with what the vault knows of it under `metadata["strongroom"]`."""
    document = document_of(hit.memory)
    document.metadata[ABOUT] = {"score": hit.score, **about(hit.memory)}
    return document


def about(memory: Memory) -> dict[str, Any]:
    """What the vault knows of a memory besides its content, as JSON; what isn't known is left out."""
    known = {
        "namespace": list(memory.namespace),
        "memory_type": memory.memory_type,
        "tier": memory.tier,
        "origin": memory.origin,
        "trust": memory.trust,
        "tags": list(memory.tags),
        "source": memory.source,
        "thread": memory.thread,
        "event_time": _written(memory.event_time),
        "created_at": _written(memory.created_at),
        "updated_at": _written(memory.updated_at),
    }
    return {name: value for name, value in known.items() if value not in (None, [])}


def draft_of(document: Document, *, id: str, namespace: Sequence[str], origin: str, space: str, vector: Any) -> Draft:
    """The memory that a document becomes: a statement of fact that replaces, without a trace, the one with its id."""
    return Draft(
        content=document.page_content,
        id=id,
        namespace=namespace,
        memory_type="SEMANTIC",  # a chunk that says "I prefer" is not the user's own word
        metadata=document.metadata,
        origin=origin,
        vectors={space: vector},
        keep_history=False,
    )


def document_filter(given: DocumentFilter) -> Any:
    """The vault's filter for a filter over documents: metadata keys in a dict, or a function of a document."""
    if given is None or isinstance(given, Filter):
        return given
    if isinstance(given, Mapping):
        return _of_metadata(given)
    return document_test(given)


def document_test(given: Any) -> Callable[[Memory], bool]:
    """The function of a memory that a function of a document is."""
    if not callable(given):
        raise InvalidInputError("a filter is a dict such as {'source': 'wiki'}, or a function of a Document")
    return lambda memory: bool(given(document_of(memory)))


def refuse_more(options: Mapping[str, Any]) -> None:
    """Refuse options that nobody reads: a misspelt filter must not show what it should hide."""
    if options:
        raise InvalidInputError(f"unknown option {min(options)!r}; there are k and filter, and those of the method")


def _of_metadata(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given  # refused by the vault, which says why
    return {_path(key): _below(key, value) for key, value in given.items()}


def _path(key: Any) -> Any:
    return f"metadata.{key}" if isinstance(key, str) and not key.startswith("$") else key


def _below(key: Any, value: Any) -> Any:
    if key in _NESTING and isinstance(value, list | tuple):
        return [_of_metadata(part) for part in value]
    return _of_metadata(value) if key == "$not" else value


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
