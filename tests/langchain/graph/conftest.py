"""Stores for the tests of this folder."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from langchain_strongroom import StrongroomStore
from support import vaults
from support.langgraph_stores import Awaited, expect
from vault_core import Vault

Make = Callable[..., Any]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "differs(reason): upstream's InMemoryStore does this otherwise")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A vault in RAM."""
    with Vault.create("memory://", unlock=vaults.key_in(tmp_path)) as vault:
        yield vault
        vault.verify(full=True)


@pytest.fixture(params=["ours", "ours awaited", "upstream"])
def make(request: pytest.FixtureRequest, vault: Vault) -> Make:
    """Makes a store from its options."""
    if request.param == "upstream":
        expect(request)
        return InMemoryStore
    if request.param == "ours":
        return lambda **options: StrongroomStore(vault, **options)
    return lambda **options: Awaited(StrongroomStore(vault, **options))


@pytest.fixture
def store(make: Make) -> Any:
    """A store without options."""
    return make()
