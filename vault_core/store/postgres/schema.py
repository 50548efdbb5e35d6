"""The tables, and who may do what with them.

Rules (docs/format.md §2):
- Many vaults per database. The vault's id, random and told to nobody else, is in the key of every row.
- A vault belongs to the role that made it. Row-level security shows it to that role and its members alone, and holds
  for the owner of the tables too.
- A role can add entries and records; it can't change or delete one. A record it may overwrite with zeros alone.
- UPDATE is granted by column and DELETE not at all: whoever has either on a whole table may lock all of it.
- Bodies are stored as they are (EXTERNAL): what is sealed can't be compressed.
"""

from typing import Any

import psycopg
from psycopg import sql

from vault_core.errors import FormatTooNewError, InvalidInputError, VaultTamperedError
from vault_core.store.postgres.refusals import NO_SCHEMA

VERSION = 1
OLDEST = 140_000  # PostgreSQL 14: the first with bit_count(bytea), by which a policy knows zeros
_MAKING = 0x53524F4D  # advisory lock of those that make or migrate the tables of one database

_MINE = "{table}.vault = (SELECT v.id FROM strongroom.vault v WHERE v.id = {table}.vault)"  # v's own policy decides
_OWN = "pg_has_role(role, 'USAGE')"
COLUMNS = {
    "version": {"one": "boolean", "number": "integer"},
    "vault": {"id": "uuid", "name": "text", "role": "regrole", "header": "bytea", "mac": "bytea"},
    "entry": {"vault": "uuid", "seq": "bigint", "body": "bytea"},
    "record": {"vault": "uuid", "address": "bigint", "body": "bytea"},
    "part": {"vault": "uuid", "name": "text", "body": "bytea"},
}
TABLES = (
    "CREATE TABLE strongroom.version (one boolean PRIMARY KEY DEFAULT true CHECK (one), number integer NOT NULL)",
    """
    CREATE TABLE strongroom.vault (
        id uuid PRIMARY KEY,
        name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        role regrole NOT NULL DEFAULT quote_ident(current_user)::regrole,
        header bytea STORAGE EXTERNAL NOT NULL CHECK (octet_length(header) <= 131072),
        mac bytea NOT NULL CHECK (octet_length(mac) = 64),
        UNIQUE (role, name)
    )
    """,
    """
    CREATE TABLE strongroom.entry (
        vault uuid NOT NULL,
        seq bigint NOT NULL CHECK (seq > 0 AND seq < 1::bigint << 38),
        body bytea STORAGE EXTERNAL NOT NULL CHECK (octet_length(body) <= 71303168),
        PRIMARY KEY (vault, seq)
    ) WITH (toast_tuple_target = 8160)
    """,
    """
    CREATE TABLE strongroom.record (
        vault uuid NOT NULL,
        address bigint NOT NULL CHECK (address > 0),
        body bytea STORAGE EXTERNAL NOT NULL CHECK (octet_length(body) <= 71303168),
        PRIMARY KEY (vault, address)
    ) WITH (toast_tuple_target = 8160)
    """,
    """
    CREATE TABLE strongroom.part (
        vault uuid NOT NULL,
        name text COLLATE "C" NOT NULL,
        body bytea STORAGE EXTERNAL CHECK (octet_length(body) <= 71303168),
        PRIMARY KEY (vault, name)
    )
    """,
    "INSERT INTO strongroom.version (number) VALUES (1)",
)
POLICIES = (
    f"CREATE POLICY own ON strongroom.vault USING ({_OWN}) WITH CHECK ({_OWN})",
    f"CREATE POLICY own ON strongroom.entry USING ({_MINE.format(table='entry')})",
    f"CREATE POLICY own ON strongroom.part USING ({_MINE.format(table='part')})",
    f"CREATE POLICY read ON strongroom.record FOR SELECT USING ({_MINE.format(table='record')})",
    f"CREATE POLICY add ON strongroom.record FOR INSERT WITH CHECK ({_MINE.format(table='record')})",
    f"CREATE POLICY remove ON strongroom.record FOR DELETE USING ({_MINE.format(table='record')})",
    f"""
    CREATE POLICY erase ON strongroom.record FOR UPDATE USING ({_MINE.format(table="record")})
    WITH CHECK ({_MINE.format(table="record")} AND bit_count(body) = 0)
    """,
    *(
        f"ALTER TABLE strongroom.{table} {how} ROW LEVEL SECURITY"
        for table in ("vault", "entry", "record", "part")
        for how in ("ENABLE", "FORCE")
    ),
)
MIGRATIONS = ((*TABLES, *POLICIES),)  # from each version to the next
GRANTS = (
    "USAGE ON SCHEMA strongroom",
    "SELECT ON strongroom.version, strongroom.vault, strongroom.entry, strongroom.record, strongroom.part",
    "INSERT (id, name, header, mac) ON strongroom.vault",
    "INSERT ON strongroom.entry, strongroom.record, strongroom.part",
    "UPDATE (header, mac) ON strongroom.vault",
    "UPDATE (body) ON strongroom.record",
    "UPDATE (name, body) ON strongroom.part",
)
_LET_IN = """
    SELECT has_schema_privilege(%s, 'strongroom', 'USAGE')
    AND has_column_privilege(%s, 'strongroom.part', 'body', 'UPDATE')
"""
_FOUND = """
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = 'strongroom' AND c.relkind IN ('r', 'p')
"""


def prepare(db: psycopg.Connection[Any], role: str | None = None) -> tuple[bool, bool]:
    """Make or migrate the tables, and let a role use them; says whether tables and role are new. May run twice at once.

    Raises:
        FormatTooNewError: a newer version made them.
        InvalidInputError: the server is too old, or the connection's role may not do this.
    """
    check_server(db)
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        found = _version(db)
        if found > VERSION:
            raise FormatTooNewError("the vaults' tables are of a newer version; upgrade strongroom")
        if found < VERSION:
            _migrate(db, found)
        made = role is not None and _let_in(db, role)
    return found < VERSION, made


def check(db: psycopg.Connection[Any]) -> None:
    """See that the server and its tables are what this version works with.

    Raises:
        InvalidInputError: the server is too old, or there are no tables.
        FormatTooNewError: a newer version made them.
        VaultTamperedError: they are others.
    """
    check_server(db)
    found = db.execute(_FOUND).fetchall()
    if not found:
        raise InvalidInputError(NO_SCHEMA)
    if any(table == "version" for table, _, _ in found) and _version(db) > VERSION:
        raise FormatTooNewError("the vaults' tables are of a newer version; upgrade strongroom")
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind in found:
        columns.setdefault(table, {})[column] = kind
    if columns != COLUMNS:
        raise VaultTamperedError(
            "the vaults' tables are not those of this version: one is missing or was changed; restore a backup"
        )


def check_server(db: psycopg.Connection[Any]) -> None:
    """Refuse a server that can't keep the rules.

    Raises:
        InvalidInputError: it is too old.
    """
    if db.info.server_version < OLDEST:
        raise InvalidInputError("the server is older than PostgreSQL 14; upgrade it")


def _version(db: psycopg.Connection[Any]) -> int:
    if db.execute("SELECT to_regclass('strongroom.version')").fetchone() == (None,):
        return 0
    row = db.execute("SELECT number FROM strongroom.version").fetchone()
    if row is None:
        raise VaultTamperedError("the vaults' tables don't say of which version they are")
    return int(row[0])


def _migrate(db: psycopg.Connection[Any], version: int) -> None:
    if version == 0:
        db.execute("CREATE SCHEMA IF NOT EXISTS strongroom")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            db.execute(statement.encode())
    db.execute("UPDATE strongroom.version SET number = %s", (VERSION,))


def _let_in(db: psycopg.Connection[Any], role: str) -> bool:
    """Grant a role what a client needs; it is made if it is missing, without a password."""
    name = sql.Identifier(role)
    missing = db.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None
    if missing:
        db.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    for grant in GRANTS:
        db.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(grant), name))
    if db.execute(_LET_IN, (role, role)).fetchone() != (True,):  # who may not grant is only warned
        raise psycopg.errors.InsufficientPrivilege
    return missing
