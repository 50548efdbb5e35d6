"""LangChain's own suite for vector stores, unmodified."""

import pytest
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from langchain_strongroom import StrongroomVectorStore
from vault_core import Vault


@pytest.mark.anyio
class TestStrongroomVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, vault: Vault) -> VectorStore:  # type: ignore[override]  # upstream's is a generator
        return StrongroomVectorStore(vault, self.get_embeddings())
