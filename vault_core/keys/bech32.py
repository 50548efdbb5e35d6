"""Bech32 (BIP 173): 32 secret bytes as text that survives reading aloud, with a checksum that finds typing errors."""

from collections.abc import Iterable

from vault_core.crypto import KEY_BYTES, Key, wipe
from vault_core.errors import WrongPassphraseError

RECOVERY = "strongroom-recovery-"
KEY = "strongroom-key-"

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6
_LETTERS = 52  # 256 bits in groups of five, four bits of filling


def encode(kind: str, key: Key) -> str:
    """The text for a key, upper case, `kind` in front."""
    groups = _regroup(key.view(), 8, 5, fill=True)
    letters = "".join(_ALPHABET[group] for group in [*groups, *_checksum(kind, groups)])
    return f"{kind}1{letters}".upper()


def decode(kind: str, text: str) -> Key:
    """The key that a text stands for.

    Raises:
        WrongPassphraseError: not such a text: another kind, a typing error, mixed case.
    """
    text = text.strip()
    lower = text.lower()
    prefix, letters = lower[: len(kind) + 1], lower[len(kind) + 1 :]
    groups = [_VALUE.get(letter, -1) for letter in letters]
    if (
        text not in (lower, text.upper())
        or prefix != f"{kind}1"
        or len(groups) != _LETTERS + _CHECKSUM
        or -1 in groups
        or _polymod([*_expand(kind), *groups]) != 1
    ):
        raise WrongPassphraseError(f"this is not a key that begins with {kind.upper()}1; look for a typing error")
    secret = bytearray(_regroup(groups[:_LETTERS], 5, 8, fill=False))
    try:
        if len(secret) != KEY_BYTES or groups[_LETTERS - 1] & 0b1111:
            raise WrongPassphraseError("this key has the wrong length")
        return Key.taken_from(secret)
    finally:
        wipe(secret)


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check


def _expand(kind: str) -> list[int]:
    return [ord(letter) >> 5 for letter in kind] + [0] + [ord(letter) & 31 for letter in kind]


def _checksum(kind: str, groups: list[int]) -> list[int]:
    remainder = _polymod([*_expand(kind), *groups, *([0] * _CHECKSUM)]) ^ 1
    return [remainder >> 5 * (_CHECKSUM - 1 - place) & 31 for place in range(_CHECKSUM)]


def _regroup(values: Iterable[int], old: int, new: int, *, fill: bool) -> list[int]:
    pool, bits, out = 0, 0, []
    for value in values:
        pool, bits = (pool << old | value) & 0xFFFF, bits + old
        while bits >= new:
            bits -= new
            out.append(pool >> bits & (1 << new) - 1)
    if fill and bits:
        out.append(pool << (new - bits) & (1 << new) - 1)
    return out
