"""Vaults in a PostgreSQL database: `postgresql://host/database?vault=NAME`. Needs the extra `postgres`."""

from vault_core.store.postgres.address import check_url
from vault_core.store.postgres.setup import init
from vault_core.store.postgres.store import PostgresStore

__all__ = ["PostgresStore", "check_url", "init"]
