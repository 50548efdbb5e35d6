"""`strongroom forget`, `pin`, `restore`: changing what is there."""

from typing import Annotated

import typer

from vault_core.cli import options, terminal, unlock
from vault_core.cli.memories import print_memories
from vault_core.cli.output import safe, say, say_json
from vault_core.errors import MemoryNotFoundError

Id = Annotated[str, typer.Argument(metavar="ID", help="The memory's id.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]


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
    id: Id,
    undo: Annotated[bool, typer.Option("--undo", help="Take the pin away.")] = False,
    dry_run: DryRun = False,
    namespace: options.Labels = None,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Mark a memory as one that agents should always have."""
    with unlock.open_vault(vault) as opened:
        before = opened.get(id, namespace=namespace or (), box=box)
        if not dry_run:
            opened.pin(id, namespace=namespace or (), undo=undo, box=box)
    if as_json:
        say_json({"id": id, "pinned": before.state.pinned if dry_run else not undo, "dry_run": dry_run})
    else:
        say(f"{'would be ' if dry_run else ''}{'unpinned' if undo else 'pinned'} {safe(id)}")


def restore(
    id: Id,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version, as `strongroom history` names it.")],
    dry_run: DryRun = False,
    namespace: options.Labels = None,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Make an earlier version of a memory the current one, also where another memory has superseded it."""
    with unlock.open_vault(vault) as opened:
        versions = opened.history(id, namespace=namespace or (), box=box)
        memory = next((one for one in versions if one.version == version), None)
        if memory is None:
            error = MemoryNotFoundError("this memory has no such version")
            error.add_note("strongroom history ID names its versions")
            raise error
        if not dry_run:
            memory = opened.restore(id, version, namespace=namespace or (), box=box)
    if as_json:
        say_json({"memory": memory, "dry_run": dry_run})
        return
    say(f"{'would restore' if dry_run else 'restored'} {safe(id)} to version {safe(version)}:")
    print_memories([memory], versions=True)


def _counted(memories: int, versions: int) -> str:
    return f"{memories} {'memory' if memories == 1 else 'memories'} in {versions} version{'' if versions == 1 else 's'}"
