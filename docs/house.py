"""Draw `docs/house.svg`: the rooms, what passes through them, and what leaves the process."""

from html import escape
from pathlib import Path

PICTURE = Path(__file__).with_name("house.svg")

# One line per layer, top may import below: `tool.importlinter` in pyproject.toml.
ROOMS = [
    [("cli", "the command strongroom")],
    [("vault", "Vault joins the rooms"), ("aio", "the same, awaited")],
    [("session", "one open vault: keys, log and indexes under one lock")],
    [("lifecycle", "changes planned as one commit"), ("transfer", "files of elsewhere")],
    [("retrieval", "a query becomes ranked hits")],
    [("index", "catalogue and vectors, in RAM; rebuilt from the log at will")],
    [("log", "numbered commits, each bound to the one before")],
    [
        ("store", "file, PostgreSQL, bucket"),
        ("keys", "header, slots, anchor"),
        ("embedders", "text to vectors"),
    ],
    [("crypto", "bytes sealed, bytes opened")],
    [("memory", "the words as values, and their bytes")],
    [("errors", "one kind for each thing a caller does next")],
]
ABOVE = ["any MCP client", "LangChain, LangGraph", "LlamaIndex", "plain Python"]
FLOWS = [
    (
        "a write",
        [
            "embed the text",
            "enter the store's critical section",
            "catch up with the log, check",
            "seal the record and its entry",
            "commit: now it is durable",
            "the index and the anchor follow",
        ],
    ),
    (
        "a search",
        [
            "look at the store's head",
            "apply commits made elsewhere",
            "rank in RAM",
            "fetch and open the hits only",
        ],
    ),
]
BELOW = [
    ("vault", "header, log, parts; whoever keeps them sees counts and padded sizes"),
    ("anchor", "what this machine saw last"),
]

WIDTH = 880
MARGIN = 24
HOUSE = 540  # width of the left column; the flows stand to the right of it
ROW = 44
GAP = 8
INK, FAINT, PAPER = "#1f2933", "#52606d", "#ffffff"
ROOM, EDGE, SEALED = "#eef2f6", "#9aa5b1", "#dbe9e1"


def draw() -> str:
    """Give the picture as SVG text; the same text every time."""
    top = 132
    floor = top + len(ROOMS) * (ROW + GAP) + GAP
    height = floor + 132
    parts = [
        f'<rect width="{WIDTH}" height="{height}" rx="12" fill="{PAPER}"/>',
        *_callers(),
        _box(MARGIN, 84, HOUSE, floor - 84, fill="none"),
        _text(
            MARGIN + 16,
            112,
            "a session, one per process: keys and plaintext are here only",
            size=13,
        ),
        *_rooms(top),
        *_flows(),
        *_storage(floor),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" fill="{INK}">'
    )
    title = "<title>The rooms of strongroom, a write, a search, and what storage sees</title>"
    return "\n".join([head, title, *parts, "</svg>"]) + "\n"


def _callers() -> list[str]:
    width = (HOUSE - 2 * GAP) / 3
    parts = []
    for place, name in enumerate(ABOVE):
        left = MARGIN + place * (width + GAP)
        parts.append(_box(left, 20, width, 34, fill=PAPER, radius=17))
        parts.append(_text(left + width / 2, 42, name, size=14, anchor="middle"))
        parts.append(_arrow(left + width / 2, 56, 82))
    return parts


def _rooms(top: float) -> list[str]:
    parts = []
    for level, row in enumerate(ROOMS):
        width = (HOUSE - 2 * GAP - (len(row) - 1) * GAP) / len(row)
        for place, (name, does) in enumerate(row):
            left = MARGIN + GAP + place * (width + GAP)
            y = top + level * (ROW + GAP)
            parts.append(_box(left, y, width, ROW, fill=ROOM))
            parts.append(_text(left + 12, y + 19, name, size=14, weight=600))
            parts.append(_text(left + 12, y + 35, does, size=12, fill=FAINT))
    return parts


def _flows() -> list[str]:
    left = MARGIN + HOUSE + 28
    y = 112
    parts = []
    for name, steps in FLOWS:
        parts.append(_text(left, y, name, size=14, weight=600))
        for number, step in enumerate(steps, 1):
            y += 28
            parts.append(_text(left, y, f"{number}", size=13, fill=FAINT))
            parts.append(_text(left + 20, y, step, size=13))
        y += 56
    return parts


def _storage(floor: float) -> list[str]:
    line = floor + 32
    parts = [
        f'<path d="M{MARGIN} {line}H{WIDTH - MARGIN}" stroke="{INK}" stroke-dasharray="6 5"/>',
        _text(WIDTH - MARGIN, line - 8, "below this line: no word, no key", size=13, anchor="end"),
        _arrow(MARGIN + HOUSE / 2, floor, line + 20),
    ]
    left: float = MARGIN
    for (name, holds), width in zip(BELOW, [HOUSE, WIDTH - HOUSE - 2 * MARGIN - 28], strict=True):
        parts.append(_box(left, line + 22, width, 52, fill=SEALED))
        parts.append(_text(left + 16, line + 44, name, size=14, weight=600))
        parts.append(_text(left + 16, line + 62, holds, size=12, fill=FAINT))
        left += width + 28
    return parts


def _box(x: float, y: float, width: float, height: float, *, fill: str, radius: int = 8) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" fill="{fill}" stroke="{EDGE}"/>'
    )


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int,
    fill: str = INK,
    weight: int = 400,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def _arrow(x: float, start: float, end: float) -> str:
    return (
        f'<path d="M{x:g} {start:g}V{end:g}m-4 -5l4 5l4 -5" fill="none" stroke="{FAINT}" '
        f'stroke-linecap="round" stroke-linejoin="round"/>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
