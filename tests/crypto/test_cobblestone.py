"""Our Cobblestone-256 writes and reads the bytes of the `cryptography` package's."""

import random

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from vault_core.crypto import Key
from vault_core.crypto.cobblestone import CHUNK, HEAD, TAG, decrypt, encrypt

LENGTHS = [*range(40), *(chunks * CHUNK + more for chunks in (1, 2, 3) for more in (-1, 0, 1)), 70_000]
CONTEXT = b"strongroom-1 somewhere"


@pytest.fixture
def key() -> Key:
    return Key.random()


def theirs_sealed(key: Key, plaintext: bytes, context: bytes = CONTEXT) -> bytes:
    encryptor = Cobblestone256Encryptor(key.view(), context)
    return encryptor.update(plaintext) + encryptor.finalize()


def theirs_opened(key: Key, message: bytes, context: bytes = CONTEXT) -> bytes:
    decryptor = Cobblestone256Decryptor(key.view(), context)
    return decryptor.update(message) + decryptor.finalize()


@pytest.mark.parametrize("length", LENGTHS)
def test_each_opens_what_the_other_sealed(key: Key, length: int) -> None:
    plaintext = random.Random(length).randbytes(length)

    assert theirs_opened(key, bytes(encrypt(key, CONTEXT, plaintext))) == plaintext
    assert decrypt(key, CONTEXT, theirs_sealed(key, plaintext)) == plaintext


def test_no_two_messages_are_alike(key: Key) -> None:
    assert len({bytes(encrypt(key, CONTEXT, b"tea")) for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("length", [0, 5, CHUNK - 1, CHUNK, CHUNK + 1])
def test_no_cut_and_no_added_byte_opens(key: Key, length: int) -> None:
    message = bytes(encrypt(key, CONTEXT, bytes(length)))
    cuts = {*range(HEAD + TAG + 40), HEAD + CHUNK + TAG, HEAD + CHUNK, len(message) - TAG, len(message) - 1}

    for changed in [message[:cut] for cut in cuts if cut < len(message)] + [message + b"\0", b"\0" + message]:
        with pytest.raises(InvalidTag):
            decrypt(key, CONTEXT, changed)


def test_no_changed_bit_opens(key: Key) -> None:
    message = encrypt(key, CONTEXT, b"tea, no sugar")

    for place in range(len(message)):
        changed = bytearray(message)
        changed[place] ^= 1 << place % 8
        with pytest.raises(InvalidTag):
            decrypt(key, CONTEXT, bytes(changed))


def test_chunks_do_not_open_in_another_order(key: Key) -> None:
    message = bytes(encrypt(key, CONTEXT, bytes(3 * CHUNK)))
    head, wire = message[:HEAD], CHUNK + TAG
    first, second, rest = (
        message[HEAD : HEAD + wire],
        message[HEAD + wire : HEAD + 2 * wire],
        message[HEAD + 2 * wire :],
    )

    assert decrypt(key, CONTEXT, head + first + second + rest) == bytes(3 * CHUNK)
    for other in second + first + rest, first + rest, first + first + rest, first + second:
        with pytest.raises(InvalidTag):
            decrypt(key, CONTEXT, head + other)


def test_another_key_and_another_context_do_not_open(key: Key) -> None:
    message = bytes(encrypt(key, CONTEXT, b"tea"))

    with pytest.raises(InvalidTag):
        decrypt(Key.random(), CONTEXT, message)
    with pytest.raises(InvalidTag):
        decrypt(key, CONTEXT + b"\0", message)
