"""An independent reader of format 1, written from docs/format.md alone.

It shares no code with `vault_core`. `read_vault` takes a vault file, or a `Dump` of what a store
holds, and gives everything in it, or raises `Refused`.
"""

from reader.database import Dump
from reader.plain import plain
from reader.refused import Refused
from reader.vault import Memory, ReadVault, Record, Version, read_vault

__all__ = ["Dump", "Memory", "ReadVault", "Record", "Refused", "Version", "plain", "read_vault"]
