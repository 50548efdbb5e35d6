"""Key texts are Bech32 (BIP 173): every single typing error is found, and an independent reader agrees."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader import bech32 as independent
from support.properties import PROPERTY
from vault_core import WrongPassphraseError
from vault_core.crypto import Key
from vault_core.keys import bech32
from vault_core.keys.bech32 import KEY, RECOVERY, decode, encode

LETTERS = independent.ALPHABET


def key_of(value: bytes) -> Key:
    return Key.taken_from(bytearray(value))


def secret_of(kind: str, text: str) -> bytes:
    key = decode(kind, text)
    return bytes(key.view())


@pytest.mark.parametrize(
    "text",
    [
        "A12UEL5L",
        "a12uel5l",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
        "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
        "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
        "?1ezyfcl",
    ],
    ids=lambda text: text[:12],
)
def test_the_checksum_is_that_of_bip_173(text: str) -> None:
    prefix, _, letters = text.lower().rpartition("1")
    values = [LETTERS.index(letter) for letter in letters]

    assert bech32._polymod([*bech32._expand(prefix), *values]) == 1
    assert bech32._checksum(prefix, values[:-6]) == values[-6:]


@PROPERTY
@given(st.binary(min_size=32, max_size=32), st.sampled_from([KEY, RECOVERY]))
def test_a_text_stands_for_its_key_in_either_case(secret: bytes, kind: str) -> None:
    text = encode(kind, key_of(secret))

    assert text == text.upper()
    assert secret_of(kind, text) == secret_of(kind, text.lower()) == secret_of(kind, f" {text}\n") == secret
    assert independent.decode(text) == (kind, secret)


def test_every_wrong_letter_is_found() -> None:
    text = encode(KEY, Key.random()).lower()
    start = len(KEY) + 1

    for place in range(start, len(text)):
        for letter in LETTERS:
            if letter != text[place]:
                with pytest.raises(WrongPassphraseError):
                    decode(KEY, text[:place] + letter + text[place + 1 :])


def test_every_two_neighbours_that_changed_places_and_every_lost_or_doubled_letter_are_found() -> None:
    text = encode(RECOVERY, Key.random()).lower()
    start = len(RECOVERY) + 1
    wrong = [text[:place] + text[place + 1 :] for place in range(len(text))]
    wrong += [text[: place + 1] + text[place:] for place in range(len(text))]
    wrong += [
        text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        for place, (one, other) in enumerate(pairwise(text))
        if place >= start and one != other
    ]

    for other in wrong:
        with pytest.raises(WrongPassphraseError):
            decode(RECOVERY, other)


def test_up_to_four_wrong_letters_are_found() -> None:
    """What BIP 173 promises for texts of up to 89 letters."""
    dice, text = random.Random(1), encode(KEY, Key.random()).lower()
    for _ in range(2_000):
        letters = list(text)
        for place in dice.sample(range(len(KEY) + 1, len(text)), dice.choice([2, 3, 4])):
            letters[place] = dice.choice([letter for letter in LETTERS if letter != letters[place]])
        with pytest.raises(WrongPassphraseError):
            decode(KEY, "".join(letters))


@PROPERTY
@given(st.text(max_size=100) | st.text(LETTERS + "1-STRONGROOMKEY", max_size=100))
def test_any_other_text_is_no_key(text: str) -> None:
    for kind in (KEY, RECOVERY):
        with pytest.raises(WrongPassphraseError):
            decode(kind, text)


def test_mixed_case_the_other_kind_and_stray_bits_are_no_key() -> None:
    text = encode(KEY, Key.random())
    values = [LETTERS.index(letter) for letter in text.lower()[len(KEY) + 1 : -6]]
    values[-1] |= 1  # bits left over after 32 bytes
    stray = f"{KEY}1" + "".join(LETTERS[value] for value in [*values, *bech32._checksum(KEY, values)])

    for wrong in (text[:20] + text[20:].lower(), text.capitalize(), stray):
        with pytest.raises(WrongPassphraseError):
            decode(KEY, wrong)
    with pytest.raises(WrongPassphraseError):
        decode(RECOVERY, text)
