"""Strongroom: encrypted memory for AI agents that the user owns.

`Vault` is the door; everything that a program needs is named here. Names are imported when they are first used, so that
`strongroom --help` does not wait for numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vault_core.aio import AsyncVault
    from vault_core.crypto import KdfParameters
    from vault_core.embedders import CallableEmbedder, Embedder
    from vault_core.embedders.named import embedder_named
    from vault_core.embedders.ollama import OllamaEmbedder
    from vault_core.embedders.sentence import SentenceTransformerEmbedder
    from vault_core.errors import (
        ConflictError,
        EmbedderMismatchError,
        EmbedderUnavailableWarning,
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
    from vault_core.keys import (
        AgentKey,
        CommandKey,
        FileKey,
        KeyProvider,
        KeyringKey,
        Passphrase,
        RecoveryKey,
        new_key_text,
    )
    from vault_core.lifecycle import Briefing, ForgetPolicy, Receipt, Summariser, strength
    from vault_core.memory import Draft, FactSlot, Filter, Item, Memory, SearchResult, Space, State
    from vault_core.retrieval.choice import Reranker
    from vault_core.session.changes import Change
    from vault_core.session.consolidating import Consolidation
    from vault_core.session.items import Items
    from vault_core.session.locks import Rotation, SlotEntry
    from vault_core.session.reembed import Reembedding
    from vault_core.session.transaction import Transaction
    from vault_core.session.verify import Report
    from vault_core.store import EphemeralStore, SqliteStore, Store
    from vault_core.store.location import chosen_location, default_location
    from vault_core.transfer import CopyReport, ExportReport, ImportReport, Skipped, copy_vault
    from vault_core.vault import Stats, Vault

__version__ = "0.1.0.dev0"

_HOMES = {
    "AgentKey": "vault_core.keys",
    "AsyncVault": "vault_core.aio",
    "Briefing": "vault_core.lifecycle",
    "CallableEmbedder": "vault_core.embedders",
    "Change": "vault_core.session.changes",
    "CommandKey": "vault_core.keys",
    "ConflictError": "vault_core.errors",
    "Consolidation": "vault_core.session.consolidating",
    "CopyReport": "vault_core.transfer",
    "Draft": "vault_core.memory",
    "Embedder": "vault_core.embedders",
    "EmbedderMismatchError": "vault_core.errors",
    "EmbedderUnavailableWarning": "vault_core.errors",
    "EphemeralStore": "vault_core.store",
    "ExportReport": "vault_core.transfer",
    "FactSlot": "vault_core.memory",
    "FileKey": "vault_core.keys",
    "Filter": "vault_core.memory",
    "ForgetPolicy": "vault_core.lifecycle",
    "FormatTooNewError": "vault_core.errors",
    "ImportReport": "vault_core.transfer",
    "InvalidInputError": "vault_core.errors",
    "Item": "vault_core.memory",
    "Items": "vault_core.session.items",
    "KdfParameters": "vault_core.crypto",
    "KeyProvider": "vault_core.keys",
    "KeyringKey": "vault_core.keys",
    "Memory": "vault_core.memory",
    "MemoryNotFoundError": "vault_core.errors",
    "OllamaEmbedder": "vault_core.embedders.ollama",
    "Passphrase": "vault_core.keys",
    "Receipt": "vault_core.lifecycle",
    "RecoveryKey": "vault_core.keys",
    "Reembedding": "vault_core.session.reembed",
    "Reranker": "vault_core.retrieval.choice",
    "Report": "vault_core.session.verify",
    "RollbackError": "vault_core.errors",
    "Rotation": "vault_core.session.locks",
    "SearchResult": "vault_core.memory",
    "SentenceTransformerEmbedder": "vault_core.embedders.sentence",
    "SessionStateError": "vault_core.errors",
    "Skipped": "vault_core.transfer",
    "SlotEntry": "vault_core.session.locks",
    "Space": "vault_core.memory",
    "SqliteStore": "vault_core.store",
    "State": "vault_core.memory",
    "Stats": "vault_core.vault",
    "Store": "vault_core.store",
    "Summariser": "vault_core.lifecycle",
    "Transaction": "vault_core.session.transaction",
    "UnavailableError": "vault_core.errors",
    "Vault": "vault_core.vault",
    "VaultAlreadyOpenError": "vault_core.errors",
    "VaultError": "vault_core.errors",
    "VaultNotFoundError": "vault_core.errors",
    "VaultTamperedError": "vault_core.errors",
    "WrongPassphraseError": "vault_core.errors",
    "chosen_location": "vault_core.store.location",
    "copy_vault": "vault_core.transfer",
    "default_location": "vault_core.store.location",
    "embedder_named": "vault_core.embedders.named",
    "new_key_text": "vault_core.keys",
    "strength": "vault_core.lifecycle",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'vault_core' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "AgentKey",
    "AsyncVault",
    "Briefing",
    "CallableEmbedder",
    "Change",
    "CommandKey",
    "ConflictError",
    "Consolidation",
    "CopyReport",
    "Draft",
    "Embedder",
    "EmbedderMismatchError",
    "EmbedderUnavailableWarning",
    "EphemeralStore",
    "ExportReport",
    "FactSlot",
    "FileKey",
    "Filter",
    "ForgetPolicy",
    "FormatTooNewError",
    "ImportReport",
    "InvalidInputError",
    "Item",
    "Items",
    "KdfParameters",
    "KeyProvider",
    "KeyringKey",
    "Memory",
    "MemoryNotFoundError",
    "OllamaEmbedder",
    "Passphrase",
    "Receipt",
    "RecoveryKey",
    "Reembedding",
    "Report",
    "Reranker",
    "RollbackError",
    "Rotation",
    "SearchResult",
    "SentenceTransformerEmbedder",
    "SessionStateError",
    "Skipped",
    "SlotEntry",
    "Space",
    "SqliteStore",
    "State",
    "Stats",
    "Store",
    "Summariser",
    "Transaction",
    "UnavailableError",
    "Vault",
    "VaultAlreadyOpenError",
    "VaultError",
    "VaultNotFoundError",
    "VaultTamperedError",
    "WrongPassphraseError",
    "chosen_location",
    "copy_vault",
    "default_location",
    "embedder_named",
    "new_key_text",
    "strength",
]
