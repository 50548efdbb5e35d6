"""LlamaIndex's filters as one leaf of the vault's filter tree, judged by LlamaIndex's own function.

Nothing is translated operator by operator: the two trees differ in small things (True and 1, `None`, substrings by
`in`, `lower` and `casefold`), and what a user wrote for LlamaIndex should mean what it means there. The vault asks the
leaf for each memory in question, from its catalogue; no record is opened.

Rules:
- One filter is what `build_metadata_filter_fn` says of it. Where that raises, because a value can't be compared with
  the filter's, the filter does not hold for this node: one odd document must not break every query.
- Groups nest; `not` holds when none of its parts does; no condition is `and`; an empty group holds.
- `document_id`, `doc_id`, `ref_doc_id` and `_node_type` are there as in LlamaIndex's own stores.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from llamaindex_strongroom.nodes import RESERVED
from vault_core import Filter
from vault_core.errors import InvalidInputError

Metadata = Mapping[str, Any]
Judge = Callable[[Metadata], bool]

MAX_DEPTH = 32  # as in the vault's own filters
_NO_DOCUMENT = "None"  # what LlamaIndex's stores say of a node without a source


class NodeFilter(Filter):
    """The nodes that a query may see: of these ids, of these source documents, with such metadata. None asks nothing.

    An empty list of ids or documents lets nothing through.
    """

    __slots__ = ("_doc_ids", "_judge", "_namespace", "_node_ids")

    def __init__(
        self,
        *,
        filters: MetadataFilters | None = None,
        node_ids: Iterable[str] | None = None,
        doc_ids: Iterable[str] | None = None,
        namespace: tuple[str, ...] | None = None,
    ) -> None:
        self._judge = judge_of(filters)
        self._node_ids = _ids(node_ids, "node_ids")
        self._doc_ids = _ids(doc_ids, "doc_ids")
        self._namespace = None if namespace is None else list(namespace)

    @property
    def asks(self) -> bool:
        """Whether anything is kept out at all."""
        given = (self._judge, self._node_ids, self._doc_ids, self._namespace)
        return any(one is not None for one in given)

    def matches(self, lookup: Any) -> bool:
        """See `Filter.matches`."""
        if self._namespace is not None and lookup(("namespace",)) != self._namespace:
            return False
        if self._node_ids is not None and lookup(("id",)) not in self._node_ids:
            return False
        document = lookup(("thread",)) or None  # a missing value is false, and a thread is never empty
        if self._doc_ids is not None and document not in self._doc_ids:
            return False
        return self._judge is None or self._judge(_seen(lookup(("metadata",)) or {}, document))


def judge_of(filters: MetadataFilters | None) -> Judge | None:
    """What decides over a node's metadata; None where everything counts.

    Raises:
        InvalidInputError: nested too deep, or something else than filters.
    """
    if filters is None:
        return None
    if not isinstance(filters, MetadataFilters):
        raise InvalidInputError("filters must be a MetadataFilters")
    return _group(filters, 0) if filters.filters else None


def _group(group: MetadataFilters, depth: int) -> Judge:
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"filters are nested deeper than {MAX_DEPTH} levels")
    parts = [_group(one, depth + 1) if isinstance(one, MetadataFilters) else _leaf(one) for one in group.filters]
    if not parts:
        return lambda _: True
    if group.condition is FilterCondition.OR:
        return lambda metadata: any(part(metadata) for part in parts)
    if group.condition is FilterCondition.NOT:
        return lambda metadata: not any(part(metadata) for part in parts)
    return lambda metadata: all(part(metadata) for part in parts)


def _leaf(one: MetadataFilter) -> Judge:
    # Theirs looks metadata up by node id; ours hands the metadata over as the id.
    judge: Callable[[Any], bool] = build_metadata_filter_fn(lambda metadata: metadata, MetadataFilters(filters=[one]))  # type: ignore[arg-type,return-value]

    def decided(metadata: Metadata) -> bool:
        try:
            return bool(judge(metadata))
        except TypeError:
            return False

    return decided


def _seen(metadata: Metadata, document: str | None) -> Metadata:
    """The metadata as LlamaIndex's own stores would show them to a filter."""
    rest = metadata.get(RESERVED)
    source = document or _NO_DOCUMENT
    own = {"document_id": source, "doc_id": source, "ref_doc_id": source}
    if isinstance(rest, Mapping):
        own["_node_type"] = rest.get("class_name", "")
    return {**{key: value for key, value in metadata.items() if key != RESERVED}, **own}


def _ids(given: Iterable[str] | None, what: str) -> frozenset[str] | None:
    if given is None:
        return None
    if isinstance(given, str):
        raise InvalidInputError(f"{what} must be a list of ids, not a single text")
    try:
        return frozenset(given)
    except TypeError:
        raise InvalidInputError(f"{what} must be a list of ids") from None
