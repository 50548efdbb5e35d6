"""Key providers: where a secret comes from. Each knows its kind of slot and how to get the KEK for one.

To add one (docs/how-to/key-provider.md): a frozen class with `kind` and `kek(slot_kdf, vault)`, raising
`WrongPassphraseError` or `UnavailableError` and never showing the secret.
"""

import os
import shlex
import subprocess
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vault_core.crypto import KdfParameters, Key, argon2id, kek_from_secret, wipe
from vault_core.errors import InvalidInputError, UnavailableError, WrongPassphraseError
from vault_core.keys import bech32

MIN_PASSPHRASE = 12  # characters; docs/threat-model.md has the arithmetic
MIN_DISTINCT = 6
COMMAND_TIMEOUT = 60  # seconds: time for a person to touch a security key
MAX_SECRET_BYTES = 4096
SERVICE = "strongroom"  # our name in the OS keyring
ANY_SLOT = "agent"  # the key agent's kind: it holds the KEK of whichever slot was opened, so no slot has this kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotKdf:
    """The public parameters of a slot: its salt and, for a passphrase, the cost of Argon2id."""

    salt: bytes
    cost: KdfParameters | None = None


class KeyProvider(Protocol):
    """One way to unlock a vault."""

    @property
    def kind(self) -> str:
        """The kind of slot this opens."""
        ...

    def kek(self, kdf: SlotKdf, vault: bytes) -> Key:
        """The key that opens such a slot. The caller wipes it.

        Raises:
            WrongPassphraseError: there is no usable secret.
            UnavailableError: the secret can't be fetched now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase, normalised to NFKC without surrounding white space."""

    text: str = field(repr=False)
    kind: str = field(default="passphrase", init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InvalidInputError("a passphrase is text")

    def kek(self, kdf: SlotKdf, vault: bytes) -> Key:  # noqa: ARG002  the slot's context binds the vault already
        """See `KeyProvider.kek`. Takes as long as the slot's Argon2id parameters say."""
        encoded = bytearray(_normalised(self.text))
        try:
            return argon2id(encoded, kdf.salt, kdf.cost or KdfParameters())
        finally:
            wipe(encoded)

    def check_quality(self) -> None:
        """Refuse a passphrase that a stolen copy of the vault would not withstand.

        Raises:
            InvalidInputError: too short or too plain, with advice.
        """
        text = unicodedata.normalize("NFKC", self.text).strip()
        if len(text) < MIN_PASSPHRASE or len(set(text)) < MIN_DISTINCT or text.isdigit():
            raise InvalidInputError(
                f"the passphrase is too weak: use at least {MIN_PASSPHRASE} characters, {MIN_DISTINCT} different ones, "
                "not digits alone; five or six random words are best"
            )


@dataclass(frozen=True, slots=True)
class _MachineSecret:
    """32 random bytes, written as Bech32 text."""

    def kek(self, kdf: SlotKdf, vault: bytes) -> Key:
        """See `KeyProvider.kek`."""
        secret = self.secret(vault)
        try:
            return kek_from_secret(secret, kdf.salt, vault)
        finally:
            secret.wipe()

    def secret(self, vault: bytes) -> Key:
        """The secret itself. The caller wipes it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class RecoveryKey(_MachineSecret):
    """The recovery key that was shown once when it was made."""

    text: str = field(repr=False)
    kind: str = field(default="recovery", init=False)

    def secret(self, vault: bytes) -> Key:  # noqa: ARG002  only the OS keyring needs to know which vault
        """The 32 bytes behind the text."""
        return bech32.decode(bech32.RECOVERY, self.text)


@dataclass(frozen=True, slots=True)
class FileKey(_MachineSecret):
    """A key text in a file of the user's own."""

    path: Path | str
    kind: str = field(default="file", init=False)

    def secret(self, vault: bytes) -> Key:  # noqa: ARG002  see RecoveryKey
        """The 32 bytes behind the file's text."""
        return bech32.decode(bech32.KEY, read_secret_file(self.path))


@dataclass(frozen=True, slots=True)
class CommandKey(_MachineSecret):
    """A key text that a command prints, such as a password manager's. No shell is involved."""

    argv: Sequence[str]
    kind: str = field(default="command", init=False)

    def secret(self, vault: bytes) -> Key:  # noqa: ARG002  see RecoveryKey
        """The 32 bytes behind the command's output."""
        return bech32.decode(bech32.KEY, run_secret_command(self.argv))


@dataclass(frozen=True, slots=True)
class KeyringKey(_MachineSecret):
    """A key text in the operating system's keyring (extra `keyring`), under the vault's id."""

    kind: str = field(default="keyring", init=False)

    def secret(self, vault: bytes) -> Key:
        """The 32 bytes behind the keyring's entry."""
        text = _os_keyring("get_password", SERVICE, vault.hex())
        if text is None:
            raise WrongPassphraseError("the OS keyring holds no key for this vault")
        return bech32.decode(bech32.KEY, text)

    def store(self, text: str, vault: bytes) -> None:
        """Put a key text into the OS keyring."""
        _os_keyring("set_password", SERVICE, vault.hex(), text)

    def holds(self, vault: bytes) -> bool:
        """Whether the OS keyring has a key for this vault; False where there is no keyring at all."""
        try:
            return _os_keyring("get_password", SERVICE, vault.hex()) is not None
        except UnavailableError:
            return False


def check_provider(given: Any) -> KeyProvider:
    """Something that can be asked for a key."""
    if not isinstance(getattr(given, "kind", None), str) or not callable(getattr(given, "kek", None)):
        raise InvalidInputError(
            "a key provider is a Passphrase, RecoveryKey, FileKey, CommandKey, KeyringKey or AgentKey"
        )
    return given  # type: ignore[no-any-return]  # checked for the protocol's shape just above


def new_key_text(kind: str) -> str:
    """A fresh secret for a slot of kind `recovery`, `keyring`, `command` or `file`."""
    key = Key.random()
    try:
        return bech32.encode(bech32.RECOVERY if kind == "recovery" else bech32.KEY, key)
    finally:
        key.wipe()


def provider_from(environ: Mapping[str, str]) -> KeyProvider | None:
    """The provider the environment names: command, then file, then passphrase; a key text among them is a machine's.

    `STRONGROOM_PASSPHRASE_COMMAND` (split like a shell would, run without one), `STRONGROOM_PASSPHRASE_FILE`,
    `STRONGROOM_PASSPHRASE`.
    """
    if command := environ.get("STRONGROOM_PASSPHRASE_COMMAND"):
        try:
            argv = shlex.split(command)
        except ValueError:
            raise InvalidInputError("STRONGROOM_PASSPHRASE_COMMAND has an unclosed quote") from None
        text = run_secret_command(argv)
        return CommandKey(argv) if _is_key_text(text) else _from_text(text)
    if path := environ.get("STRONGROOM_PASSPHRASE_FILE"):
        text = read_secret_file(path)
        return FileKey(path) if _is_key_text(text) else _from_text(text)
    passphrase = environ.get("STRONGROOM_PASSPHRASE")
    return _from_text(passphrase) if passphrase else None


def read_secret_file(path: Path | str) -> str:
    """The first line of a secret's file.

    Raises:
        UnavailableError: the file can't be read.
    """
    try:
        with Path(path).open("rb") as file:
            return _first_line(file.read(MAX_SECRET_BYTES))
    except OSError as error:
        raise UnavailableError(f"the file with the secret can't be read ({error.strerror})") from None


def run_secret_command(argv: Sequence[str]) -> str:
    """The first line a command prints.

    Raises:
        UnavailableError: it can't be run, fails or takes longer than a minute. Its output is not shown.
    """
    if not argv:
        raise InvalidInputError("the command for the secret is empty")
    try:
        done = subprocess.run(  # noqa: S603  the user's own command, without a shell
            list(argv), stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT, check=False
        )
    except (OSError, ValueError):
        raise UnavailableError("the command for the secret can't be run; check its first word") from None
    except subprocess.TimeoutExpired:
        raise UnavailableError("the command for the secret took longer than a minute") from None
    if done.returncode != 0:
        raise UnavailableError(f"the command for the secret failed with exit code {done.returncode}")
    return _first_line(done.stdout)


def _from_text(text: str) -> KeyProvider:
    return RecoveryKey(text) if text.strip().lower().startswith(bech32.RECOVERY + "1") else Passphrase(text)


def _is_key_text(text: str) -> bool:
    return text.strip().lower().startswith(bech32.KEY + "1")


def _first_line(raw: bytes) -> str:
    try:
        text = raw.decode().partition("\n")[0].strip("\r\n")
    except UnicodeDecodeError:
        raise UnavailableError("the secret is not UTF-8 text") from None
    if not text:
        raise UnavailableError("the secret is empty")
    return text


def _normalised(text: str) -> bytes:
    try:
        return unicodedata.normalize("NFKC", text).strip().encode()
    except UnicodeEncodeError:
        raise WrongPassphraseError("the passphrase holds something that is not a character") from None


def _os_keyring(verb: str, *arguments: str) -> Any:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise UnavailableError("the OS keyring needs: pip install 'strongroom[keyring]'") from None
    try:
        return getattr(keyring, verb)(*arguments)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        raise UnavailableError("the OS keyring doesn't answer; unlock it, or use another slot") from None


def terminal_provider(prompt: str = "Passphrase: ") -> KeyProvider | None:
    """Ask on the terminal; None where there is none."""
    if not os.isatty(0):
        return None
    import getpass

    return _from_text(getpass.getpass(prompt))
