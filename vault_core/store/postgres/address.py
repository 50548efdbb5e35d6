"""Where a vault is: the URL `postgresql://user@host:port/database?vault=NAME`, and what it asks of the server.

Rules:
- `vault` and `pooler` are ours; every other option is libpq's and passed through. An unknown one is refused.
- A password belongs into PGPASSFILE, PGPASSWORD or a service file. One in the URL works, and is never shown again.
- A connection that leaves this machine is encrypted or refused, unless `sslmode` says otherwise.
- Text travels as UTF-8, whatever the URL or PGCLIENTENCODING say.
- A part of a URL that may be a piece of a password, for want of escaping, is not shown in an error.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vault_core.errors import InvalidInputError

MAX_NAME = 200  # characters of a vault's name
_OURS = ("vault", "pooler")
_SHOWN = "sslmode, sslrootcert, application_name, connect_timeout, options and libpq's other ones"
_LIBPQ = {
    option.keyword.decode(): option.dispchar == b""
    for option in pq.Conninfo.get_defaults()
    if option.keyword != b"replication"  # another protocol, in which there are no transactions
}  # whether it may be shown: libpq marks what is secret or for debugging
_IN_PLACE = ("user", "host", "port", "dbname")  # what stands before the question mark
# A server that is gone must not be waited for longer than people wait; the other end must not hold a lock for a client
# that is gone either.
SILENCE = 150.0  # seconds; a server that keeps our statement_timeout has answered by then, or is not coming back
_DEFAULTS = {
    "connect_timeout": "10",
    "fallback_application_name": "strongroom",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
SETTINGS = {  # milliseconds and seconds
    "lock_timeout": "30000",
    "statement_timeout": "120000",
    "idle_in_transaction_session_timeout": "300000",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A vault in a database, or with an empty name the database alone."""

    vault: str
    location: str  # the URL without secrets
    conninfo: str = field(repr=False)
    pooler: bool = False  # a pooler stands between that gives each transaction another connection
    silence: float = SILENCE  # seconds without an answer after which a connection is given up

    @classmethod
    def parse(cls, url: str, *, named: bool = True) -> "Address":
        """Read a URL. With `named` it has to name a vault.

        Raises:
            InvalidInputError: it is not one, or has an option that nobody knows.
        """
        base, _, query = url.partition("?")
        _check_escaped(base, query)
        options = _options(query)
        vault, pooler = options.pop("vault", ""), _switch(options.pop("pooler", "no"))
        if named and not vault:
            raise InvalidInputError("say which vault of the database: postgresql://host/database?vault=NAME")
        if len(vault) > MAX_NAME or not vault.isprintable():
            raise InvalidInputError(f"a vault's name has at most {MAX_NAME} characters, all of them printable")
        for name in options:
            if name not in _LIBPQ:
                called = "such an option" if _holds_secret(options) else f"option {name!r}"
                raise InvalidInputError(
                    f"there is no {called}; the options are vault, pooler, and of the connection {_SHOWN}"
                )
        found = _read(base, query)
        location = _shown(found, {"vault": vault, "pooler": "yes" if pooler else ""})
        silence = float("inf") if "statement_timeout" in _asked_options(found) else SILENCE  # the caller's own limit
        conninfo = _conninfo(found, pooler=pooler)
        return cls(vault=vault, location=location, conninfo=conninfo, pooler=pooler, silence=silence)


def check_url(url: str) -> None:
    """Refuse a URL that `PostgresStore` would refuse, without going there.

    Raises:
        InvalidInputError: it is not one, or has an option that nobody knows.
    """
    Address.parse(url)


def _check_escaped(base: str, query: str) -> None:
    """Refuse a URL in which a password may end too early: what follows would be taken for a host, and shown."""
    authority, _, path = base.partition("://")[2].partition("/")
    early, question, _ = query.partition("?")
    if authority.count("@") > 1 or "@" in path or (question and "@" in early):
        raise InvalidInputError(
            "an @, / or ? within a name or password of the URL is written as %40, %2F or %3F; better, put the password "
            "into PGPASSFILE or PGPASSWORD"
        )


def _holds_secret(options: Mapping[str, str]) -> bool:
    return any(not _LIBPQ.get(name, True) for name in options)


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for one in filter(None, query.split("&")):
        name, _, value = one.partition("=")
        if unquote(name) in options:
            raise InvalidInputError(f"the option {unquote(name)!r} stands twice in the URL")
        try:
            options[unquote(name)] = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise InvalidInputError(f"the option {unquote(name)!r} is not UTF-8") from None
    return options


def _switch(value: str) -> bool:
    if value not in ("yes", "no"):
        raise InvalidInputError("the option pooler is yes or no")
    return value == "yes"


def _read(base: str, query: str) -> dict[str, str]:
    """What libpq reads in the URL without our options."""
    theirs = "&".join(one for one in query.split("&") if one and unquote(one.partition("=")[0]) not in _OURS)
    try:
        found = conninfo_to_dict(f"{base}?{theirs}" if theirs else base)
    except psycopg.Error:  # whose text quotes the URL, password and all
        raise InvalidInputError(
            "this is no URL of a database: postgresql://user@host:port/database?vault=NAME"
        ) from None
    given = {name: str(value) for name, value in found.items() if value not in (None, "")}
    if not all(number.isdigit() for number in given.get("port", "").split(",") if number):
        raise InvalidInputError("the port in the URL is not a number")
    return given


def _shown(found: Mapping[str, str], ours: Mapping[str, str]) -> str:
    user = f"{quote(found['user'])}@" if "user" in found else ""
    host, port = found.get("host", ""), found.get("port", "").strip(",")
    outside = {} if "/" not in host else {"host": host, "port": port}  # a socket's folder stands among the options
    place = "" if outside else _place(host, port)
    outside |= {} if host else {"port": port}
    rest = {name: value for name, value in found.items() if name not in _IN_PLACE and _LIBPQ.get(name)}
    options = {name: value for name, value in (dict(ours) | outside | rest).items() if value}
    asked = "&".join(f"{name}={quote(value)}" for name, value in options.items())
    return f"postgresql://{user}{place}/{quote(found.get('dbname', ''))}" + (f"?{asked}" if asked else "")


def _place(host: str, port: str) -> str:
    hosts = host.split(",")
    ports = port.split(",") if "," in port else [port] * len(hosts)
    shown = [f"[{one}]" if ":" in one else one for one in hosts]
    return ",".join(f"{one}:{number}" if one and number else one for one, number in zip(shown, ports, strict=False))


def _conninfo(found: Mapping[str, str], *, pooler: bool) -> str:
    asked = _DEFAULTS | dict(found) | {"client_encoding": "UTF8"}
    if _leaves_this_machine(found) and "sslmode" not in found and "PGSSLMODE" not in os.environ:
        asked["sslmode"] = "require"
    if not pooler:  # one that changes connections can't keep what is said when connecting
        ours = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        asked["options"] = f"{ours} {_asked_options(found)}".strip()
    return make_conninfo("", **asked)


def _asked_options(found: Mapping[str, str]) -> str:
    return found.get("options", os.environ.get("PGOPTIONS", ""))


def _leaves_this_machine(found: Mapping[str, str]) -> bool:
    if "service" in found or "PGSERVICE" in os.environ:
        return False  # its file says where, and how
    hosts = found.get("hostaddr") or found.get("host") or os.environ.get("PGHOST", "")
    return any(not _is_here(host) for host in hosts.split(","))


def _is_here(host: str) -> bool:
    return host in ("", "localhost", "::1") or host.startswith(("/", "@", "127."))
