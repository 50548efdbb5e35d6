"""Vaults in a PostgreSQL database: `postgresql://host/database?vault=NAME`. Needs the extra `postgres`."""

from vault_core.store.postgres.address import Address
from vault_core.store.postgres.schema import prepare
from vault_core.store.postgres.store import PostgresStore

__all__ = ["Address", "PostgresStore", "prepare"]
