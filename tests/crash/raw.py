"""A small stand-in for a vault on bare sqlite3, with the vault's schema and pragmas.

It tests the harness itself: it must come through every state, and with one of its faults switched
on the harness must notice. It seals nothing; its records are the facts themselves.
"""

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from crash.check import Finding, Outcome
from crash.marks import Expectation, Marker

VAULT, ANCHOR = "raw.vault", "anchor"
SCHEMA = """
CREATE TABLE entry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE record (address INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""
EMPTY = bytes(32)


class Fault(StrEnum):
    """The seeded bugs."""

    NONE = "none"
    NORMAL = "synchronous=NORMAL"
    SPLIT = "entry and records in two transactions"
    EARLY_ANCHOR = "anchor before commit"
    TORN_ANCHOR = "anchor overwritten in place"
    EARLY_ERASE = "erase acknowledged before its commit"
    BATCH_SPLIT = "one batch in two commits"


class BrokenError(Exception):
    """The vault is not as it should be."""


class RolledBackError(BrokenError):
    """The vault is older than its anchor."""


class RawVault:
    """Hash-chained entries with records; `add`, `erase`, `checkpoint`, and an anchor beside it."""

    def __init__(self, folder: Path, *, fault: Fault = Fault.NONE) -> None:
        self._fault = fault
        self._anchor = folder / ANCHOR
        path = folder / VAULT
        new = not path.exists()
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._pragma("page_size=8192", "secure_delete=ON", "temp_store=MEMORY")
        if new:
            self._pragma("synchronous=EXTRA", "journal_mode=WAL")
        self._pragma(f"synchronous={'NORMAL' if fault is Fault.NORMAL else 'FULL'}")
        if new:
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT")

    def add(self, facts: Collection[str]) -> None:
        """Store facts as one commit."""
        bodies = [fact.encode() for fact in facts]
        if self._fault is Fault.BATCH_SPLIT:
            self._commit(bodies[:1], erased=[])
            del bodies[:1]
        self._commit(bodies, erased=[])

    def erase(self, fact: str) -> None:
        """Overwrite a fact with zeros and leave no copy in the log file."""
        query = "SELECT address FROM record WHERE body = ?"
        addresses = [row[0] for row in self._db.execute(query, (fact.encode(),))]
        if self._fault is Fault.EARLY_ERASE:
            return
        self._commit([], erased=addresses)
        self.checkpoint()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file."""
        self._pragma("wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._db.close()

    def verify(self) -> set[str]:
        """Check everything there is to check and give the facts.

        Raises:
            BrokenError: something is wrong.
        """
        [(state,)] = self._db.execute("PRAGMA integrity_check")
        if state != "ok":
            raise BrokenError(state)
        if not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            return set()  # cut in the middle of its creation
        chain, facts = [EMPTY], set()
        bodies = dict(self._db.execute("SELECT address, body FROM record"))
        for seq, body in self._db.execute("SELECT seq, body FROM entry ORDER BY seq"):
            if seq != len(chain) or body[:32] != chain[-1]:
                raise BrokenError(f"the chain breaks at {seq}")
            chain.append(hashlib.sha256(body).digest())
            for n in range(len(body) // 32 - 1):
                record = bodies.pop(seq << 24 | n, b"nothing")
                if record.strip(b"\0"):
                    if hashlib.sha256(record).digest() != body[32 * n + 32 : 32 * n + 64]:
                        raise BrokenError(f"record {seq}.{n} is damaged")
                    facts.add(record.decode())
        if bodies:
            raise BrokenError(f"records without an entry: {sorted(bodies)}")
        if self._anchor.exists() and self._anchor.read_bytes() not in chain:
            raise RolledBackError("the file is older than its anchor")
        return facts

    def _commit(self, records: list[bytes], *, erased: list[int]) -> None:
        self._pragma("busy_timeout=30000")
        self._db.execute("BEGIN IMMEDIATE")
        last = self._db.execute("SELECT seq, body FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
        seq, prev = (last[0] + 1, hashlib.sha256(last[1]).digest()) if last else (1, EMPTY)
        body = prev + b"".join(hashlib.sha256(record).digest() for record in records)
        if self._fault is Fault.EARLY_ANCHOR:
            self._write_anchor(body)
        self._db.execute("INSERT INTO entry VALUES (?, ?)", (seq, body))
        if self._fault is Fault.SPLIT:
            self._db.execute("COMMIT")
            self._db.execute("BEGIN IMMEDIATE")
        rows = [(seq << 24 | n, record) for n, record in enumerate(records)]
        self._db.executemany("INSERT INTO record VALUES (?, ?)", rows)
        for address in erased:
            zeroed = "UPDATE record SET body = zeroblob(length(body)) WHERE address = ?"
            self._db.execute(zeroed, (address,))
        self._db.execute("COMMIT")
        if self._fault is not Fault.EARLY_ANCHOR:
            self._write_anchor(body)

    def _write_anchor(self, body: bytes) -> None:
        """Replace the anchor whole: a torn one would be a false alarm."""
        torn = self._fault is Fault.TORN_ANCHOR
        fresh = self._anchor if torn else self._anchor.with_suffix(f".{os.getpid()}")
        with fresh.open("wb") as file:
            file.write(hashlib.sha256(body).digest())
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._anchor)

    def _pragma(self, *pragmas: str) -> None:
        for pragma in pragmas:
            self._db.execute(f"PRAGMA {pragma}").fetchall()


@dataclass(frozen=True, slots=True)
class RawTarget:
    """Opens raw vaults for the checker."""

    def open(self, folder: Path, expected: Expectation) -> Finding:
        """See `crash.check.Target`."""
        if not (folder / VAULT).exists():
            # To recovery a vault that was never there and one that is gone are the same.
            return Finding(outcome=Outcome.LOST if expected.facts else Outcome.UNBORN)
        try:
            vault = RawVault(folder)
            try:
                return Finding(facts=vault.verify())
            finally:
                vault.close()
        except RolledBackError as exc:
            return Finding(outcome=Outcome.ROLLBACK, detail=repr(exc))
        except (BrokenError, sqlite3.Error) as exc:
            born = expected.facts or expected.removed
            return Finding(outcome=Outcome.CORRUPT if born else Outcome.UNBORN, detail=repr(exc))


def work(folder: Path, *, fault: Fault, writer: str, steps: int = 12) -> None:
    """Do a bit of everything, and mark it."""
    marker = Marker(folder)
    vault = RawVault(folder, fault=fault)
    for step in range(steps):
        facts = [f"{writer}{step}.{n} " + "tea, no sugar " * 40 * n for n in range(1 + step % 4)]
        with marker.step(add=facts):
            vault.add(facts)
        if step % 5 == 3:
            with marker.step(remove=facts[:1]):
                vault.erase(facts[0])
        if step % 6 == 5:
            vault.checkpoint()
            vault.close()
            vault = RawVault(folder, fault=fault)
    vault.close()


def main(arguments: list[str]) -> None:
    """`python -m crash.raw FAULT WRITER…` in the folder to work in: every writer is a process."""
    fault, first, *others = arguments
    RawVault(Path.cwd(), fault=Fault(fault)).close()
    command = [sys.executable, "-m", __spec__.name, fault]
    children = [subprocess.Popen([*command, other]) for other in others]
    work(Path.cwd(), fault=Fault(fault), writer=first)
    failed = [child.args for child in children if child.wait()]
    if failed:
        sys.exit(f"failed: {failed}")


if __name__ == "__main__":
    main(sys.argv[1:])
