"""The command itself: plan the change, show it, ask, make it."""

import json
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from vault_core import chosen_location
from vault_core.cli import options, terminal
from vault_core.cli.connect import jsonc, toml_block
from vault_core.cli.connect.clients import CLIENTS, Client, ClientName
from vault_core.cli.connect.file import Configuration
from vault_core.cli.connect.server import check_name, entry
from vault_core.cli.connect.splice import Splice, UneditableError
from vault_core.cli.output import note, safe, say, say_json
from vault_core.errors import InvalidInputError

_EMPTY = "{}\n"


class Profile(StrEnum):
    """The sets of tools that the server can have."""

    MEMORY = "memory"
    GRAPH = "graph"
    OPENAI = "openai"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What would become of a client's file.

    `text` is None if the file goes: nothing was in it that this command had not written. `keep` is whether the file is
    worth keeping as it was.
    """

    action: str
    splice: Splice | None
    before: str
    text: str | None
    keep: bool = False


def connect(
    client: Annotated[ClientName, typer.Argument(metavar="CLIENT", help=", ".join(ClientName) + ".")],
    vault: options.Place = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            "-n",
            metavar="LABEL",
            help="Let the client see only this namespace and what is below it; repeat it for deeper ones.",
        ),
    ] = None,
    box: Annotated[str | None, typer.Option(metavar="BOX", help="The box that the client sees. Default: main.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Give the client no tool that writes.")] = False,
    profile: Annotated[
        list[Profile] | None,
        typer.Option(metavar="NAME", help="The tools: memory (default), graph or openai. Repeatable. See docs/mcp.md."),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the server is called in the client.")] = "strongroom",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change, and make none.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the server out of the client again.")] = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Enter the MCP server into a client's configuration.

    The change is shown first, the old file is kept beside the new one, and everything else in it stays as it is. What
    is written holds no secret: the client starts the server, which unlocks the vault as every command does (see
    `strongroom unlock`). Clients start servers with hardly any environment; STRONGROOM_PASSPHRASE_FILE and _COMMAND,
    STRONGROOM_EMBEDDER and STRONGROOM_STATE_DIR are written down if they are set here.
    """
    target = CLIENTS[client]
    value: dict[str, object] | None = None
    if not remove:
        place = chosen_location(vault)
        made = entry(place, namespace=namespace or (), box=box, profiles=profile or (), read_only=read_only)
        value = target.shape(made)
    found = Configuration.read(target.file())
    change = _planned(target, found, check_name(name), value)
    if not as_json:
        _show(found, change)
    kept = None
    if change.splice is not None and not dry_run:
        terminal.confirm("Make this change?", yes=yes, as_json=as_json, why="a client's configuration would be changed")
        kept = _make(found, change)
    if as_json:
        _say(client, found, change, value, kept=kept, dry_run=dry_run)
        return
    if kept is not None:
        say(f"the file as it was: {safe(str(kept))}")
    if change.splice is not None and not dry_run:
        say(f"next: {target.after}")
    if not remove and find_spec("mcp") is None:
        note("the server needs an extra: pip install 'strongroom[mcp]'")


def _planned(target: Client, found: Configuration, name: str, value: dict[str, object] | None) -> Change:
    """The change.

    Raises:
        InvalidInputError: the file can't be edited safely; its hint is what to paste.
    """
    try:
        text = found.text
        return _edited(target, found, text if text.strip() or target.toml else _EMPTY, name, value)
    except UneditableError as error:
        raise _refusal(target, found, name, value, error) from None


def _edited(target: Client, found: Configuration, before: str, name: str, value: dict[str, object] | None) -> Change:
    editor = toml_block if target.toml else jsonc
    if value is None:
        splice = editor.cut(before, target.servers, name)
    else:
        splice = editor.put(before, target.servers, name, value)
    there = name in _parsed(target, before).get(target.servers, {})
    action = _action(changed=splice is not None, there=there, removing=value is None)
    if splice is None:
        return Change(action=action, splice=None, before=before, text=before)
    after = splice.applied(before)
    if _without_empty(target, _parsed(target, after)) != _wanted(target, before, name, value):
        raise UneditableError("the change would have touched something else")
    ours_alone = there and not _wanted(target, before, name, None)
    gone = ours_alone and value is None and not found.kept_at.exists()
    return Change(action=action, splice=splice, before=before, text=None if gone else after, keep=not ours_alone)


def _action(*, changed: bool, there: bool, removing: bool) -> str:
    if removing:
        return "removed" if changed else "absent"
    return "unchanged" if not changed else "updated" if there else "added"


def _parsed(target: Client, text: str) -> Any:
    return toml_block.parse(text) if target.toml else jsonc.parse(text).value


def _wanted(target: Client, text: str, name: str, value: dict[str, object] | None) -> dict[str, Any]:
    """What the file should say afterwards."""
    whole = dict(_parsed(target, text))
    servers = {one: inner for one, inner in whole.get(target.servers, {}).items() if one != name}
    return _without_empty(target, whole | {target.servers: servers if value is None else servers | {name: value}})


def _without_empty(target: Client, whole: dict[str, Any]) -> dict[str, Any]:
    return {one: inner for one, inner in whole.items() if one != target.servers or inner}


def _make(found: Configuration, change: Change) -> Path | None:
    if change.text is None:
        found.delete()
        return None
    return found.replace(change.text, keep=change.keep)


def _show(found: Configuration, change: Change) -> None:
    told = {
        "added": "would be added to" if found.raw is not None else "would be the first thing in",
        "updated": "would be changed in",
        "removed": "would be removed from",
        "unchanged": "is there already, in",
        "absent": "is not in",
    }
    say(f"the server {told[change.action]} {safe(str(found.path))}")
    for line in change.splice.shown(change.before) if change.splice else ():
        say(safe(line))


def _say(
    client: ClientName,
    found: Configuration,
    change: Change,
    value: dict[str, object] | None,
    *,
    kept: Path | None,
    dry_run: bool,
) -> None:
    say_json(
        {
            "client": client,
            "file": str(found.path),
            "action": change.action,
            "changed": change.splice is not None and not dry_run,
            "backup": str(kept) if kept is not None else None,
            "entry": value,
        }
    )


def _refusal(
    target: Client, found: Configuration, name: str, value: dict[str, object] | None, why: UneditableError
) -> InvalidInputError:
    error = InvalidInputError(f"{found.path} is left as it is: {why}")
    if value is None:
        error.add_note(f"remove “{name}” from {target.servers} by hand")
    elif target.toml:
        error.add_note(f"put this line at the top yourself: {toml_block.inline(target.servers, name, value)}")
    else:
        pasted = f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
        error.add_note(f"put this into “{target.servers}” yourself: {pasted}")
    return error
