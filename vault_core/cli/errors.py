"""What the command line says when something goes wrong.

Rules:
- An error is one sentence on standard error and a hint: what was probably meant, or the command that repairs it.
- With `--json` it is `{"error": {"kind", "message", "hint"}}`, on standard error too: standard output holds results
  alone.
- Neither holds a secret or the text of a memory. The traceback of an unexpected error may quote both, so it is shown
  only when `STRONGROOM_DEBUG` is set.
"""

import os
import shlex
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path

from vault_core import errors as kinds
from vault_core.cli import codes
from vault_core.cli.output import note, note_json

SECRET_VARIABLES = ("STRONGROOM_PASSPHRASE_COMMAND", "STRONGROOM_PASSPHRASE_FILE", "STRONGROOM_PASSPHRASE")

_HINTS = {
    kinds.InvalidInputError: "the command's --help says what it takes",
    kinds.VaultTamperedError: "write nothing more to this file; restore a copy and check it with: strongroom verify --full",
    kinds.RollbackError: "if you restored a backup on purpose: strongroom verify --accept-rollback; "
    "if not, look for the newer file",
    kinds.VaultAlreadyOpenError: "close the other program that uses this vault, then try again",
    kinds.MemoryNotFoundError: "an id is looked up in one namespace: name it with --namespace, or see: strongroom list",
    kinds.ConflictError: "use what is there, or choose another file with --vault",
    kinds.UnavailableError: "try again once that is put right; nothing was half-written",
    kinds.FormatTooNewError: "pip install --upgrade strongroom",
    kinds.EmbedderMismatchError: "use the embedder that the space was made with",
    kinds.SessionStateError: "run the command again",
}


def report(error: BaseException, *, as_json: bool, vault: str | None = None) -> int:
    """Say what went wrong, and give the exit code for it. `vault` is the place the command was to work on."""
    if isinstance(error, kinds.VaultError):
        kind = next(kind for kind in type(error).__mro__ if kind in codes.OF_KIND or kind is kinds.VaultError)
        message, hint, code = str(error), _hint(error, vault), codes.OF_KIND.get(kind, codes.FAILED)
    else:
        kind, message, code = type(error), f"an unexpected error ({type(error).__name__}{_place(error)})", codes.FAILED
        hint = "set STRONGROOM_DEBUG=1 for its traceback, which may quote memories, and report it"
        if os.environ.get("STRONGROOM_DEBUG"):
            traceback.print_exception(error, file=sys.stderr)
    say(kind.__name__, message, hint, as_json=as_json)
    return code


def say(kind: str, message: str, hint: str, *, as_json: bool) -> None:
    """Print one error and its hint."""
    if as_json:
        note_json({"error": {"kind": kind, "message": message, "hint": hint}})
    else:
        note(f"error: {message}")
        if hint:
            note(f"hint: {hint}")


def _hint(error: kinds.VaultError, vault: str | None) -> str:
    if isinstance(error, kinds.WrongPassphraseError):
        return _secret_hint()
    if isinstance(error, kinds.VaultNotFoundError) and vault is not None:
        return _place_hint(vault)
    return next((_HINTS[kind] for kind in type(error).__mro__ if kind in _HINTS), "")


def _secret_hint() -> str:
    used = next((name for name in SECRET_VARIABLES if os.environ.get(name)), None)
    if used is None:
        return f"set {SECRET_VARIABLES[1]} or {SECRET_VARIABLES[0]}, or run it on a terminal to be asked"
    return f"the secret came from {used}; correct it, or unset it to be asked"


def _place_hint(vault: str) -> str:
    """A vault's name that looks like the one given, or how to make one. Looks at names only: no vault is opened."""
    try:
        path = Path(vault).expanduser()
        names = [other.name for other in path.parent.iterdir() if other.suffix == (path.suffix or ".vault")]
    except (OSError, ValueError, RuntimeError):
        names = []
        path = Path(vault)
    close = get_close_matches(path.name, [name for name in names if name != path.name], n=1)
    if close:
        return f"did you mean {shlex.quote(str(path.with_name(close[0])))}?"
    return f"make one with: strongroom init --vault {shlex.quote(vault)}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
