"""Cobblestone-256: C2SP chunked-encryption (https://c2sp.org/chunked-encryption) with AES-256-GCM.

    key (32) ‖ base nonce (12) ‖ commitment (32)
        = HKDF-Expand-SHA-512(input key, PREFIX ‖ "AEAD_AES_256_GCM" ‖ 0x00 ‖ salt (24) ‖ context)
    message = salt ‖ commitment ‖ chunks

Chunk i holds 16 KiB of plaintext, the last one strictly less (so it may be empty), sealed with
empty associated data under the base nonce XOR i.
"""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from reader.refused import Refused, require

PREFIX = b"c2sp.org/chunked-encryption@v1+"
AEAD = b"AEAD_AES_256_GCM"  # its name at IANA
SALT = 24
COMMITMENT = 32
CHUNK = 16 * 1024
TAG = 16


def decrypt(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """The plaintext of a sealed message."""
    salt = sealed[:SALT]
    message_key, base, commitment = _derive(key, context, salt)
    stored = sealed[SALT : SALT + COMMITMENT]
    require(hmac.compare_digest(stored, commitment), "the sealed bytes do not open")
    body = sealed[SALT + COMMITMENT :]
    chunks = [body[at : at + CHUNK + TAG] for at in range(0, len(body), CHUNK + TAG)]
    require(chunks and TAG <= len(chunks[-1]) < CHUNK + TAG, "the sealed bytes are cut")
    cipher = AESGCM(message_key)
    try:
        return b"".join(cipher.decrypt(_nonce(base, i), chunk, None) for i, chunk in enumerate(chunks))
    except InvalidTag:
        raise Refused("the sealed bytes do not open") from None


def encrypt(key: bytes, context: bytes, plaintext: bytes, *, salt: bytes) -> bytes:
    """The sealed message. A salt serves once for a key."""
    message_key, base, commitment = _derive(key, context, salt)
    cipher = AESGCM(message_key)
    chunks = [  # one more than the full ones: the last is short, perhaps empty
        cipher.encrypt(_nonce(base, i), plaintext[i * CHUNK : (i + 1) * CHUNK], None)
        for i in range(len(plaintext) // CHUNK + 1)
    ]
    return salt + commitment + b"".join(chunks)


def _derive(key: bytes, context: bytes, salt: bytes) -> tuple[bytes, bytes, bytes]:
    info = PREFIX + AEAD + b"\0" + salt + context
    derived = HKDFExpand(SHA512(), 32 + 12 + COMMITMENT, info).derive(key)
    return derived[:32], derived[32:44], derived[44:]


def _nonce(base: bytes, chunk: int) -> bytes:
    return (int.from_bytes(base) ^ chunk).to_bytes(12)
