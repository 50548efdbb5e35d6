"""How a client starts the server: `strongroom mcp` of this environment, by its absolute path.

Rules:
- No secret: no `STRONGROOM_PASSPHRASE`, and no URL with a password, a key or another secret in it.
- Clients start servers with hardly any environment. What this shell says about folders, the embedder and where the
  secret comes from is therefore written down; for a remote vault also where its client finds passwords and keys.
- Clients expand `$` in various ways, so it is refused.
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vault_core.errors import InvalidInputError, VaultNotFoundError
from vault_core.memory.draft import check_label, check_namespace
from vault_core.store.location import check_location, without_password

_FOLDERS = (  # made absolute
    *("STRONGROOM_STATE_DIR", "XDG_STATE_HOME", "STRONGROOM_CACHE_DIR", "XDG_CACHE_HOME"),
    "STRONGROOM_PASSPHRASE_FILE",
)
_PASSED_ON = (*_FOLDERS, "STRONGROOM_PASSPHRASE_COMMAND", "STRONGROOM_EMBEDDER")
_CLIENT_FILES = (  # where the client of a remote store finds its secrets; made absolute
    *("PGPASSFILE", "PGSERVICEFILE", "PGSSLCERT", "PGSSLKEY"),
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS"),
)
_CLIENT_SETTINGS = (  # as they are: PGSSLROOTCERT may be the word `system`
    *("PGSERVICE", "PGSSLMODE", "PGSSLROOTCERT"),
    *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"),
)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a client has to know to start the server."""

    command: str
    args: Sequence[str]
    env: Mapping[str, str]


def entry(
    place: str,
    *,
    namespace: Sequence[str] = (),
    box: str | None = None,
    profiles: Sequence[str] = (),
    read_only: bool = False,
) -> Entry:
    """The entry for a vault.

    Raises:
        VaultNotFoundError: there is no such file.
        InvalidInputError: something that doesn't belong into a configuration.
    """
    command, *first = _program()
    args = [*first, "mcp", "--vault", _absolute(place)]
    for label in check_namespace(namespace):
        args += ["--namespace", label]
    args += ["--box", check_label(box, "the name of a box")] if box is not None else []
    for profile in profiles:
        args += ["--profile", profile]
    args += ["--read-only"] if read_only else []
    made = Entry(command=command, args=args, env=_environment(remote="://" in place))
    if any("$" in text or not text.isprintable() for text in [command, *args, *made.env.values()]):
        raise InvalidInputError("a $ or a control character can't be written into a client's configuration")
    return made


def check_name(name: str) -> str:
    """The name of the server in the client; tools are shown under it."""
    if not _NAME.fullmatch(name):
        raise InvalidInputError("--name is made of letters, digits, - and _; at most 64")
    return name


def _program() -> list[str]:
    """This environment's program: its script, or its interpreter where there is no script."""
    script = Path(sys.executable).parent / "strongroom"  # the link in the environment, not what it leads to
    return [str(script)] if script.is_file() else [sys.executable, "-m", "vault_core.cli"]


def _absolute(place: str) -> str:
    if "://" in place:
        if place.startswith("memory:"):
            raise InvalidInputError("memory:// is empty in every program; name a file")
        check_location(without_password(place))  # a URL that no store takes may hold its secret in another place
        return place
    path = Path(place).expanduser().absolute()
    if not path.is_file():
        error = VaultNotFoundError(f"there is no vault at {path}")
        error.add_note("make one with: strongroom init")
        raise error
    return str(path)


def _environment(*, remote: bool) -> dict[str, str]:
    """What of this environment the server needs: never a secret, only where one is."""
    files = (*_FOLDERS, *_CLIENT_FILES) if remote else _FOLDERS
    names = dict.fromkeys((*_PASSED_ON, *files, *(_CLIENT_SETTINGS if remote else ())))
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    return {name: str(Path(text).absolute()) if name in files else text for name, text in found.items()}
