"""Embedders by name, as the command line and servers are told of them."""

import os
from typing import Any

from vault_core.errors import InvalidInputError

VARIABLE = "STRONGROOM_EMBEDDER"
KINDS = "ollama[:MODEL], ollama-remote[:MODEL] (a server that is not this machine), sentence:FOLDER or none"


def embedder_named(name: str | None = None) -> Any:
    """The embedder that is named, ready to use; None for none. Without a name: what `STRONGROOM_EMBEDDER` says.

    `ollama[:MODEL]`, `ollama-remote[:MODEL]` for a server that is not this machine, `sentence:FOLDER` for a
    sentence-transformers model, or `none`.

    Raises:
        InvalidInputError: it is named in a way that means nothing here.
        UnavailableError: the package that it needs is missing.
    """
    named = (os.environ.get(VARIABLE, "") if name is None else name).strip()
    if not named and name is not None:
        raise InvalidInputError(f"--embedder is empty; it is {KINDS}")
    kind, _, model = named.partition(":")
    if named in ("", "none"):
        return None
    if kind in ("ollama", "ollama-remote"):
        return _ollama(model, remote=kind == "ollama-remote")
    if kind == "sentence" and model:
        return _sentence(model)
    raise InvalidInputError(f"the embedder {named!r} is none of {KINDS}")


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
        error.add_note("this program downloads no models; get one with: hf download MODEL --local-dir FOLDER")
        raise
