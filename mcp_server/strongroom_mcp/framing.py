r"""How a memory's words are shown: as data that can't pose as anything else.

Rules:
- Control, invisible and direction-changing characters are shown as `\u200b` would be written in a program. Line feeds
  and tabs stay; so do the joiners that scripts and emoji need, one between two characters that are not ASCII, and the
  variation selectors that emoji and Han need, one after such a character or in a keycap. A row of them hides words.
- What looks like a tag (`<system>`, `</memory>`, `<|im_start|>`, `<!--`, also with a wide one) gets `&lt;` for its
  first character, and what could then be taken for that gets `&amp;`. Other uses of `<` stay as they are.
- The text goes out as a value of a JSON document, with no words of ours around it.
- `meant` reverses `shown`, so that an id or label that a client has read can be sent back.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

_JOINERS = "\u200c\u200d"
_SELECTORS = "".join(map(chr, range(0xFE00, 0xFE10)))
_KEYCAP = "\u20e3"
_LESS = "＜﹤"  # noqa: RUF001  a selector behind one would keep it from being seen as a tag
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line feed
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, fillers, Arabic mark, Mongolian selectors
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, separators, directions, isolates
    "\ufe00-\ufe0f"  # variation selectors
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"  # fillers, byte order mark, annotations, half characters
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"  # shorthand, music, tags and selectors
)
_TAG = re.compile(r"[<＜﹤](?=[^\W\d_]|[/!?|<＜﹤\\／！？｜])")  # noqa: RUF001  the look-alikes are the point
_LIKE_ENTITY = re.compile(r"&(?=(?:amp;)*lt;)")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")


def shown(text: str) -> str:
    """The text as a client may see it."""
    if not text.isprintable() or not text.isascii():
        text = _INVISIBLE.sub(_named, text)
    return _TAG.sub("&lt;", _LIKE_ENTITY.sub("&amp;", text))


def meant(text: str) -> str:
    """The text that is shown like this."""
    plain = re.sub(r"&((?:amp;)*)lt;", lambda found: f"&{found[1][4:]}lt;" if found[1] else "<", text)
    return _ESCAPE.sub(lambda found: chr(min(int(found[1] or found[2], 16), 0x10FFFF)), plain)


def shown_value(value: Any) -> Any:
    """A JSON value with every text in it, keys too, as a client may see it."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(str(key)): shown_value(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [shown_value(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no word for it
    return value


def excerpt(text: str, length: int) -> tuple[str, bool]:
    """The beginning of a text as it is shown, and whether there is more of it."""
    return shown(text[:length]), len(text) > length


def _named(found: re.Match[str]) -> str:
    character, text, at = found[0], found.string, found.start()
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if character in _JOINERS and before and after and _joinable(before) and _joinable(after):
        return character
    if character in _SELECTORS and before and (_selectable(before) or after == _KEYCAP):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _joinable(neighbour: str) -> bool:
    return ord(neighbour) > 127 and (neighbour in _SELECTORS or not _INVISIBLE.match(neighbour))


def _selectable(neighbour: str) -> bool:
    return ord(neighbour) > 127 and not _INVISIBLE.match(neighbour) and neighbour not in _LESS
