"""Values of LlamaIndex's stores as the bytes of items: JSON, and back."""

import json
from collections.abc import Callable
from typing import Any

from vault_core.errors import InvalidInputError, VaultTamperedError


def to_bytes(value: Callable[[], Any], what: str) -> bytes:
    """JSON in UTF-8 of what `value` gives.

    Raises:
        InvalidInputError: it holds something that JSON has no form for.
    """
    try:
        return json.dumps(value(), separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):  # their messages hold what can't be written
        raise InvalidInputError(f"{what} holds something that can't be written as JSON") from None


def from_bytes(value: bytes) -> dict[str, Any]:
    """The JSON object behind the bytes of an item.

    Raises:
        VaultTamperedError: another program wrote something else there.
    """
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise VaultTamperedError("an item of a LlamaIndex store is no JSON object; another program wrote it")
    return found
