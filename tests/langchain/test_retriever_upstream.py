"""LangChain's own suite for retrievers, unmodified."""

from typing import Any

import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests

from langchain_strongroom import StrongroomRetriever
from vault_core import Draft, Vault


@pytest.mark.anyio
class TestStrongroomRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def remember(self, vault: Vault) -> None:
        vault.add_many([Draft(content=f"On day {day} we drank tea") for day in range(5)])
        self._vault = vault

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return StrongroomRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"vault": self._vault}

    @property
    def retriever_query_example(self) -> str:
        return "tea"
