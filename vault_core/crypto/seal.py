"""Seal and unseal: Cobblestone-256 over padded plaintexts.

Rules (docs/format.md §1):
- seal = Cobblestone-256(key, context, pad(plaintext)); C2SP chunked-encryption.
- pad = u32 length, plaintext, zeros up to the PADMÉ size, which hides all but the magnitude of a length
  (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PETS 2019).
- Unsealing fails with one answer and no detail.
"""

from cryptography.exceptions import InvalidTag

from vault_core.crypto.cobblestone import CHUNK, HEAD, TAG, decrypt, encrypt
from vault_core.crypto.key import KEY_BYTES, Key, wipe
from vault_core.errors import VaultTamperedError

OVERHEAD = HEAD + TAG
_LENGTH = 4
MAX_PLAINTEXT = 1 << 30  # far above every limit of the format; bounds the length field
_REFUSED = "a sealed part of the vault does not open: it was changed, or moved from elsewhere"


def padme(length: int) -> int:
    """The padded size for a length of at least 2: at most 12 % more, and few distinct sizes."""
    exponent = length.bit_length() - 1
    mantissa = exponent.bit_length()
    step = (1 << max(exponent - mantissa, 0)) - 1
    return (length + step) & ~step


def possible_size(sealed: int) -> bool:
    """Whether anything seals to so many bytes."""
    chunks = (sealed - OVERHEAD) // (CHUNK + TAG) + 1
    padded = sealed - OVERHEAD - TAG * (chunks - 1)
    return padded >= _LENGTH and padme(padded) == padded


def seal(plaintext: bytes | bytearray, key: Key, context: bytes) -> bytes:
    """Seal bytes so that they open only under this key and in this context."""
    padded = bytearray(padme(_LENGTH + len(plaintext)))
    padded[:_LENGTH] = len(plaintext).to_bytes(_LENGTH, "big")
    memoryview(padded)[_LENGTH : _LENGTH + len(plaintext)] = plaintext  # a bytearray's own slice would copy it twice
    try:
        return encrypt(key, context, padded)
    finally:
        wipe(padded)


def unseal(sealed: bytes, key: Key, context: bytes) -> bytes:
    """Open what `seal` sealed.

    Raises:
        VaultTamperedError: other bytes, another key or another place; which of them is not said.
    """
    padded = _open(sealed, key, context)
    return bytes(memoryview(padded)[_LENGTH : _LENGTH + _checked_length(padded)])


def seal_key(key: Key, under: Key, context: bytes, *, also: bytes = b"") -> bytes:
    """Seal a key's bytes (followed by `also`) without leaving a copy of them."""
    plaintext = bytearray(KEY_BYTES) + also
    try:
        memoryview(plaintext)[:KEY_BYTES] = key.view()
        return seal(plaintext, under, context)
    finally:
        wipe(plaintext)


def unseal_into(sealed: bytes, key: Key, context: bytes) -> bytearray:
    """Like `unseal`, for a plaintext that holds keys: the answer is a buffer that the caller wipes."""
    padded = _open(sealed, key, context)
    try:
        return bytearray(memoryview(padded)[_LENGTH : _LENGTH + _checked_length(padded)])
    finally:
        wipe(padded)


def _open(sealed: bytes, key: Key, context: bytes) -> bytearray:
    try:
        return decrypt(key, context, sealed)
    except InvalidTag:
        raise VaultTamperedError(_REFUSED) from None


def _checked_length(padded: bytearray) -> int:
    length = int.from_bytes(padded[:_LENGTH], "big")
    end = _LENGTH + length
    if len(padded) < _LENGTH or length > MAX_PLAINTEXT or padme(end) != len(padded):
        raise VaultTamperedError(_REFUSED)
    if any(memoryview(padded)[end:]):
        raise VaultTamperedError(_REFUSED)
    return length
