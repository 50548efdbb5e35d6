"""Locations: which store a path or URL means."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote_plus, urlsplit

import platformdirs

from vault_core.errors import InvalidInputError
from vault_core.store.base import Store
from vault_core.store.cache import CachedStore, cache_folder
from vault_core.store.ephemeral import EphemeralStore
from vault_core.store.retry import RetryingStore
from vault_core.store.sqlite import SqliteStore

REMOTE = {  # URL scheme -> module, class, extra
    **dict.fromkeys(("postgresql", "postgres"), ("postgres", "PostgresStore", "postgres")),
    **dict.fromkeys(("s3", "gs", "az", "abfss", "file"), ("object", "ObjectStore", "object")),
}

_PASSWORDS = ("password", "sslpassword")  # the options of libpq that hold one

Location = "str | os.PathLike[str] | Store"


def default_location() -> Path:
    """Where a person's vault is when nobody says otherwise: `me.vault` in the user's data folder."""
    return Path(platformdirs.user_data_dir("strongroom", appauthor=False)) / "me.vault"


def chosen_location(given: str | None) -> str:
    """The vault that a program is to open: the one it was given, else `STRONGROOM_VAULT`, else `default_location()`.

    Raises:
        InvalidInputError: it is empty, or a URL that holds a password.
    """
    if given is not None and not given.strip():
        raise InvalidInputError("--vault is empty; name a file, or leave the option out")
    return without_password(given or os.environ.get("STRONGROOM_VAULT") or str(default_location()))


def without_password(place: str) -> str:
    """The same place; refused if it is a URL with a password.

    Everybody on the machine can see that in the list of processes, and what programs say would show it.
    """
    if "://" in place:
        parts = _split(place)
        if parts.password or any(name in _PASSWORDS for name, _ in parse_qsl(parts.query)):
            raise InvalidInputError(
                "a password has no place in a command line or STRONGROOM_VAULT; put it into PGPASSFILE or PGPASSWORD"
            )
    return place


def check_location(place: str) -> None:
    """Refuse a URL that no store would take as it stands, without going there. Paths are not looked at.

    Raises:
        InvalidInputError: what the store would say of it.
    """
    if "://" not in place:
        return
    scheme = _split(place).scheme
    if scheme in REMOTE:
        url, _ = _without_cache(place, default="no")
        _room(scheme).check_url(url)
    elif scheme not in ("memory", "sqlite"):
        raise _no_store(scheme)


def open_store(location: Any, *, create: bool = False, read_only: bool = False) -> Store:
    """The store for a path or URL. A store is taken as it is; one in RAM is shared.

    URLs: `memory://`, `sqlite:///path`, `postgresql://host/db?vault=name`, `s3://bucket/prefix` (also `gs://`, `az://`,
    `abfss://`) and `file:///folder` for object storage in a folder. The last four take the option `cache`: a folder for
    sealed copies, `yes` for the user's (the default, but not for a folder) or `no`.

    Raises:
        VaultNotFoundError: nothing is there, or it is not a vault.
        InvalidInputError: no store knows such a location.
    """
    if isinstance(location, EphemeralStore):
        return location.another()
    if not isinstance(location, str | os.PathLike):
        if not hasattr(location, "append") or not hasattr(location, "read_header"):
            raise InvalidInputError("a location is a path, a URL or a store")
        return location  # type: ignore[no-any-return]  # checked for the protocol's shape just above
    text = os.fspath(location)
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidInputError("a location is a path or a URL that is not empty")
    if "://" not in text:
        return SqliteStore(_path(text), create=create, read_only=read_only)
    url = _split(text)
    if url.scheme == "memory":
        if not create:
            raise InvalidInputError("memory:// begins empty: make it with Vault.create, and share the store it returns")
        return EphemeralStore()
    if url.scheme == "sqlite" and not url.netloc:
        return SqliteStore(url.path.removeprefix("/") or "/", create=create, read_only=read_only)
    if url.scheme in REMOTE:
        return _remote(text, url.scheme, create=create, read_only=read_only)
    raise _no_store(url.scheme)


def _path(text: str) -> Path:
    if text.partition(":/")[0] in REMOTE and ":/" in text:  # as a path it would stand in errors, password and all
        raise InvalidInputError("a URL has two slashes behind its first colon")
    return _expanded(text)


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise InvalidInputError("this is not a URL: check its brackets and its port") from None


def _remote(url: str, scheme: str, *, create: bool, read_only: bool) -> Store:
    """A store beyond this machine: it tries again, and has a cache in front. Its client is imported when asked for."""
    url, folder = _without_cache(url, default="no" if scheme == "file" else "yes")
    made = getattr(_room(scheme), REMOTE[scheme][1])
    store: Store = RetryingStore(made(url, create=create, read_only=read_only))
    return store if folder is None else CachedStore(store, folder)


def _room(scheme: str) -> Any:
    """The package of a remote store."""
    room, _, extra = REMOTE[scheme]
    try:
        return import_module(f"vault_core.store.{room}")
    except ModuleNotFoundError:
        raise InvalidInputError(f"{scheme}:// needs a client: pip install 'strongroom[{extra}]'") from None


def _no_store(scheme: str) -> InvalidInputError:
    return InvalidInputError(f"there is no store for {scheme}:// in this version; use a path to a file")


def _without_cache(url: str, *, default: str) -> tuple[str, Path | None]:
    """The URL without its option `cache`, and the folder that the option means; None for no cache."""
    parts = _split(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    given = [value for key, value in options if key == "cache"]
    if len(given) > 1:
        raise InvalidInputError("the option cache stands twice in the URL; give it once")
    said = given[0] if given else default
    if not said or "\0" in said:
        raise InvalidInputError("the option cache is a folder, yes or no")
    rest = "&".join(one for one in parts.query.split("&") if unquote_plus(one.partition("=")[0]) != "cache")
    folder = None if said == "no" else cache_folder() if said == "yes" else _expanded(said)
    return parts._replace(query=rest).geturl() if given else url, folder


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InvalidInputError(f"there is no home folder for {text.partition('/')[0]}; give the whole path") from None
