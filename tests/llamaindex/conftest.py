"""Vaults for the tests of the LlamaIndex adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.vaults import key_in
from vault_core import EphemeralStore, Vault


@pytest.fixture(autouse=True)
def _with_a_loop(loop: None) -> None:
    """See `loop`."""


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A vault in RAM, for tests that don't look at its bytes."""
    with Vault.create(EphemeralStore(), unlock=key_in(tmp_path)) as vault:
        yield vault
