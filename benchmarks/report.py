"""From results to rows: for the terminal, and for `docs/benchmarks.md`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.contenders import MODES, PEERS

Results = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of ours, what stands beside it, and whether it is what was aimed at (None: nothing was)."""

    what: str
    ours: str
    beside: str = ""
    target: str = ""
    met: bool | None = None


def rows(results: Results) -> dict[str, list[Row]]:
    """The rows of each measurement that was made, by its heading."""
    made: list[tuple[str, str, Callable[[Any], Iterator[Row]]]] = [
        ("add", "One memory, durable", _add),
        ("many", "Batches with given vectors", _many),
        ("search", "Search, 10 hits", _search),
        ("growth", "Cost of one more memory", _growth),
        ("open", "Open, after the key derivation", _open),
        ("memory", "Resident memory", _memory),
        ("size", "Size in the store", _size),
    ]
    return {heading: list(shown(results[name])) for name, heading, shown in made if results.get(name)}


def table(results: Results) -> str:
    """The rows as aligned text."""
    lines = []
    for heading, found in rows(results).items():
        lines += ["", heading]
        widths = [max(len(cells[at]) for cells in map(_cells, found)) for at in range(4)]
        for cells in map(_cells, found):
            shown = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            lines.append(f"  {shown}".rstrip())
    return "\n".join(lines[1:])


def markdown(results: Results) -> str:
    """The rows as Markdown tables, each with its heading."""
    parts = []
    for heading, found in rows(results).items():
        parts += [f"## {heading}", "", "| what | strongroom | beside it | target |", "|---|---|---|---|"]
        parts += [f"| {' | '.join(_cells(row))} |" for row in found]
        parts.append("")
    return "\n".join(parts)


def missed(results: Results) -> dict[str, list[Row]]:
    """The rows that are not what was aimed at, by their heading."""
    found = {heading: [row for row in shown if row.met is False] for heading, shown in rows(results).items()}
    return {heading: some for heading, some in found.items() if some}


def short(seconds: float) -> str:
    """A time with three figures and the unit that fits."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 0.001:
        return f"{_three(seconds * 1e3)} ms"
    return f"{_three(seconds * 1e6)} µs"


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cells(row: Row) -> tuple[str, str, str, str]:
    verdict = "" if row.met is None else ", met" if row.met else ", **missed**"
    return row.what, row.ours, row.beside, f"{row.target}{verdict}"


def _spread(found: dict[str, float]) -> str:
    return f"{short(found['p50'])} (p95 {short(found['p95'])})"


def _add(found: Results) -> Iterator[Row]:
    ratio = found["ratio"]
    yield Row(
        what=f"`add`, entry {found['bytes']['entry']} B, record {found['bytes']['record']:,} B",
        ours=_spread(found["strongroom"]),
        beside=f"raw SQLite commit {_spread(found['sqlite'])}",
    )
    yield Row(what="ratio", ours=f"{ratio:.2f}", target="at most 2", met=ratio <= 2)
    ours, raw = found["strongroom"]["p10"], found["sqlite"]["p10"]
    yield Row(
        what="the quickest tenth (p10)",
        ours=f"{short(ours)}, ratio {ours / raw:.2f}",
        beside=f"raw commit {short(raw)}",
    )
    yield Row(what="processor time", ours=short(found["strongroom"]["busy"]))


def _many(found: Results) -> Iterator[Row]:
    for size, rates in found.items():
        ours = rates.get("strongroom")
        if ours is None:
            continue
        peers = [f"{name} {rates[name]:,.0f}/s ({_times(ours / rates[name])})" for name in PEERS if name in rates]
        yield Row(
            what=f"up to {int(size):,}, {max(int(size) // 10, 1):,} at a time",
            ours=f"{ours:,.0f}/s",
            beside=", ".join(peers),
            **_aim("20,000/s", ours >= 20_000, aimed=int(size) >= 10_000),
        )
        if "chromadb" in rates:
            times = ours / rates["chromadb"]
            aim = _aim("at least 5×", times >= 5, aimed=int(size) >= 10_000)
            yield Row(what="times chromadb", ours=f"{times:.1f}×", **aim)
        if "aesgcm" in rates:
            yield Row(what="AES-GCM alone, same bytes", ours="", beside=f"{rates['aesgcm']:,.0f}/s")


def _search(found: Results) -> Iterator[Row]:
    aims = {"10000": 0.003, "100000": 0.030}
    for size, ways in found.items():
        beside = ", ".join(f"{name} {_spread(ways[name])}" for name in PEERS if name in ways)
        for mode in MODES["strongroom"]:
            ours = ways.get(f"strongroom {mode}")
            if ours is not None:
                aim = aims.get(size, 0.0) if mode == "hybrid" else 0.0
                yield Row(
                    what=f"{int(size):,}, {mode}",
                    ours=_spread(ours),
                    beside=beside if mode == "dense" else "",
                    **_aim(f"p50 {short(aim)}", ours["p50"] <= aim, aimed=aim > 0),
                )


def _growth(found: Results) -> Iterator[Row]:
    for size, cost in found.items():
        if cost:
            yield Row(
                what=f"at {int(size):,}",
                ours=f"`add` {_spread(cost['add'])}, processor {short(cost['busy'])}",
                beside=f"`add_many` on the way there {short(cost['many'])} each",
            )


def _open(found: Results) -> Iterator[Row]:
    names = {"head": "snapshot at the head", "tail": "snapshot and a tail", "replay": "full replay, no snapshot"}
    for state, name in names.items():
        if state in found:
            ours, aimed = found[state], state != "replay" and found["at"] >= 100_000
            yield Row(
                what=f"{found['at']:,.0f}, {name}", ours=_spread(ours), **_aim("1 s", ours["p50"] <= 1, aimed=aimed)
            )


def _memory(found: Results) -> Iterator[Row]:
    for at, name in (("before", "a bare Python"), ("open", "open"), ("searched", "after searches"), ("peak", "peak")):
        if "strongroom" in found:
            ours, aimed = found["strongroom"][at], at in ("open", "searched") and found["at"] >= 100_000
            yield Row(
                what=f"{found['at']:,.0f}, {name}",
                ours=_megabytes(ours),
                beside=", ".join(f"{peer} {_megabytes(found[peer][at])}" for peer in PEERS if peer in found),
                **_aim("450 MB", ours <= 450e6, aimed=aimed),
            )


def _times(ratio: float) -> str:
    return f"{ratio:.1f}×" if ratio >= 1 else f"{ratio:.2g}×"


def _aim(target: str, met: bool, *, aimed: bool) -> dict[str, Any]:
    return {"target": target, "met": met} if aimed else {}


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def _size(found: Results) -> Iterator[Row]:
    if "strongroom" in found:
        ours = found["strongroom"]
        yield Row(
            what="bytes for one memory",
            ours=f"{ours['all']:,.0f}, of which snapshot {ours['snapshot']:,.0f}",
            beside=", ".join(f"{peer} {found[peer]['all']:,.0f}" for peer in PEERS if peer in found),
        )
        yield Row(what="its vector alone", ours=f"{ours['vector']:,}")
