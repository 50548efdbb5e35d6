"""The protocol every store keeps, and the values that cross it.

To add a store (docs/how-to/store.md): implement `Store`, run `vault_core.testing.StoreConformance` against it, raise
only `VaultError` kinds. What stores do differently is data on the store (`capabilities`), not a question of its class.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vault_core.memory.model import StoredHeader

__all__ = ["Capabilities", "Change", "Head", "Store", "StoredHeader", "named_once"]


_ONCE = re.compile(r".*/[0-9a-f]{32}/[0-9]+")  # …/snapshot id/number


class Head(NamedTuple):
    """What a store shows a writer inside the critical section: the last seq (0 for none) and the header."""

    seq: int
    header: StoredHeader | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One atomic step for a store: an entry with its records, addresses to erase, maybe a header, parts to drop.

    `entry` is None for a change that is no commit, and brings no header: of parts, or of what a copy erases last.
    Records get the addresses (seq, 0), (seq, 1), … of the entry.
    """

    seq: int = 0
    entry: bytes | None = None
    records: Sequence[bytes] = ()
    erase: Sequence[int] = ()
    header: StoredHeader | None = None
    drop_parts: Sequence[str] = ()
    put_parts: Iterable[tuple[str, bytes]] = ()  # without an entry, gone through once: they are made on the way
    purge: bool = False  # end by removing what erasing leaves behind, rather than some time later


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """How stores differ."""

    exclusive: bool  # can one session hold the vault alone?
    durable: bool  # does a change survive the process?
    lag: float = 0.0  # seconds that `moved` may be behind others' changes; 0 if it never is


def named_once(name: str) -> bool:
    """Whether a part has its name for ever: it belongs to one snapshot, and no other bytes ever stand under it."""
    return _ONCE.fullmatch(name) is not None


class Store(Protocol):
    """Bytes by number and name, with one critical section.

    A store may be used from several threads, one at a time (the session holds a lock), and by any number of sessions
    in other processes. Every method raises `UnavailableError` when the place can't serve now,
    `VaultTamperedError` when its own structure is broken, and no foreign exception.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do."""
        ...

    @property
    def location(self) -> str:
        """Where it is, for people. Never holds a secret."""
        ...

    @property
    def origin(self) -> "Store":
        """The store whose bytes these are: itself, unless it is a cache in front of another. For who verifies."""
        ...

    def create(self, header: StoredHeader, entry: bytes) -> None:
        """Begin a vault: its header and its first entry, at once.

        Raises:
            ConflictError: there is something already.
        """
        ...

    def read_header(self) -> StoredHeader:
        """The header.

        Raises:
            VaultNotFoundError: there is no vault.
        """
        ...

    def moved(self) -> bool:
        """Whether anything may have changed since the last look. Cheap; True when in doubt."""
        ...

    def head(self) -> int:
        """The last seq."""
        ...

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        """Run `make` inside the critical section and carry out the change that it returns, whole or not at all.

        `make` may read from the store, and may be run again after a conflict. When this returns, the change is
        durable. An exception from `make` passes as it is, and leaves the store as it was.

        Raises:
            SessionStateError: called from inside `make`.
            VaultTamperedError: the change's seq or an address is taken.
        """
        ...

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Entries with seq > `after` (and <= `upto`), ascending. No cursor stays open between items."""
        ...

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """The stored records at these addresses; missing ones are left out. An erased one is all zeros."""
        ...

    def addresses(self, after: int) -> Iterator[int]:
        """The addresses of all stored records above `after`, ascending. No cursor stays open between items."""
        ...

    def let_go(self, addresses: Iterable[int] | None) -> None:
        """Drop cached copies of these records, which a commit has erased, or of everything (None). Never fails.

        With no address it says that every entry that was given has been followed, and what they erase let go.
        """
        ...

    def part(self, name: str) -> bytes | None:
        """A part, or None."""
        ...

    def parts(self) -> list[str]:
        """The names of all parts."""
        ...

    def purge(self, *, wait: bool = True) -> bool:
        """Remove what erasing left behind. False if others are in the way (for a moment, with `wait`); try later."""
        ...

    def reclaim(self) -> None:
        """Give back the space of erased records and dropped parts."""
        ...

    def size(self) -> int:
        """Bytes used, about."""
        ...

    def lock(self, *, exclusive: bool) -> None:
        """Say that a session uses the vault, alone or with others, until `close`. Said again, it takes the place.

        Raises:
            VaultAlreadyOpenError: another session is in the way.
        """
        ...

    def abandon(self) -> None:
        """In a forked child: never touch the connection again, not even to close it."""
        ...

    def close(self) -> None:
        """Let go. Calling it twice does no harm."""
        ...
