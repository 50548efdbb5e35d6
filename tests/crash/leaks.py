"""Programs whose every written byte is searched for canaries: `python -m crash.leaks NAME`.

All canaries contain one word, and all canary vectors begin with the same numbers.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from crash.bugs import plant_from_environment
from crash.trace_writes import Needles
from vault_core import Draft, KdfParameters, Vault

WORD = "xheron4711"
FLOATS = 4  # of a vector that are looked for: 16 bytes are too many for chance
DIMENSION = 32
MEMORIES = 100_000
MANY = 1_000  # memories of one batch


def canary(place: str) -> str:
    """A canary that says where it came from."""
    # An index may store a word without the beginning that it shares with its neighbour.
    return f"qz{WORD}{place}"


def vectors(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Unit vectors that all begin like a canary vector."""
    start = np.array([0.1234567, -0.0987654, 0.1357913, 0.0246802])
    rest = np.random.default_rng(seed).standard_normal((count, DIMENSION - FLOATS))
    rest *= np.sqrt(1 - start @ start) / np.linalg.norm(rest, axis=1, keepdims=True)
    return np.hstack([np.tile(start, (count, 1)), rest]).astype(np.float32)


def vector(seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One such vector."""
    [only] = vectors(1, seed)
    return np.asarray(only)


def needles() -> Needles:
    """What the programs below must not write."""
    return Needles.of(word=WORD, vectors=[vector()[:FLOATS].tolist()])


def say_it() -> None:
    """Write a canary on purpose, in the middle of other bytes and across two writes."""
    text = f"remember: {canary('text')}!".encode()
    with Path("plain").open("wb", buffering=0) as file:
        file.write(b"." * 5000 + text[:16])
        file.write(text[16:])


def say_vector() -> None:
    """Write a vector on purpose."""
    Path("plain").write_bytes(b"." * 5000 + vector(7).tobytes())


def sort_in_ram() -> None:
    """Sort much text in an in-RAM SQLite database. Where the sorter spills to is the question."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute("CREATE TABLE memory (text TEXT)")
    rows = ((f"{number * 7919 % 100_003} {canary('text')} {'tea ' * 40}",) for number in range(40_000))
    db.execute("BEGIN")
    db.executemany("INSERT INTO memory VALUES (?)", rows)
    db.execute("COMMIT")
    db.execute("SELECT text FROM memory ORDER BY text").fetchmany(10)
    db.close()


def show_mapping(path: Path) -> None:
    """Have another process write the shared memory of a vault's file, which no call ever writes."""
    subprocess.run(["cat", f"{path}-shm"], stdout=subprocess.DEVNULL, check=True)  # noqa: S607


def use_vault(memories: int = MEMORIES) -> None:
    """Put canaries into everything a vault takes, many of them, and ask for them again."""
    path, secret = Path("canary.vault"), f"{canary('passphrase')} correct horse"
    cheap = KdfParameters(memory_kib=64 * 1024, passes=1, lanes=1)
    with Vault.create(path, passphrase=secret, kdf=cheap, owner=canary("owner")) as vault:
        vault.add(
            f"I met {canary('text')} yesterday",
            id=canary("id"),
            namespace=("people", canary("namespace")),
            memory_type=canary("type"),
            tags=["person", canary("tag")],
            metadata={canary("key"): canary("value"), "nested": [{canary("deep"): 1}]},
            source=canary("source"),
            thread=canary("thread"),
            slot=(canary("subject"), canary("attribute")),
            vector=vector(),
        )
        vault.items(canary("collection")).put_many(
            (canary(f"item{n}"), canary("bytes").encode() * 100, {canary("key"): canary("attribute")})
            for n in range(100)
        )
        for start in range(0, memories, MANY):
            vault.add_many(drafts(range(start, start + MANY)))
        ask(vault)
        vault.checkpoint()
        vault.forget(canary("id"), namespace=("people", canary("namespace")))
        vault.checkpoint()
        show_mapping(path)
    with Vault.open(path, passphrase=secret) as vault:
        ask(vault)


def drafts(numbers: range) -> Iterator[Draft]:
    """Memories that are all different and all canaries."""
    for number, row in zip(numbers, vectors(len(numbers), numbers.start), strict=True):
        yield Draft(
            content=f"{canary('many')}{number % 977} number {number} likes tea {number * 7919 % 100_003}",
            tags=[canary(f"tag{number % 13}")],
            metadata={"n": number, canary("key"): canary(f"value{number % 31}")},
            namespace=("many", canary(f"part{number % 7}")),
            thread=canary(f"thread{number // 50}"),
            vector=row,
        )


def ask(vault: Vault) -> None:
    """Search in every way, so that every query has passed through the index."""
    for mode in "hybrid", "lexical", "dense":
        vault.search(canary("many5"), query_vector=vector(3), mode=mode, top_k=20)
    vault.search(canary("query"), filter={"metadata." + canary("key"): canary("value1")})
    vault.list(limit=1000, order_by="created")
    vault.count()


PROGRAMS: dict[str, Callable[[], None]] = {
    program.__name__: program for program in (say_it, say_vector, sort_in_ram, use_vault)
}


if __name__ == "__main__":
    plant_from_environment()
    PROGRAMS[sys.argv[1]]()
