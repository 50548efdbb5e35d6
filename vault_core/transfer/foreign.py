"""What the readers of other systems' files share: ids, times, and the step from their record to a memory of ours.

Rules:
- An id of ours is the importer's name and the id of theirs, or a hash of what names the memory there. So no file can
  take the place of a memory that did not come from the same system, and a second import finds what the first one made.
- Times are kept. Where a file has none, the file's own modification time stands for it.
- Provenance says which importer it was and which file (`{"importer": "mem0", "file": "export.json"}`).
- What a vault can't hold is left out and reported, with its place and never with its text.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from vault_core.errors import InvalidInputError
from vault_core.memory import Draft, Memory, Space
from vault_core.memory.canonical import canonical_json
from vault_core.memory.draft import check_id, check_label, memory_from, vectors_of
from vault_core.memory.limits import MAX_TAGS
from vault_core.memory.model import State
from vault_core.transfer.arrival import Arrival, Skipped
from vault_core.transfer.source import Source

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 100_000_000_000  # seconds until the year 5138: a larger number counts milliseconds
_SIXTEEN = 16  # bytes of a hash that is an id


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """One system on one source: what every memory that comes of it has in common."""

    name: str
    source: Source

    def id_of(self, theirs: Any) -> str:
        """Our id for an id of theirs; the same for the same, whatever it is."""
        if isinstance(theirs, str):
            try:
                return check_id(f"{self.name}-{theirs}")
            except InvalidInputError:
                pass
        return self.id_from(theirs)

    def id_from(self, *parts: Any) -> str:
        """Our id for what has none there: a hash of what names it."""
        told = canonical_json(list(parts)).encode("utf-8", "surrogatepass")
        return f"{self.name}-{sha256(told).hexdigest()[: 2 * _SIXTEEN]}"

    @property
    def modified(self) -> datetime:
        """When the source was last written."""
        return modified(self.source.path)

    def arrival(
        self,
        draft: Draft,
        place: str,
        *,
        created: datetime | None,
        updated: datetime | None = None,
        otherwise: datetime | None = None,
        position: int | None = None,
        state: State | None = None,
        spaces: Mapping[str, Space] | None = None,
        unique: bool = True,
    ) -> Arrival | Skipped:
        """The memory that a draft with an id describes, or why a vault can't hold it.

        Without `created` it gets the time `otherwise`, by default the source's, and is the same memory whenever that
        is.
        """
        undated = created is None
        created = created or otherwise or self.modified
        try:
            memory = memory_from(
                draft,
                id=check_id(draft.id),
                now=created,
                provenance={"importer": self.name, "file": self.source.path.name[:200]},
                vectors=vectors_of(draft),
            )
        except InvalidInputError as error:
            return Skipped(place, str(error))
        memory = replace(
            memory, updated_at=max(created, updated or created), position=position, state=state or memory.state
        )
        return Arrival(
            versions=[_without_surrogates(memory)],
            place=place,
            spaces=spaces or {},
            foreign=True,
            undated=undated,
            unique=unique,
        )


def _without_surrogates(memory: Memory) -> Memory:
    """A file's name may hold bytes that are no text; provenance is text."""
    clean = {key: value.encode("utf-8", "replace").decode() for key, value in memory.provenance.items()}
    return memory if clean == memory.provenance else replace(memory, provenance=clean)


def modified(path: Path) -> datetime:
    """When a file or folder was last written, in whole seconds: what a copy of it keeps."""
    try:
        return moment(int(path.stat().st_mtime)) or _EPOCH
    except OSError:
        return _EPOCH


def moment(value: Any) -> datetime | None:
    """A time as other systems write it: ISO 8601 text, or seconds or milliseconds since 1970. None if it is neither."""
    if isinstance(value, str):
        try:
            given = datetime.fromisoformat(value.strip())
            return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _sane(value):
        return None
    seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
    try:
        return _EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
    except OverflowError:
        return None


def number(value: Any, low: float = 0.0, high: float = 1.0) -> float | None:
    """A number in these bounds, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _sane(value) or not low <= value <= high:
        return None
    return float(value)


def _sane(value: float) -> bool:
    return abs(value) < 1 << 60 if isinstance(value, int) else math.isfinite(value)


def label(value: Any) -> str | None:
    """Short text that a vault can hold as a label, or None."""
    try:
        return check_label(value, "this")
    except InvalidInputError:
        return None


def labels(values: Any) -> list[str]:
    """Of a list, or of one text, what can be tags; in order and each once."""
    given: Iterable[Any] = [values] if isinstance(values, str) else values if isinstance(values, list) else []
    kept = (label(value.strip()) for value in given if isinstance(value, str))
    return list(dict.fromkeys(one for one in kept if one))[:MAX_TAGS]


def kept(record: Mapping[str, Any], *taken: str) -> dict[str, Any]:
    """What of a record has no field of ours: it goes into the metadata, under the other system's names."""
    return {key: value for key, value in record.items() if key not in taken and value not in (None, "", [], {})}
