"""`strongroom consolidate`: composites and affinities from what is there."""

from typing import Annotated

import typer

from vault_core.cli import options, unlock
from vault_core.cli.output import safe, say, say_json


def consolidate(
    namespace: options.Below = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, and change nothing.")] = False,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Sum up similar memories, and note what recurs.

    A composite says briefly what several memories of one type say; an affinity is what happened on three days or more.
    No model is asked, and running it twice changes nothing. Forgetting a memory erases what was made of it as well.
    """
    with unlock.open_vault(vault) as opened:
        done = opened.consolidate(namespace=namespace, box=box, dry_run=dry_run)
    if as_json:
        say_json(done)
        return
    for text in done.texts.values():
        say(safe(text))
    would = "would be " if dry_run else ""
    affinities = _counted(done.affinities, "affinity", "affinities")
    composites = _counted(done.composites, "composite", "composites")
    say(
        f"{affinities} and {composites}: {len(done.made)} {would}made, "
        f"{len(done.updated)} {would}updated, {len(done.erased)} {would}erased"
    )
    if done.postponed:
        say(f"{done.postponed} left for the next time: their memories changed at this moment")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
