"""What other systems sealed: opened with their own primitives, never used for anything of ours."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault_core.crypto.key import Key
from vault_core.errors import VaultTamperedError

NONCE_BYTES = 12
TAG_BYTES = 16


def open_aes_gcm(key: Key, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """The plaintext of an AES-256-GCM message whose nonce its writer chose; `sealed` ends in the tag.

    Raises:
        VaultTamperedError: other bytes, another key, or other associated data.
    """
    if len(nonce) != NONCE_BYTES or len(sealed) < TAG_BYTES:
        raise VaultTamperedError("this is not what was sealed")
    try:
        return AESGCM(key.view()).decrypt(nonce, sealed, associated)
    except InvalidTag:
        raise VaultTamperedError("this is not what was sealed") from None
