"""The words of the vault as frozen values, their record codec, and filters. Pure: no I/O, no clock, no randomness."""

from vault_core.memory.canonical import canonical_json, content_hash
from vault_core.memory.classify import classify
from vault_core.memory.codec import (
    ITEM,
    MEMORY,
    SPACE,
    decode_item,
    decode_memory,
    decode_space,
    encode_item,
    encode_memory,
    encode_space,
)
from vault_core.memory.filters import Filter, parse_filter
from vault_core.memory.model import (
    AFFINITY,
    ATOM,
    COMPOSITE,
    Address,
    Draft,
    FactSlot,
    Item,
    Memory,
    Namespace,
    SearchResult,
    Space,
    State,
    Vectors,
)

__all__ = [
    "AFFINITY",
    "ATOM",
    "COMPOSITE",
    "ITEM",
    "MEMORY",
    "SPACE",
    "Address",
    "Draft",
    "FactSlot",
    "Filter",
    "Item",
    "Memory",
    "Namespace",
    "SearchResult",
    "Space",
    "State",
    "Vectors",
    "canonical_json",
    "classify",
    "content_hash",
    "decode_item",
    "decode_memory",
    "decode_space",
    "encode_item",
    "encode_memory",
    "encode_space",
    "parse_filter",
]
