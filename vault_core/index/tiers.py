"""Tiers: what the index knows of composites and affinities beyond their rows: their figures, and their atoms.

They name their atoms in `metadata.atoms`, ids of their own namespace. Held in RAM for those few memories alone, so that
neither a search nor a forgetting has to look through the atoms.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from vault_core.index.catalogue import Catalogue, Row
from vault_core.memory.times import to_micros


class Standing(NamedTuple):
    """What the ranking asks of a composite or affinity. `last` is the day it last happened, in microseconds.

    `atoms` are the places of its atoms among the candidates that were asked about.
    """

    tier: int  # its place in `TIERS`
    times: int
    last: int
    data_class: str | None
    atoms: tuple[int, ...] = ()


class Tiers:
    """The composites and affinities of a box, every version, by address and by the atoms they name."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._standings: dict[int, Standing] = {}
        self._atoms: dict[int, list[tuple[int, str]]] = {}  # of each version, with their namespace
        self._naming: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)  # atom -> id -> versions that name it
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Take in a version; one of an atom changes nothing."""
        if row.tier:
            about, atoms = _about(row)
            self._standings[row.address] = Standing(row.tier, _count(about, atoms), _last(about, row), row.data_class)
            self._atoms[row.address] = [(row.namespace, atom) for atom in atoms]
            for atom in atoms:
                ids = self._naming[row.namespace, atom]
                ids[row.id] = ids.get(row.id, 0) + 1

    def erase(self, row: Row) -> None:
        """Take out a version."""
        if self._standings.pop(row.address, None) is None:
            return
        for atom in self._atoms.pop(row.address):
            ids = self._naming[atom]
            ids[row.id] -= 1
            if not ids[row.id]:
                del ids[row.id]
            if not ids:
                del self._naming[atom]

    def __contains__(self, address: int) -> bool:
        return address in self._standings

    def addresses(self) -> list[int]:
        """All versions, ascending."""
        return sorted(self._standings)

    def standings(self, addresses: Sequence[int], catalogue: Catalogue, *, atoms: bool) -> dict[int, Standing]:
        """Those among candidates, which are given by their addresses; by place. `atoms` asks for theirs too."""
        if not self._standings:
            return {}
        found = {at: one for at, one in enumerate(addresses) if one in self._standings}
        if not found or not atoms:
            return {at: self._standings[one] for at, one in found.items()}
        keys = catalogue.keys([one for at, one in enumerate(addresses) if at not in found])
        places = {keys[one]: at for at, one in enumerate(addresses) if one in keys}
        return {
            at: self._standings[one]._replace(atoms=tuple(places[atom] for atom in self._atoms[one] if atom in places))
            for at, one in found.items()
        }

    def naming(self, namespace: int, atom: str) -> list[str]:
        """The ids of those that name an atom, in any version, in order."""
        return sorted(self._naming.get((namespace, atom), ()))


def atoms_in(metadata: Any) -> list[str]:
    """The ids that a composite's or affinity's metadata names as its atoms."""
    named = metadata.get("atoms") if isinstance(metadata, Mapping) else None
    return list(dict.fromkeys(one for one in named if isinstance(one, str))) if isinstance(named, list) else []


def _about(row: Row) -> tuple[dict[str, Any], list[str]]:
    """Metadata is the caller's in what `add(tier=…)` made: anything may be in it."""
    about = json.loads(row.metadata) if row.metadata else {}
    return about, atoms_in(about)


def _count(about: dict[str, Any], atoms: list[str]) -> int:
    given = about.get("count")
    return min(given, 1 << 31) if type(given) is int and given >= 0 else len(atoms)


def _last(about: dict[str, Any], row: Row) -> int:
    try:
        return to_micros(datetime.strptime(about["last"], "%Y-%m-%d").replace(tzinfo=UTC))
    except (KeyError, TypeError, ValueError):
        return row.updated
