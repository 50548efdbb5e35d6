"""Vaults for tests: made in milliseconds, for a key file needs no Argon2id."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from vault_core import FileKey, KdfParameters, Memory, Vault, new_key_text

NAME = "alice.vault"
CHEAP = KdfParameters(memory_kib=64 * 1024, passes=1, lanes=1)  # the least that may be written
PASSPHRASE = "correct horse battery staple"
OTHER_PASSPHRASE = "another horse, another battery"


def key_in(folder: Path, name: str = "key") -> FileKey:
    """The key file in a folder, made when it is missing."""
    path = folder / name
    if not path.exists():
        path.write_text(new_key_text("file"), "ascii")
    return FileKey(path)


def create(folder: Path, name: str = NAME, **options: Any) -> Vault:
    """A new vault that the folder's key file opens."""
    return Vault.create(folder / name, unlock=key_in(folder), **options)


def reopen(folder: Path, name: str = NAME, **options: Any) -> Vault:
    """Another session of the folder's vault."""
    return Vault.open(folder / name, unlock=key_in(folder), **options)


def texts(vault: Vault, **query: Any) -> list[str]:
    """The texts of all memories, in the order they were written."""
    return [memory.text for memory in vault.stream(**query)]


def found(vault: Vault, query: str, **options: Any) -> list[str]:
    """The texts that a search finds, best first."""
    return [hit.memory.text for hit in vault.search(query, **options)]


def text_of(memory: Memory) -> str:
    """What a memory says."""
    return memory.text


def stretch_quickly() -> None:
    """From now on passphrases of this process are stretched by a plain hash: hundreds of openings needn't pay Argon2id.

    Vaults made so open only in processes that do the same.
    """
    from vault_core.crypto import KdfParameters, Key
    from vault_core.keys import providers

    def hashed(passphrase: bytearray, salt: bytes, cost: KdfParameters) -> Key:
        return Key.taken_from(bytearray(sha256(salt + passphrase).digest()))

    providers.argon2id = hashed  # type: ignore[attr-defined]  # the name it is called by
