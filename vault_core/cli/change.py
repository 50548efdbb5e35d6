"""`strongroom forget`, `pin`, `trust`: changing what is there."""

from typing import Annotated

import typer

from vault_core.cli import options, terminal, unlock
from vault_core.cli.output import safe, say, say_json


def forget(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The ids of the memories.")],
    namespace: options.Labels = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and erase nothing.")] = False,
    yes: options.Yes = False,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Erase memories with their whole history. It can't be undone."""
    with unlock.open_vault(vault) as opened:
        receipt = opened.forget_many(ids, namespace=namespace or (), dry_run=True, box=box)
        if not dry_run:
            question = f"Erase {_counted(receipt.memories, receipt.versions)} for good?"
            terminal.confirm(question, yes=yes, as_json=as_json)
            receipt = opened.forget_many(ids, namespace=namespace or (), box=box)
    if as_json:
        say_json(receipt)
        return
    say(f"{'would erase' if dry_run else 'erased'} {_counted(receipt.memories, receipt.versions)}")
    if receipt.stale:
        what = "summary" if len(receipt.stale) == 1 else "summaries"
        say(f"and {len(receipt.stale)} {what} made of it; `strongroom consolidate` makes new ones of what is left")
    if not dry_run and not receipt.purged:
        say("another session keeps a trace of it in the store's journal; the next one to open the vault removes that")


def pin(
    id: Annotated[str, typer.Argument(metavar="ID", help="The memory's id.")],
    undo: Annotated[bool, typer.Option("--undo", help="Take the pin away.")] = False,
    namespace: options.Labels = None,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Mark a memory as one that agents should always have."""
    with unlock.open_vault(vault) as opened:
        opened.pin(id, namespace=namespace or (), undo=undo, box=box)
    if as_json:
        say_json({"id": id, "pinned": not undo})
    else:
        say(f"{'unpinned' if undo else 'pinned'} {safe(id)}")


def trust(
    id: Annotated[str, typer.Argument(metavar="ID", help="The memory's id.")],
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    namespace: options.Labels = None,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Vouch for a memory that an agent, a tool or a page brought."""
    with unlock.open_vault(vault) as opened:
        opened.trust(id, namespace=namespace or (), undo=undo, box=box)
        said = opened.get(id, namespace=namespace or (), box=box).trust
    if as_json:
        say_json({"id": id, "trust": said})
    else:
        say(f"{safe(id)} is {said}")


def _counted(memories: int, versions: int) -> str:
    return f"{memories} {'memory' if memories == 1 else 'memories'} in {versions} version{'' if versions == 1 else 's'}"
