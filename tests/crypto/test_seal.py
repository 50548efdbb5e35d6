"""Sealing: padded, bound to its place, opened by the library's own Cobblestone-256 and by an independent one."""

import random

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from hypothesis import given
from hypothesis import strategies as st

from reader.cobblestone import decrypt
from reader.sealing import is_sealed_length, unpad
from reader.sealing import padme as padme_of_the_page
from support.properties import PROPERTY
from vault_core import VaultTamperedError
from vault_core.crypto import OVERHEAD, Key, padme, possible_size, seal, unseal, unseal_into

CHUNK = 16 * 1024
CONTEXT = b"strongroom-1 here"


@pytest.fixture
def key() -> Key:
    return Key.random()


def padded(plaintext: bytes) -> bytes:
    """The padding as docs/format.md §1 writes it."""
    return (len(plaintext).to_bytes(4, "big") + plaintext).ljust(padme(4 + len(plaintext)), b"\0")


def theirs(key: Key, plaintext: bytes) -> bytes:
    encryptor = Cobblestone256Encryptor(key.view(), CONTEXT)
    return encryptor.update(plaintext) + encryptor.finalize()


@pytest.mark.parametrize("chunks", range(5))
def test_each_implementation_opens_what_the_others_sealed(key: Key, chunks: int) -> None:
    """At every length around a border of 16 KiB: of the plaintext, and of what padding makes of it."""
    border = chunks * CHUNK
    around = {*range(border - 40, border + 40), *(border - 4 - more for more in (512, 1024, 2048))}
    for length in sorted(length for length in around if length >= 0):
        plaintext = random.Random(length).randbytes(length)

        sealed = seal(plaintext, key, CONTEXT)

        decryptor = Cobblestone256Decryptor(key.view(), CONTEXT)
        assert decryptor.update(sealed) + decryptor.finalize() == padded(plaintext)
        assert unpad(decrypt(bytes(key.view()), CONTEXT, sealed)) == plaintext
        assert unseal(sealed, key, CONTEXT) == plaintext
        assert unseal(theirs(key, padded(plaintext)), key, CONTEXT) == plaintext
        assert bytes(unseal_into(sealed, key, CONTEXT)) == plaintext


@pytest.mark.parametrize("length", [0, 1, 3, 60, CHUNK - 4, 2 * CHUNK - 4])
def test_only_one_padding_of_a_plaintext_opens(key: Key, length: int) -> None:
    """Another length, another filling, another total: whoever holds a key can't hide anything in them."""
    plaintext = bytes(range(256)) * 200
    right = padded(plaintext[:length])
    wrong = [
        right + b"\0",
        right[:-1] + b"\1" if len(right) > 4 + length else right[:3],
        (length + 1).to_bytes(4, "big") + right[4:] if len(right) == 4 + length else right[:-1],
        (2**32 - 1).to_bytes(4, "big") + right[4:],
        right + bytes(padme(len(right) + 1) - len(right)),  # a good size, but of a longer plaintext
        b"",
        right[:3],
    ]

    for other in wrong:
        with pytest.raises(VaultTamperedError):
            unseal(theirs(key, other), key, CONTEXT)


def test_another_key_another_place_and_other_bytes_have_one_answer(key: Key) -> None:
    sealed = seal(b"tea, no sugar", key, CONTEXT)
    attempts = [
        (sealed, Key.random(), CONTEXT),
        (sealed, key, CONTEXT + b"\0"),
        (sealed, key, b""),
        (sealed[:-1], key, CONTEXT),
        (sealed + b"\0", key, CONTEXT),
        (b"", key, CONTEXT),
        (bytes(len(sealed)), key, CONTEXT),
        (sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:], key, CONTEXT),
        (theirs(key, b"\0\0\0\1"), key, CONTEXT),
    ]
    told = set()
    for attempt in attempts:
        with pytest.raises(VaultTamperedError) as refused:
            unseal(*attempt)
        told.add(str(refused.value))

    assert len(told) == 1


@PROPERTY
@given(st.integers(2, 2**40))
def test_padme_adds_little_and_keeps_few_sizes(length: int) -> None:
    total = padme(length)

    assert length <= total <= length * 1.12 + 1
    assert padme(total) == total
    assert padme(length - 1 if length > 2 else 2) <= total
    bits = total.bit_length()
    assert total % (1 << max(bits - 1 - (bits - 1).bit_length() - 1, 0)) == 0  # few leading bits say it all


@PROPERTY
@given(st.integers(2, 2**40))
def test_padme_is_the_page_s_formula(length: int) -> None:
    exponent = length.bit_length() - 1
    step = 1 << max(exponent - exponent.bit_length(), 0)

    assert padme(length) == -(-length // step) * step == padme_of_the_page(length)


def test_padme_leaves_few_distinct_sizes() -> None:
    """Of lengths below a megabyte there are a few hundred, where without padding there were a million."""
    assert len({padme(length) for length in range(2, 1_000_000)}) < 300


@PROPERTY
@given(st.integers(0, 300_000))
def test_a_size_is_possible_if_and_only_if_something_seals_to_it(length: int) -> None:
    assert possible_size(length) is is_sealed_length(length)


def test_sealing_costs_what_the_page_says(key: Key) -> None:
    for length in (0, 1, 100, CHUNK - 5, CHUNK - 4, 3 * CHUNK):
        total = padme(4 + length)
        assert len(seal(bytes(length), key, CONTEXT)) == total + OVERHEAD + 16 * (total // CHUNK)
