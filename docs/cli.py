"""Write `docs/cli.md`: every command of `strongroom`, from its own help."""

from pathlib import Path
from typing import Any

from typer.main import get_command

from vault_core.cli import app, codes

PAGE = Path(__file__).with_name("cli.md")
PROGRAM = "strongroom"
HEAD = f"""\
# The command `{PROGRAM}`

Made from the program's own help by `make docs`.
"""


def write() -> str:
    """Give the page as Markdown; the same text for the same program."""
    root: Any = get_command(app)  # typer does not say which class it gives
    exits = ["## Exit codes", "", codes.table(), ""]
    return "\n".join([HEAD, root.help or "", "", *exits, *_commands(root, PROGRAM)]).rstrip() + "\n"


def _commands(group: Any, path: str) -> list[str]:
    lines = []
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            lines += _commands(command, f"{path} {name}")
        else:
            lines += _command(command, f"{path} {name}")
    return lines


def _command(command: Any, path: str) -> list[str]:
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option"]
    usage = " ".join([path, *map(_placeholder, arguments), *(["[options]"] if options else [])])
    lines = [f"## `{path}`", "", (command.help or "").strip(), "", "```text", usage, "```", ""]
    if shown:
        lines += ["| | |", "|---|---|", *map(_row, [*arguments, *options]), ""]
    return lines


def _placeholder(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        names = _placeholder(param)
    else:
        names = ", ".join([*param.opts, *param.secondary_opts])
    said = " ".join((param.help or "").split()).replace("|", r"\|")
    return f"| `{names}` | {said} |"


if __name__ == "__main__":
    PAGE.write_text(write(), encoding="utf-8")
