"""The header: a vault's self-describing JSON, authenticated as the stored bytes.

Rules (docs/format.md §3):
- Canonical JSON, and a MAC over exactly the bytes in the store; nothing is re-serialised to be checked.
- The unkeyed checksum tells damage from a wrong secret. It protects nothing: whoever changes the header can redo it.
- One suite for one format. A newer format is refused, never guessed at.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from vault_core.crypto import KEYRING, Key, Place, derive_key, mac, same, seal, unseal_into, wipe
from vault_core.crypto.derive import HEADER_LABEL, KEYRING_LABEL
from vault_core.errors import (
    FormatTooNewError,
    InvalidInputError,
    UnavailableError,
    VaultNotFoundError,
    VaultTamperedError,
    WrongPassphraseError,
)
from vault_core.keys.keyring import Keyring
from vault_core.keys.providers import ANY_SLOT, KeyProvider
from vault_core.keys.slots import WRONG, Slot, exact, from_base64, from_hex
from vault_core.memory.canonical import canonical_json
from vault_core.memory.model import StoredHeader

FORMAT = 1
SUITE = "cobblestone-256+argon2id+hkdf-sha512"
MAX_HEADER = 65_536  # bounds what a stranger can make us parse
MAX_SLOTS = 16
MAX_PASSPHRASES = 4  # bounds how often Argon2id is paid
MAC_BYTES = 64  # HMAC and checksum
_DAMAGED = "the header is damaged"
_COPY = "copy"  # the key that only the header of an unfinished copy has
_TOO_NEW = "this vault has a newer format; upgrade strongroom to open it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A parsed header. Its keyring is still sealed."""

    vault: bytes
    generation: int
    key_generation: int
    keyring: bytes
    slots: tuple[Slot, ...]

    @classmethod
    def parse(cls, stored: StoredHeader) -> "Header":
        """A stranger's header, every field bounded and checked; only the MAC is still open.

        Raises:
            VaultTamperedError: damaged, or not canonical.
            FormatTooNewError: written by a newer version.
            VaultNotFoundError: there is a copy here that is not finished.
        """
        if len(stored.body) > MAX_HEADER:
            raise VaultTamperedError(_DAMAGED)
        try:
            given = json.loads(stored.body.decode())
        except (ValueError, RecursionError):
            raise VaultTamperedError(_DAMAGED) from None
        if not isinstance(given, dict) or type(given.get("format")) is not int:
            raise VaultTamperedError(_DAMAGED)
        if given["format"] > FORMAT:
            raise FormatTooNewError(_TOO_NEW)
        if len(stored.mac) != MAC_BYTES or not same(sha256(stored.body + stored.mac[:32]).digest(), stored.mac[32:]):
            raise VaultTamperedError(_DAMAGED)
        if _COPY in given:
            raise VaultNotFoundError("this copy of a vault is not finished; run strongroom copy again, and it goes on")
        kinds = {
            "format": int, "suite": str, "vault": str, "generation": int, "key_generation": int,
            "keyring": str, "slots": list,
        }  # fmt: skip
        fields = exact(given, kinds)
        if fields["suite"] != SUITE:
            raise FormatTooNewError(_TOO_NEW)
        header = cls(
            vault=from_hex(fields["vault"], 16),
            generation=_counter(fields["generation"], 8),
            key_generation=_counter(fields["key_generation"], 4),
            keyring=from_base64(fields["keyring"]),
            slots=tuple(Slot.from_json(slot) for slot in fields["slots"][: MAX_SLOTS + 1]),
        )
        if fields["format"] != FORMAT or header.body() != stored.body:
            raise VaultTamperedError(_DAMAGED)
        if not header.slots_allowed():
            raise VaultTamperedError(_DAMAGED)
        return header

    def unlock(self, providers: Iterable[KeyProvider]) -> tuple[Key, KeyProvider]:
        """The MEK, from the first slot that one of the providers opens, and that provider.

        Raises:
            WrongPassphraseError: none opens; the same path and words whatever the cause.
            UnavailableError: none opens, and the source of one could not be asked.
        """
        unavailable: UnavailableError | None = None
        for provider in providers:
            for slot in self.slots:
                if provider.kind in (slot.kind, ANY_SLOT):
                    try:
                        return slot.unlock(provider, self.vault), provider
                    except WrongPassphraseError:
                        continue
                    except UnavailableError as error:
                        unavailable = unavailable or error
                        break
        raise unavailable or WrongPassphraseError(WRONG)

    def check(self, stored: StoredHeader, mek: Key) -> None:
        """Check the MAC under the MEK.

        Raises:
            VaultTamperedError: someone without the MEK wrote this header.
        """
        if not self.made_under(stored, mek):
            raise VaultTamperedError("the header was changed by someone without the vault's key")

    def made_under(self, stored: StoredHeader, mek: Key) -> bool:
        """Whether the MAC is the one that a holder of this MEK makes."""
        key = derive_key(mek, HEADER_LABEL, self.vault)
        try:
            return same(mac(key, stored.body), stored.mac[:32])
        finally:
            key.wipe()

    def open_keyring(self, mek: Key) -> Keyring:
        """The keyring.

        Raises:
            VaultTamperedError: it does not open, or is not of this header's key generation.
        """
        key = derive_key(mek, KEYRING_LABEL, self.vault)
        place = Place(vault=self.vault, generation=self.key_generation)
        try:
            plaintext = unseal_into(self.keyring, key, place.context(KEYRING, self.generation))
        finally:
            key.wipe()
        try:
            keyring = Keyring.decode(plaintext)
        finally:
            wipe(plaintext)
        if keyring.generation != self.key_generation:
            keyring.wipe()
            raise VaultTamperedError("the keyring is not of the header's generation")
        return keyring

    def body(self) -> bytes:
        """The header as it is stored."""
        return canonical_json(
            {
                "format": FORMAT,
                "suite": SUITE,
                "vault": self.vault.hex(),
                "generation": self.generation,
                "key_generation": self.key_generation,
                "keyring": base64.b64encode(self.keyring).decode(),
                "slots": [slot.to_json() for slot in self.slots],
            }
        ).encode("ascii")

    def slots_allowed(self) -> bool:
        """Whether the slots are within the limits of the format."""
        passphrases = sum(slot.kind == "passphrase" for slot in self.slots)
        distinct = len({slot.id for slot in self.slots}) == len(self.slots)
        return distinct and len(self.slots) <= MAX_SLOTS and passphrases <= MAX_PASSPHRASES


def seal_header(vault: bytes, generation: int, keyring: Keyring, slots: Sequence[Slot], mek: Key) -> StoredHeader:
    """A new header, ready for the store.

    Raises:
        InvalidInputError: too many slots, or none.
    """
    keyring_key, header_key = derive_key(mek, KEYRING_LABEL, vault), derive_key(mek, HEADER_LABEL, vault)
    plaintext = keyring.encode()
    try:
        place = Place(vault=vault, generation=keyring.generation)
        sealed = seal(plaintext, keyring_key, place.context(KEYRING, generation))
        header = Header(
            vault=vault,
            generation=generation,
            key_generation=keyring.generation,
            keyring=sealed,
            slots=tuple(slots),
        )
        if not slots or not header.slots_allowed():
            raise InvalidInputError(
                f"a vault has 1 to {MAX_SLOTS} slots, at most {MAX_PASSPHRASES} of them passphrases"
            )
        body = header.body()
        if len(body) > MAX_HEADER:
            raise InvalidInputError("the header would grow too large; remove a slot or a box")
        tag = mac(header_key, body)
        return StoredHeader(body, tag + sha256(body + tag).digest())
    finally:
        wipe(plaintext)
        keyring_key.wipe()
        header_key.wipe()


def unfinished_copy(vault: bytes) -> StoredHeader:
    """The header of a copy that is not finished: no vault to open, but known to be a copy of this one."""
    given = {"format": FORMAT, "generation": 0, "vault": vault.hex(), _COPY: "unfinished"}
    body, tag = canonical_json(given).encode("ascii"), bytes(MAC_BYTES // 2)
    return StoredHeader(body, tag + sha256(body + tag).digest())


def _counter(value: int, size: int) -> int:
    if not 1 <= value < 1 << 8 * size:
        raise VaultTamperedError(_DAMAGED)
    return value
