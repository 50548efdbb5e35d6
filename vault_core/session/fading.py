"""Fading: memories that have grown weak become ghosts, and what has had its time is erased.

Both are asked for; nothing runs in the background. Given the clock and the vault, what they choose is always the same,
and doing it twice changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from vault_core.index import BoxIndex, Row
from vault_core.index.columns import ARCHIVED, GHOST
from vault_core.keys import Box
from vault_core.lifecycle import Batch, ForgetPolicy, Receipt
from vault_core.lifecycle.decay import Facts, strength_of
from vault_core.memory.times import from_micros
from vault_core.session.reading import Boxes, Query
from vault_core.session.session import Session
from vault_core.session.writing import Writer

_BATCH = 1_000


class _Done(NamedTuple):
    ids: list[str]
    versions: int
    stale: Sequence[str]


def fade(
    session: Session, writer: Writer, policy: ForgetPolicy, query: Query, box_name: str, *, dry_run: bool
) -> Receipt:
    """Make ghosts of what a policy chooses, or erase it at once if the policy gives no time."""
    until = session.now() + policy.ghost_micros

    def chosen() -> list[Row]:
        return _weak(session, session.box(box_name), query, policy)

    def work(batch: Batch) -> _Done:
        rows = chosen()
        if not policy.ghost_micros:
            return _erased(session, box_name, batch, rows)
        for row in rows:
            batch.fade(row, until)
        return _Done([row.id for row in rows], len(rows), batch.stale)

    if dry_run:
        with session.reading():
            rows = chosen()
            return _told(session, _Done([row.id for row in rows], len(rows), ()), dry_run=True, ghost=until)
    with session.lock:
        done = writer.commit(box_name, work)
        ghosts = bool(policy.ghost_micros)
        purged = not ghosts and session.store.purge()
        return _told(session, done, purged=purged, ghost=until if ghosts else None)


def expire(session: Session, writer: Writer, boxes: Boxes, *, dry_run: bool) -> Receipt:
    """Erase what has expired and ghosts whose time is over; one commit for each box that holds some."""
    with session.lock:
        with session.reading():
            found = {box.name: _over(session, box) for box in Query(box=boxes).boxes(session)}
        if dry_run:
            rows = [row for some in found.values() for row in some]
            return _told(session, _Done([row.id for row in rows], len(rows), ()), dry_run=True)
        session.check_writable()
        done = [_swept(session, writer, name) for name, some in found.items() if some]
        ids = [id_ for one in done for id_ in one.ids]
        stale = [id_ for one in done for id_ in one.stale]
        everything = _Done(ids, sum(one.versions for one in done), stale)
        return _told(session, everything, purged=session.store.purge())


def _swept(session: Session, writer: Writer, name: str) -> _Done:
    return writer.commit(name, lambda batch: _erased(session, name, batch, _over(session, session.box(name))))


def _erased(session: Session, box_name: str, batch: Batch, rows: Sequence[Row]) -> _Done:
    catalogue = session.index(session.box(box_name)).catalogue
    gone, versions = [], 0
    for row in rows:
        labels = catalogue.labels(row.namespace)
        if row.id not in batch.stale:  # a summary that has gone with one of its atoms
            versions += batch.forget(row.id, labels)
            gone.append(row.id)
    return _Done(gone, versions, batch.stale)


def _over(session: Session, box: Box) -> list[Row]:
    """Current memories whose time is over, oldest first."""
    index, now = session.index(box), session.now()
    return [row for row in _rows(index, index.columns.over(now)) if _is_over(row, now)]


def _is_over(row: Row, now: int) -> bool:
    return any(moment is not None and moment <= now for moment in (row.expires, row.ghost))


def _weak(session: Session, box: Box, query: Query, policy: ForgetPolicy) -> list[Row]:
    index, now = session.index(box), session.now()
    scope = query.scope(session, box)
    addresses = index.columns.address[scope.mask(index, searched=False)].tolist()
    judge = scope.predicate
    rows = {row.address: row for row in _rows(index, addresses)}
    may = [row for row in rows.values() if not row.pinned and not row.tier]
    if judge is not None:
        accepted = judge([row.address for row in may])
        query.check_answered()
        may = [row for row, kept in zip(may, accepted, strict=True) if kept]
    strengths = [(strength_of(facts_of(row), now), row.address) for row in may]
    ghosts = replace(scope, archived=True).mask(index, searched=False)
    ghosts &= (index.columns.flags & (GHOST | ARCHIVED)) == GHOST
    return [rows[address] for address in policy.chosen(strengths, len(addresses), int(ghosts.sum()))]


def facts_of(row: Row) -> Facts:
    """What strength is made of, from a row."""
    return Facts(
        type=row.type,
        data_class=row.data_class,
        importance=row.importance,
        intensity=row.intensity,
        valence=row.valence,
        updated=row.updated,
        refreshed=row.refreshed,
        uses=row.uses,
        used=row.used,
        pinned=bool(row.pinned),
    )


def _rows(index: BoxIndex, addresses: Sequence[int]) -> Iterator[Row]:
    for start in range(0, len(addresses), _BATCH):
        yield from index.catalogue.rows(addresses[start : start + _BATCH]).values()


def _told(
    session: Session, done: _Done, *, purged: bool = False, dry_run: bool = False, ghost: int | None = None
) -> Receipt:
    changed = bool(done.ids) and not dry_run
    return Receipt(
        memories=len(done.ids),
        versions=done.versions,
        ids=done.ids,
        stale=done.stale,
        seq=session.log.state.seq if changed else None,
        time=from_micros(session.now()) if changed else None,
        purged=purged,
        ghost_until=None if ghost is None else from_micros(ghost),
        dry_run=dry_run,
    )
