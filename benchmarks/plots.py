"""Pictures of the results as SVG: the same text for the same results."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.report import short

WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 720, 190, 120, 64, 30, 18
INK, FAINT, PAPER, OURS, OTHERS, AIM = "#1f2933", "#52606d", "#ffffff", "#3d7a5c", "#9aa5b1", "#b44d3c"

Bar = tuple[str, float, str]  # name, length, what is written at its end


def pictures(results: Mapping[str, Any]) -> dict[str, str]:
    """The pictures that the results allow, by name."""
    drawn = {}
    if results.get("many"):
        size, rates = _last(results["many"])
        found = [(name, rate, f"{rate:,.0f}") for name, rate in rates.items() if name != "aesgcm"]
        drawn["add-many"] = bars(f"Memories a second, up to {size:,}; longer is better", found, aim=20_000)
    if results.get("search"):
        size, ways = _last(results["search"])
        found = [(name, way["p50"], short(way["p50"])) for name, way in ways.items()]
        aim = 0.03 if size == 100_000 else None
        drawn["search"] = bars(f"Search of {size:,} memories, p50; shorter is better", found, aim=aim)
    if results.get("growth"):
        found = [
            (f"{kind} at {int(size):,}", value, short(value))
            for kind in ("add", "add_many")
            for size, cost in results["growth"].items()
            if cost
            for value in [cost["busy"] if kind == "add" else cost["many"]]
        ]
        drawn["growth"] = bars("What one more memory costs: processor time of add, time of add_many", found)
    return drawn


def bars(title: str, found: Sequence[Bar], *, aim: float | None = None) -> str:
    """A bar chart, one row a bar; `aim` is a line across."""
    height = TOP + ROW * len(found) + 20
    room = WIDTH - LEFT - RIGHT
    longest = max([value for _, value, _ in found] + ([aim] if aim is not None else []), default=1.0) or 1.0
    parts = [
        f'<rect width="{WIDTH}" height="{height}" rx="12" fill="{PAPER}"/>',
        _text(24, 36, title, size=15, bold=True),
    ]
    for place, (name, value, label) in enumerate(found):
        top = TOP + place * ROW
        length = max(value / longest * room, 1)
        colour = OURS if name.startswith(("strongroom", "add")) else OTHERS
        parts += [
            _text(LEFT - 10, top + 14, name, anchor="end"),
            f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR}" rx="3" fill="{colour}"/>',
            _text(LEFT + length + 8, top + 14, label, fill=FAINT),
        ]
    if aim is not None:
        at = LEFT + aim / longest * room
        across = f'x1="{at:.1f}" y1="{TOP - 8}" x2="{at:.1f}" y2="{height - 14}"'
        parts.append(f'<line {across} stroke="{AIM}" stroke-dasharray="4 3"/>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" fill="{INK}">'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", *parts, "</svg>"]) + "\n"


def _last(by_size: Mapping[str, Any]) -> tuple[int, Any]:
    size = max(by_size, key=int)
    return int(size), by_size[size]


def _text(
    x: float, y: float, text: str, *, size: int = 13, anchor: str = "start", fill: str = INK, bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>'
        f"{escape(text)}</text>"
    )
