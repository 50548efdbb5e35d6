"""Sealing, deriving and wrapping: bytes in, bytes out. The only room that imports `cryptography` and `argon2`."""

from vault_core.crypto.context import (
    BUNDLE,
    ENTRY_OPS,
    KEYRING,
    MANIFEST,
    NO_BOX,
    PART,
    RECORD,
    SLOT,
    Place,
)
from vault_core.crypto.derive import (
    KdfParameters,
    argon2id,
    derive_key,
    kek_from_secret,
    mac,
    same,
)
from vault_core.crypto.foreign import open_aes_gcm
from vault_core.crypto.key import KEY_BYTES, Key, wipe
from vault_core.crypto.seal import (
    OVERHEAD,
    padme,
    possible_size,
    seal,
    seal_key,
    unseal,
    unseal_into,
)

__all__ = [
    "BUNDLE",
    "ENTRY_OPS",
    "KEYRING",
    "KEY_BYTES",
    "MANIFEST",
    "NO_BOX",
    "OVERHEAD",
    "PART",
    "RECORD",
    "SLOT",
    "KdfParameters",
    "Key",
    "Place",
    "argon2id",
    "derive_key",
    "kek_from_secret",
    "mac",
    "open_aes_gcm",
    "padme",
    "possible_size",
    "same",
    "seal",
    "seal_key",
    "unseal",
    "unseal_into",
    "wipe",
]
