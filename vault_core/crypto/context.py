"""Contexts: where a sealed thing belongs, as bytes.

Fixed width, so that no two places can share a spelling (docs/format.md §1). The context is authenticated, not
stored: a thing moved elsewhere does not open.
"""

import struct
from dataclasses import dataclass

MAGIC = b"strongroom-1"

SLOT = b"slot"
KEYRING = b"keyr"
ENTRY_OPS = b"oper"
RECORD = b"reco"
MANIFEST = b"mani"
PART = b"part"
BUNDLE = b"bund"

NO_BOX = bytes(16)  # the vault itself

_LAYOUT = struct.Struct(">12s4s16s16sIQI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a vault something is sealed: the vault, the box, the key generation."""

    vault: bytes
    box: bytes = NO_BOX
    generation: int = 0

    def context(self, kind: bytes, seq: int = 0, n: int = 0, also: bytes = b"") -> bytes:
        """The context for a thing of this kind at (seq, n); `also` is appended (its width is fixed by the kind)."""
        fixed = _LAYOUT.pack(MAGIC, kind, self.vault, self.box, self.generation, seq, n)
        return fixed + also
