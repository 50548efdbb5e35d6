"""Format 1, section 5: the chain of entries, and what their ops say of the records."""

import hashlib
import hmac
from dataclasses import dataclass, field

from reader import entry
from reader.database import Dump
from reader.entry import Entry, Erase, Ghost, Mark, NewHeader, Op, Put, Restored, Touch, Trust
from reader.header import Header
from reader.keyring import Keyring
from reader.refused import Refused, require
from reader.sealing import MAGIC, NO_BOX, Place, derive, unseal


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A verified entry and its opened ops."""

    entry: Entry
    time: int
    ops: tuple[Op, ...]


@dataclass(slots=True, kw_only=True)
class Written:
    """A record that some commit brought, live or erased."""

    address: int
    box: bytes
    generation: int
    kind: str
    hash: bytes
    erased: int | None = None  # by the commit of that seq
    ops: list[Touch | Mark | Trust | Ghost] = field(default_factory=list)


@dataclass(slots=True)
class Log:
    """All commits in order, checked while they are read."""

    vault: bytes
    keyring: Keyring
    commits: list[Commit] = field(default_factory=list)
    written: dict[int, Written] = field(default_factory=dict)
    headers: list[NewHeader] = field(default_factory=list)
    counters: dict[bytes, int] = field(default_factory=dict)

    def follow(self, stored: bytes) -> None:
        """Verify the next entry and apply it."""
        found = entry.parse_entry(stored)
        self._check_place(found)
        self._check_hmac(found)
        place = Place(
            kind=b"oper",
            vault=self.vault,
            box=found.box,
            generation=found.generation,
            seq=found.seq,
            then=hashlib.sha256(found.clear).digest(),
        )
        time, ops = entry.parse_ops(unseal(self._key(found), place, found.ops))
        self._check_ops(found, ops)
        for op in sorted(ops, key=lambda op: not isinstance(op, Put)):
            self._apply(found, op)
        self.commits.append(Commit(entry=found, time=time, ops=tuple(ops)))

    def _check_place(self, found: Entry) -> None:
        last = self.commits[-1].entry if self.commits else None
        first = hashlib.sha256(MAGIC + self.vault).digest()
        require(found.seq == len(self.commits) + 1, "the seq of an entry")
        require(found.prev == (last.hash if last else first), "prev")
        require(found.counter == self.counters.get(found.writer, 0) + 1, "the writer's counter")
        self.counters[found.writer] = found.counter
        allowed = (last.generation, last.generation + 1) if last else (1,)
        require(found.generation in allowed, "the generation of an entry")

    def _check_hmac(self, found: Entry) -> None:
        key = self.keyring.log_keys.get(found.generation)
        if key is None:
            raise Refused("no log key for that generation")
        proof = hmac.digest(key, found.signed, "sha256")
        require(hmac.compare_digest(proof, found.hmac), "the HMAC of an entry")

    def _key(self, found: Entry) -> bytes:
        if found.box == NO_BOX:
            log_key = self.keyring.log_keys[found.generation]
            return derive(log_key, b"strongroom-1 vault ops", self.vault)
        box = self.keyring.boxes.get(found.box)
        if box is None or found.generation not in box.keys:
            raise Refused("no such box, or no key of that generation")
        return box.keys[found.generation]

    def _check_ops(self, found: Entry, ops: list[Op]) -> None:
        of_vault = found.box == NO_BOX
        wanted = (NewHeader, Restored) if of_vault else (Put, Erase, Touch, Mark, Trust, Ghost)
        require(all(isinstance(op, wanted) for op in ops), "an op in the wrong kind of entry")
        puts = [op.n for op in ops if isinstance(op, Put)]
        require(sorted(puts) == list(range(len(found.hashes))), "one op for each record")
        brings = any(isinstance(op, NewHeader) for op in ops)
        require(found.seq > 1 or brings, "the first entry brings the first header")
        before = self.commits[-1].entry.generation if self.commits else 1
        require(found.generation == before or brings, "the generation rises with a new header only")

    def _apply(self, found: Entry, op: Op) -> None:
        match op:
            case Put(n, kind):
                address = found.seq << 24 | n
                self.written[address] = Written(
                    address=address,
                    box=found.box,
                    generation=found.generation,
                    kind=kind,
                    hash=found.hashes[n],
                )
            case Erase(address):
                named = self._named(found, address)
                require(address >> 24 < found.seq, "an erase of a record of its own commit")
                require(named.erased is None, "an erase of an address that is not live")
                named.erased = found.seq
            case Touch() | Mark() | Trust() | Ghost():
                named = self._named(found, op.address)
                require(named.kind == "memory", "an op for memories only")
                named.ops.append(op)
            case NewHeader(generation):
                require(generation == len(self.headers) + 1, "the generation of a header")
                self.headers.append(op)
            case Restored(base):
                require(base == found.seq - 1, "the base is the commit before")

    def _named(self, found: Entry, address: int) -> Written:
        named = self.written.get(address)
        if named is None or named.box != found.box:
            raise Refused("an op names an address that its box does not have")
        return named


def read_log(dump: Dump, header: Header, keyring: Keyring) -> Log:
    """Every entry, and the record bytes as far as hashes reach."""
    require(list(dump.entries) == list(range(1, len(dump.entries) + 1)), "a gap in the log")
    log = Log(header.vault, keyring)
    for stored in dump.entries.values():
        log.follow(stored)
    _check_header(header, log)
    _check_stored(dump, log)
    return log


def _check_header(header: Header, log: Log) -> None:
    require(log.headers, "an empty log")
    named, last = log.headers[-1], log.commits[-1].entry.generation
    if header.generation < named.generation:
        raise Refused("an older header", error="RollbackError")
    if header.generation == named.generation:
        require(hashlib.sha256(header.body).digest() == named.hash, "the hash of the header")
        require(last == header.key_generation, "entries of an older generation")
    else:
        require(header.generation == named.generation + 1, "a header from nowhere")
        require(last in (header.key_generation - 1, header.key_generation), "the key generation")


def _check_stored(dump: Dump, log: Log) -> None:
    require(dump.records.keys() == log.written.keys(), "records missing, or too many")
    for address, written in log.written.items():
        if written.erased is None:
            digest = hashlib.sha256(dump.records[address]).digest()
            require(digest == written.hash, "the hash of a record")
