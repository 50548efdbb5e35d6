"""Vectors as stores of the product."""

import base64
from collections.abc import Mapping
from typing import Any

from vault_core.store.ephemeral import EphemeralStore


def load_dump(vector: Mapping[str, Any]) -> EphemeralStore:
    """A store in RAM with the vector's bytes."""
    unpack = base64.b64decode
    pairs = (
        (seq, each) if isinstance(each, str) else tuple(each) for seq, each in enumerate(vector["entries"], start=1)
    )
    store = EphemeralStore()
    store.header = unpack(vector["header"]["body"]), unpack(vector["header"]["mac"])
    store.entry = {seq: unpack(stored) for seq, stored in pairs}
    store.record = {int(address): unpack(stored) for address, stored in vector["records"].items()}
    return store
