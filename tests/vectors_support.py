"""Vectors as stores of the product."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vault_core import KeyProvider, Passphrase, RecoveryKey
from vault_core.crypto import Key, kek_from_secret
from vault_core.keys import bech32
from vault_core.keys.providers import SlotKdf
from vault_core.memory.model import StoredHeader
from vault_core.store.ephemeral import EphemeralStore


def load_dump(vector: Mapping[str, Any]) -> EphemeralStore:
    """A store in RAM with the vector's bytes."""
    unpack = base64.b64decode
    pairs = (
        (seq, each) if isinstance(each, str) else tuple(each) for seq, each in enumerate(vector["entries"], start=1)
    )
    store = EphemeralStore()
    store.header = StoredHeader(unpack(vector["header"]["body"]), unpack(vector["header"]["mac"]))
    store.entry = {seq: unpack(stored) for seq, stored in pairs}
    store.record = {int(address): unpack(stored) for address, stored in vector["records"].items()}
    return store


@dataclass(frozen=True)
class KeyText:
    """A key text as it stands in a vector, for whatever kind of slot the vector has."""

    kind: str
    text: str

    def kek(self, kdf: SlotKdf, vault: bytes) -> Key:
        return kek_from_secret(bech32.decode(bech32.KEY, self.text), kdf.salt, vault)


def providers(vector: Mapping[str, Any]) -> list[KeyProvider]:
    """What may open the vector, by its `unlock`: a key text could be for a slot of any kind that it has."""
    unlock = vector["unlock"]
    if "passphrase" in unlock:
        return [Passphrase(unlock["passphrase"])]
    if unlock["secret"].lower().startswith(bech32.RECOVERY):
        return [RecoveryKey(unlock["secret"])]
    return [KeyText(kind, unlock["secret"]) for kind in ("command", "keyring", "file")]
