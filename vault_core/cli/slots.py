"""`strongroom slots`: the ways to unlock a vault."""

import os
import shlex
from enum import StrEnum
from typing import Annotated

import typer

from vault_core import CommandKey, FileKey, KeyProvider, Passphrase, RecoveryKey, SlotEntry, Vault, new_key_text
from vault_core.cli import options, terminal, unlock
from vault_core.cli.init import add_keyring_slot
from vault_core.cli.output import note, plain, safe, say, say_json
from vault_core.errors import InvalidInputError, UnavailableError, WrongPassphraseError

slots = typer.Typer(name="slots", rich_markup_mode=None, help="List and change the ways to unlock a vault.")


class SlotKind(StrEnum):
    """What a slot can be."""

    PASSPHRASE = "passphrase"  # noqa: S105  a kind, not one of them
    RECOVERY = "recovery"
    KEYRING = "keyring"
    FILE = "file"
    COMMAND = "command"


@slots.callback(invoke_without_command=True)
def _listed_by_default(ctx: typer.Context, vault: options.Place = None, as_json: options.Json = False) -> None:
    if ctx.invoked_subcommand is None:
        list_slots(vault, as_json)
    elif vault is not None or as_json:
        # Silently working on the default vault instead would be worse than any complaint.
        raise typer.BadParameter(f"put --vault and --json behind it: strongroom slots {ctx.invoked_subcommand} …")


@slots.command("list")
def list_slots(vault: options.Place = None, as_json: options.Json = False) -> None:
    """List the slots. `strongroom slots` does the same."""
    with unlock.open_vault(vault) as opened:
        found = opened.slots()
    if as_json:
        say_json({"slots": found})
        return
    for slot in found:
        _print_slot(slot)


@slots.command()
def add(
    kind: Annotated[SlotKind, typer.Argument(metavar="KIND", help="passphrase, recovery, keyring, file or command.")],
    file: Annotated[str | None, typer.Option(metavar="PATH", help="For `file`: made if it isn't there.")] = None,
    command: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="For `command`: what prints the key; run without a shell. See `new-key`."),
    ] = None,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Add a way to unlock.

    A new passphrase comes from STRONGROOM_NEW_PASSPHRASE_COMMAND, STRONGROOM_NEW_PASSPHRASE_FILE,
    STRONGROOM_NEW_PASSPHRASE, or a question on the terminal. A recovery key is made and printed, this once.
    """
    with unlock.open_vault(vault) as opened:
        text = new_key_text("recovery") if kind is SlotKind.RECOVERY else None
        slot = _added(opened, kind, text, file, command)
    if as_json:
        say_json({"slot": slot, **({} if text is None else {"recovery_key": text})})
        return
    _print_slot(slot)
    if text is not None:
        say(text)


@slots.command()
def remove(
    id: Annotated[str, typer.Argument(metavar="ID", help="The slot's id, as `list` shows it.")],
    yes: options.Yes = False,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Remove a way to unlock. What its holder has copied stays readable to them; `rotate` protects what comes."""
    with unlock.open_vault(vault) as opened:
        terminal.confirm("Remove this slot?", yes=yes, as_json=as_json)
        opened.remove_slot(id)
    if as_json:
        say_json({"removed": id})
    else:
        say(f"removed {safe(id)}")


@slots.command("change-passphrase")
def change_passphrase(vault: options.Place = None, as_json: options.Json = False) -> None:
    """Replace the passphrase. The new one comes from the same places as for `slots add passphrase`."""
    opened, secret = unlock.unlocked(vault, ask_agent=False)
    with opened:
        if not isinstance(secret, Passphrase):
            text = terminal.ask_secret("The passphrase to be replaced: ")
            if text is None:
                raise WrongPassphraseError("the vault was opened by another slot than the one to be changed")
            secret = Passphrase(text)
        slot = opened.change_passphrase(secret.text, _new_passphrase().text)
    if as_json:
        say_json({"slot": slot})
    else:
        say("changed the passphrase; what was copied before still opens with the old one, until `slots rotate`")


@slots.command()
def rotate(
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep-file", metavar="PATH", help="A file with the secret of another slot to keep. Repeatable."),
    ] = None,
    yes: options.Yes = False,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Give the vault new keys: what is written from now on does not open with the old ones.

    Slots whose secret isn't at hand are dropped. The one that opens the vault now stays, that of this machine's
    keyring, and those of --keep-file.
    """
    opened, secret = unlock.unlocked(vault, ask_agent=False)
    with opened:
        others = [unlock.secret_of_file(path) for path in keep or ()]
        terminal.confirm(
            f"Rotate, and drop each of the {len(opened.slots())} slots whose secret isn't at hand?",
            yes=yes,
            as_json=as_json,
        )
        done = opened.rotate(secret, *others)
    if as_json:
        say_json(done)
        return
    say(f"the keys are of generation {done.generation} now")
    for what, some in (("kept", done.kept), ("dropped", done.dropped)):
        for slot in some:
            _print_slot(slot, lead=f"{what:<8} ")


@slots.command("new-key")
def new_key(as_json: options.Json = False) -> None:
    """Print a new key text, for a password manager whose command is then added as a slot."""
    text = new_key_text("command")
    if as_json:
        say_json({"key": text})
    else:
        say(text)


def _added(opened: Vault, kind: SlotKind, text: str | None, file: str | None, command: str | None) -> SlotEntry:
    if kind is SlotKind.KEYRING:
        return add_keyring_slot(opened)
    if kind is SlotKind.RECOVERY:
        return opened.add_slot(RecoveryKey(text or ""))
    if kind is SlotKind.PASSPHRASE:
        return opened.add_slot(_new_passphrase())
    return opened.add_slot(_key_file(file) if kind is SlotKind.FILE else _key_command(command))


def _new_passphrase() -> Passphrase:
    secret = unlock.new_secret("New passphrase")
    if not isinstance(secret, Passphrase):
        raise InvalidInputError("this is a key, not a passphrase; add it as a slot of kind file or command")
    return secret


def _key_file(path: str | None) -> KeyProvider:
    if not path:
        raise InvalidInputError("say which file holds the key, or is to hold it: --file PATH")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return FileKey(path)
    except OSError as error:
        raise UnavailableError(f"the file for the key can't be made ({error.strerror})") from None
    with os.fdopen(descriptor, "w") as out:
        out.write(new_key_text("file") + "\n")
        out.flush()
        os.fsync(out.fileno())
    note(f"made {path}")
    return FileKey(path)


def _key_command(command: str | None) -> KeyProvider:
    try:
        argv = shlex.split(command or "")
    except ValueError:
        raise InvalidInputError("the command has an unclosed quote") from None
    if not argv:
        raise InvalidInputError("say which command prints the key: --command 'pass show strongroom'")
    return CommandKey(argv)


def _print_slot(slot: SlotEntry, lead: str = "") -> None:
    cost = plain(slot.cost)
    stretched = f"{cost['memory_kib'] // 1024} MiB, {cost['passes']} passes, {cost['lanes']} lanes" if cost else ""
    say(f"{lead}{slot.id}  {slot.kind:<10}  {stretched}".rstrip())
