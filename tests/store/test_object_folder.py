"""A vault as files of a folder keeps the protocol."""

from pathlib import Path

import pytest

from vault_core.store.object import ObjectStore
from vault_core.testing import StoreConformance


class FolderPlace:
    """A folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.url = folder.as_uri()

    def create(self) -> ObjectStore:
        return ObjectStore(self.url, create=True)

    def open(self) -> ObjectStore:
        return ObjectStore(self.url)


class TestFolder(StoreConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> FolderPlace:
        return FolderPlace(tmp_path / "vault")
