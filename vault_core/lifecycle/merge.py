"""Merging: what of a memory that comes from elsewhere is new to a vault. Values in, values out.

Rules (docs/transfer.md):
- A version that the vault has is left as it is. Two versions are the same when everything about them is, but what may
  change without a new version (state, expiry) and their vectors.
- If the vault's current version is among those that come, what follows it there is added: the memory went on elsewhere.
- Otherwise only versions that are newer than the vault's current one are added. An older state never overrides a newer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from vault_core.memory import Item, Memory
from vault_core.memory.canonical import compact_json
from vault_core.memory.model import Vectors

Outcome = Literal["added", "updated", "unchanged"]

OLDER = "older versions that the vault does not have were left out: what it has is newer"
ELSEWHERE = "a duplicate: this namespace has the same content under another id"
OTHER = "a version of the same moment as the vault's, and unlike it, was left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of a memory that came from elsewhere, and why something of it was left out.

    `lost` names the spaces whose vectors it came without.
    """

    outcome: Outcome
    reasons: Sequence[str] = ()
    lost: Sequence[str] = ()


def moment_and_content(memory: Memory) -> tuple[datetime, bytes]:
    """What versions that are the same have in common, and an index can know."""
    return memory.updated_at, memory.content_hash


def said(memory: Memory) -> tuple[Any, ...]:
    """What a version says; two that say the same are the same, whatever happened to them without a new version."""
    plain = isinstance(memory.content, str)
    return (
        memory.content if plain else compact_json(memory.content),
        plain,
        memory.memory_type,
        memory.tier,
        memory.tags,
        compact_json(memory.metadata) if memory.metadata else "",
        memory.importance,
        memory.confidence,
        memory.sensitivity,
        memory.source,
        memory.thread,
        memory.position,
        memory.event_time,
        memory.valid_from,
        memory.valid_to,
        memory.slot,
        memory.supersedes,
        memory.emotional_intensity,
        memory.valence,
        memory.data_class,
        memory.created_at,
        memory.updated_at,
        tuple(sorted(memory.provenance.items())),
        memory.origin,
        memory.reason,
        memory.origin,
        memory.index if isinstance(memory.index, bool) else tuple(sorted(memory.index.items())),
    )


def wherever(memory: Memory, current: Memory, *, undated: bool) -> Memory:
    """A memory from another system as if it had come in the same file as one that is there, and (`undated`) then."""
    memory = replace(memory, provenance=current.provenance, position=current.position)
    return replace(memory, created_at=current.created_at, updated_at=current.updated_at) if undated else memory


def fresh_of(
    incoming: Sequence[Memory], known: Sequence[bool], current: Memory | None, *, ends_at: int | None
) -> tuple[list[Memory], list[str]]:
    """The versions that are to be added, oldest first, and why others are not.

    `known` says for each whether the vault has it; `current` is the vault's current version, None for a memory that it
    does not have; `ends_at` is the place of that version among those that come, if it is there.
    """
    if current is None:
        return list(incoming), []
    start = 0 if ends_at is None else ends_at + 1
    unknown = [place for place, there in enumerate(known) if not there]
    newer = [
        place for place in unknown if place >= start and (ends_at is not None or _is_newer(incoming[place], current))
    ]
    left = [incoming[place] for place in unknown if place not in set(newer)]
    reasons = []
    if any(one.updated_at < current.updated_at for one in left):
        reasons.append(OLDER)
    if any(one.updated_at >= current.updated_at for one in left):
        reasons.append(OTHER)
    return [incoming[place] for place in newer], reasons


def without(vectors: Vectors, spaces: Sequence[str]) -> Vectors:
    """Vectors without those of some spaces."""
    return {name: fields for name, fields in vectors.items() if name not in spaces}


def newer_item(item: Item, updated: datetime, same_value: bool) -> tuple[bool, str | None]:
    """Whether an item replaces one of that time, and if not, why not; None where nothing is to be said."""
    if item.updated_at > updated:
        return True, None
    if item.updated_at < updated:
        return False, "an older value of an item was left out: what the vault has is newer"
    return False, None if same_value else OTHER


def _is_newer(one: Memory, current: Memory) -> bool:
    return one.updated_at > current.updated_at
