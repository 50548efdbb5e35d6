"""Stores: where a vault's bytes live. A store sees ciphertext only and never holds a key."""

from vault_core.store.base import Change, Head, Store, StoredHeader
from vault_core.store.ephemeral import EphemeralStore
from vault_core.store.location import open_store
from vault_core.store.retry import RetryingStore, RetryPolicy
from vault_core.store.sqlite import SqliteStore

__all__ = [
    "Change",
    "EphemeralStore",
    "Head",
    "RetryPolicy",
    "RetryingStore",
    "SqliteStore",
    "Store",
    "StoredHeader",
    "open_store",
]
