"""What other systems sealed with AES-256-GCM opens, and nothing else does."""

import pytest

from vault_core import VaultTamperedError
from vault_core.crypto import Key, open_aes_gcm

# Test case 14 of "The Galois/Counter Mode of Operation" (McGrew and Viega): everything zero.
KEY, NONCE, PLAIN = bytes(32), bytes(12), bytes(16)
SEALED = bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")


def test_a_published_vector_opens() -> None:
    assert open_aes_gcm(Key.taken_from(bytearray(KEY)), NONCE, SEALED, b"") == PLAIN


@pytest.mark.parametrize(
    ("key", "nonce", "sealed", "associated"),
    [
        (bytes(31) + b"\1", NONCE, SEALED, b""),
        (KEY, bytes(11) + b"\1", SEALED, b""),
        (KEY, bytes(11), SEALED, b""),
        (KEY, b"", SEALED, b""),
        (KEY, NONCE, SEALED[:-1], b""),
        (KEY, NONCE, SEALED[:15], b""),
        (KEY, NONCE, b"", b""),
        (KEY, NONCE, b"\0" + SEALED[1:], b""),
        (KEY, NONCE, SEALED, b"x"),
    ],
    ids=["key", "nonce", "short nonce", "no nonce", "cut", "no tag", "nothing", "ciphertext", "associated"],
)
def test_anything_else_does_not(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> None:
    with pytest.raises(VaultTamperedError):
        open_aes_gcm(Key.taken_from(bytearray(key)), nonce, sealed, associated)
