"""`strongroom demo`: watch it work."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from vault_core.cli import codes, options
from vault_core.cli.output import Bar, console, safe, say, say_json
from vault_core.cli.rehearsal import Rehearsal, Step

STEPS = 7
COLUMNS: dict[str, Literal["left", "right"]] = {
    "step": "left",
    "": "left",
    "seconds": "right",
    "what it showed": "left",
}


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder, and say where it is.")] = False,
    as_json: options.Json = False,
) -> None:
    """Watch it work: a vault in a temporary folder, searched, looked into, tampered with.

    A conversation of two friends is stored, found again by a second process, looked for in the raw files, and a copy is
    changed by one bit. Ends with 0 only if every step held.
    """
    folder = Path(tempfile.mkdtemp(prefix="strongroom-demo-"))
    try:
        rehearsal = Rehearsal(folder)
        steps = []
        with Bar("demo", STEPS) as bar:
            for step in rehearsal.steps():
                steps.append(step)
                bar.at(len(steps))
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    held = all(step.held for step in steps)
    if as_json:
        say_json({"held": held, "steps": steps, "folder": str(folder) if keep else None})
    else:
        _print(steps)
        if keep:
            say(f"kept in {safe(str(folder))}; its passphrase is in the file {rehearsal.passphrase_file.name}")
    if not held:
        raise typer.Exit(codes.FAILED)


def _print(steps: list[Step]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="strongroom demo")
    for name, justify in COLUMNS.items():
        table.add_column(name, justify=justify)
    for step in steps:
        mark = Text("held", style="green") if step.held else Text("FAILED", style="bold red")
        table.add_row(step.what, mark, f"{step.seconds:.2f}", Text(safe(step.shows, one_line=False)))
    console().print(table, soft_wrap=False)
