"""Empty places for a vault, one factory for each kind of store. A new kind is one line here.

What runs over all of them (tests/test_remote_faults.py, tests/transfer/test_copying.py) asks for `KINDS`.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from support import objects
from support.header_first import HeaderFirstStore
from support.vaults import NAME
from vault_core import EphemeralStore, SqliteStore
from vault_core.store.object import ObjectStore
from vault_core.store.postgres import PostgresStore
from vault_core.testing import Place

Fixture = Callable[[str], Any]


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


class UrlPlace:
    """A URL of its own, without the layers that locations put in front of a remote store."""

    def __init__(self, kind: type[PostgresStore] | type[ObjectStore], url: str) -> None:
        self._kind, self._url = kind, url

    def create(self) -> PostgresStore | ObjectStore:
        return self._kind(self._url, create=True)

    def open(self) -> PostgresStore | ObjectStore:
        return self._kind(self._url)


def _in_postgres(folder: Path, fixture: Fixture) -> Place:
    return UrlPlace(PostgresStore, fixture("postgres").url(fixture("database"), _name(folder)))


def _in_s3(folder: Path, fixture: Fixture) -> Place:
    return UrlPlace(ObjectStore, objects.url(fixture("s3"), f"places/{_name(folder)}"))


def _in_folder(folder: Path, _: Fixture) -> Place:
    return UrlPlace(ObjectStore, (folder / "objects").as_uri())


def _name(folder: Path) -> str:
    return sha256(bytes(folder)).hexdigest()[:32]


PLACES: dict[str, Callable[[Path, Fixture], Place]] = {  # each is given a folder of its own, and pytest's fixtures
    "memory": lambda *_: MemoryPlace(EphemeralStore()),
    "header first": lambda *_: MemoryPlace(HeaderFirstStore()),
    "sqlite": lambda folder, _: SqlitePlace(folder),
    "postgres": _in_postgres,
    "s3": _in_s3,
    "folder": _in_folder,
}
KINDS = list(PLACES)
HERE = ("memory", "header first", "sqlite")  # no server, and no file for every commit: a thousand times a second
