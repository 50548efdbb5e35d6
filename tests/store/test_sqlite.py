"""The SQLite store keeps the protocol, and what is its own."""

from pathlib import Path

import pytest

from vault_core.store import SqliteStore
from vault_core.testing import StoreConformance


class SqlitePlace:
    """A file that is not there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> SqliteStore:
        return SqliteStore(self.path, create=True)

    def open(self) -> SqliteStore:
        return SqliteStore(self.path)


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> SqlitePlace:
        return SqlitePlace(tmp_path / "alice.vault")
