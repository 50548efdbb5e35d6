"""`strongroom export`, `import`, `copy`: moving house."""

from typing import Annotated

import typer

from vault_core import ConflictError, CopyReport, ExportReport, ImportReport, copy_vault
from vault_core.cli import options, unlock
from vault_core.cli.output import Bar, note, safe, say, say_json
from vault_core.store.location import without_password

_SHOWN = 20  # of what was left out; --json has up to a thousand


def export(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The file to write.")],
    encrypt: Annotated[
        bool,
        typer.Option("--encrypt", help="Seal it under a passphrase of its own. Without this it is plain text."),
    ] = False,
    namespace: options.Below = None,
    box: Annotated[
        list[str] | None, typer.Option("--box", metavar="BOX", help="Only this box. Repeatable. Default: all.")
    ] = None,
    history: Annotated[bool, typer.Option("--history/--no-history", help="Earlier versions too.")] = True,
    items: Annotated[
        bool | None,
        typer.Option("--items/--no-items", help="Items too. Default: unless a namespace is chosen."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Write memories to a file: all of them, with history, times and vectors.

    Without --encrypt the file is PLAIN TEXT: whoever can read it can read the memories. A bundle's passphrase comes
    from STRONGROOM_TRANSFER_PASSPHRASE_COMMAND, STRONGROOM_TRANSFER_PASSPHRASE_FILE, STRONGROOM_TRANSFER_PASSPHRASE,
    or a question on the terminal.
    """
    with unlock.open_vault(vault) as opened:
        passphrase = unlock.transfer_passphrase(new=True) if encrypt else None
        try:
            with Bar("exporting") as bar:
                report = opened.export_memories(
                    path,
                    namespace=namespace,
                    box=box,
                    passphrase=passphrase,
                    history=history,
                    items=items,
                    overwrite=overwrite,
                    progress=bar.at,
                )
        except ConflictError as error:
            error.add_note("choose another path, or add --overwrite")
            raise
    if as_json:
        say_json(report)
    else:
        _print_export(report)


def import_memories(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The file or folder to read.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be brought, and bring nothing.")] = False,
    source: Annotated[
        str, typer.Option("--from", metavar="NAME", help="The format. Default: auto, which recognises it.")
    ] = "auto",
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace", "-n", metavar="LABEL", help="Put everything below this namespace; repeat for deeper ones."
        ),
    ] = None,
    box: Annotated[
        str | None, typer.Option("--box", metavar="BOX", help="Put everything into this box. Default: where it was.")
    ] = None,
    items: Annotated[
        bool | None,
        typer.Option("--items/--no-items", help="Items too. Default: unless --namespace is given."),
    ] = None,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Bring memories from a file or folder. What is there already stays as it is: running it twice changes nothing.

    The passphrase of what is sealed comes from STRONGROOM_TRANSFER_PASSPHRASE_COMMAND,
    STRONGROOM_TRANSFER_PASSPHRASE_FILE, STRONGROOM_TRANSFER_PASSPHRASE, or a question on the terminal.
    """
    with unlock.open_vault(vault) as opened, Bar("importing") as bar:
        report = opened.import_memories(
            path,
            passphrase=unlock.transfer_passphrase,  # asked for what is sealed alone
            source=source,
            namespace=namespace,
            box=box,
            items=items,
            dry_run=dry_run,
            progress=bar.at,
        )
    if as_json:
        say_json(report)
    else:
        _print_import(report)


def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The vault: a path or URL.")],
    destination: Annotated[str, typer.Argument(metavar="DST", help="Where it is to be: a path or URL.")],
    as_json: options.Json = False,
) -> None:
    """Move a whole vault to another store, without unlocking it.

    Both places then hold the same vault, with the same keys: go on with the copy, and leave the source alone or remove
    it. Interrupted, it goes on when it is run again; what is there is compared first, and everything is read back
    before the copy is a vault.
    """
    with Bar("copying") as bar:
        report = copy_vault(without_password(source), without_password(destination), progress=bar.at)
    if as_json:
        say_json(report)
    else:
        _print_copy(report)


def _print_copy(report: CopyReport) -> None:
    there = f"{_counted(report.commits, 'commit')} with {_counted(report.records, 'record')}"
    say(f"copied {report.copied:,} of {there} to {safe(report.destination)}; all read back and matched")
    note(f"this is a move: from now on use the copy, not {safe(report.source)}; see docs/stores.md")


def _print_export(report: ExportReport) -> None:
    items = f" and {_counted(report.items, 'item')}" if report.items else ""
    versions = _counted(report.versions, "version")
    say(f"wrote {_counted(report.memories, 'memory', 'memories')} in {versions}{items} to {safe(report.path)}")
    if not report.encrypted:
        note("this file is plain text: whoever can read it can read the memories; --encrypt seals it")


def _print_import(report: ImportReport) -> None:
    verb = "would bring" if report.dry_run else "brought"
    say(
        f"{verb} {_counted(report.added, 'memory', 'memories')}, and newer versions of {report.updated:,}; "
        f"{report.unchanged:,} were there already"
    )
    if report.items or report.items_unchanged:
        say(f"{verb} {_counted(report.items, 'item')}; {report.items_unchanged:,} were there already")
    if not report.skipped_count:
        return
    say(f"left out, at {_counted(report.skipped_count, 'place')}:")
    for skipped in report.skipped[:_SHOWN]:
        say(f"  {safe(skipped.place)}: {safe(skipped.reason)}")
    if report.skipped_count > _SHOWN:
        say(f"  and {report.skipped_count - _SHOWN:,} more; --json names up to a thousand")


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
