"""Reading: searches, lists and histories over the boxes of a session."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Literal

import numpy as np

from vault_core.errors import InvalidInputError, MemoryNotFoundError
from vault_core.index import BoxIndex
from vault_core.keys import Box
from vault_core.memory import Memory, Namespace, SearchResult
from vault_core.memory.arguments import check_number, check_page, check_place, each_of
from vault_core.memory.draft import check_id, check_label, check_namespace
from vault_core.memory.model import Vector
from vault_core.memory.times import from_micros, parse_time, to_micros
from vault_core.retrieval.choice import POOL, Reranker, diverse, reranked
from vault_core.retrieval.question import question_of
from vault_core.retrieval.ranking import Hit, nearest, rank
from vault_core.retrieval.scope import Scope, combined
from vault_core.session.asking import Asked, askable, asking
from vault_core.session.memories import current_row, each, fetch, fetch_addresses, known_at, of_type, predicate
from vault_core.session.session import Session

Boxes = str | Sequence[str] | None
Order = Literal["created", "-created", "updated", "-updated", "event", "-event"]
MAX_TOP_K = 10_000
_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a search or list may see, as the caller gave it."""

    namespace: Any = None
    exact: bool = False
    memory_type: str | None = None
    filter: Any = None
    include_superseded: bool = False
    include_expired: bool = False
    include_archived: bool = False
    include_untrusted: bool = True
    as_of: datetime | str | None = None
    thread: str | None = None
    box: Boxes = None

    def scope(self, session: Session, box: Box) -> Scope:
        """The scope in one box."""
        moment = parse_time(self.as_of, "as_of")
        as_of = None if moment is None else to_micros(moment)
        index = session.index(box)
        memory_type = None if self.memory_type is None else check_label(self.memory_type, "memory_type")
        return Scope(
            now=session.now() if as_of is None else as_of,
            namespace=None if self.namespace is None else check_namespace(self.namespace),
            exact=self.exact,
            superseded=self.include_superseded or as_of is not None,
            expired=self.include_expired,
            archived=self.include_archived or as_of is not None,  # then the judge knows
            untrusted=self.include_untrusted,
            versions=as_of is not None,
            thread=None if self.thread is None else check_label(self.thread, "thread"),
            predicate=combined(
                of_type(index, memory_type),
                known_at(session, box, as_of, superseded=self.include_superseded, archived=self.include_archived),
                predicate(session, box, self.filter),
            ),
        )

    def check_answered(self) -> None:
        """Before something is changed by what this chose: that its filter was asked about everything it came upon."""
        if isinstance(self.filter, Asked):
            self.filter.check()

    def boxes(self, session: Session) -> list[Box]:
        """The boxes that are asked; all of them by default."""
        if self.box is None:
            return list(session.keyring.boxes)
        names = [self.box] if isinstance(self.box, str) else each_of(self.box, "box")
        return [session.box(name) for name in names]


def search(
    session: Session,
    text: str,
    vector: Vector | None,
    space: str,
    query: Query,
    *,
    lexical: bool,
    top_k: int,
    offset: int,
    min_score: float | None,
    cut: bool,
    explain: bool,
    diversity: float | None = None,
    reranker: Reranker | None = None,
    fingerprint: str = "",
) -> list[SearchResult]:
    """Ranked hits over the boxes asked; reranked and made diverse outside of the lock, if asked for."""
    wanted = _check_paging(top_k, offset)
    choosing = reranker is not None or diversity is not None
    pool = max(POOL, wanted) if choosing else wanted
    asked = question_of(text, from_micros(session.now())) if lexical else None
    if asked is not None and asked.empty:
        asked = None
    if asked is None and vector is None:
        return []

    def hits(index: BoxIndex, scope: Scope) -> list[Hit]:
        usable = vector if vector is not None and index.check_space(space, len(vector), fingerprint) else None
        if asked is None and usable is None:
            return []
        if asked is None and usable is not None:
            return nearest(index, usable, space, scope, wanted=pool)
        return rank(index, asked, usable, space, scope, wanted=pool, cut=cut)

    def ranked(query: Query) -> list[SearchResult]:
        with session.reading():
            return _merged(session, query, hits, 0 if choosing else offset, pool, min_score, explain)

    found = asking(query, ranked)
    if reranker is not None:
        found = reranked(found, text, reranker)
    if diversity is not None:
        found = diverse(found, space, diversity, wanted)
    page = found[offset:wanted] if choosing else found
    _note_uses(session, page)
    return page


def find_similar(
    session: Session,
    vector: Vector,
    space: str,
    query: Query,
    *,
    top_k: int,
    offset: int,
    threshold: float | None,
    diversity: float | None = None,
) -> list[SearchResult]:
    """Plain cosine over the boxes asked."""
    wanted = _check_paging(top_k, offset)
    pool = wanted if diversity is None else max(POOL, wanted)

    def hits(index: BoxIndex, scope: Scope) -> list[Hit]:
        if not index.check_space(space, len(vector), ""):
            return []
        return nearest(index, vector, space, scope, wanted=pool)

    def ranked(query: Query) -> list[SearchResult]:
        with session.reading():
            return _merged(session, query, hits, 0 if diversity is not None else offset, pool, threshold, explain=True)

    found = asking(query, ranked)
    return found if diversity is None else diverse(found, space, diversity, wanted)[offset:]


def list_memories(session: Session, query: Query, order_by: Order, limit: int | None, offset: int) -> list[Memory]:
    """A page of memories."""
    check_page(limit, offset)
    if not isinstance(order_by, str):
        raise InvalidInputError('order_by is text such as "-updated"')
    return asking(query, lambda query: _page(session, query, order_by, limit, offset))


def stream(session: Session, query: Query) -> Iterator[Memory]:
    """All memories in the order they were written, a few at a time. Those written meanwhile may or may not be seen."""
    query = askable(query)
    with session.reading():
        plan = []
        for box in query.boxes(session):
            scope, index = query.scope(session, box), session.index(box)
            plan.append((box.name, index.columns.address[scope.mask(index, searched=False)].copy()))
    for name, addresses in plan:
        for start in range(0, len(addresses), _BATCH):
            some = addresses[start : start + _BATCH].tolist()
            yield from asking(query, partial(_still, session, name, some))


def _still(session: Session, name: str, addresses: Sequence[int], query: Query) -> list[Memory]:
    """Those of some memories that are still there, and that the query lets through."""
    with session.reading():
        box = session.box(name)
        alive = list(session.index(box).catalogue.rows(addresses))
        chosen = list(each(sorted(alive), query.scope(session, box).predicate))
        return fetch_addresses(session, box, chosen)


def count(session: Session, query: Query) -> int:
    """How many memories a list would give."""
    return asking(query, partial(_counted, session))


def _counted(session: Session, query: Query) -> int:
    with session.reading():
        total = 0
        for box in query.boxes(session):
            index, scope = session.index(box), query.scope(session, box)
            mask = scope.mask(index, searched=False)
            if scope.predicate is None:
                total += int(mask.sum())
            else:
                total += sum(1 for _ in each(index.columns.address[mask].tolist(), scope.predicate))
        return total


def get_many(session: Session, ids: Iterable[str], namespace: Namespace, box_name: str) -> list[Memory | None]:
    """Memories by id in exactly this namespace; None where there is none."""
    wanted = [check_id(id_) for id_ in each_of(ids, "ids")]
    with session.reading():
        box = session.box(box_name)
        rows = {id_: current_row(session, box, id_, namespace) for id_ in dict.fromkeys(wanted)}
        found = fetch(session, box, [row for row in rows.values() if row is not None])
        return [None if row is None else found.get(row.address) for row in (rows[id_] for id_ in wanted)]


def history(session: Session, id: str, namespace: Namespace, box_name: str, *, line: bool = False) -> list[Memory]:
    """Every unerased version of a memory, oldest first; with `line`, of all that it superseded or that superseded it.

    Raises:
        MemoryNotFoundError: there is none.
    """
    with session.reading():
        box = session.box(box_name)
        index = session.index(box)
        number = index.catalogue.known_namespace(namespace)
        rows = [] if number is None else index.catalogue.versions(check_id(id), number)
        if line and rows:
            rows = index.supersession.line(rows[-1])
        found = fetch(session, box, rows)
        if not found:
            raise MemoryNotFoundError("there is no memory with this id in this namespace")
        return [found[row.address] for row in rows if row.address in found]


def namespaces(
    session: Session,
    boxes: Boxes,
    *,
    prefix: Sequence[str],
    suffix: Sequence[str],
    max_depth: int | None,
    limit: int | None,
    offset: int,
    include_expired: bool = True,
) -> list[Namespace]:
    """Namespaces that hold memories, in order; "*" stands for one label."""
    check_page(limit, offset)
    if max_depth is not None:
        check_place(max_depth, "max_depth")
    with session.reading():
        found: set[Namespace] = set()
        query = Query(box=boxes, include_superseded=True, include_archived=True, include_expired=include_expired)
        for box in query.boxes(session):
            index = session.index(box)
            mask = query.scope(session, box).mask(index, searched=False)
            found.update(map(index.catalogue.labels, np.unique(index.columns.namespace[mask]).tolist()))
    fitting = {
        labels[:max_depth]
        for labels in found
        if _labels_fit(labels[: len(prefix)], prefix)
        and _labels_fit(labels[len(labels) - len(suffix) :] if len(suffix) <= len(labels) else (), suffix)
    }
    end = None if limit is None else offset + limit
    return list(islice(sorted(fitting), offset, end))


def _merged(
    session: Session, query: Query, hits: Any, offset: int, wanted: int, min_score: float | None, explain: bool
) -> list[SearchResult]:
    check_number(min_score, "min_score")
    boxes = query.boxes(session)
    ranked: list[tuple[float, int, int, Hit]] = []
    for place, box in enumerate(boxes):
        found: list[Hit] = hits(session.index(box), query.scope(session, box))
        ranked += [(-hit.score, place, hit.address, hit) for hit in found]
    ranked.sort(key=lambda one: one[:3])
    page = [one for one in ranked if min_score is None or one[3].score >= min_score][offset:wanted]
    opened = {
        (place, memory.address.number): memory
        for place, box in enumerate(boxes)
        for memory in fetch_addresses(session, box, [number for _, at, number, _ in page if at == place])
    }
    return [
        SearchResult(memory=opened[place, number], score=hit.score, parts=hit.parts if explain else {})
        for _, place, number, hit in page
        if (place, number) in opened
    ]


def _note_uses(session: Session, hits: Sequence[SearchResult]) -> None:
    """What a search finds is used; it rides on the next commit."""
    with session.lock:
        if session.read_only or session.closed:
            return
        now = session.now()
        for hit in hits:
            session.uses.note(session.box(hit.memory.box).id, [hit.memory.address.number], now)


def _page(session: Session, query: Query, order_by: Order, limit: int | None, offset: int) -> list[Memory]:
    with session.reading():
        found: list[tuple[Any, Box, int]] = []
        for box in query.boxes(session):
            found += [(key, box, address) for key, address in _ordered(session, box, query, order_by)]
        if len(query.boxes(session)) > 1:
            found.sort(key=lambda one: one[0], reverse=order_by.startswith("-"))
        page = found[offset:] if limit is None else found[offset : offset + limit]
        return _opened_in_order(session, [(box, address) for _, box, address in page])


def _ordered(session: Session, box: Box, query: Query, order_by: Order) -> list[tuple[Any, int]]:
    index, scope = session.index(box), query.scope(session, box)
    column = order_by.removeprefix("-")
    if column not in ("created", "updated", "event"):
        raise InvalidInputError('order_by must be "created", "updated" or "event", with "-" in front for newest first')
    mask = scope.mask(index, searched=False)
    addresses = index.columns.address[mask].tolist()
    kept = list(each(addresses, scope.predicate))
    if column == "updated":  # not the address alone: a version that was embedded again is where it was before
        keys = dict(zip(addresses, index.columns.created[mask].tolist(), strict=True))
    else:
        keys = index.catalogue.sort_keys(column)
    keyed = [(keys[address], address) for address in kept]
    return sorted(keyed, reverse=order_by.startswith("-"))


def _opened_in_order(session: Session, page: list[tuple[Box, int]]) -> list[Memory]:
    opened = {}
    for box in {box.name: box for box, _ in page}.values():
        wanted = [address for other, address in page if other.name == box.name]
        opened.update({(box.name, one.address.number): one for one in fetch_addresses(session, box, wanted)})
    return [opened[box.name, address] for box, address in page if (box.name, address) in opened]


def _labels_fit(labels: Namespace, pattern: Sequence[str]) -> bool:
    return len(labels) == len(pattern) and all(one in ("*", label) for label, one in zip(labels, pattern, strict=True))


def _check_paging(top_k: Any, offset: Any) -> int:
    if type(top_k) is not int or not 1 <= top_k <= MAX_TOP_K:
        raise InvalidInputError(f"top_k must be 1 to {MAX_TOP_K:,}")
    return top_k + check_place(offset, "offset")
