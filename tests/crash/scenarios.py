"""What vaults are put through while their writes are recorded.

`python -m crash.scenarios NAME` plays one in the current folder.
"""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from crash.bugs import plant_from_environment
from crash.marks import Marker
from crash.vaults import (
    BY_FILE,
    COLLECTION,
    FIRST,
    KEY,
    SECOND,
    add_key_file,
    change_passphrase,
    create_vault,
    fact,
    fact_of,
    item_fact,
    open_vault,
    sealed_facts,
    text_of,
)
from vault_core import Draft, FileKey, Memory, Passphrase, Vault

BODY = "tea, no sugar " * 20


class Stage:
    """A folder with a vault, and the pen that writes down what is done to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marker = Marker(folder)

    def open(self) -> Vault:
        """A session, by the key file."""
        return open_vault(self.folder, BY_FILE)

    def add(self, vault: Vault, text: str, **fields: Any) -> Memory:
        """Add one memory."""
        with self.marker.step(add=[fact_of(text, **fields)]):
            return vault.add(text, **fields)

    def forget(self, vault: Vault, memory: Memory, *, alone: bool = True) -> None:
        """Erase one memory: what was sealed of it in the file, in snapshots too, goes with it.

        Unless the session is alone, another one may drop the snapshots at any time.
        """
        sealed = sealed_facts(self.folder, memory, snapshots=alone)
        with self.marker.step(add=sealed):
            pass  # the bytes are there: a later look that does not find them knows where to look
        with self.marker.step(remove=[fact(memory), *sealed]):
            vault.forget(memory.id, namespace=memory.namespace)

    def add_many(self, vault: Vault, texts: Iterable[str]) -> list[Memory]:
        """Add memories as one commit."""
        texts = list(texts)
        with self.marker.step(add=[fact_of(text) for text in texts]):
            return list(vault.add_many([Draft(content=text) for text in texts]))


def create(stage: Stage) -> None:
    """A new vault, its first memories, its first slot besides the passphrase, a second session."""
    with stage.marker.step(add=[FIRST]):
        vault = create_vault(stage.folder)
    with vault:
        stage.add(vault, f"the first memory {BODY}", tags=["first"], metadata={"n": 1})
        with stage.marker.step(add=[BY_FILE]):
            add_key_file(vault, stage.folder)
        stage.add(vault, f"the second memory {BODY}")
    with stage.open() as vault:
        stage.add(vault, f"the third memory {BODY}")


def write(stage: Stage) -> None:
    """Adds, batches, upserts and items."""
    with stage.open() as vault:
        for n in range(6):
            stage.add(vault, f"{n} single {BODY * (n % 3)}", namespace=("a", str(n % 2)), metadata={"n": n})
        for n in range(3):
            stage.add_many(vault, [f"{n}.{m} of a batch {BODY}" for m in range(2 + 6 * n)])
        before = stage.add(vault, "upsert 0", id="fixed")
        for n in range(1, 5):
            text = f"upsert {n} {BODY}"
            with stage.marker.step(add=[fact_of(text)], remove=[fact(before)]):
                before = vault.add(text, id="fixed", keep_history=n % 2 == 0)
        items = vault.items(COLLECTION)
        for n in range(4):
            rows = {f"row {n}.{m}": b"%d" % m * 100 for m in range(3)}
            with stage.marker.step(add=[item_fact(key, value) for key, value in rows.items()]):
                items.put_many(rows.items())
        with stage.marker.step(remove=[item_fact("row 0.0", b"0" * 100)]):
            items.delete_many(["row 0.0"])


def checkpoint(stage: Stage) -> None:
    """Snapshots, and the write-ahead log moved into the file, between adds and sessions."""
    for session in range(3):
        with stage.open() as vault:
            for n in range(3):
                stage.add_many(vault, [f"{session}.{n}.{m} {BODY}" for m in range(1 + 2 * n)])
                vault.checkpoint()
            stage.add(vault, f"{session} after the checkpoint")


def forget(stage: Stage) -> None:
    """Erasing one by one and by upsert, with and without a snapshot that knows the memory."""
    with stage.open() as vault:
        memories = stage.add_many(vault, [f"{n} to be forgotten {BODY}" for n in range(12)])
        for memory in memories[:3]:
            stage.forget(vault, memory)
        vault.checkpoint()
        for memory in memories[3:6]:
            stage.forget(vault, memory)
            stage.add(vault, f"instead of {memory.id}")
    with stage.open() as vault:
        for memory in memories[6:9]:
            stage.forget(vault, memory)
        with stage.marker.step(remove=[fact(memory) for memory in memories[9:]]):
            vault.forget_many([memory.id for memory in memories[9:]])


def rotate(stage: Stage) -> None:
    """New keys for everything, between adds and in a session that goes on."""
    file = FileKey(stage.folder / KEY)
    with stage.marker.step(add=[FIRST]):
        pass  # `prepare` gave it to the vault
    with stage.open() as vault:
        stage.add(vault, f"before the rotations {BODY}")
        vault.rotate(file, Passphrase(text_of(FIRST)))
        for n in range(2):
            stage.add(vault, f"{n} before a rotation {BODY}")
            with stage.marker.step(remove=[FIRST]):  # only a secret at hand is kept
                vault.rotate(file)
            stage.add(vault, f"{n} after a rotation {BODY}")
    with stage.open() as vault:
        stage.add(vault, "in the next session")


def passphrase(stage: Stage) -> None:
    """The passphrase there and back."""
    with stage.marker.step(add=[FIRST]):
        pass  # `prepare` gave it to the vault
    secrets = [FIRST, SECOND, FIRST]
    with stage.open() as vault:
        for old, new in itertools.pairwise(secrets):
            stage.add(vault, f"before {new} {BODY}")
            with stage.marker.step(add=[new], remove=[old]):
                change_passphrase(vault, old, new)
            stage.add(vault, f"after {new} {BODY}")


def sessions(stage: Stage) -> None:
    """Three processes at once on one vault."""
    command = [sys.executable, "-m", __spec__.name, "writer"]
    others = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    with stage.open() as vault:
        for other in others:
            assert other.stdout is not None
            other.stdout.readline()  # it has opened the vault
        for other in others:
            assert other.stdin is not None
            other.stdin.write(b"go\n")
            other.stdin.close()
        write_beside_others(stage, vault)
    failed = [other.args for other in others if other.wait()]
    if failed:
        sys.exit(f"failed: {failed}")


def writer(stage: Stage) -> None:
    """One of several sessions: waits for a line of input."""
    with stage.open() as vault:
        print("ready", flush=True)  # noqa: T201 - to the process that started this one
        sys.stdin.readline()
        write_beside_others(stage, vault)


def write_beside_others(stage: Stage, vault: Vault) -> None:
    """What each session does to the vault."""
    me = os.getpid()
    mine = [stage.add(vault, f"{me} {n} {BODY}") for n in range(6)]
    stage.add_many(vault, [f"{me} batch {n} {BODY}" for n in range(5)])
    stage.forget(vault, mine[0], alone=False)
    vault.checkpoint()
    stage.add(vault, f"{me} between")
    stage.forget(vault, mine[1], alone=False)
    stage.add(vault, f"{me} last")


SCENARIOS: dict[str, Callable[[Stage], None]] = {
    scenario.__name__: scenario
    for scenario in (create, write, checkpoint, forget, rotate, passphrase, sessions, writer)
}

if __name__ == "__main__":
    plant_from_environment()
    SCENARIOS[sys.argv[1]](Stage(Path.cwd()))
