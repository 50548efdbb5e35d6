"""`strongroom store init`: a database made ready for vaults."""

from typing import NamedTuple

import psycopg

from vault_core.errors import InvalidInputError
from vault_core.store.postgres import schema
from vault_core.store.postgres.address import Address
from vault_core.store.postgres.attended import Attended
from vault_core.store.postgres.refusals import refusal, translated

_NOT_ALLOWED = (
    "this role may not do that: the tables are made by a role that may create schemas in the database, roles by one "
    "with CREATEROLE, and grants by the tables' owner"
)
_WRONG_ROLE = "a role's name has 1 to 63 bytes, all of them printable"


class Ready(NamedTuple):
    """What was not there before."""

    tables: bool  # or an older version of them
    role: bool


def init(url: str, *, role: str | None = None) -> Ready:
    """Make or migrate a database's tables for vaults, and let a role use them. May run twice, and twice at once.

    A role that is missing is made: it may log in, has no password yet, and sees nothing but its own vaults.

    Raises:
        InvalidInputError: the URL or the role's name is wrong, the server refuses us or is too old.
        FormatTooNewError: a newer version made the tables.
        UnavailableError: the server can't be reached.
    """
    if role is not None and not (1 <= len(role.encode()) <= 63 and role.isprintable()):
        raise InvalidInputError(_WRONG_ROLE)
    address = Address.parse(url, named=False)
    try:
        db = Attended.connect(address.conninfo, autocommit=True)
    except psycopg.Error as error:
        raise refusal(error) from None
    with db, translated():
        try:
            return Ready(*schema.prepare(db, role))
        except psycopg.errors.InsufficientPrivilege:
            raise InvalidInputError(_NOT_ALLOWED) from None
        except psycopg.errors.ReservedName:  # none, public, pg_…
            raise InvalidInputError("PostgreSQL keeps this role's name to itself; choose another") from None
