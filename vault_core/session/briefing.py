"""Briefing an agent: which memories belong there is read from the index; only those that are told are opened."""

from vault_core.index import BoxIndex, Row
from vault_core.index.supersession import true_at
from vault_core.keys import Box
from vault_core.lifecycle import Briefing
from vault_core.lifecycle.briefing import (
    ENOUGH,
    HABITS,
    NOW,
    PERSON,
    PERSONAL,
    PINNED,
    Candidate,
    Page,
    ordered,
    tokens_of,
)
from vault_core.lifecycle.decay import USUAL, strength_of
from vault_core.memory.arguments import check_place
from vault_core.memory.model import AFFINITY, ATOM, TIERS
from vault_core.memory.trust import TRUSTED
from vault_core.retrieval.tiers import significance
from vault_core.session.fading import facts_of
from vault_core.session.memories import fetch_addresses
from vault_core.session.reading import Query
from vault_core.session.session import Session

LEAST_TOKENS = 16  # less has no room for a heading and a line
_DAY = 86_400_000_000  # microseconds
_SOME = 64  # memories opened at a time


def brief(session: Session, query: Query, max_tokens: int) -> Briefing:
    """The briefing of the boxes asked."""
    check_place(max_tokens, "max_tokens", least=LEAST_TOKENS)
    page, left_out = Page(max_tokens), 0
    with session.reading():
        boxes = query.boxes(session)
        found = [(one, place) for place, box in enumerate(boxes) for one in _candidates(session, box, query)]
        ranks = {one: rank for rank, one in enumerate(ordered(one for one, _ in found))}
        found.sort(key=lambda pair: (ranks[pair[0]], pair[1]))
        full = False
        for start in range(0, len(found), _SOME):
            some = found[start : start + _SOME]
            if full:
                left_out += len(some)
                continue
            told = _told(session, boxes, some, page)
            left_out += len(some) - told
            full = not told
    return Briefing(memories=page.memories, text=page.text, tokens=tokens_of(page.text), left_out=left_out)


def _told(session: Session, boxes: list[Box], some: list[tuple[Candidate, int]], page: Page) -> int:
    """Put as many of some candidates on the page as have room."""
    opened = {
        (place, memory.address.number): memory
        for place, box in enumerate(boxes)
        for memory in fetch_addresses(session, box, [one.address for one, at in some if at == place])
    }
    return sum(page.add(one.part, opened[place, one.address]) for one, place in some if (place, one.address) in opened)


def _candidates(session: Session, box: Box, query: Query) -> list[Candidate]:
    index, scope = session.index(box), query.scope(session, box)
    mask = scope.mask(index, searched=False)
    now = session.now()
    rows = [row for row in index.catalogue.briefed() if row.trust == TRUSTED and mask[index.columns.row(row.address)]]
    so = [row for row in rows if row.pinned or true_at(row, now)]
    return [one for one in (_candidate(index, row, now) for row in so) if one is not None]


def _candidate(index: BoxIndex, row: Row, now: int) -> Candidate | None:
    tier = TIERS[row.tier]
    moment = row.created if row.event is None else row.event
    if tier == AFFINITY:
        one = index.tiers.standings([row.address], index.catalogue, atoms=False)[0]
        value = significance(one.times, (now - one.last) / _DAY, one.data_class)
        part = PINNED if row.pinned else HABITS
        return Candidate(row.address, part, value, moment) if row.pinned or value >= ENOUGH else None
    if tier != ATOM and not row.pinned:
        return None
    value = (USUAL if row.importance is None else row.importance) * strength_of(facts_of(row), now)
    return Candidate(row.address, _part(row), value, moment)


def _part(row: Row) -> int:
    if row.pinned:
        return PINNED
    return PERSON if row.type == "PERSONA" or (row.data_class or "").lower() in PERSONAL else NOW
