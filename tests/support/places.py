"""Empty places for a vault, one factory for each kind of store. A new kind is one line here.

What runs over all of them (tests/test_remote_faults.py, tests/transfer/test_copying.py) asks for `KINDS`.
"""

from collections.abc import Callable
from pathlib import Path

from support.header_first import HeaderFirstStore
from support.vaults import NAME
from vault_core import EphemeralStore, SqliteStore
from vault_core.testing import Place


class MemoryPlace:
    """RAM that its sessions share."""

    def __init__(self, store: EphemeralStore) -> None:
        self.store = store

    def create(self) -> EphemeralStore:
        return self.store

    def open(self) -> EphemeralStore:
        return self.store.another()


class SqlitePlace:
    """A file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def create(self) -> SqliteStore:
        return SqliteStore(self.path, create=True)

    def open(self) -> SqliteStore:
        return SqliteStore(self.path)


PLACES: dict[str, Callable[[Path], Place]] = {  # each is given a folder of its own, empty
    "memory": lambda _: MemoryPlace(EphemeralStore()),
    "header first": lambda _: MemoryPlace(HeaderFirstStore()),
    "sqlite": SqlitePlace,
}
KINDS = list(PLACES)
