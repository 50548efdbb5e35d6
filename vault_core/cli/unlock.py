"""Which vault, and with which secret.

Rules (DESIGN §7):
- A secret never comes from the command line. It comes from the first of `STRONGROOM_PASSPHRASE_COMMAND`,
  `STRONGROOM_PASSPHRASE_FILE`, `STRONGROOM_PASSPHRASE`; then from the key agent; then from the OS keyring; then from a
  person at a terminal.
- Verbs that change the locks, or hand a key to the agent, need the secret itself: they don't ask the agent.
- A secret that is to be added comes from the same three variables with `NEW_` in front of `PASSPHRASE`, or from a
  person, who is asked twice.
- The passphrase of a bundle, or of what else is imported, comes from the same variables with `TRANSFER_` in front of
  `PASSPHRASE`, or from a person.
"""

import os
import shlex
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vault_core import AgentKey, KeyProvider, KeyringKey, Passphrase, Vault
from vault_core.cli import terminal
from vault_core.cli.output import note
from vault_core.errors import (
    InvalidInputError,
    UnavailableError,
    VaultNotFoundError,
    WrongPassphraseError,
)
from vault_core.keys import agent, provider_from
from vault_core.store.location import chosen_location

VARIABLES = ("STRONGROOM_PASSPHRASE_COMMAND", "STRONGROOM_PASSPHRASE_FILE", "STRONGROOM_PASSPHRASE")
ATTEMPTS = 3  # a person mistypes


def open_vault(given: str | None, *, accept_rollback: bool = False, embedder: Any = None) -> Vault:
    """The open vault. The caller closes it."""
    return unlocked(given, accept_rollback=accept_rollback, embedder=embedder)[0]


def unlocked(
    given: str | None,
    *,
    accept_rollback: bool = False,
    embedder: Any = None,
    ask_agent: bool = True,
    through: Callable[[KeyProvider], KeyProvider] = lambda provider: provider,
) -> tuple[Vault, KeyProvider]:
    """The open vault, and what opened it: a provider as `through` has made it.

    Raises:
        WrongPassphraseError: no slot opens with the secret, or nobody is there to give one.
    """
    place = chosen_location(given)

    def opened(provider: KeyProvider) -> tuple[Vault, KeyProvider]:
        provider = through(provider)
        return Vault.open(place, unlock=provider, accept_rollback=accept_rollback, embedder=embedder), provider

    try:
        provider = provider_from(os.environ)
        if provider is not None:
            return opened(provider)
        found = _without_asking(opened, ask_agent=ask_agent)
        if found is not None:
            return found
        for _ in range(ATTEMPTS - 1):
            try:
                return opened(_asked("Passphrase: "))
            except WrongPassphraseError as error:
                note(f"{error}.")
        return opened(_asked("Passphrase: "))
    except VaultNotFoundError as error:
        error.add_note(_place_hint(place))
        raise
    except WrongPassphraseError as error:
        error.add_note(_secret_hint())
        raise


def _without_asking(
    opened: Callable[[KeyProvider], tuple[Vault, KeyProvider]], *, ask_agent: bool
) -> tuple[Vault, KeyProvider] | None:
    """What the agent or the keyring opens; None if a person can be asked instead."""
    agent_key, told = AgentKey(), False
    refusals: list[WrongPassphraseError | UnavailableError] = []
    providers: list[KeyProvider] = [agent_key] if ask_agent and agent.present() else []
    for provider in [*providers, KeyringKey()]:
        try:
            return opened(provider)
        except (WrongPassphraseError, UnavailableError) as error:
            told = told or (provider is agent_key and (agent_key.stale or isinstance(error, UnavailableError)))
            refusals.append(error)
    if not terminal.present():
        raise refusals[0] if told else _nobody(refusals[-1])
    if told:
        note(f"{refusals[0]}.")
    return None


def new_secret(what: str) -> KeyProvider:
    """A secret that is to open a vault from now on.

    Raises:
        InvalidInputError: too weak, typed differently, or nobody is there to give one.
    """
    provider = provider_from(_renamed(os.environ, "NEW")) or _asked_twice(what)
    if provider is None:
        error = InvalidInputError("there is no new passphrase")
        error.add_note("set STRONGROOM_NEW_PASSPHRASE_FILE or _COMMAND, or run it on a terminal to be asked")
        raise error
    return provider


def transfer_passphrase(*, new: bool = False) -> str:
    """The passphrase of a bundle, which is no slot of the vault; a new one is asked twice.

    Raises:
        InvalidInputError: it is a key, not a passphrase; or nobody is there to give one.
    """
    provider = provider_from(_renamed(os.environ, "TRANSFER"))
    if provider is None and new:
        provider = _asked_twice("Passphrase for the bundle")
    elif provider is None and (text := terminal.ask_secret("Passphrase of what is imported: ")):
        provider = Passphrase(text)
    if isinstance(provider, Passphrase):
        return provider.text
    error = InvalidInputError(
        "there is no passphrase for it" if provider is None else "this is a key; a bundle is sealed by a passphrase"
    )
    error.add_note("set STRONGROOM_TRANSFER_PASSPHRASE_FILE or _COMMAND, or run it on a terminal to be asked")
    raise error


def first_secret() -> KeyProvider:
    """The secret of a vault that is to be made: that of the environment, or a person's, asked twice."""
    provider = provider_from(os.environ) or _asked_twice("Passphrase for the new vault")
    if provider is None:
        error = InvalidInputError("there is no passphrase for the new vault")
        error.add_note(_secret_hint())
        raise error
    return provider


def secret_of_file(path: str) -> KeyProvider:
    """The secret in a file: a passphrase, a recovery key or a key text."""
    provider = provider_from({"STRONGROOM_PASSPHRASE_FILE": path})
    if provider is None:
        raise InvalidInputError("the name of the file with the secret is empty")
    return provider


def typed(text: str) -> KeyProvider:
    """What a person typed, as a provider: a recovery key is recognised as one."""
    return provider_from({"STRONGROOM_PASSPHRASE": text}) or Passphrase(text)


def _asked(prompt: str) -> KeyProvider:
    return typed(terminal.ask_secret(prompt) or "")


def _asked_twice(what: str) -> KeyProvider | None:
    for left in reversed(range(ATTEMPTS)):
        text = terminal.ask_secret(f"{what} (five or six random words are best): ")
        if text is None:
            return None
        try:
            return _typed_again(Passphrase(text))
        except InvalidInputError as error:
            if not left:
                raise
            note(f"{error}.")
    return None


def _typed_again(passphrase: Passphrase) -> Passphrase:
    passphrase.check_quality()
    if terminal.ask_secret("The same again: ") != passphrase.text:
        raise InvalidInputError("the two are not the same")
    return passphrase


def _renamed(environ: Mapping[str, str], which: str) -> dict[str, str]:
    new = {name: environ.get(name.replace("_PASSPHRASE", f"_{which}_PASSPHRASE")) for name in VARIABLES}
    return {name: value for name, value in new.items() if value}


def _nobody(error: WrongPassphraseError | UnavailableError) -> WrongPassphraseError | UnavailableError:
    return error if isinstance(error, UnavailableError) else WrongPassphraseError("no secret was given for this vault")


def _secret_hint() -> str:
    used = next((name for name in VARIABLES if os.environ.get(name)), None)
    if used is None and terminal.present():
        return "a recovery key opens it as well, if one was made"
    if used is None:
        return f"set {VARIABLES[1]} or {VARIABLES[0]}, or run it on a terminal to be asked"
    return f"the secret came from {used}; correct it, or unset it to be asked"


def _place_hint(place: str) -> str:
    """A vault beside it whose name is much like the one given, or how to make one. No vault is opened for that."""
    try:
        path = Path(place).expanduser()
        beside = [other.name for other in path.parent.iterdir() if other.suffix == (path.suffix or ".vault")]
    except (OSError, ValueError, RuntimeError):
        return "make one with: strongroom init"
    close = get_close_matches(path.name, [name for name in beside if name != path.name], n=1)
    if close:
        return f"did you mean {shlex.quote(str(path.with_name(close[0])))}?"
    return f"make one with: strongroom init --vault {shlex.quote(place)}"
