"""Bech32 (BIP 173), right and wrong."""

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
BECH32 = 1
BECH32M = 0x2BC830A3  # BIP 350, which this format does not use


def bech32(prefix: str, secret: bytes, *, constant: int = BECH32, left_over: int = 0) -> str:
    """The text of a secret. `left_over` fills the bits after its last byte."""
    spare = -len(secret) * 8 % 5
    number = int.from_bytes(secret) << spare | left_over
    length = (len(secret) * 8 + spare) // 5
    values = [number >> 5 * (length - 1 - i) & 31 for i in range(length)]
    return prefix + "1" + "".join(ALPHABET[each] for each in values + _sum(prefix, values, constant))


def _sum(prefix: str, values: list[int], constant: int) -> list[int]:
    codes = prefix.encode("ascii")
    check = 1
    for value in [code >> 5 for code in codes] + [0] + [code & 31 for code in codes] + values + [0] * 6:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    check ^= constant
    return [check >> 5 * (5 - i) & 31 for i in range(6)]
