"""What other processes do with vaults in a database. Light to import, for each of them does it."""

from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from support import vaults
from vault_core import FileKey, UnavailableError, Vault
from vault_core.store.postgres import PostgresStore
from vault_core.testing.conformance import commit


def committing(pipe: Connection, url: str, name: str, times: int) -> None:
    """Commit records that say who wrote them."""
    with closing(PostgresStore(url)) as store:
        pipe.send([commit(store, f"{name} {number}".encode()) for number in range(times)])


def adding(pipe: Connection, url: str, folder: Path, name: str, times: int) -> None:
    """Add memories that say who wrote them."""
    with Vault.open(url, unlock=vaults.key_in(folder)) as vault:
        for number in range(times):
            vault.add(f"{name} {number}")
    pipe.send("done")


def creating(pipe: Connection, urls: list[str], key: Path) -> None:
    """Make vaults, and keep all of them open while writing to them in turn."""
    made = [Vault.create(url, unlock=FileKey(key), owner=url) for url in urls]
    for number in range(2):
        for vault, url in zip(made, urls, strict=True):
            vault.add(f"{number} of {url}")
    for vault in made:
        vault.close()
    pipe.send("done")


def going_on(pipe: Connection, url: str, folder: Path, name: str) -> None:
    """Add memories until told to stop, whatever becomes of the server; say which were acknowledged, and what failed."""
    acknowledged: list[str] = []
    failed = 0
    with Vault.open(url, unlock=vaults.key_in(folder)) as vault:
        while not pipe.poll():
            text = f"{name} {len(acknowledged) + failed}"
            try:
                vault.add(text)
            except UnavailableError:
                failed += 1
                continue
            acknowledged.append(text)
            if len(acknowledged) % 5 == 0:
                pipe.send(len(acknowledged))
        pipe.send((acknowledged, failed, vaults.texts(vault)))


def waiting(pipe: Connection, url: str) -> None:
    """Enter the critical section, say so, and stay in it until told to go on."""

    def make(_: object) -> None:
        pipe.send("inside")
        pipe.recv()

    with closing(PostgresStore(url)) as store:
        store.append(make)
