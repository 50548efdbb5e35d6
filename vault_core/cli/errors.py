"""What the command line says when something goes wrong.

Rules:
- An error is one sentence on standard error and a hint: what was probably meant, or the command that repairs it.
  Whoever knows better than the table here leaves the hint as a note on the exception.
- With `--json` it is `{"error": {"kind", "message", "hint"}}`, on standard error too: standard output holds results
  alone.
- Neither holds a secret or the text of a memory. The traceback of an unexpected error may quote both, so it is shown
  only when `STRONGROOM_DEBUG` is set.
"""

import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vault_core import errors as kinds
from vault_core.cli import codes
from vault_core.cli.output import note, note_json

_HINTS = {
    kinds.InvalidInputError: "the command's --help says what it takes",
    kinds.VaultNotFoundError: "make one with: strongroom init",
    kinds.RollbackError: "if you restored a backup on purpose: strongroom verify --accept-rollback; "
    "if not, look for the newer file",
    kinds.VaultTamperedError: "write nothing more to it; restore a copy and check that with: strongroom verify --full",
    kinds.VaultAlreadyOpenError: "close the other program that uses this vault, then try again",
    kinds.MemoryNotFoundError: "an id is looked up in one namespace: name it with --namespace, or see: strongroom list",
    kinds.ConflictError: "use what is there, or choose another file with --vault",
    kinds.UnavailableError: "try again once that is put right; nothing was half-written",
    kinds.FormatTooNewError: "pip install --upgrade strongroom",
    kinds.EmbedderMismatchError: "use the embedder that the vectors were made with; or make all of them anew with "
    "this one: strongroom reembed",
    kinds.SessionStateError: "run the command again",
}


def report(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong, and give the exit code for it."""
    if isinstance(error, kinds.VaultError):
        kind = next((kind for kind in type(error).__mro__ if kind in codes.OF_KIND), kinds.VaultError)
        tell(kind.__name__, str(error), _hint(error), as_json=as_json)
        return codes.OF_KIND.get(kind, codes.FAILED)
    if os.environ.get("STRONGROOM_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    name = type(error).__name__
    hint = "set STRONGROOM_DEBUG=1 for the traceback, which may quote memories, and report what it shows"
    tell(name, f"an unexpected error ({name}{_place(error)})", hint, as_json=as_json)
    return codes.FAILED


def tell(kind: str, message: str, hint: str, *, as_json: bool) -> None:
    """Print one error and its hint."""
    if as_json:
        note_json({"error": {"kind": kind, "message": message, "hint": hint}})
        return
    note(f"error: {message}")
    if hint:
        note(f"hint: {hint}")


@contextmanager
def warnings_told(*, as_json: bool) -> Iterator[None]:
    """The vault's own warnings become a note on standard error, each once; all others stay as they are."""
    told: set[str] = set()
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
            if not issubclass(category, kinds.EmbedderUnavailableWarning):
                shown(message, category, *rest, **named)
            elif str(message) not in told:
                told.add(str(message))
                if as_json:
                    note_json({"warning": {"kind": category.__name__, "message": str(message)}})
                else:
                    note(f"warning: {message}")

        warnings.simplefilter("always", kinds.EmbedderUnavailableWarning)
        warnings.showwarning = show
        yield


def _hint(error: kinds.VaultError) -> str:
    notes = getattr(error, "__notes__", ())
    return notes[-1] if notes else next((_HINTS[kind] for kind in type(error).__mro__ if kind in _HINTS), "")


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
