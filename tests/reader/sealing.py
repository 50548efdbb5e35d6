"""Format 1, section 1: padding, contexts and derived keys."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from reader.cobblestone import decrypt
from reader.refused import require

MAGIC = b"strongroom-1"
NO_BOX = bytes(16)  # stands for the vault itself
OVERHEAD = 72  # salt, commitment and one tag
EACH_CHUNK = 16  # one more tag
CHUNK = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something sealed belongs."""

    kind: bytes
    vault: bytes
    box: bytes = NO_BOX
    generation: int = 0
    seq: int = 0
    n: int = 0
    then: bytes = b""

    def context(self) -> bytes:
        """The place as the 64 bytes of the table, and what it adds."""
        numbers = self.generation.to_bytes(4) + self.seq.to_bytes(8) + self.n.to_bytes(4)
        return MAGIC + self.kind + self.vault + self.box + numbers + self.then


def unseal(key: bytes, place: Place, sealed: bytes) -> bytes:
    """What was sealed for that place, without its padding."""
    return unpad(decrypt(key, place.context(), sealed))


def unpad(padded: bytes) -> bytes:
    """The plaintext inside its PADMÉ padding."""
    require(len(padded) >= 4, "the padding is cut")
    length = int.from_bytes(padded[:4])
    require(4 + length <= len(padded), "the padded length is too long")
    require(len(padded) == padme(4 + length), "the padding is not PADMÉ")
    require(not any(padded[4 + length :]), "the padding is not zero")
    return padded[4 : 4 + length]


def padme(length: int) -> int:
    """The padded length: the next one with only log2(log2) leading bits."""
    exponent = length.bit_length() - 1
    kept = exponent.bit_length()
    unit = 1 << (exponent - kept)
    return (length + unit - 1) // unit * unit


def is_sealed_length(length: int) -> bool:
    """Whether something sealed can be so long."""
    further = (length - OVERHEAD) // (CHUNK + EACH_CHUNK)
    padded = length - OVERHEAD - further * EACH_CHUNK
    return padded >= 4 and padded // CHUNK == further and padded == padme(padded)


def derive(key: bytes, label: bytes, vault: bytes) -> bytes:
    """A key for one use, from a key of the vault."""
    return HKDFExpand(SHA512(), 32, label + b"\0" + vault).derive(key)
