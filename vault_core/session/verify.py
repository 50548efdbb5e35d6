"""Verifying: walk the whole log, open every record, compare with the index that answers queries."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from vault_core.crypto import NO_BOX, possible_size
from vault_core.errors import VaultTamperedError
from vault_core.log import Commit, Erase, Ghost, Log, LogState, Mark, Put, Touch, Trust
from vault_core.memory.codec import MEMORY
from vault_core.memory.model import Address
from vault_core.session.session import Session, decode

Progress = Callable[[int, int], None]
_BATCH = 500
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was verified. Reaching the end is the good news: anything wrong raises."""

    commits: int
    records: int
    erased: int
    opened: bool
    chain_hash: str


def verify(session: Session, *, full: bool, progress: Progress | None) -> Report:
    """Walk every commit; with `full`, open every record and compare the outcome with the session's own index.

    Raises:
        VaultTamperedError: something is not what was written.
    """
    with session.reading():
        walker = _Walker(session, full, progress)
        walker.walk()
        walker.compare()
        report = Report(
            commits=session.log.state.seq,
            records=walker.records,
            erased=walker.erased,
            opened=full,
            chain_hash=session.log.state.hash.hex(),
        )
        _check_header(session)
        return report


def _check_header(session: Session) -> None:
    """The stored header is the one this session has read: a session would not notice, but the next opening would."""
    for _ in range(_TRIES):
        if session.store.origin.read_header() == session.log.header:
            return
        session.follow_now()  # another session may have changed it a moment ago
    raise VaultTamperedError("the header in the store is not the one this session has followed")


class _Walker:
    """A second reading of the log, from its first entry, into indexes of its own."""

    def __init__(self, session: Session, full: bool, progress: Progress | None) -> None:
        self._session, self._full, self._progress = session, full, progress
        self._upto = session.log.state.seq
        self._writers: dict[bytes, int] = {}
        self._live: dict[int, tuple[bytes, int]] = {}  # address -> hash of the stored record, kind
        self._boxes: dict[int, bytes] = {}
        self._kinds: dict[int, int] = {}
        self.records = self.erased = 0

    def walk(self) -> None:
        """Verify the chain, and what each commit says."""
        session = self._session
        log = Log(
            session.store.origin,
            session.header.vault,
            session.keyring,
            session.store.origin.read_header(),
            LogState.start(session.header.vault),
            apply=self._apply,
            renew=lambda _: session.keyring,
            complete=lambda: True,
            now=session.now,
        )
        try:
            log.replay(self._upto)
        finally:
            log.wipe()
        if any(True for _ in session.store.origin.entries(-(1 << 62), 0)):
            raise VaultTamperedError("there is something in front of the log's first commit")
        if log.state != session.log.state:
            raise VaultTamperedError("the log in the store is not the one this session has followed")

    def compare(self) -> None:
        """Open the live records, and check that erased ones are gone and the index knows exactly the live ones."""
        self._check_records()
        for box in self._session.keyring.boxes:
            known = dict(self._session.index(box).catalogue.live_addresses())
            told = {number: digest for number, (digest, _) in self._live.items() if self._boxes[number] == box.id}
            if known != told:
                raise VaultTamperedError("the index does not hold what the log says")

    def _apply(self, commit: Commit) -> None:
        if commit.counter != self._writers.get(commit.writer, 0) + 1:
            raise VaultTamperedError("a writer's commits are not all there")
        self._writers[commit.writer] = commit.counter
        if commit.box == NO_BOX:
            return
        for op in commit.ops:
            if isinstance(op, Put):
                number = Address(commit.seq, op.n).number
                self._live[number], self._kinds[number] = (commit.hashes[op.n], op.kind), op.kind
                self._boxes[number] = commit.box
                self.records += 1
            elif isinstance(op, Erase):
                if self._boxes.get(op.at.number) != commit.box or self._live.pop(op.at.number, None) is None:
                    raise VaultTamperedError("a commit erases what is not there")
                self.erased += 1
            elif isinstance(op, Touch | Mark | Trust | Ghost):
                number = op.at.number
                if self._boxes.get(number) != commit.box or self._kinds.get(number) != MEMORY:
                    raise VaultTamperedError("a commit notes something about what is no memory")
        if self._progress is not None and commit.seq % _BATCH == 0:
            self._progress(commit.seq, self._upto + self.records)

    def _check_records(self) -> None:
        numbers, done = sorted(self._boxes), 0
        if list(self._session.store.origin.addresses(-(1 << 62))) != numbers:
            raise VaultTamperedError("the store holds other records than the log names")
        for start in range(0, len(numbers), _BATCH):
            some = numbers[start : start + _BATCH]
            found = self._session.store.origin.records(some)
            for number in some:
                self._check_record(number, found.get(number))
            done += len(some)
            if self._progress is not None:
                self._progress(self._upto + done, self._upto + len(numbers))

    def _check_record(self, number: int, stored: bytes | None) -> None:
        if stored is None:
            raise VaultTamperedError("a record is missing that no commit has erased")
        live = self._live.get(number)
        if live is None:
            if any(stored) or not possible_size(len(stored)):
                raise VaultTamperedError("a record that was erased is still there, or is gone altogether")
            return
        digest, kind = live
        if sha256(stored).digest() != digest:
            raise VaultTamperedError("a record is not the one that was committed at its address")
        if self._full:
            box = next(box for box in self._session.keyring.boxes if box.id == self._boxes[number])
            at = Address.of(number)
            decode(kind, self._session.log.unseal_record(stored, at, digest, box), at, box.name)
