"""Header, slots, key providers, keyring, anchors: everything between a secret and the vault's keys."""

from vault_core.keys.agent import AgentKey
from vault_core.keys.anchor import Anchor, AnchorFile, state_folder
from vault_core.keys.header import Header, seal_header, unfinished_copy
from vault_core.keys.keyring import Box, Keyring
from vault_core.keys.providers import (
    CommandKey,
    FileKey,
    KeyProvider,
    KeyringKey,
    Passphrase,
    RecoveryKey,
    new_key_text,
    provider_from,
)
from vault_core.keys.slots import Slot

__all__ = [
    "AgentKey",
    "Anchor",
    "AnchorFile",
    "Box",
    "CommandKey",
    "FileKey",
    "Header",
    "KeyProvider",
    "Keyring",
    "KeyringKey",
    "Passphrase",
    "RecoveryKey",
    "Slot",
    "new_key_text",
    "provider_from",
    "seal_header",
    "state_folder",
    "unfinished_copy",
]
