"""The program: its commands, and what becomes of whatever they raise."""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vault_core.cli import codes, errors
from vault_core.cli.add import add
from vault_core.cli.agent import lock, unlock
from vault_core.cli.change import expire, forget, pin, restore, trust
from vault_core.cli.connect import connect
from vault_core.cli.consolidate import consolidate
from vault_core.cli.demo import demo
from vault_core.cli.init import init
from vault_core.cli.look import briefing, history, list_memories, log, search, show
from vault_core.cli.mcp import mcp
from vault_core.cli.moving import copy, export, import_memories
from vault_core.cli.reembed import reembed
from vault_core.cli.slots import slots
from vault_core.cli.state import stats, status, verify
from vault_core.cli.store import store

# The base of every complaint about a command line, whether typer brings its own click or uses the real one.
_Complaint: type[Any] = typer.BadParameter.__mro__[2]


class Program(TyperGroup):
    """The commands, with one way out: an exit code, and what is to be said about it."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **rest: Any) -> Any:
        """Run a command line and exit."""
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given
        sys.exit(self._exit_code(given, rest | {"standalone_mode": False}, as_json))

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and see that all it printed is out."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _be_silent()
            raise typer.Exit(codes.BROKEN_PIPE) from None
        return result

    def _exit_code(self, given: list[str], rest: dict[str, Any], as_json: bool) -> int:
        try:
            with errors.warnings_told(as_json=as_json):
                code = super().main(given, **rest)
        except _Complaint as complaint:
            path = complaint.ctx.command_path if getattr(complaint, "ctx", None) else "strongroom"
            hint = f"{path} --help says what it takes"
            errors.tell("UsageError", complaint.format_message().rstrip("."), hint, as_json=as_json)
            return codes.USAGE
        except (KeyboardInterrupt, typer.Abort):
            code = codes.INTERRUPTED
        except Exception as error:  # noqa: BLE001  the way out: it is reported and becomes an exit code
            return errors.report(error, as_json=as_json)
        if code == codes.INTERRUPTED:
            errors.tell("Interrupted", "interrupted", "", as_json=as_json)
        return code if isinstance(code, int) else codes.OK


app = typer.Typer(
    name="strongroom",
    cls=Program,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # their boxes quote local variables
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def strongroom(
    ctx: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Encrypted memory that every agent runtime can share, and only you can read.

    The vault is unlocked by the first of STRONGROOM_PASSPHRASE_COMMAND (a command that prints the secret),
    STRONGROOM_PASSPHRASE_FILE, STRONGROOM_PASSPHRASE, the key agent (see `strongroom unlock`), the OS keyring, and a
    question on the terminal. A secret is never part of the command line.
    """
    if version:
        from vault_core import __version__

        typer.echo(__version__)
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "add": add,
    "search": search,
    "briefing": briefing,
    "list": list_memories,
    "show": show,
    "history": history,
    "log": log,
    "forget": forget,
    "expire": expire,
    "pin": pin,
    "trust": trust,
    "restore": restore,
    "consolidate": consolidate,
    "export": export,
    "import": import_memories,
    "copy": copy,
    "unlock": unlock,
    "lock": lock,
    "status": status,
    "stats": stats,
    "verify": verify,
    "reembed": reembed,
    "connect": connect,
    "demo": demo,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
# Its options are the server's own, --help among them.
app.command(
    "mcp", context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
)(mcp)
app.add_typer(slots)
app.add_typer(store)


def main() -> None:
    """Run `strongroom`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    app(prog_name="strongroom")


def _be_silent() -> None:
    """Whoever read the output has gone: let nothing be written there, not even at the interpreter's end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
