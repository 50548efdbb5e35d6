"""What goes wrong with a database, in the vault's own few kinds of error.

Texts of libpq name hosts, ports, roles and databases, which the caller knows; never a password. Texts of the server may
quote values, so none of them is passed on once a connection stands.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from vault_core.errors import (
    InvalidInputError,
    SessionStateError,
    UnavailableError,
    VaultError,
    VaultTamperedError,
)

NO_SCHEMA = "the database has no tables for vaults yet; make them with: strongroom store init URL"
NO_GRANT = (
    "this role may not use the vaults' tables; the database's owner lets it with: strongroom store init URL --role ROLE"
)
LOST = "the connection to the database is lost; try again"
_TAMPERED = "the vault's tables are damaged"
_OF_STATE = {  # SQLSTATE or its class -> kind and sentence
    "08": (UnavailableError, LOST),
    "23505": (VaultTamperedError, "the place of the next commit is taken"),
    "23": (VaultTamperedError, "the database refuses a row that a vault consists of"),
    "25006": (UnavailableError, "this database takes no writes (a standby?); use the primary, or open read-only"),
    "25P04": (UnavailableError, "the change took longer than the database's transaction_timeout; nothing was written"),
    "25P03": (UnavailableError, "the change took so long that the database gave it up; nothing was written"),
    "3D": (InvalidInputError, "there is no such database; make it with: createdb NAME"),
    "3F": (InvalidInputError, NO_SCHEMA),
    "40": (UnavailableError, "the database gave the change up for another one; try again, nothing was written"),
    "42501": (InvalidInputError, NO_GRANT),
    "53100": (UnavailableError, "the database's disk is full; make room, nothing was half-written"),
    "53300": (UnavailableError, "the database has too many connections; close some, or raise max_connections"),
    "53": (UnavailableError, "the database is out of resources; try again later, nothing was half-written"),
    "55P03": (UnavailableError, "another program holds the vault for too long; try again"),
    "57014": (UnavailableError, "the database took too long and was stopped (statement_timeout); try again"),
    "57": (UnavailableError, "the database is stopping or starting; try again"),
    "58": (UnavailableError, "the database's disk reports an error; check it, nothing was half-written"),
}
_REFUSED = {  # what stands in libpq's text when a connection is refused for good -> what to do
    "password authentication failed": "put the right password into PGPASSFILE or PGPASSWORD",
    "no password supplied": "put the password into PGPASSFILE or PGPASSWORD",
    "authentication failed": "connect as the role's own user, or have pg_hba.conf let it in",
    "no pg_hba.conf entry": "have the server's pg_hba.conf let this role in, maybe only with sslmode=require",
    'role "': "make the role with: strongroom store init URL --role ROLE, as the database's owner",
    'database "': "make the database with: createdb NAME",
    "certificate verify failed": "name the authority's certificate with sslrootcert=PATH, or sslrootcert=system",
    "server certificate for": "connect by the name that the server's certificate is for",
    "root certificate file": "name the authority's certificate with sslrootcert=PATH, or sslrootcert=system",
    "does not support SSL": "turn TLS on at the server, or say sslmode=disable if the way to it is safe",
    "sslmode value": "the URL's option sslmode is one of disable, prefer, require, verify-ca, verify-full",
    "invalid": "correct the URL's options",
}
_PASSING = ("starting up", "shutting down", "in recovery mode", "too many clients", "remaining connection slots")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except VaultError:
        raise
    except psycopg.Error as error:
        raise translation(error) from None
    except (MemoryError, OverflowError, UnicodeDecodeError):
        raise VaultTamperedError(_TAMPERED) from None


def translation(error: psycopg.Error) -> VaultError:
    """Our error for one of a statement's."""
    state = error.sqlstate or ""
    for length in (5, 2):
        if found := _OF_STATE.get(state[:length]):
            kind, sentence = found
            return kind(sentence)
    if isinstance(error, psycopg.OperationalError) and (not state or state == "57P05"):
        return UnavailableError(LOST)
    if isinstance(error, psycopg.InterfaceError | psycopg.ProgrammingError) and not state:
        return SessionStateError("this session is closed; open a new one")
    return VaultTamperedError(_TAMPERED)


def refusal(error: psycopg.Error) -> VaultError:
    """Our error for a connection that could not be made."""
    said = _one_line(str(error))
    if error.sqlstate and (error.sqlstate[:5] in _OF_STATE or error.sqlstate[:2] in _OF_STATE):
        return translation(error)
    if not any(passing in said for passing in _PASSING):
        for part, what in _REFUSED.items():
            if part in said:
                return InvalidInputError(f"the database refuses the connection ({said}); {what}")
    return UnavailableError(f"the database can't be reached ({said}); see that it runs, and that the URL names it")


def _one_line(text: str) -> str:
    """The last of what was tried, which is the reason; without the address, which the caller knows."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"]
    reason = [line for line in lines if " failed: " in line] or lines
    return reason[-1].rpartition(" failed: ")[2].removeprefix("FATAL: ").strip()[:300]
