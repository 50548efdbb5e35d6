"""The PostgreSQL store keeps the protocol."""

from collections.abc import Iterator

import pytest

from support.postgres import Server
from vault_core.store.postgres import PostgresStore
from vault_core.testing import StoreConformance


class PostgresPlace:
    """A name in a database that no vault has yet."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create(self) -> PostgresStore:
        return PostgresStore(self.url, create=True)

    def open(self) -> PostgresStore:
        return PostgresStore(self.url)


class TestPostgresStore(StoreConformance):
    @pytest.fixture
    def place(self, postgres: Server, database: str) -> Iterator[PostgresPlace]:
        return PostgresPlace(postgres.url(database, "alice"))
