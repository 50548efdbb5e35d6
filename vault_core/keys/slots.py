"""Slots: each wraps the same master key (MEK) for one way to unlock.

Rules (docs/format.md §3):
- A slot's public fields are in the context of what it seals: nothing about it can be changed or moved.
- Every size and parameter is bounded before it is used; a header is a stranger's until the MEK has vouched for it.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from vault_core.crypto import KEY_BYTES, OVERHEAD, SLOT, KdfParameters, Key, Place, padme, seal_key, unseal_into, wipe
from vault_core.errors import InvalidInputError, VaultTamperedError, WrongPassphraseError
from vault_core.keys.providers import KeyProvider, SlotKdf, check_provider
from vault_core.memory.canonical import canonical_json

KINDS = ("passphrase", "recovery", "keyring", "command", "file")
SALT_BYTES = 16
ID_BYTES = 16
_MEK_AND_VAULT = KEY_BYTES + 16
_SEALED_BYTES = OVERHEAD + padme(4 + _MEK_AND_VAULT)  # exactly what the MEK and the vault id seal to
_DAMAGED = "a slot in the header is not what format 1 allows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One way to unlock: its id, its kind, its public parameters, and the MEK sealed under its KEK."""

    id: bytes
    kind: str
    kdf: SlotKdf
    sealed: bytes

    @classmethod
    def make(cls, mek: Key, provider: KeyProvider, vault: bytes, cost: KdfParameters | None = None) -> "Slot":
        """A new slot for this provider; `cost` counts for a passphrase only."""
        if check_provider(provider).kind not in KINDS:  # its header could never be read again
            raise InvalidInputError(f"a slot is of one of the kinds {', '.join(KINDS)}")
        if provider.kind == "passphrase":
            cost = KdfParameters() if cost is None else cost
            if not isinstance(cost, KdfParameters):
                raise InvalidInputError("kdf must be KdfParameters")
            cost.check_for_writing()
        else:
            cost = None
        kdf = SlotKdf(salt=secrets.token_bytes(SALT_BYTES), cost=cost)
        return cls.wrap(mek, provider, vault, secrets.token_bytes(ID_BYTES), kdf)

    @classmethod
    def wrap(cls, mek: Key, provider: KeyProvider, vault: bytes, id: bytes, kdf: SlotKdf) -> "Slot":
        """The slot with these parameters around `mek`."""
        empty = cls(id=id, kind=provider.kind, kdf=kdf, sealed=b"")
        kek = provider.kek(kdf, vault)
        try:
            sealed = seal_key(mek, kek, empty._context(vault), also=vault)
        finally:
            kek.wipe()
        return cls(id=id, kind=provider.kind, kdf=kdf, sealed=sealed)

    def unlock(self, provider: KeyProvider, vault: bytes) -> Key:
        """The MEK.

        Raises:
            WrongPassphraseError: the secret is not this slot's, or the slot was changed; which of them can't be told.
            VaultTamperedError: it opens, but on something else than a master key of this vault.
        """
        kek = provider.kek(self.kdf, vault)
        try:
            plaintext = unseal_into(self.sealed, kek, self._context(vault))
        except VaultTamperedError:
            raise WrongPassphraseError(WRONG) from None
        finally:
            kek.wipe()
        try:
            if len(plaintext) != _MEK_AND_VAULT or plaintext[KEY_BYTES:] != vault:
                raise VaultTamperedError(_DAMAGED)
            return Key.taken_from(memoryview(plaintext)[:KEY_BYTES])
        finally:
            wipe(plaintext)

    def to_json(self) -> dict[str, Any]:
        """The slot as it stands in the header."""
        return {**self._public(), "sealed": base64.b64encode(self.sealed).decode()}

    @classmethod
    def from_json(cls, given: Any) -> "Slot":
        """The slot in a stranger's header, every field checked.

        Raises:
            VaultTamperedError: it is not a slot of format 1.
        """
        fields = exact(given, {"id": str, "kind": str, "kdf": dict, "sealed": str})
        if fields["kind"] not in KINDS:
            raise VaultTamperedError(_DAMAGED)
        return cls(
            id=from_hex(fields["id"], ID_BYTES),
            kind=fields["kind"],
            kdf=_kdf_from_json(fields["kdf"], fields["kind"]),
            sealed=from_base64(fields["sealed"], _SEALED_BYTES),
        )

    def _public(self) -> dict[str, Any]:
        salt = base64.b64encode(self.kdf.salt).decode()
        if self.kdf.cost is None:
            kdf: dict[str, Any] = {"name": "hkdf-sha512", "salt": salt}
        else:
            cost = self.kdf.cost
            kdf = {"name": "argon2id", "m": cost.memory_kib, "t": cost.passes, "p": cost.lanes, "salt": salt}
        return {"id": self.id.hex(), "kind": self.kind, "kdf": kdf}

    def _context(self, vault: bytes) -> bytes:
        public = sha256(canonical_json(self._public()).encode()).digest()
        return Place(vault=vault).context(SLOT, also=self.id + public)


WRONG = "no slot of this vault opens with this secret"


def exact(given: Any, fields: dict[str, type]) -> dict[str, Any]:
    """An object with exactly these fields, of exactly these types."""
    if not isinstance(given, dict) or given.keys() != fields.keys():
        raise VaultTamperedError(_DAMAGED)
    if any(type(given[name]) is not kind for name, kind in fields.items()):
        raise VaultTamperedError(_DAMAGED)
    return given


def from_hex(text: str, size: int) -> bytes:
    """Exactly `size` bytes from lower-case hex."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise VaultTamperedError(_DAMAGED) from None
    if len(raw) != size or raw.hex() != text:
        raise VaultTamperedError(_DAMAGED)
    return raw


def from_base64(text: str, size: int | None = None) -> bytes:
    """Bytes from strict base64; exactly `size` of them where it is given."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise VaultTamperedError(_DAMAGED) from None
    if size not in (None, len(raw)) or base64.b64encode(raw).decode() != text:
        raise VaultTamperedError(_DAMAGED)
    return raw


def _kdf_from_json(given: Any, kind: str) -> SlotKdf:
    if kind != "passphrase":
        fields = exact(given, {"name": str, "salt": str})
        if fields["name"] != "hkdf-sha512":
            raise VaultTamperedError(_DAMAGED)
        return SlotKdf(salt=from_base64(fields["salt"], SALT_BYTES))
    fields = exact(given, {"name": str, "m": int, "t": int, "p": int, "salt": str})
    if fields["name"] != "argon2id":
        raise VaultTamperedError(_DAMAGED)
    cost = KdfParameters(memory_kib=fields["m"], passes=fields["t"], lanes=fields["p"])
    cost.check_for_reading()
    return SlotKdf(salt=from_base64(fields["salt"], SALT_BYTES), cost=cost)
