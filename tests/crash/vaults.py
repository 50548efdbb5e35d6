"""Vaults on the crash bench: making and opening them, and judging a state of one."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from crash.check import Finding, Outcome
from crash.marks import Expectation
from vault_core import (
    FileKey,
    KdfParameters,
    Memory,
    RollbackError,
    Vault,
    VaultError,
    WrongPassphraseError,
    new_key_text,
)
from vault_core.crypto import Key, argon2id
from vault_core.keys import providers

VAULT, KEY, STATE = "alice.vault", "key", "state"
COLLECTION = "chat"

_SEALED = "sealed "  # facts of this kind say that the file holds these bytes
# Facts of this kind say that a secret opens the vault.
_SECRET = "opened by "
BY_FILE = _SECRET + "the key file"
FIRST = _SECRET + "correct horse battery staple"
SECOND = _SECRET + "another horse, another battery"

_SHOW_SEALED = """
import sqlite3, sys
path, address, parts = sys.argv[1:]
db = sqlite3.connect(path)
rows = db.execute("SELECT substr(body, 100, 32) FROM record WHERE address = ?", (int(address),))
rows = [*rows, *db.execute("SELECT substr(body, 8300, 32) FROM part WHERE ?", (int(parts),))]
print(*(row[0].hex() for row in rows))
"""


def prepare(folder: Path) -> None:
    """Make a vault with a passphrase and a key file."""
    with create_vault(folder) as vault:
        add_key_file(vault, folder)


def create_vault(folder: Path) -> Vault:
    """A new vault with the first passphrase, under the cheapest Argon2id that may be written."""
    cheap = KdfParameters(memory_kib=64 * 1024, passes=1, lanes=1)
    _use_state(folder)
    return Vault.create(folder / VAULT, passphrase=text_of(FIRST), kdf=cheap)


def open_vault(folder: Path, secret: str) -> Vault:
    """A session, by the key file or a passphrase."""
    _use_state(folder)
    if secret == BY_FILE:
        return Vault.open(folder / VAULT, unlock=FileKey(folder / KEY))
    return Vault.open(folder / VAULT, passphrase=text_of(secret))


def add_key_file(vault: Vault, folder: Path) -> None:
    """A slot for a machine, which needs no Argon2id. The key is durable before it is needed."""
    with (folder / KEY).open("w") as file:
        file.write(new_key_text("file"))
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    vault.add_slot(FileKey(folder / KEY))


def change_passphrase(vault: Vault, old: str, new: str) -> None:
    """Replace one passphrase by another."""
    vault.change_passphrase(text_of(old), text_of(new))


def fact(memory: Memory) -> str:
    """Everything about a memory that its writer chose."""
    return fact_of(memory.content, namespace=memory.namespace, tags=memory.tags, metadata=memory.metadata)


def fact_of(
    content: Any,
    *,
    namespace: tuple[str, ...] = (),
    tags: tuple[str, ...] | list[str] = (),
    metadata: Mapping[str, Any] | None = None,
    **_: object,
) -> str:
    """The fact that a memory with these fields will be. Ids that the vault makes are not known before."""
    return json.dumps(["memory", namespace, content, tags, dict(metadata or {})])


def item_fact(key: str, value: bytes) -> str:
    """The fact that an item is."""
    return json.dumps(["item", key, value.hex()])


def sealed_facts(folder: Path, memory: Memory, *, snapshots: bool = True) -> list[str]:
    """That the file holds these sealed bytes: the memory's record, and all snapshots there are."""
    # From another process: opening the file again in this one would spoil SQLite's locks.
    command = [sys.executable, "-c", _SHOW_SEALED, str(folder / VAULT)]
    command += [str(memory.address.number), str(int(snapshots))]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [_SEALED + piece for piece in told.split()]


def _sealed(folder: Path, known: Collection[str]) -> Iterator[str]:
    """Which sealed facts hold, now that nobody has the vault open."""
    bodies = [path.read_bytes() for path in folder.glob(VAULT + "*")]
    for fact in known:
        if fact.startswith(_SEALED) and any(bytes.fromhex(fact.removeprefix(_SEALED)) in body for body in bodies):
            yield fact


@dataclass(frozen=True, slots=True)
class VaultTarget:
    """Opens vaults for the checker: by every secret that may open it, and in full by the first.

    With `prepared` the vault was there before the workload, and its key file always opens it.
    """

    prepared: bool

    def open(self, folder: Path, expected: Expectation) -> Finding:
        """See `crash.check.Target`."""
        _remember_argon2()
        try:
            return self._open(folder, expected)
        except RollbackError as exc:
            return Finding(outcome=Outcome.ROLLBACK, detail=str(exc))
        except VaultError as exc:
            born = self.prepared or expected.facts
            return Finding(outcome=Outcome.CORRUPT if born else Outcome.UNBORN, detail=repr(exc))
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is not what a vault may raise
            return Finding(outcome=Outcome.CORRUPT, detail=repr(exc))

    def _open(self, folder: Path, expected: Expectation) -> Finding:
        facts: set[str] = set()
        opened: set[str] = set()
        known = _known(expected)
        secrets = {fact for fact in known if fact.startswith(_SECRET)}
        for secret in sorted(secrets | ({BY_FILE} if self.prepared else set())):
            try:
                vault = open_vault(folder, secret)
            except WrongPassphraseError:
                continue
            with vault:
                if not opened:
                    vault.verify(full=True)
                    facts = set(_facts(vault))
                opened.add(secret)
        if not opened:
            return Finding(outcome=Outcome.LOCKED)
        return Finding(facts=facts | opened & secrets | set(_sealed(folder, known)))


def _facts(vault: Vault) -> Iterator[str]:
    for memory in vault.stream():
        yield fact(memory)
    for item in vault.items(COLLECTION).scan(""):
        yield item_fact(item.key, item.value)


def _known(expected: Expectation) -> set[str]:
    steps = [fact for step in expected.underway for fact in step.added | step.removed]
    return {*expected.facts, *expected.removed, *steps}


def text_of(secret: str) -> str:
    """The passphrase of a fact about one."""
    return secret.removeprefix(_SECRET)


def _use_state(folder: Path) -> None:
    os.environ["STRONGROOM_STATE_DIR"] = str(folder / STATE)


@cache
def _remember_argon2() -> None:
    """Derive each key of a passphrase only once in this process: thousands of states share it."""
    derive = argon2id
    derived: dict[tuple[bytes, bytes, KdfParameters], bytes] = {}

    def remembered(passphrase: bytearray, salt: bytes, cost: KdfParameters) -> Key:
        known = bytes(passphrase), salt, cost
        if known not in derived:
            key = derive(passphrase, salt, cost)
            derived[known] = bytes(key.view())
        return Key.taken_from(bytearray(derived[known]))

    providers.argon2id = remembered  # type: ignore[attr-defined]  # a name it imports
