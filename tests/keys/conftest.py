"""A vault that a key file opens, and the certainty that no agent outlives a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import agents, vaults


@pytest.fixture
def alone() -> Iterator[None]:
    """No agent before the test and none after it."""
    with agents.none_left():
        yield


@pytest.fixture
def place(tmp_path: Path, alone: None) -> Path:
    """A vault with one memory."""
    with vaults.create(tmp_path) as vault:
        vault.add("green tea")
    return tmp_path / vaults.NAME
