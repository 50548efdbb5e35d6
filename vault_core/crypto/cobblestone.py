"""Cobblestone-256: C2SP chunked-encryption with HKDF-Expand-SHA-512 and AES-256-GCM, in buffers that are wiped.

The `cryptography` package has it too and writes the same bytes; a test goes both ways. But its decryptor leaves a copy
of the key in freed memory, and its encryptor one of the plaintext and of the message's own key, which opens the message
as well. For sealed keys, and for keys that seal, both are too many.

Rules (c2sp.org/chunked-encryption):
- key (32) ‖ nonce (12) ‖ commitment (32) = HKDF-Expand(key, name ‖ 0x00 ‖ salt ‖ context).
- message = salt (24) ‖ commitment ‖ chunks. Each chunk is 16 KiB, the last one shorter and maybe empty; its nonce is
  the message's, with the chunk's number added to the last eight bytes by XOR.
- The commitment is compared before anything is decrypted.
"""

import hmac
import os
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from vault_core.crypto.key import Key, wipe

CHUNK = 16 << 10
TAG = 16
SALT = 24
COMMITMENT = 32
HEAD = SALT + COMMITMENT
_NONCE = 12
_NAME = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
_HASH = SHA512()


def encrypt(key: Key, context: bytes, plaintext: bytes | bytearray) -> bytes:
    """The message, under a fresh random salt."""
    salt = os.urandom(SALT)
    own = _derived(key, context, salt)
    try:
        cipher = AESGCM(memoryview(own)[:32])
        if len(plaintext) < CHUNK:  # as nearly every record: what many chunks need costs a quarter more
            chunks: bytes | bytearray = cipher.encrypt(own[32 : 32 + _NONCE], plaintext, None)
        else:
            chunks = _encrypted(cipher, plaintext, own)
        return b"".join((salt, own[32 + _NONCE :], chunks))
    finally:
        wipe(own)


def decrypt(key: Key, context: bytes, message: bytes) -> bytearray:
    """The plaintext, in a buffer that the caller may wipe.

    Raises:
        InvalidTag: other bytes, another key or another context.
    """
    body = memoryview(message)[HEAD:]
    chunks = len(body) // (CHUNK + TAG) + 1
    if len(message) < HEAD + TAG or len(body) - (chunks - 1) * (CHUNK + TAG) < TAG:
        raise InvalidTag
    out = bytearray(len(body) - TAG * chunks)
    own = _derived(key, context, message[:SALT])
    try:
        _check_commitment(own, message)
        room, cipher = memoryview(out), AESGCM(memoryview(own)[:32])
        for number, nonce in enumerate(_nonces(own, chunks)):
            chunk = body[number * (CHUNK + TAG) : (number + 1) * (CHUNK + TAG)]
            start = number * CHUNK
            cipher.decrypt_into(nonce, chunk, None, room[start : start + len(chunk) - TAG])
    except BaseException:
        wipe(out)  # the chunks before a broken one were released into it
        raise
    finally:
        wipe(own)
    return out


def _encrypted(cipher: AESGCM, plaintext: bytes | bytearray, own: bytearray) -> bytearray:
    count = len(plaintext) // CHUNK + 1
    out = bytearray(len(plaintext) + TAG * count)
    given, room = memoryview(plaintext), memoryview(out)
    for number, nonce in enumerate(_nonces(own, count)):
        chunk = given[number * CHUNK : (number + 1) * CHUNK]
        start = number * (CHUNK + TAG)
        cipher.encrypt_into(nonce, chunk, None, room[start : start + len(chunk) + TAG])
    return out


def _check_commitment(own: bytearray, message: bytes) -> None:
    if not hmac.compare_digest(memoryview(own)[32 + _NONCE :], message[SALT:HEAD]):
        raise InvalidTag


def _derived(key: Key, context: bytes, salt: bytes) -> bytearray:
    own = bytearray(32 + _NONCE + COMMITMENT)
    HKDFExpand(_HASH, len(own), _NAME + salt + context).derive_into(key.view(), own)
    return own


def _nonces(own: bytearray, chunks: int) -> Iterator[bytes]:
    base = int.from_bytes(own[32 : 32 + _NONCE], "big")
    return ((base ^ number).to_bytes(_NONCE, "big") for number in range(chunks))
