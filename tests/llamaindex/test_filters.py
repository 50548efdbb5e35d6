"""A filter means for the vault what it means for LlamaIndex's own stores."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn, node_to_metadata_dict

from llamaindex_strongroom import StrongroomVectorStore
from support.nodes import ids, node, random_filters, random_nodes
from support.vaults import create
from vault_core.errors import InvalidInputError

ROUNDS, NODES, FILTERS = 5, 25, 500  # 2,500 filters, each over 25 documents

Answer = Callable[[StrongroomVectorStore, MetadataFilters], set[str]]


def theirs(filters: MetadataFilters, metadata: dict[str, Any], raised: Counter[str]) -> bool:
    """What LlamaIndex says: of a flat group by itself, of a nested one part by part."""
    if not any(isinstance(one, MetadataFilters) for one in filters.filters):
        try:
            return build_metadata_filter_fn(lambda _: metadata, filters)("")
        except TypeError:
            raised["TypeError"] += 1
            if len(filters.filters) == 1:
                return filters.condition is FilterCondition.NOT
    parts = [
        theirs(one if isinstance(one, MetadataFilters) else MetadataFilters(filters=[one]), metadata, raised)
        for one in filters.filters
    ]
    match filters.condition:
        case FilterCondition.OR:
            return any(parts)
        case FilterCondition.NOT:
            return not any(parts)
        case _:
            return all(parts)


def cases(seed: int) -> Iterator[tuple[list[TextNode], list[MetadataFilters]]]:
    for number in range(ROUNDS):
        rng = Random(seed + number)
        yield random_nodes(rng, NODES), [random_filters(rng) for _ in range(FILTERS)]


def differences(folder: Path, answer: Answer) -> tuple[int, Counter[str]]:
    """How many filters the store answers otherwise than LlamaIndex, and what the comparison has met."""
    wrong, met = 0, Counter[str]()
    with create(folder) as vault:
        for number, (nodes, all_filters) in enumerate(cases(seed=7)):
            store = StrongroomVectorStore(vault, namespace=("round", str(number)))
            store.add(nodes)
            shown = {one.node_id: node_to_metadata_dict(one) for one in nodes}
            for filters in all_filters:
                expected = {id_ for id_, metadata in shown.items() if theirs(filters, metadata, met)}
                wrong += answer(store, filters) != expected
                met["filters"] += 1
                met["some, not all"] += 0 < len(expected) < NODES
                met.update(operator.name for operator in operators(filters))
    return wrong, met


def operators(filters: MetadataFilters) -> Iterator[FilterOperator]:
    for one in filters.filters:
        yield from operators(one) if isinstance(one, MetadataFilters) else [one.operator]


def ours(store: StrongroomVectorStore, filters: MetadataFilters) -> set[str]:
    return set(ids(store.get_nodes(filters=filters)))


def operator_by_operator(store: StrongroomVectorStore, filters: MetadataFilters) -> set[str]:
    """The translation one would write first, with the vault's own operators: the bug that has to be found."""
    names = {
        "==": "$eq", "!=": "$ne", ">": "$gt", "<": "$lt", ">=": "$gte", "<=": "$lte", "in": "$in", "nin": "$nin",
        "any": "$any", "all": "$all", "contains": "$contains", "text_match": "$match",
        "text_match_insensitive": "$imatch", "is_empty": "$empty",
    }  # fmt: skip

    def translated(group: MetadataFilters) -> dict[str, Any]:
        parts = [
            translated(one)
            if isinstance(one, MetadataFilters)
            else {f"metadata.{one.key}": {names[one.operator.value]: one.value}}
            for one in group.filters
        ]
        return {"$or" if group.condition is FilterCondition.OR else "$and": parts}

    try:
        return {memory.id for memory in store.client.list(namespace=store.namespace, filter=translated(filters))}
    except InvalidInputError:
        return set()


def test_2500_random_filters_choose_the_same_documents_as_llamaindex(tmp_path: Path) -> None:
    wrong, met = differences(tmp_path, ours)

    assert wrong == 0
    assert met["filters"] >= 2_000
    assert met["some, not all"] > 500
    assert all(met[operator.name] > 100 for operator in FilterOperator)
    assert met["TypeError"] > 0


def test_a_translation_that_is_almost_right_is_found(tmp_path: Path) -> None:
    wrong, _ = differences(tmp_path, operator_by_operator)

    assert wrong > 100


def test_a_query_sees_the_same_documents_as_get_nodes(tmp_path: Path) -> None:
    nodes, all_filters = next(cases(seed=3))
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        store.add(nodes)
        for filters in all_filters[:100]:
            query = VectorStoreQuery(query_embedding=nodes[0].embedding, similarity_top_k=NODES, filters=filters)

            assert set(store.query(query).ids or []) == ours(store, filters)


def test_one_odd_document_does_not_break_a_query(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        store.add([node("a", "tea", size=3), node("b", "coffee", size="large")])
        larger = MetadataFilters(filters=[MetadataFilter(key="size", value=2, operator=FilterOperator.GT)])

        assert ids(store.get_nodes(filters=larger)) == ["a"]


def test_a_filter_chooses_by_source_document_under_llamaindex_s_own_keys(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        store.add([node("a", "tea", document="menu"), node("b", "coffee")])

        for key in ("ref_doc_id", "doc_id", "document_id"):
            chosen = MetadataFilters(filters=[MetadataFilter(key=key, value="menu")])
            assert ids(store.get_nodes(filters=chosen)) == ["a"]


def test_no_filters_and_a_group_of_none_let_everything_through(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        store.add([node("a", "tea"), node("b", "coffee")])
        none = MetadataFilters(filters=[])

        assert ids(store.get_nodes(filters=none)) == ["a", "b"]
        assert ids(store.get_nodes(filters=MetadataFilters(filters=[none]))) == ["a", "b"]


def test_filters_nested_without_end_are_refused(tmp_path: Path) -> None:
    deep = MetadataFilters(filters=[MetadataFilter(key="a", value=1)])
    for _ in range(40):
        deep = MetadataFilters(filters=[deep])
    with create(tmp_path) as vault, pytest.raises(InvalidInputError, match="nested"):
        StrongroomVectorStore(vault).get_nodes(filters=deep)


def test_what_is_no_filter_is_refused(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        store.add([node("a", "tea")])
        with pytest.raises(InvalidInputError, match="MetadataFilters"):
            store.get_nodes(filters={"colour": "red"})  # type: ignore[arg-type]
