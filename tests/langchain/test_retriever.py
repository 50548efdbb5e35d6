"""StrongroomRetriever: the vault's search for LangChain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError

from langchain_strongroom import StrongroomRetriever
from support.vaults import create
from vault_core import Draft, InvalidInputError, Vault
from vault_core.testing import FakeEmbedder

MEMORIES = [
    Draft(content="I prefer green tea", id="tea", namespace=("alice",), metadata={"topic": "drinks"}, tags=["taste"]),
    Draft(
        content="I prefer green tea in the morning", id="morning", namespace=("alice",), metadata={"topic": "drinks"}
    ),
    Draft(content="My bike is green", id="bike", namespace=("alice", "work"), thread="talk", source="alice"),
    Draft(content="Bob drinks green tea too", id="bob", namespace=("bob",), memory_type="EPISODIC"),
]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create(tmp_path, embedder=FakeEmbedder()) as opened:
        opened.add_many(MEMORIES)
        yield opened


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_documents_say_what_the_vault_knows_of_them(vault: Vault) -> None:
    vault.update("tea", namespace=("alice",), event_time="2026-01-02T03:04:05Z")

    found = StrongroomRetriever(vault, namespace=("alice",), k=1, mode="dense").invoke("I prefer green tea")[0]

    assert (found.id, found.page_content, found.metadata["topic"]) == ("tea", "I prefer green tea", "drinks")
    known = found.metadata["strongroom"]
    assert known["score"] == pytest.approx(1.0, abs=1e-5)
    assert (known["namespace"], known["tags"]) == (["alice"], ["taste"])
    assert known["event_time"] == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mode": "dense"}, {"tea", "morning", "bike", "bob"}),
        ({"mode": "dense", "namespace": ("alice",)}, {"tea", "morning", "bike"}),
        ({"namespace": ("alice",), "exact": True}, {"tea", "morning"}),
        ({"filter": {"metadata.topic": "drinks"}}, {"tea", "morning"}),
        ({"filter": {"tags": {"$contains": "taste"}}}, {"tea"}),
        ({"filter": lambda document: "morning" in document.page_content}, {"morning"}),
        ({"memory_type": "EPISODIC"}, {"bob"}),
        ({"thread": "talk"}, {"bike"}),
        ({"k": 2}, 2),
        ({"mode": "dense", "score_threshold": 0.99}, {"tea"}),
        ({"mode": "lexical", "k": 1}, 1),
        ({"diversity": 0.0, "k": 2}, {"tea", "morning"}),
        ({"diversity": 1.0, "k": 2, "mode": "dense"}, {"tea", "bike"}),
    ],
    ids=[
        "all", "namespace", "exact", "filter", "tags", "function", "type", "thread", "k", "threshold", "lexical",
        "alike", "diverse",
    ],
)  # fmt: skip
def test_options_do_the_same_for_all_calls_and_for_one(
    vault: Vault, options: dict[str, Any], expected: set[str] | int
) -> None:
    fixed = StrongroomRetriever(vault, **options).invoke("I prefer green tea")

    assert (len(fixed) if isinstance(expected, int) else set(ids(fixed))) == expected
    if not {"namespace", "exact"} & set(options):
        assert ids(StrongroomRetriever(vault).invoke("I prefer green tea", **options)) == ids(fixed)


def test_what_came_from_a_page_is_found_only_on_request(vault: Vault) -> None:
    vault.add("Green tea is the best, says the page", id="page", namespace=("pages",), origin="web")
    retriever = StrongroomRetriever(vault, namespace=("pages",))

    assert retriever.invoke("green tea") == []
    (found,) = retriever.invoke("green tea", include_untrusted=True)
    assert (found.id, found.metadata["strongroom"]["trust"]) == ("page", "untrusted")


def test_a_memory_of_json_is_a_document_of_its_text(vault: Vault) -> None:
    vault.add({"city": "Uji", "visits": [2021, 2023]}, namespace=("trips",))

    found = StrongroomRetriever(vault, namespace=("trips",)).invoke("Uji")[0]

    assert found.page_content == '{"city":"Uji","visits":[2021,2023]}'


@pytest.mark.anyio
async def test_async_callers_find_the_same(vault: Vault) -> None:
    retriever = StrongroomRetriever(vault)

    assert ids(await retriever.ainvoke("green tea", k=2)) == ids(retriever.invoke("green tea", k=2))
    assert [ids(found) for found in await retriever.abatch(["tea", "bike"])] == [
        ids(found) for found in retriever.batch(["tea", "bike"])
    ]


def test_options_may_be_configurable_as_those_of_any_runnable(vault: Vault) -> None:
    retriever = StrongroomRetriever(vault).configurable_fields(k=ConfigurableField(id="k"))

    assert len(retriever.invoke("green tea", config={"configurable": {"k": 1}})) == 1


def test_a_call_can_not_leave_the_namespace(vault: Vault) -> None:
    retriever = StrongroomRetriever(vault, namespace=("alice",))

    with pytest.raises(InvalidInputError, match="namespace"):
        retriever.invoke("green tea", namespace=("bob",))
    assert ids(retriever.invoke("green tea", filter={"namespace": ["bob"]})) == []


@pytest.mark.parametrize("options", [{"k": 0}, {"filter": {"topic": "drinks"}}, {"filters": {}}, {"diversity": 2}])
def test_options_that_mean_nothing_are_refused(vault: Vault, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        StrongroomRetriever(vault).invoke("green tea", **options)


def test_a_wrong_argument_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValidationError) as caught:
        StrongroomRetriever("hunter2", k="hunter2")  # type: ignore[arg-type]

    assert "hunter2" not in str(caught.value)
