"""`strongroom status`, `stats`, `verify`: how a vault is."""

from typing import Annotated, Any

import typer

from vault_core import Vault
from vault_core.cli import options, unlock
from vault_core.cli.output import Bar, plain, safe, say, say_json
from vault_core.keys.anchor import state_folder


def status(vault: options.Place = None, as_json: options.Json = False) -> None:
    """Show what is in a vault, how it is unlocked, and what this machine knows of it."""
    with unlock.open_vault(vault) as opened:
        found = _status(opened)
    if as_json:
        say_json(found)
        return
    rows = {
        "vault": found["location"],
        "id": found["id"],
        "owner": found["owner"],
        "memories": f"{found['memories']:,}",
        "by type": ", ".join(f"{name} {number:,}" for name, number in found["by_type"].items()),
        "by tier": ", ".join(f"{name} {number:,}" for name, number in found["by_tier"].items() if number),
        "namespaces": f"{found['namespaces']:,}",
        "items": f"{found['items']:,}",
        "boxes": ", ".join(found["boxes"]),
        "spaces": ", ".join(f"{name} ({space['dimension']})" for name, space in found["spaces"].items()),
        "size": f"{found['store_bytes']:,} bytes",
        "commits": f"{found['commits']:,}",
        "made": found["created_at"],
        "keys": f"generation {found['key_generation']}",
        "slots": ", ".join(slot["kind"] for slot in found["slots"]),
        "anchor": f"commit {found['anchor']['commit']:,}, in {found['anchor']['file']}",
    }
    for name, value in rows.items():
        if value:
            say(f"{name:<11} {safe(value)}")


def stats(vault: options.Place = None, as_json: options.Json = False) -> None:
    """Count what is in a vault. `status` also says how it is unlocked."""
    with unlock.open_vault(vault) as opened:
        found = plain(opened.stats())
    if as_json:
        say_json(found)
        return
    for name, value in found.items():
        told = _told(value)
        if told:
            say(f"{name.replace('_', ' '):<14} {safe(told)}")


def _told(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_told(inner)}" for name, inner in value.items() if inner)
        case list():
            return ", ".join(value)
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def verify(
    full: Annotated[bool, typer.Option("--full", help="Also open every record and compare it with the index.")] = False,
    accept_rollback: Annotated[
        bool, typer.Option("--accept-rollback", help="Accept a restored backup: an older state than was seen here.")
    ] = False,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Walk the whole log and check every record. Anything wrong is an error."""
    with unlock.open_vault(vault, accept_rollback=accept_rollback) as opened:
        with Bar("verifying") as bar:
            report = opened.verify(full=full, progress=bar.at)
        accepted = opened.accepted_rollback
    if as_json:
        say_json({"clean": True, "accepted_rollback": accepted, **plain(report)})
        return
    say(f"clean: {report.commits:,} commits, {report.records:,} records, {report.erased:,} of them erased")
    say(f"chain hash {report.chain_hash}")
    if accepted:
        say("this is an older state than this machine had seen; it was accepted, and the log says so")


def _status(opened: Vault) -> dict[str, Any]:
    stats = opened.stats()
    file = state_folder() / "anchors" / opened.id
    # Opening has moved the anchor to the head: it names the commit that the figures are of.
    return {
        "id": opened.id,
        **plain(stats),
        "slots": plain(opened.slots()),
        "anchor": {"file": str(file), "commit": stats.commits if file.exists() else 0},
    }
