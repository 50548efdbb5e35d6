"""Windows: a long text as overlapping pieces, each short enough for an embedding model to read to its end.

A model reads so many tokens and silently drops the rest. The core has no tokenizer, so a text is measured in units that
are about a token and a third of English, and never much more in other scripts: a run of up to twelve letters, or one
character of a script that is written without spaces.
"""

import re

WINDOW_UNITS = 160  # about 220 tokens of prose: MiniLM and others read 256, code and rare words take more of them
OVERLAP_UNITS = 32  # a fifth, about two sentences: what one window cuts in half, the next one has whole
MAX_WINDOWS = 512  # half of the vectors a memory may have, and 32 MiB at the largest dimension: a record holds 64
_UNIT = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # Thai to Chinese: no spaces
    "|[^\\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{1,12}"
)


def windows(text: str, most: int = MAX_WINDOWS) -> list[str]:
    """A text as at most `most` pieces that overlap, in order; a short text is one piece, a blank one none.

    A text that would need more pieces gets longer ones: evenly spread, so that no part of it is without a vector.
    """
    if not text.strip() or most < 1:
        return []
    if len(text) <= WINDOW_UNITS:  # no unit is shorter than a character
        return [text]
    units = [match.span() for match in _UNIT.finditer(text)]
    size, step = WINDOW_UNITS, WINDOW_UNITS - OVERLAP_UNITS
    if most > 1 and len(units) > size + (most - 1) * step:
        step = -(-len(units) // most)
        size = step + OVERLAP_UNITS
    if most == 1 or len(units) <= size:
        return [text]
    starts = range(0, len(units) - OVERLAP_UNITS, step)
    return [text[units[at][0] : units[min(at + size, len(units)) - 1][1]] for at in starts]


def field_of(window: int) -> str:
    """The field name of a window's vector: the first one has that of the content."""
    return "" if window == 0 else f"window {window + 1}"
