"""Asking a person, where there is one."""

import getpass
import os

import typer

from vault_core.cli import codes
from vault_core.cli.output import note
from vault_core.errors import InvalidInputError


def present() -> bool:
    """Whether a person can be asked: at standard input, or beside it when that is a file or a pipe."""
    if os.isatty(0):
        return True
    if not os.isatty(2):  # whoever sends errors elsewhere as well is a program
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def ask_secret(prompt: str) -> str | None:
    """Ask without showing what is typed; None where nobody is."""
    if not present():
        return None
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise typer.Abort from None


def confirm(question: str, *, yes: bool, as_json: bool = False, why: str = "this can't be undone") -> None:
    """Go on only if the answer is yes; where nobody can be asked, `--yes` has to say it."""
    if yes:
        return
    if as_json or not os.isatty(0):
        error = InvalidInputError(f"{why}, and nobody is there to be asked")
        error.add_note("add --yes to do it without a question")
        raise error
    if not typer.confirm(question, err=True):
        note("Nothing was changed.")
        raise typer.Exit(codes.FAILED)
