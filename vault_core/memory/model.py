"""What the user stores and gets back: memories, items, spaces, results.

Everything here is a frozen value. Times are aware `datetime`s in UTC; a namespace is a tuple of labels; vectors are
one-dimensional float32 arrays, grouped as space -> field -> vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vault_core.memory.trust import trust_of

ATOM, COMPOSITE, AFFINITY = "ATOM", "COMPOSITE", "AFFINITY"
TIERS = (ATOM, COMPOSITE, AFFINITY)  # their order is their code in a record

Namespace = tuple[str, ...]
Vector = NDArray[np.float32]
Vectors = Mapping[str, Mapping[str, Vector]]


class Address(NamedTuple):
    """Where a record lies in the log: record `n` of commit `seq`. Never used twice."""

    seq: int
    n: int

    @property
    def number(self) -> int:
        """The address as one integer, in log order."""
        return self.seq << 24 | self.n

    @classmethod
    def of(cls, number: int) -> "Address":
        """The address that `number` stands for."""
        return cls(number >> 24, number & 0xFFFFFF)

    def __str__(self) -> str:
        return f"{self.seq}.{self.n}"


NOWHERE = Address(0, 0)  # of what is not in the log yet


class StoredHeader(NamedTuple):
    """The header as a store keeps it: the body, and the MAC with the checksum (docs/format.md §3)."""

    body: bytes
    mac: bytes

    @property
    def digest(self) -> bytes:
        """What the log says of this header: SHA-256 of its body."""
        return sha256(self.body).digest()


class FactSlot(NamedTuple):
    """What a fact is about: ("user", "home city"). A newer value supersedes the older one."""

    subject: str
    attribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What happens to a memory without a new version of it."""

    archived: bool = False
    pinned: bool = False
    uses: int = 0
    used_at: datetime | None = None
    refreshed_at: datetime | None = None
    trusted: bool = False
    ghost_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A memory to be added: the arguments of `Vault.add` as a value, for `add_many` and transactions."""

    content: Any
    id: str | None = None
    namespace: Sequence[str] = ()
    memory_type: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] | None = None
    importance: float | None = None
    confidence: float | None = None
    sensitivity: str | None = None
    source: str | None = None
    thread: str | None = None
    event_time: datetime | str | None = None
    valid_from: datetime | str | None = None
    valid_to: datetime | str | None = None
    expires_at: datetime | str | None = None
    slot: Sequence[str] | None = None
    supersedes: Sequence[str] = ()
    emotional_intensity: float | None = None
    valence: float | None = None
    data_class: str | None = None
    tier: str = ATOM
    vector: Any = None
    vectors: Mapping[str, Any] | None = None
    index: bool | Mapping[str, str] | None = None
    keep_history: bool = True
    reason: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One version of one memory, with everything the vault knows about it.

    `origin` is who said it, as the writer claims: "user", "agent", "tool", "web", "import" or another label.
    `similar` is filled by `add` alone: ids of near-duplicates that were there before. `provenance` is stamped by the
    library and says which program and session wrote this version.
    """

    id: str
    content: Any
    namespace: Namespace = ()
    memory_type: str = "SEMANTIC"
    tier: str = ATOM
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    importance: float | None = None
    confidence: float | None = None
    sensitivity: str | None = None
    source: str | None = None
    thread: str | None = None
    position: int | None = None
    event_time: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_at: datetime | None = None
    slot: FactSlot | None = None
    supersedes: tuple[str, ...] = ()
    emotional_intensity: float | None = None
    valence: float | None = None
    data_class: str | None = None
    created_at: datetime
    updated_at: datetime
    provenance: Mapping[str, str] = field(default_factory=dict)
    origin: str = "user"
    reason: str | None = None
    state: State = field(default_factory=State)
    index: bool | Mapping[str, str] = True
    vectors: Vectors = field(default_factory=dict, repr=False, compare=False)
    content_hash: bytes = field(default=b"", repr=False)
    address: Address = NOWHERE
    box: str = "main"
    similar: tuple[str, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """The content as text: itself, or its JSON."""
        from vault_core.memory.canonical import readable  # here: canonical imports the model's limits

        return readable(self.content)

    @property
    def trust(self) -> str:
        """How far it may be taken at its word: "trusted", "unconfirmed" or "untrusted"."""
        return trust_of(self.origin, self.state.trusted)

    @property
    def version(self) -> str:
        """This version's name in `history` and `restore`."""
        return str(self.address)

    def __repr__(self) -> str:
        # No memory text in reprs: they end up in logs and tracebacks.
        return f"Memory(id=…, type={self.memory_type}, tier={self.tier}, version={self.version})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Bytes under (collection, key), with a few sealed attributes. Never searched, never a memory."""

    collection: str
    key: str
    value: bytes
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    address: Address = NOWHERE

    def __repr__(self) -> str:
        return f"Item({len(self.value)} bytes, version={self.address})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A named set of vectors: their dimension, and the fingerprint of the embedder that makes them ('' for none)."""

    name: str
    dimension: int
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """One hit. `score` is higher for better; `parts` says what it is made of (with `explain=True`)."""

    memory: Memory
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def tier(self) -> str:
        """The memory's tier."""
        return self.memory.tier


def placed(memory: Memory, address: Address, position: int | None, box: str) -> Memory:
    """Give a memory that nobody else has seen yet its box, its address and its position in the thread.

    The one place where a value is changed: copying thirty fields for each of 100,000 memories of a batch would cost
    more than sealing them.
    """
    object.__setattr__(memory, "address", address)
    object.__setattr__(memory, "position", position)
    object.__setattr__(memory, "box", box)
    return memory
