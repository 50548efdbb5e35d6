"""Changes: the audit trail, read from the log and verified as it is read.

Rules:
- Every op of every commit is a change, in the order of the log; nothing is written for it and nothing can be left out
  of it, for each entry holds the hash of the one before.
- The log holds addresses, numbers and times. Ids, reasons and the writer's program come from the records, so of what
  was erased no more is left than place, time and session.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from vault_core.crypto import NO_BOX
from vault_core.errors import InvalidInputError, MemoryNotFoundError
from vault_core.index import Row
from vault_core.keys import Box
from vault_core.log import Commit, Erase, Ghost, HeaderChange, Log, LogState, Mark, Op, Put, Touch, Trust
from vault_core.memory import Memory, Namespace
from vault_core.memory.arguments import check_page
from vault_core.memory.codec import ITEM, MEMORY
from vault_core.memory.draft import check_id, check_namespace
from vault_core.memory.model import Address
from vault_core.memory.times import from_micros, parse_time, to_micros
from vault_core.session.memories import fetch
from vault_core.session.reading import Boxes, Query
from vault_core.session.session import Session

_STEP = 200  # commits read at a time: the lock is free between


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: where in the log, when, by whom, what.

    `kind` is `written` (a version of a memory), `used`, `refreshed` (confirmed, or said again), `expires` (another
    expiry), `archived`, `unarchived`, `pinned`, `unpinned`, `trusted` (the user vouches for it), `untrusted` (and does
    no more), `faded` (a ghost from now on), `revived`, `erased`; `item`, `space`; of the vault itself `header` (slots,
    boxes, keys, settings) and `restored` (a rollback was accepted). `writer` is the session's id, `program`
    the program that it ran in as far as a record says so. `id`, `namespace` and `reason` are None where the record is
    erased, or is no memory's.
    """

    seq: int
    time: datetime
    writer: str
    program: str | None = None
    kind: str
    box: str | None = None
    id: str | None = None
    namespace: Namespace | None = None
    version: str | None = None
    reason: str | None = None


def changes(
    session: Session, id: str | None, namespace: Any, since: Any, limit: int | None, boxes: Boxes
) -> Iterator[Change]:
    """Changes in the order of the log; checked arguments, then a generator in constant memory."""
    check_page(limit, 0)
    after, moment = _begin(since)
    labels = None if namespace is None else check_namespace(namespace)
    if id is not None:
        boxes = "main" if boxes is None else boxes
        labels = () if labels is None else labels
        with session.reading():
            if not any(_versions(session, box, check_id(id), labels) for box in Query(box=boxes).boxes(session)):
                raise MemoryNotFoundError("there is no memory with this id in this namespace")
    with session.reading():
        named = None if boxes is None else {box.id for box in Query(box=boxes).boxes(session)}

    def wanted(change: Change) -> bool:
        if change.seq < after or to_micros(change.time) < moment:
            return False
        if labels is None:
            return True
        if change.namespace is None:
            return False
        return (change.id, change.namespace) == (id, labels) if id else change.namespace[: len(labels)] == labels

    return islice(filter(wanted, _Trail(session, named).walk()), limit)


def _begin(since: Any) -> tuple[int, int]:
    """The first commit and the first moment that count."""
    if type(since) is int:
        if since < 0:
            raise InvalidInputError("since is a time or the number of a commit")
        return since, -(1 << 62)
    moment = parse_time(since, "since")
    return 0, -(1 << 62) if moment is None else to_micros(moment)


def _versions(session: Session, box: Box, id: str, namespace: Namespace) -> list[Row]:
    catalogue = session.index(box).catalogue
    number = catalogue.known_namespace(namespace)
    return [] if number is None else catalogue.versions(id, number)


class _Trail:
    """A second reading of the log, from its first entry."""

    def __init__(self, session: Session, boxes: set[bytes] | None) -> None:
        self._session, self._boxes = session, boxes
        self._programs: dict[str, str] = {}  # by session
        self._commits: list[Commit] = []

    def walk(self) -> Iterator[Change]:
        with self._session.reading() as session:
            upto = session.log.state.seq
            log = Log(
                session.store,
                session.header.vault,
                session.keyring,
                session.store.read_header(),
                LogState.start(session.header.vault),
                apply=self._commits.append,
                renew=lambda _: session.keyring,
                complete=lambda: True,
                now=session.now,
            )
        try:
            while log.state.seq < upto:
                with self._session.reading():
                    log.replay(min(log.state.seq + _STEP, upto))
                    found = [change for commit in self._commits for change in self._of(commit)]
                    self._commits.clear()
                yield from found
        finally:
            log.wipe()

    def _of(self, commit: Commit) -> Iterator[Change]:
        if self._boxes is not None and commit.box not in self._boxes:
            return
        if commit.box == NO_BOX:
            for op in commit.ops:
                yield self._change(commit, "header" if isinstance(op, HeaderChange) else "restored", None, None)
            return
        session = self._session
        box = next(box for box in session.keyring.boxes if box.id == commit.box)
        at = {op: _address(op, commit.seq) for op in commit.ops}
        rows = session.index(box).catalogue.rows(address.number for address in at.values() if address is not None)
        opened = fetch(session, box, [row for number, row in rows.items() if Address.of(number).seq == commit.seq])
        for one in opened.values():
            self._programs.setdefault(one.provenance.get("session", ""), one.provenance.get("program", ""))
        for op in commit.ops:
            address = at[op]
            number = -1 if address is None else address.number
            memory = opened.get(number) if isinstance(op, Put) else None
            for kind in _kinds(op):
                yield self._change(commit, kind, box, address, rows.get(number), memory)

    def _change(
        self,
        commit: Commit,
        kind: str,
        box: Box | None,
        address: Address | None,
        row: Row | None = None,
        memory: Memory | None = None,
    ) -> Change:
        labels = None
        if row is not None and box is not None:
            labels = self._session.index(box).catalogue.labels(row.namespace)
        writer = commit.writer.hex()
        return Change(
            seq=commit.seq,
            time=from_micros(commit.time),
            writer=writer,
            program=self._programs.get(writer) or None,
            kind=kind,
            box=None if box is None else box.name,
            id=None if row is None else row.id,
            namespace=labels,
            version=None if address is None else str(address),
            reason=None if memory is None else memory.reason,
        )


def _address(op: Op, seq: int) -> Address | None:
    match op:
        case Put():
            return Address(seq, op.n)
        case Erase() | Touch() | Mark() | Trust() | Ghost():
            return op.at
        case _:
            return None


def _kinds(op: Op) -> Iterator[str]:
    match op:
        case Put():
            yield {MEMORY: "written", ITEM: "item"}.get(op.kind, "space")
        case Erase():
            yield "erased"
        case Touch():
            yield from _touched(op)
        case Mark():
            if op.archived is not None:
                yield "archived" if op.archived else "unarchived"
            if op.pinned is not None:
                yield "pinned" if op.pinned else "unpinned"
        case Trust():
            yield "trusted" if op.trusted else "untrusted"
        case Ghost():
            yield "revived" if op.until is None else "faded"


def _touched(op: Touch) -> Iterator[str]:
    if op.refreshed is not None:
        yield "refreshed"
    elif op.uses:
        yield "used"
    if op.expires is not None:
        yield "expires"
