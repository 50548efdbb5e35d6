"""Strongroom: encrypted memory for AI agents that the user owns.

`Vault` is the door; everything that a program needs is named here.
"""

from vault_core.aio import AsyncVault
from vault_core.crypto import KdfParameters
from vault_core.embedders import CallableEmbedder, Embedder
from vault_core.errors import (
    ConflictError,
    EmbedderMismatchError,
    FormatTooNewError,
    InvalidInputError,
    MemoryNotFoundError,
    RollbackError,
    SessionStateError,
    UnavailableError,
    VaultAlreadyOpenError,
    VaultError,
    VaultNotFoundError,
    VaultTamperedError,
    WrongPassphraseError,
)
from vault_core.keys import CommandKey, FileKey, KeyProvider, KeyringKey, Passphrase, RecoveryKey, new_key_text
from vault_core.lifecycle import Receipt
from vault_core.memory import Draft, FactSlot, Filter, Item, Memory, SearchResult, Space, State
from vault_core.session.items import Items
from vault_core.session.locks import Rotation, SlotEntry
from vault_core.session.transaction import Transaction
from vault_core.session.verify import Report
from vault_core.store import EphemeralStore, SqliteStore, Store
from vault_core.vault import Stats, Vault

__version__ = "0.1.0.dev0"

__all__ = [
    "AsyncVault",
    "CallableEmbedder",
    "CommandKey",
    "ConflictError",
    "Draft",
    "Embedder",
    "EmbedderMismatchError",
    "EphemeralStore",
    "FactSlot",
    "FileKey",
    "Filter",
    "FormatTooNewError",
    "InvalidInputError",
    "Item",
    "Items",
    "KdfParameters",
    "KeyProvider",
    "KeyringKey",
    "Memory",
    "MemoryNotFoundError",
    "Passphrase",
    "Receipt",
    "RecoveryKey",
    "Report",
    "RollbackError",
    "Rotation",
    "SearchResult",
    "SessionStateError",
    "SlotEntry",
    "Space",
    "SqliteStore",
    "State",
    "Stats",
    "Store",
    "Transaction",
    "UnavailableError",
    "Vault",
    "VaultAlreadyOpenError",
    "VaultError",
    "VaultNotFoundError",
    "VaultTamperedError",
    "WrongPassphraseError",
    "new_key_text",
]
