"""Memories of a session: opened from the store, with what the index knows since, and queried.

The record says what was written; uses, pins, archiving and a changed expiry came later and are laid over it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vault_core.index import BoxIndex, Row
from vault_core.index.catalogue import RowLookup
from vault_core.keys import Box
from vault_core.lifecycle.batch import overlaid
from vault_core.memory import Memory, Namespace, parse_filter
from vault_core.memory.codec import decode_memory
from vault_core.memory.filters import All, Filter
from vault_core.memory.model import Address
from vault_core.retrieval.scope import Predicate
from vault_core.session.asking import Asked
from vault_core.session.session import Session

_BATCH = 256


def fetch(session: Session, box: Box, rows: Iterable[Row]) -> dict[int, Memory]:
    """Open versions, by address. One that was erased a moment ago is left out."""
    wanted = {row.address: row for row in rows}
    index = session.index(box)
    return {number: _counting(index, memory) for number, memory in fetch_stored(session, box, wanted).items()}


def fetch_stored(session: Session, box: Box, wanted: Mapping[int, Row]) -> dict[int, Memory]:
    """As `fetch`, with every vector that the record holds, also those that don't count any more."""
    found = session.plaintexts(box, {number: row.digest for number, row in wanted.items()})
    return {
        number: overlaid(decode_memory(plaintext, Address.of(number), box.name), wanted[number])
        for number, plaintext in found.items()
    }


def fetch_addresses(session: Session, box: Box, addresses: Sequence[int]) -> list[Memory]:
    """Open versions in the order of their addresses as given."""
    rows = session.index(box).catalogue.rows(addresses)
    found = fetch(session, box, rows.values())
    return [found[address] for address in addresses if address in found]


def predicate(session: Session, box: Box, filter: Filter | Asked | Any) -> Predicate | None:
    """A filter as a judge of addresses: a dict or tree over the catalogue, a caller's function over opened memories."""
    if filter is None:
        return None
    index = session.index(box)
    if isinstance(filter, Asked):

        def opened(addresses: list[int]) -> dict[int, Memory]:
            return fetch(session, box, index.catalogue.rows(addresses).values())

        return lambda addresses: filter.judge(box.name, addresses, opened)
    tree = parse_filter(filter)
    if isinstance(tree, All) and not tree.parts:
        return None

    def judge(addresses: list[int]) -> list[bool]:
        rows = index.catalogue.rows(addresses)
        return [tree.matches(RowLookup(index.catalogue, rows[address])) for address in addresses]

    return judge


def of_type(index: BoxIndex, memory_type: str | None) -> Predicate | None:
    """The judge that lets one memory type through."""
    if memory_type is None:
        return None

    def judge(addresses: list[int]) -> list[bool]:
        rows = index.catalogue.rows(addresses)
        return [rows[address].type == memory_type for address in addresses]

    return judge


def known_at(session: Session, box: Box, as_of: int | None, *, superseded: bool, archived: bool) -> Predicate | None:
    """The judge that lets through what was believed at a time, and true then."""
    if as_of is None:
        return None
    index = session.index(box)
    judge = index.supersession.at(as_of, superseded=superseded, archived=archived)
    return lambda addresses: judge(_in_order(index, addresses))


def each(addresses: Sequence[int], judge: Predicate | None) -> Iterator[int]:
    """The addresses that a judge lets through, a batch at a time."""
    for start in range(0, len(addresses), _BATCH):
        some = list(addresses[start : start + _BATCH])
        verdicts = judge(some) if judge is not None else [True] * len(some)
        yield from (address for address, kept in zip(some, verdicts, strict=True) if kept)


def current_row(session: Session, box: Box, id: str, namespace: Namespace) -> Row | None:
    """The current version's row in exactly this namespace."""
    catalogue = session.index(box).catalogue
    number = catalogue.known_namespace(namespace)
    return None if number is None else catalogue.current(id, number)


def _in_order(index: BoxIndex, addresses: list[int]) -> list[Row]:
    rows = index.catalogue.rows(addresses)
    return [rows[address] for address in addresses]


def _counting(index: BoxIndex, memory: Memory) -> Memory:
    vectors = index.vectors_that_count(memory)
    return memory if vectors is memory.vectors else replace(memory, vectors=vectors)
