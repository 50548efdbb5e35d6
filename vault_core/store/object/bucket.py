"""The handful of things that a vault asks of a place with objects."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Found(NamedTuple):
    """Bytes of an object, its whole size, and the tag that changes with it."""

    body: bytes
    tag: str
    size: int


class ChangedError(Exception):
    """The object is not the one whose tag was given. Never leaves this package."""


class Bucket(Protocol):
    """Objects by name, for one vault. Safe from several threads at once.

    `create` and `replace` that raise `UnavailableError` may have taken effect all the same; they may also deny
    an effect of their own, when the network repeats a request. Whoever calls them settles it by reading back.
    """

    location: str
    durable: bool
    probed: bool  # are conditional writes the server's word, to be tried out before they are believed?

    def get(self, name: str, start: int, length: int, tag: str | None = None) -> Found | None:
        """At most `length` bytes from `start`, or None. `ChangedError` if the tag is another."""
        ...

    def tag(self, name: str) -> str | None:
        """The object's tag, or None."""
        ...

    def create(self, name: str, body: bytes) -> str | None:
        """Put an object where none is, and give its tag; None if there is one, or may be."""
        ...

    def replace(self, name: str, body: bytes, tag: str) -> bool:
        """Put an object in the place of one with this tag; False if that one is not there any more."""
        ...

    def put(self, name: str, body: bytes) -> None:
        """Put an object, whatever is there."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object; nothing if there is none."""
        ...

    def tidy(self) -> None:
        """Remove what writers that were killed have left, if they leave anything."""
        ...

    def names(self, folder: str, after: str = "") -> Iterator[tuple[str, int]]:
        """Names in a folder, greater than `after`, with sizes, in any order."""
        ...
