"""`strongroom init`."""

from pathlib import Path
from typing import Annotated

import typer

from vault_core import KeyringKey, RecoveryKey, SlotEntry, Vault, chosen_location, default_location, new_key_text
from vault_core.cli import options, terminal, unlock
from vault_core.cli.output import safe, say, say_json
from vault_core.errors import ConflictError, InvalidInputError


def init(
    vault: options.Place = None,
    owner: Annotated[str, typer.Option(metavar="NAME", help="Whose memory this is; sealed like everything else.")] = "",
    recovery_key: Annotated[
        bool | None,
        typer.Option(
            "--recovery-key/--no-recovery-key",
            help="Make a recovery key and print it, this once. On a terminal you are asked.",
        ),
    ] = None,
    keyring: Annotated[bool, typer.Option("--keyring", help="Also open it by the OS keyring of this machine.")] = False,
    as_json: options.Json = False,
) -> None:
    """Make a vault."""
    place = chosen_location(vault)
    _check_place(place)
    secret = unlock.first_secret()
    if recovery_key is None:
        recovery_key = not as_json and _wants_recovery_key()
    if place == str(default_location()):
        Path(place).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Vault.create(place, unlock=secret, owner=owner) as made:
        text = new_key_text("recovery") if recovery_key else None
        if text is not None:
            made.add_slot(RecoveryKey(text))
        if keyring:
            add_keyring_slot(made)
        if as_json:
            shown = {} if text is None else {"recovery_key": text}
            say_json({"vault": place, "id": made.id, "slots": made.slots(), **shown})
            return
        say(f"made {safe(place)}")
        if text is not None:
            say("\nThe recovery key opens the vault if all else is lost. It is shown only now; keep it on paper:\n")
            say(text)


def add_keyring_slot(vault: Vault) -> SlotEntry:
    """Let the OS keyring of this machine open the vault; a key it has for it already is used again."""
    number = bytes.fromhex(vault.id)
    if not KeyringKey().holds(number):
        KeyringKey().store(new_key_text("keyring"), number)
    return vault.add_slot(KeyringKey())


def _check_place(place: str) -> None:
    """What `Vault.create` would refuse as well, but before a person has to think of a passphrase."""
    if place.startswith("memory:"):
        raise InvalidInputError("memory:// would end with this command; name a file")
    if "://" not in place and Path(place).expanduser().exists():
        raise ConflictError(f"there is something at {place} already")


def _wants_recovery_key() -> bool:
    return terminal.present() and typer.confirm(
        "Make a recovery key, in case the passphrase is lost?", default=True, err=True
    )
