"""Which embedder a command uses: `--embedder`, else `STRONGROOM_EMBEDDER`, else none."""

from typing import Any

from vault_core.embedders.named import KINDS, VARIABLE, embedder_named
from vault_core.errors import InvalidInputError

chosen = embedder_named


def needed(given: str | None) -> Any:
    """As `chosen`, for a command that is nothing without one."""
    embedder = chosen(given)
    if embedder is None:
        error = InvalidInputError("there is no embedder to make vectors with")
        error.add_note(f"name one with --embedder or {VARIABLE}: {KINDS}")
        raise error
    return embedder
