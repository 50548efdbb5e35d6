"""Bytes that are sealed by a vault and kept elsewhere: in a database, a queue, a file of the caller's own.

Rules (docs/format.md §1, kind `outs`):
- What is kept is `SRO1` ‖ key generation ‖ seal(box key, context with SHA-256(purpose), plaintext).
- It opens only with this vault's box and for the same purpose. Its place elsewhere is not bound: whoever keeps it can
  leave it out, serve an older one, or swap two that have one purpose.
"""

import struct
from hashlib import sha256
from typing import Any

from vault_core.crypto import OUTSIDE, Place, seal, unseal
from vault_core.errors import InvalidInputError, VaultTamperedError
from vault_core.memory.draft import check_label
from vault_core.memory.limits import MAX_RECORD_BYTES
from vault_core.session.session import Session

_HEAD = struct.Struct(">4sI")
_MAGIC = b"SRO1"
_REFUSED = "these bytes were not sealed by this vault for this purpose, or were changed since"


def seal_outside(session: Session, plaintext: Any, purpose: str, box_name: str) -> bytes:
    """Seal bytes under the box's present key."""
    also = sha256(check_label(purpose, "purpose").encode()).digest()
    if not isinstance(plaintext, bytes | bytearray | memoryview):
        raise InvalidInputError("only bytes can be sealed; encode the text first")
    if memoryview(plaintext).nbytes > MAX_RECORD_BYTES:
        raise InvalidInputError(f"at most {MAX_RECORD_BYTES:,} bytes are sealed at once")
    with session.reading():
        box, generation = session.box(box_name), session.keyring.generation
        place = Place(vault=session.header.vault, box=box.id, generation=generation)
        sealed = seal(bytes(plaintext), box.keys[generation], place.context(OUTSIDE, also=also))
    return _HEAD.pack(_MAGIC, generation) + sealed


def unseal_outside(session: Session, sealed: Any, purpose: str, box_name: str) -> bytes:
    """Open what `seal_outside` sealed.

    Raises:
        VaultTamperedError: other bytes, another vault, box or purpose; which of them is not said.
    """
    also = sha256(check_label(purpose, "purpose").encode()).digest()
    if not isinstance(sealed, bytes | bytearray | memoryview):
        raise InvalidInputError("only bytes can be opened")
    given = bytes(sealed)
    if len(given) < _HEAD.size or given[:4] != _MAGIC:
        raise VaultTamperedError(_REFUSED)
    _, generation = _HEAD.unpack_from(given)
    with session.reading():
        box = session.box(box_name)
        key = box.keys.get(generation)
        if key is None:
            raise VaultTamperedError(_REFUSED)
        place = Place(vault=session.header.vault, box=box.id, generation=generation)
        try:
            return unseal(given[_HEAD.size :], key, place.context(OUTSIDE, also=also))
        except VaultTamperedError:
            raise VaultTamperedError(_REFUSED) from None
