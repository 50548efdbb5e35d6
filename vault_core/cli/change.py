"""`strongroom forget`, `expire`, `pin`, `restore`, `trust`: changing what is there."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from vault_core.cli import options, terminal, unlock
from vault_core.cli.memories import print_memories
from vault_core.cli.output import safe, say, say_json
from vault_core.errors import InvalidInputError, MemoryNotFoundError

if TYPE_CHECKING:
    from vault_core.lifecycle import Receipt

Id = Annotated[str, typer.Argument(metavar="ID", help="The memory's id.")]


def forget(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="The ids of the memories.")] = None,
    weaker_than: Annotated[
        float | None, typer.Option("--weaker-than", help="Instead: all of less strength than this, from 0 to 1.")
    ] = None,
    keep: Annotated[int, typer.Option("--keep", help="With it: keep at least so many memories.")] = 1_000,
    retain: Annotated[float, typer.Option("--retain", help="And at least this part of them, from 0 to 1.")] = 0.8,
    ghost_days: Annotated[
        float, typer.Option("--ghost-days", help="How long they can be brought back; 0 erases at once.")
    ] = 30.0,
    namespace: options.Labels = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Erase memories with their whole history. It can't be undone.

    With --weaker-than, what has grown weak is hidden first: adding it again, or pinning it, brings it back, and
    `strongroom expire` erases it once its days are over.
    """
    from vault_core.lifecycle import ForgetPolicy  # here: so that `--help` doesn't wait for numpy

    if (weaker_than is None) == (not ids):
        raise InvalidInputError("say what to forget: ids, or --weaker-than")
    with unlock.open_vault(vault) as opened:
        if weaker_than is None:
            forgotten = partial(opened.forget_many, ids, namespace=namespace or (), box=box)
        else:
            policy = ForgetPolicy(below=weaker_than, min_total=keep, retain_fraction=retain, ghost_days=ghost_days)
            forgotten = partial(opened.forget_many, policy=policy, namespace=namespace, box=box)
        receipt = forgotten(dry_run=True)
        if not dry_run:
            counted = _counted(receipt.memories, receipt.versions)
            hides = weaker_than is not None and ghost_days
            question = f"Hide {counted} for {ghost_days:g} days?" if hides else f"Erase {counted} for good?"
            terminal.confirm(question, yes=yes, as_json=as_json)
            receipt = forgotten()
    _tell(receipt, as_json=as_json)


def expire(
    dry_run: options.DryRun = False,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Erase what has expired, and what was forgotten for being weak once its days are over."""
    with unlock.open_vault(vault) as opened:
        _tell(opened.expire(dry_run=dry_run), as_json=as_json)


def pin(
    id: Id,
    undo: Annotated[bool, typer.Option("--undo", help="Take the pin away.")] = False,
    dry_run: options.DryRun = False,
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
    dry_run: options.DryRun = False,
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


def trust(
    id: Id,
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


def _tell(receipt: "Receipt", *, as_json: bool) -> None:
    if as_json:
        say_json(receipt)
        return
    what = _counted(receipt.memories, receipt.versions)
    if receipt.ghost_until is not None:
        say(f"{'would hide' if receipt.dry_run else 'hid'} {what}, until {receipt.ghost_until:%Y-%m-%d}")
        return
    say(f"{'would erase' if receipt.dry_run else 'erased'} {what}")
    if receipt.stale:
        summaries = "summary" if len(receipt.stale) == 1 else "summaries"
        say(f"and {len(receipt.stale)} {summaries} made of it; `strongroom consolidate` makes new ones of what is left")
    if not receipt.dry_run and receipt.memories and not receipt.purged:
        say("another session keeps a trace of it in the store's journal; the next one to open the vault removes that")


def _counted(memories: int, versions: int) -> str:
    return f"{memories} {'memory' if memories == 1 else 'memories'} in {versions} version{'' if versions == 1 else 's'}"
