"""What is measured, and in which order. Everything here is a plain dict of seconds and bytes; `report` reads it.

One vault (and one store of each peer) grows from size to size. On the way batches are timed; at each size searches
and single adds are; at the end everything is opened once more in fresh processes for clean figures of memory, and the
vault in three states.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders import MODES, PEERS
from benchmarks.race import Field

NAMES = ("add", "many", "search", "growth", "open", "memory", "size")
SIZES = (1_000, 10_000, 100_000)
QUICK = (500, 1_000, 2_000)
SLOW = {"vaultmem": 10_000}  # a peer that would take hours goes up to here
TAIL = 1_000  # memories after the snapshot, for `open`

Tell = Callable[[str], None]
Results = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How far to go. Rounds are what alternates; each asks for `each` operations."""

    sizes: Sequence[int] = SIZES
    names: Sequence[str] = NAMES
    rounds: int = 20
    each: int = 25
    tail: int = TAIL


@dataclass(slots=True)
class _Grown:
    """How far the stores have come. `stored` is the last batch that each holds, to ask for."""

    size: int = 0
    batch: int = 0
    record: int = 2_000  # bytes of a sealed record, until a real one is seen
    stored: dict[str, tuple[int, int]] = field(default_factory=dict)


def run(course: Course, folder: Path, tell: Tell) -> tuple[Results, Field]:
    """Run the course; gives the results and the field, for its versions and for who was out."""
    results: Results = {}
    with Field(folder) as field:
        if "add" in course.names:
            tell("single adds, beside raw commits")
            results["add"] = _add(course, folder / "add", field)
        if set(course.names) - {"add"}:  # all others are measured on the way up
            field.start(["strongroom", "aesgcm", *PEERS])
            _grow(course, field, results, tell)
            if "open" in course.names:
                tell("opening")
                results["open"] = _open(course, field)
    return results, field


def percentile(seconds: Sequence[float], part: float) -> float:
    """The smallest of the values that so large a part lies at or below."""
    return sorted(seconds)[max(math.ceil(len(seconds) * part) - 1, 0)]


def _add(course: Course, folder: Path, whole: Field) -> Results:
    with Field(folder) as field:
        field.start(["strongroom", "sqlite"])
        field.ask("strongroom", "add_each", batch=0, count=2)  # the first one declares the space
        sizes = field.ask("strongroom", "written_sizes")
        ours, raw, ratios, busy = [], [], [], []
        for number in range(1, course.rounds + 1):
            added = field.ask("strongroom", "add_each", batch=number, count=course.each)
            committed = field.ask("sqlite", "commit_each", count=course.each, **sizes)
            ours += added["seconds"]
            raw += committed
            busy.append(added["busy"])
            ratios.append(percentile(added["seconds"], 0.5) / percentile(committed, 0.5))
        whole.versions.update(field.versions)
    return {
        "bytes": sizes,
        "strongroom": {**_spread(ours), "p10": percentile(ours, 0.1), "busy": percentile(busy, 0.5)},
        "sqlite": {**_spread(raw), "p10": percentile(raw, 0.1)},
        "ratio": percentile(ratios, 0.5),
    }


def _grow(course: Course, field: Field, results: Results, tell: Tell) -> None:
    results.update({name: {} for name in ("many", "search", "growth") if name in course.names})
    grown = _Grown()
    for target in course.sizes:
        before = grown.size
        tell(f"growing to {target:,} memories in batches of {_step(target):,}")
        spent = _fill(field, grown, target)
        if "many" in course.names:
            results["many"][str(target)] = {
                name: (target - before) / took for name, took in spent.items() if name in field.runners
            }
        if "search" in course.names:
            tell(f"searching {target:,}")
            results["search"][str(target)] = _search(course, field, target, grown.stored)
        if "growth" in course.names:
            results["growth"][str(target)] = _cost(course, field, target, spent.get("strongroom"), target - before)
    if "size" in course.names or "memory" in course.names:
        field.ask("strongroom", "checkpoint")
    if "size" in course.names:
        found = {name: field.ask(name, "sizes") for name in list(field.runners) if name != "aesgcm"}
        results["size"] = {name: sizes for name, sizes in found.items() if sizes is not None}
    if "memory" in course.names:
        tell("opening in fresh processes")
        results["memory"] = _memory(course, field, grown.stored)


def _fill(field: Field, grown: _Grown, target: int) -> dict[str, float]:
    """Bring every contender that goes so far to this size, a batch each in turn; gives the seconds each has spent."""
    spent: dict[str, float] = {}
    while grown.size < target:
        count = min(_step(target), target - grown.size)
        for name in [name for name in field.runners if target <= SLOW.get(name, target)]:
            if name == "aesgcm":
                took = field.ask(name, "seal_batch", count=count, record=grown.record)
            else:
                took = field.ask(name, "add_batch", batch=grown.batch, count=count)
                grown.stored[name] = (grown.batch, count)
            spent[name] = spent.get(name, 0.0) + (took or 0.0)
        grown.record = (field.ask("strongroom", "written_sizes") or {}).get("record", grown.record)
        grown.size, grown.batch = grown.size + count, grown.batch + 1
    return spent


def _step(target: int) -> int:
    return max(target // 10, 1)


def _search(course: Course, field: Field, target: int, stored: dict[str, tuple[int, int]]) -> Results:
    """Ten queries of each kind in turn, each kind and round with queries of its own."""
    ways = [
        (name, mode) for name in list(field.runners) if target <= SLOW.get(name, target) for mode in MODES.get(name, ())
    ]
    seconds: dict[str, list[float]] = {}
    few = 10 if target > SIZES[0] else 20
    for number in range(course.rounds + 1):
        for name, mode in ways:
            batch, size = stored[name]
            took = field.ask(name, "search", first=number * few, count=few, batch=batch, size=size, mode=mode)
            if number and took is not None:  # the first round brings everything to life
                label = f"{name} {mode}" if name == "strongroom" else name
                seconds.setdefault(label, []).extend(took)
    return {label: _spread(took) for label, took in seconds.items()}


def _cost(course: Course, field: Field, target: int, many: float | None, count: int) -> Results:
    """What one more memory costs at this size."""
    seconds, busy = [], []
    for number in range(max(course.rounds // 5, 1)):
        added = field.ask("strongroom", "add_each", batch=target + number, count=course.each)
        if added is not None:
            seconds += added["seconds"]
            busy.append(added["busy"])
    if not seconds or many is None:
        return {}
    return {"add": _spread(seconds), "busy": percentile(busy, 0.5), "many": many / count}


def _open(course: Course, field: Field) -> Results:
    """The file in three states: a snapshot at the head, a tail after it, no snapshot at all."""
    found: Results = {"at": max(course.sizes)}
    times = max(course.rounds // 4, 1)

    def opened(state: str, *, read_only: bool, times: int) -> None:
        took = [field.ask("strongroom", "opened", read_only=read_only) for _ in range(times)]
        if None not in took:
            found[state] = _spread(took)

    field.ask("strongroom", "checkpoint")
    opened("head", read_only=False, times=times)
    field.ask("strongroom", "add_batch", batch=999_999, count=course.tail)
    opened("tail", read_only=True, times=times)  # read-only, so that opening writes no snapshot
    field.ask("strongroom", "drop_snapshot")
    opened("replay", read_only=True, times=max(times // 3, 1))
    return found


def _memory(course: Course, field: Field, stored: dict[str, tuple[int, int]]) -> Results:
    found: Results = {"at": max(course.sizes)}
    for name in list(field.runners):
        if name == "aesgcm" or stored.get(name) != stored.get("strongroom"):
            continue  # a peer that stopped earlier holds less
        field.restart(name)
        after_open = field.ask(name, "resident")
        batch, size = stored[name]
        for mode in MODES[name]:
            field.ask(name, "search", first=0, count=course.each, batch=batch, size=size, mode=mode)
        after = field.ask(name, "resident")
        if after_open and after and "now" in after:
            found[name] = {
                "before": after["before"]["now"],
                "open": after_open["now"],
                "searched": after["now"],
                "peak": after["peak"],
            }
    return found


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {"p50": percentile(seconds, 0.5), "p95": percentile(seconds, 0.95)}
