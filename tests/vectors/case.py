"""One test vector: what it shows, its bytes, and what a reader makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vectors.parts import b64
from vectors.scribe import Scribe

TAMPERED = "VaultTamperedError"
ROLLBACK = "RollbackError"
WRONG = "WrongPassphraseError"
NEWER = "FormatTooNewError"
NOT_FOUND = "VaultNotFoundError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A vector under its file name."""

    name: str
    vector: dict[str, Any]


def good(
    scribe: Scribe,
    what: str,
    *memories: dict[str, Any],
    items: Sequence[dict[str, Any]] = (),
    spaces: Sequence[dict[str, Any]] = (),
    unlock: dict[str, str] | None = None,
) -> Case:
    """A vault with this state. Its name is the scribe's seed."""
    expect = {"memories": list(memories), "items": list(items), "spaces": list(spaces)}
    return _case(scribe, what, unlock, expect)


def bad(scribe: Scribe, what: str, *, error: str = TAMPERED, unlock: dict[str, str] | None = None) -> Case:
    """A vault that is refused. Its name is the scribe's seed."""
    return _case(scribe, what, unlock, {"error": error})


def _case(scribe: Scribe, what: str, unlock: dict[str, str] | None, expect: dict[str, Any]) -> Case:
    whole = list(scribe.entries) == list(range(1, len(scribe.entries) + 1))
    vector = {
        "what": what,
        "unlock": unlock or scribe.unlock,
        "header": {"body": b64(scribe.body), "mac": b64(scribe.mac)},
        "entries": [b64(entry) if whole else [seq, b64(entry)] for seq, entry in scribe.entries.items()],
        "records": {str(address): b64(body) for address, body in scribe.records.items()},
        "expect": expect,
    }
    return Case(name=scribe.seed, vector=vector)
