"""Vaults for the tests of the LlamaIndex adapter."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.vaults import key_in
from vault_core import EphemeralStore, Vault


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """A loop for the synchronous methods of LlamaIndex, which would make one and leave it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A vault in RAM, for tests that don't look at its bytes."""
    with Vault.create(EphemeralStore(), unlock=key_in(tmp_path)) as vault:
        yield vault
