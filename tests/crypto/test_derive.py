"""Derived keys are those of the RFCs: HKDF (5869), HMAC-SHA-256 (4231), Argon2id (9106)."""

import hashlib
import hmac
import random
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from vault_core import InvalidInputError, KdfParameters, VaultTamperedError
from vault_core.crypto import Key, argon2id, derive_key, kek_from_secret, mac, same
from vault_core.crypto.derive import HEADER_LABEL, KEK_LABEL, KEYRING_LABEL, VAULT_OPS_LABEL

LABELS = (HEADER_LABEL, KEYRING_LABEL, VAULT_OPS_LABEL, KEK_LABEL)
VAULT = bytes(range(16))


def key_of(value: bytes) -> Key:
    return Key.taken_from(bytearray(value.ljust(32, b"\0")))


def expand(prk: bytes, info: bytes, length: int, digest: Callable[..., object] = hashlib.sha512) -> bytes:
    """HKDF-Expand as RFC 5869 §2.3 writes it."""
    okm, block, counter = b"", b"", 1
    while len(okm) < length:
        block = hmac.new(prk, block + info + bytes([counter]), digest).digest()
        okm, counter = okm + block, counter + 1
    return okm[:length]


def test_the_yardstick_gives_the_answers_of_rfc_5869() -> None:
    """Appendix A.1 and A.3, of SHA-256: the function above is right, and the hash is a parameter."""
    prk = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert expand(prk, bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"), 42, hashlib.sha256).hex() == okm

    prk = bytes.fromhex("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04")
    okm = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert expand(prk, b"", 42, hashlib.sha256).hex() == okm


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.decode())
def test_a_derived_key_is_hkdf_expand_of_its_label_and_the_vault(label: bytes) -> None:
    for seed in range(50):
        parent = random.Random(seed).randbytes(32)

        derived = derive_key(key_of(parent), label, VAULT)

        assert bytes(derived.view()) == expand(parent, label + b"\0" + VAULT, 32)


def test_the_key_of_a_secret_is_hkdf_with_its_salt() -> None:
    for seed in range(50):
        dice = random.Random(seed)
        secret, salt = dice.randbytes(32), dice.randbytes(16)

        kek = kek_from_secret(key_of(secret), salt, VAULT)

        prk = hmac.new(salt, secret, hashlib.sha512).digest()
        assert bytes(kek.view()) == expand(prk, KEK_LABEL + b"\0" + VAULT, 32)


def test_no_label_begins_another_so_that_no_two_keys_are_alike() -> None:
    spelled = [label + b"\0" + VAULT for label in LABELS]

    assert not [one for one in spelled for other in spelled if one is not other and other.startswith(one)]
    keys = [derive_key(key_of(b"k"), label, vault) for label in LABELS for vault in (VAULT, bytes(16))]
    assert len({bytes(key.view()) for key in keys}) == 2 * len(LABELS)


@pytest.mark.parametrize(
    ("key", "message", "answer"),
    [
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    ],
    ids=["case 1", "case 2", "case 3", "case 4"],
)
def test_a_mac_is_the_hmac_of_rfc_4231(key: bytes, message: bytes, answer: str) -> None:
    """Its keys are shorter than ours; HMAC fills them with the zeros that ours then end in."""
    assert mac(key_of(key), message).hex() == answer


def test_the_other_librarys_argon2id_gives_the_answer_of_rfc_9106() -> None:
    """§5.3: so that to agree with it below is to agree with the RFC."""
    tag = Argon2id(
        salt=b"\2" * 16, length=32, iterations=3, lanes=4, memory_cost=32, ad=b"\4" * 12, secret=b"\3" * 8
    ).derive(b"\1" * 32)

    assert tag.hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"


GRID = [
    (memory, passes, lanes)
    for memory in (8, 9, 64, 100, 1024, 4096)
    for passes in (1, 2, 3, 16)
    for lanes in (1, 2, 4, 16)
    if memory >= 8 * lanes and memory * passes <= 16_384
]


@pytest.mark.parametrize(("memory", "passes", "lanes"), [*GRID, (65_536, 1, 4)])
def test_argon2id_is_the_other_librarys(memory: int, passes: int, lanes: int) -> None:
    dice = random.Random(memory * 1000 + passes * 20 + lanes)
    for length in (0, 12, 200):
        passphrase, salt = dice.randbytes(length), dice.randbytes(16)

        ours = argon2id(bytearray(passphrase), salt, KdfParameters(memory_kib=memory, passes=passes, lanes=lanes))

        theirs = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
        assert bytes(ours.view()) == theirs.derive(passphrase)


def test_parameters_have_a_floor_for_writing_and_a_ceiling_for_both() -> None:
    KdfParameters().check_for_writing()
    KdfParameters(memory_kib=8, passes=1, lanes=1).check_for_reading()
    for weak in ({"memory_kib": 65_535}, {"passes": 0}, {"passes": 17}, {"lanes": 0}, {"lanes": 17}):
        with pytest.raises(InvalidInputError):
            KdfParameters(**weak).check_for_writing()
    for strange in ({"memory_kib": 2**21 + 1}, {"memory_kib": 31, "lanes": 4}, {"passes": 2**32}, {"lanes": -1}):
        with pytest.raises(VaultTamperedError):
            KdfParameters(**strange).check_for_reading()


def test_comparing_tells_equal_from_different_at_every_place() -> None:
    value = bytes(range(32))

    assert same(value, bytes(value))
    assert not same(value, value[:-1])
    for place in range(32):
        other = bytearray(value)
        other[place] ^= 1
        assert not same(value, bytes(other))
