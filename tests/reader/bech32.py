"""Bech32 (BIP 173) of 32-byte secrets."""

from reader.refused import Refused

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
LONGEST = 90
CHECKSUM = 6  # characters


def decode(text: str) -> tuple[str, bytes]:
    """The human-readable part and the 32 bytes."""
    if text not in (text.lower(), text.upper()) or len(text) > LONGEST:
        raise _wrong("mixed case, or too long")
    prefix, one, rest = text.lower().rpartition("1")
    if not one or not prefix or any(not "!" <= letter <= "~" for letter in prefix):
        raise _wrong("no prefix")
    if len(rest) < CHECKSUM or any(letter not in ALPHABET for letter in rest):
        raise _wrong("a letter outside the alphabet")
    values = [ALPHABET.index(letter) for letter in rest]
    if _polymod(_expanded(prefix) + values) != 1:
        raise _wrong("the checksum")
    return prefix, _bytes(values[:-CHECKSUM])


def _bytes(values: list[int]) -> bytes:
    """Groups of five bits as 32 bytes; the four bits left over are zero."""
    if len(values) != 52:
        raise _wrong("not 32 bytes")
    number = 0
    for value in values:
        number = number << 5 | value
    if number & 0b1111:
        raise _wrong("bits left over")
    return (number >> 4).to_bytes(32)


def _expanded(prefix: str) -> list[int]:
    codes = prefix.encode("ascii")
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, constant in enumerate(GENERATOR):
            if top >> bit & 1:
                check ^= constant
    return check


def _wrong(reason: str) -> Refused:
    return Refused(f"not a Bech32 secret: {reason}", error="WrongPassphraseError")
