"""`strongroom unlock`, `lock`: the key agent, which opens vaults for programs that can't ask anybody."""

import re
from typing import Annotated

import typer

from vault_core import chosen_location
from vault_core.cli import options
from vault_core.cli import unlock as secrets
from vault_core.cli.output import safe, say, say_json
from vault_core.errors import InvalidInputError, SessionStateError, UnavailableError
from vault_core.keys import Header, agent
from vault_core.store import open_store

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_ATTEMPTS = 5  # an agent that is about to end may take the connection along


def unlock(
    vault: options.Place = None,
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Forget the key when nobody has used it for so long: 30m, 8h, 2d.")
    ] = "8h",
    status: Annotated[bool, typer.Option("--status", help="Only show which vaults are unlocked.")] = False,
    as_json: options.Json = False,
) -> None:
    """Unlock a vault for the programs of this user, until `strongroom lock`.

    The secret comes from where it does for every command. A key agent then holds the key of the slot that it opened,
    and MCP servers and other programs open the vault without a question. The agent ends with its last key. A slot that
    is changed or removed, and a rotation, make the key useless: unlock again.
    """
    if status:
        _show(agent.entries(), as_json)
        return
    seconds = _seconds(timeout)
    agent.check_supported()  # before a person types a passphrase for nothing
    opened, witness = secrets.unlocked(vault, ask_agent=False, through=agent.Witness)
    with opened:
        number = opened.id
        if not isinstance(witness, agent.Witness):
            raise SessionStateError("the vault was opened without a key")
        try:
            _hand_over(bytes.fromhex(number), witness, seconds, chosen_location(vault))
        finally:
            witness.wipe()
    if as_json:
        say_json({"vault": chosen_location(vault), "id": number, "timeout": seconds})
    else:
        say(f"unlocked {safe(chosen_location(vault))} until it is unused for {safe(timeout)}; strongroom lock ends it")


def lock(
    vault: options.Place = None,
    everything: Annotated[bool, typer.Option("--all", help="Every vault, as without --vault.")] = False,
    as_json: options.Json = False,
) -> None:
    """Have the key agent forget its keys, and end it. With --vault only the key of that vault.

    Programs that have a vault open keep it open. An agent that doesn't answer is killed.
    """
    if everything and vault is not None:
        raise InvalidInputError("--all is every vault; leave out one of --all and --vault")
    dropped = _drop_all() if vault is None else agent.drop(_id_of(chosen_location(vault)))
    if as_json:
        say_json({"locked": dropped})
    else:
        say({0: "nothing was unlocked", 1: "locked 1 vault"}.get(dropped, f"locked {dropped} vaults"))


def _hand_over(vault: bytes, witness: agent.Witness, seconds: int, place: str) -> None:
    for _ in range(_ATTEMPTS):
        agent.started()
        if agent.hold(vault, witness.salt, witness.kept, seconds=seconds, named=place):
            return
    raise UnavailableError("the key agent ends as soon as it is started; run: strongroom lock --all")


def _drop_all() -> int:
    try:
        return agent.drop()
    except UnavailableError:
        if not agent.end():
            raise
        return 0


def _id_of(place: str) -> bytes:
    """The id of a vault, which is no secret and needs no key."""
    store = open_store(place, read_only=True)
    try:
        return Header.parse(store.read_header()).vault
    finally:
        store.close()


def _show(found: "list[agent.Entry] | None", as_json: bool) -> None:
    if as_json:
        say_json({"agent": found is not None, "unlocked": found or []})
        return
    if not found:
        say("no vault is unlocked")
    for one in found or ():
        say(f"{safe(one.vault)}  {_spoken(one.seconds_left):>7} left  {safe(one.place)}")


def _spoken(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds % 60:02}s"


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 1 <= seconds <= agent.MAX_TIMEOUT:
        raise InvalidInputError("--timeout is a number with s, m, h or d behind it, such as 8h; 30 days at most")
    return seconds
