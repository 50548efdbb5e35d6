"""A vault, and clients of the server over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import vaults
from vault_core import Vault


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with vaults.create(tmp_path) as made:
        yield made
