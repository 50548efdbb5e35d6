"""Consolidating a box: what its atoms are is read, the policy says what to write, and one commit writes it.

Grouping, a summariser and the embedder work outside of the critical section, on what was read before it. Inside it,
whatever is made of atoms that have changed or gone meanwhile is left for the next time: no summary outlives its atoms.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from vault_core.embedders import Embedder, embed_checked
from vault_core.errors import InvalidInputError, UnavailableError, VaultError
from vault_core.index import BoxIndex, Row
from vault_core.index.tiers import atoms_in
from vault_core.lifecycle import Batch
from vault_core.lifecycle.consolidate import Atom, Changes, Summariser, Summary, consolidated, tier_of
from vault_core.memory import Draft, Namespace
from vault_core.memory.arguments import check_callable
from vault_core.memory.draft import check_content, check_label, check_namespace
from vault_core.memory.model import AFFINITY, COMPOSITE, TIERS
from vault_core.memory.times import from_micros
from vault_core.memory.trust import AGENT, TRUSTED, USER
from vault_core.session.reading import Query
from vault_core.session.session import Session
from vault_core.session.writing import Writer

REASON = "consolidated"
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidation:
    """What consolidating did; with `dry_run`, what it would do.

    `made`, `updated` and `erased` are ids of composites and affinities, which begin with their tier; `composites` and
    `affinities` say how many there are now. `texts` gives those of what was made or updated. `postponed` were made of
    atoms that changed at that moment: consolidate again.
    """

    composites: int
    affinities: int
    made: Sequence[str]
    updated: Sequence[str]
    erased: Sequence[str]
    unchanged: int
    postponed: int = 0
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a namespace held."""

    atoms: list[Atom] = field(default_factory=list)
    there: list[Summary] = field(default_factory=list)


def consolidate(
    session: Session,
    writer: Writer,
    embedder: Embedder | None,
    namespace: Any,
    box: str,
    summarise: Summariser | None,
    *,
    dry_run: bool,
) -> Consolidation:
    """Make, renew and erase composites and affinities, each namespace for itself."""
    labels = None if namespace is None else check_namespace(namespace)
    check_label(box, "box")
    given = None if summarise is None else _checked(summarise)
    if not dry_run:
        session.check_writable()
    seen = _read(session, labels, box)
    changes = {
        labels: consolidated(one.atoms, one.there, labels, None if dry_run else given)
        for labels, one in sorted(seen.items())
    }
    if dry_run:
        return _told(changes, postponed=[], dry_run=True)
    hashes = {(labels, atom.id): atom.content_hash for labels, one in seen.items() for atom in one.atoms}
    drafts = _drafts(changes, embedder)

    def work(batch: Batch) -> list[str]:
        postponed = []
        for labels, change in changes.items():
            for id_ in change.stale:
                if _row(session, box, id_, labels) is not None:
                    batch.forget(id_, labels)
            for one in (*change.made, *change.updated):
                if all(_is_still(_row(session, box, atom, labels), hashes[labels, atom]) for atom in one.atoms):
                    memory, _ = writer.drafted(drafts[labels, one.id])
                    batch.add(memory, explicit_id=True, keep_history=False)
                else:
                    postponed.append(one.id)
        return postponed

    if not drafts and not any(change.stale for change in changes.values()):
        return _told(changes, postponed=[], dry_run=False)
    with session.lock:
        postponed = writer.commit(box, work)
        session.store.purge()
        return _told(changes, postponed=postponed, dry_run=False)


def _read(session: Session, namespace: Namespace | None, box_name: str) -> dict[Namespace, _Seen]:
    with session.reading():
        box = session.box(box_name)
        index = session.index(box)
        scope = Query(namespace=namespace, include_untrusted=False).scope(session, box)
        seen: dict[Namespace, _Seen] = defaultdict(_Seen)
        addresses = index.columns.address[scope.mask(index, searched=True)].tolist()
        for start in range(0, len(addresses), _BATCH):
            for row in index.catalogue.rows(addresses[start : start + _BATCH]).values():
                if not row.tier:
                    seen[index.catalogue.labels(row.namespace)].atoms.append(_atom(row))
        for row in _ours(index):
            labels = index.catalogue.labels(row.namespace)
            if namespace is None or labels[: len(namespace)] == namespace:
                seen[labels].there.append(_summary(row))
        return dict(seen)


def _ours(index: BoxIndex) -> list[Row]:
    """What consolidating made, also what was archived or has expired: it keeps its id and its state."""
    rows = index.catalogue.rows(index.tiers.addresses())
    return [row for row in rows.values() if row.current and tier_of(row.id) == TIERS[row.tier]]


def _atom(row: Row) -> Atom:
    return Atom(
        id=row.id,
        text=(row.text or "")[row.lead :],
        memory_type=row.type,
        moment=from_micros(row.created if row.event is None else row.event),
        content_hash=row.content_hash,
        expires=None if row.expires is None else from_micros(row.expires),
        source=row.source,
        sensitivity=row.sensitivity,
        data_class=row.data_class,
        origin=USER if row.trust == TRUSTED else AGENT,
    )


def _summary(row: Row) -> Summary:
    """What a row says of itself. Where a caller has changed it, it differs from what is made anew and is replaced."""
    about = json.loads(row.metadata) if row.metadata else {}
    days = about.get("days")
    summarised = about.get("summarised")
    return Summary(
        id=row.id,
        tier=TIERS[row.tier],
        text=(row.text or "")[row.lead :],
        memory_type=row.type,
        atoms=tuple(atoms_in(about)),
        first=_day(about.get("first")),
        last=_day(about.get("last")),
        days=days if type(days) is int else 0,
        expires=None if row.expires is None else from_micros(row.expires),
        source=row.source,
        sensitivity=row.sensitivity,
        data_class=row.data_class,
        origin=row.origin or USER,
        summarised=summarised if isinstance(summarised, str) else None,
    )


def _day(said: Any) -> date:
    try:
        return datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except (TypeError, ValueError):
        return date.min


def _row(session: Session, box: str, id: str, namespace: Namespace) -> Row | None:
    catalogue = session.index(session.box(box)).catalogue
    number = catalogue.known_namespace(namespace)
    return None if number is None else catalogue.current(id, number)


def _is_still(row: Row | None, content_hash: bytes) -> bool:
    return row is not None and not row.archived and row.superseded is None and row.content_hash == content_hash


def _drafts(changes: Mapping[Namespace, Changes], embedder: Embedder | None) -> dict[tuple[Namespace, str], Draft]:
    wanted = [(labels, one) for labels, change in changes.items() for one in (*change.made, *change.updated)]
    texts = [one.text for _, one in wanted]
    vectors: Sequence[Any] = [None] * len(texts)
    if embedder is not None and texts:
        vectors = embed_checked(embedder, texts)
    return {
        (labels, one.id): Draft(
            content=one.text,
            id=one.id,
            namespace=labels,
            memory_type=one.memory_type,
            metadata=one.metadata,
            sensitivity=one.sensitivity,
            source=one.source,
            expires_at=one.expires,
            data_class=one.data_class,
            origin=one.origin,
            tier=one.tier,
            vector=vector,
            keep_history=False,
            reason=REASON,
        )
        for (labels, one), vector in zip(wanted, vectors, strict=True)
    }


def _checked(summarise: Summariser) -> Summariser:
    check_callable(summarise, "summarise")

    def summary(texts: Sequence[str]) -> str:
        try:
            text = summarise(texts)
        except VaultError:
            raise
        except Exception as error:
            raise UnavailableError(f"the summariser failed ({type(error).__name__})") from error
        if not isinstance(text, str):
            raise InvalidInputError("a summariser gives text")
        check_content(text)
        return text

    return summary


def _told(changes: Mapping[Namespace, Changes], *, postponed: Sequence[str], dry_run: bool) -> Consolidation:
    left = set(postponed)
    made = [one for change in changes.values() for one in change.made if one.id not in left]
    updated = [one for change in changes.values() for one in change.updated if one.id not in left]
    unchanged = [id_ for change in changes.values() for id_ in change.unchanged]
    tiers = [one.tier for one in (*made, *updated)] + [tier_of(id_) for id_ in unchanged]
    return Consolidation(
        composites=tiers.count(COMPOSITE),
        affinities=tiers.count(AFFINITY),
        made=[one.id for one in made],
        updated=[one.id for one in updated],
        erased=[id_ for change in changes.values() for id_ in change.stale],
        unchanged=len(unchanged),
        postponed=len(postponed),
        texts={one.id: one.text for one in (*made, *updated)},
        dry_run=dry_run,
    )
