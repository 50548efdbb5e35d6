"""Deriving keys: Argon2id for what people remember, HKDF for what machines hold.

Rules (docs/format.md §1, §3):
- A passphrase goes through Argon2id (RFC 9106), never HKDF; a 32-byte secret the other way round.
- Parameters from a stranger's header are checked against the ceiling before anything is allocated.
- Every derived key has a label of its own, bound to the vault id.
"""

import hmac
from dataclasses import dataclass

from argon2 import low_level as argon2
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from vault_core.crypto.context import MAGIC
from vault_core.crypto.key import KEY_BYTES, Key, wipe
from vault_core.errors import InvalidInputError, UnavailableError, VaultTamperedError

HEADER_LABEL = MAGIC + b" header"
KEYRING_LABEL = MAGIC + b" keyring"
VAULT_OPS_LABEL = MAGIC + b" vault ops"
BUNDLE_LABEL = MAGIC + b" bundle"
KEK_LABEL = MAGIC + b" kek"

FLOOR_KIB = 64 * 1024  # what we write: RFC 9106's second recommendation
CEILING_KIB = 2 * 1024 * 1024  # what a stranger's header may make us allocate
MAX_PASSES = 16
MAX_LANES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KdfParameters:
    """The cost of Argon2id: memory in KiB, passes over it, lanes. The default takes about half a second."""

    memory_kib: int = 256 * 1024
    passes: int = 3
    lanes: int = 4

    def check_for_writing(self) -> None:
        """Refuse parameters too weak, or too strong to open again."""
        if any(type(number) is not int for number in (self.memory_kib, self.passes, self.lanes)):
            raise InvalidInputError("memory_kib, passes and lanes are whole numbers")
        if self.memory_kib < FLOOR_KIB:
            raise InvalidInputError(f"memory_kib must be at least {FLOOR_KIB} (64 MiB)")
        if not self.bounded():
            raise InvalidInputError("at most 2 GiB of memory, 1 to 16 passes and 1 to 16 lanes are allowed")

    def check_for_reading(self) -> None:
        """Refuse what a hostile header could ask for, before allocating it."""
        if not self.bounded():
            raise VaultTamperedError("the header asks for key derivation beyond the limits of the format")

    def bounded(self) -> bool:
        """Whether the format allows these parameters at all."""
        return (
            8 * self.lanes <= self.memory_kib <= CEILING_KIB
            and 1 <= self.passes <= MAX_PASSES
            and 1 <= self.lanes <= MAX_LANES
        )


def argon2id(passphrase: bytearray, salt: bytes, cost: KdfParameters) -> Key:
    """The KEK of a passphrase. Derives straight into the key's own memory; the GIL is released meanwhile.

    Raises:
        UnavailableError: the machine can't give the memory that the parameters ask for.
    """
    ffi, key = argon2.ffi, Key()
    out, secret, salt_buffer = (
        ffi.from_buffer("uint8_t[]", key.view()),
        ffi.from_buffer("uint8_t[]", passphrase),
        ffi.from_buffer("uint8_t[]", salt),
    )
    context = ffi.new(
        "argon2_context *",
        {
            "out": out,
            "outlen": KEY_BYTES,
            "pwd": secret,
            "pwdlen": len(passphrase),
            "salt": salt_buffer,
            "saltlen": len(salt),
            "secret": ffi.NULL,
            "secretlen": 0,
            "ad": ffi.NULL,
            "adlen": 0,
            "t_cost": cost.passes,
            "m_cost": cost.memory_kib,
            "lanes": cost.lanes,
            "threads": cost.lanes,
            "version": argon2.ARGON2_VERSION,
            "allocate_cbk": ffi.NULL,
            "free_cbk": ffi.NULL,
            "flags": 0,
        },
    )
    code = argon2.core(context, argon2.Type.ID.value)
    if code != 0:
        key.wipe()
        raise UnavailableError(
            f"key derivation failed ({argon2.error_to_str(code)}); it needs {cost.memory_kib // 1024} MiB of memory"
        )
    return key


def kek_from_secret(secret: Key, salt: bytes, vault: bytes) -> Key:
    """The KEK of a slot whose secret is 32 random bytes."""
    key = Key()
    kdf = HKDF(algorithm=SHA512(), length=KEY_BYTES, salt=salt, info=KEK_LABEL + b"\0" + vault)
    kdf.derive_into(secret.view(), key.view())
    return key


def derive_key(parent: Key, label: bytes, vault: bytes) -> Key:
    """The key with this label below `parent`."""
    key = Key()
    HKDFExpand(algorithm=SHA512(), length=KEY_BYTES, info=label + b"\0" + vault).derive_into(parent.view(), key.view())
    return key


def mac(key: Key, message: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(key.view(), message, "sha256")


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def forget_passphrase(buffer: bytearray) -> None:
    """Wipe an encoded passphrase."""
    wipe(buffer)
