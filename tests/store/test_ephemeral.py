"""The store in RAM keeps the protocol."""

import pytest

from vault_core.store import EphemeralStore
from vault_core.testing import StoreConformance


class EphemeralPlace:
    """A store that its sessions share."""

    def __init__(self) -> None:
        self.store = EphemeralStore()

    def create(self) -> EphemeralStore:
        return self.store

    def open(self) -> EphemeralStore:
        return self.store.another()


class TestEphemeralStore(StoreConformance):
    @pytest.fixture
    def place(self) -> EphemeralPlace:
        return EphemeralPlace()
