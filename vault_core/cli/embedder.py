"""Which embedder a command uses: `--embedder`, else `STRONGROOM_EMBEDDER`, else none."""

import os
from typing import Any

from vault_core.errors import InvalidInputError

VARIABLE = "STRONGROOM_EMBEDDER"
KINDS = "ollama[:MODEL], ollama-remote[:MODEL] (a server that is not this machine), sentence:FOLDER or none"


def chosen(given: str | None) -> Any:
    """The embedder that is named, ready to use; None for none.

    Raises:
        InvalidInputError: it is named in a way that means nothing here.
        UnavailableError: the package that it needs is missing.
    """
    named = (os.environ.get(VARIABLE, "") if given is None else given).strip()
    if not named and given is not None:
        raise InvalidInputError(f"--embedder is empty; it is {KINDS}")
    kind, _, model = named.partition(":")
    if named in ("", "none"):
        return None
    if kind in ("ollama", "ollama-remote"):
        return _ollama(model, remote=kind == "ollama-remote")
    if kind == "sentence" and model:
        return _sentence(model)
    raise InvalidInputError(f"the embedder {named!r} is none of {KINDS}")


def needed(given: str | None) -> Any:
    """As `chosen`, for a command that is nothing without one."""
    embedder = chosen(given)
    if embedder is None:
        error = InvalidInputError("there is no embedder to make vectors with")
        error.add_note(f"name one with --embedder or {VARIABLE}: {KINDS}")
        raise error
    return embedder


def _ollama(model: str, *, remote: bool) -> Any:
    from vault_core.embedders.ollama import MODEL, OllamaEmbedder

    try:
        return OllamaEmbedder(model or MODEL, allow_remote=remote)
    except InvalidInputError as error:
        if not remote:
            error.add_note("a server that is meant to read the memories is named as ollama-remote:MODEL")
        raise


def _sentence(folder: str) -> Any:
    from vault_core.embedders.sentence import SentenceTransformerEmbedder

    try:
        return SentenceTransformerEmbedder(folder)
    except InvalidInputError as error:
        error.add_note("the command line downloads no models; get one with: hf download MODEL --local-dir FOLDER")
        raise
