"""A vault for each test, and the event loop that async tests run on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from support.vaults import create
from vault_core import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create(tmp_path) as opened:
        yield opened


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def ticking() -> Callable[[], AbstractAsyncContextManager[None]]:
    """A context in which the event loop has to get its turn while the vault works in threads."""
    return _ticking


@asynccontextmanager
async def _ticking() -> AsyncIterator[None]:
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    yield
    ticker.cancel()
    assert turns > 200, f"the loop had {turns} turns"
