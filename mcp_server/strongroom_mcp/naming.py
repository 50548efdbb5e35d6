"""What a memory is called to a client.

Rules:
- By its id as it is shown, if that is short, and its namespace is too.
- Else, and if the id itself looks like it, by a short name: `~` and 32 hex digits of SHA-256 over namespace and id. So
  a receipt for fifty memories fits into a reply whatever others have called theirs, and no id can pose as another's
  short name.
"""

import json
import re
from collections.abc import Sequence
from hashlib import sha256

from strongroom_mcp.framing import shown

_LONG_ID = 128  # bytes, as shown
_LONG_NAMESPACE = 2_000
_SHORT = re.compile(r"~[0-9a-f]{32}")


def called(id: str, namespace: Sequence[str]) -> str:
    """The name of the memory with this id, for a client."""
    name = shown(id)
    if (
        _SHORT.fullmatch(id)
        or _bytes(name) > _LONG_ID
        or sum(_bytes(shown(one)) for one in namespace) > _LONG_NAMESPACE
    ):
        return short_name(id, namespace)
    return name


def short_name(id: str, namespace: Sequence[str]) -> str:
    """The short name of a memory."""
    digest = sha256(json.dumps([id, *namespace]).encode("ascii")).hexdigest()
    return f"~{digest[:32]}"


def is_short(name: str) -> bool:
    """Whether this can only be a short name."""
    return _SHORT.fullmatch(name) is not None


def _bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"))
