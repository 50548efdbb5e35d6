"""A role sees its own vaults and nothing of the others', whatever it sends; and can't overwrite what it wrote."""

# ruff: noqa: S608  the names in the statements are ours

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from support.postgres import OWNER, Server
from vault_core import ConflictError, InvalidInputError, VaultNotFoundError, VaultTamperedError
from vault_core.store import Change
from vault_core.store.postgres import PostgresStore, init
from vault_core.testing.conformance import FIRST, HEADER, NEXT_HEADER, at, commit, contents, write

TABLES = ("vault", "entry", "record", "part")
Connection = psycopg.Connection[Any]


@pytest.fixture
def roles(postgres: Server, database: str) -> None:
    """Two roles that may keep vaults, and one that may not."""
    init(postgres.url(database), role="alice")
    init(postgres.url(database), role="eve")
    with postgres.connect(database) as db:
        db.execute("DROP ROLE IF EXISTS stranger")
        db.execute("CREATE ROLE stranger LOGIN")


@pytest.fixture
def hers(postgres: Server, database: str, roles: None) -> Iterator[PostgresStore]:
    """Alice's vault, with something in every table."""
    with closing(PostgresStore(postgres.url(database, "diary", role="alice"), create=True)) as store:
        store.create(HEADER, FIRST)
        commit(store, b"record", put_parts=[("part", b"body")])
        yield store


@pytest.fixture
def eve(postgres: Server, database: str, hers: PostgresStore) -> Iterator[Connection]:
    """What Eve sends to the server, instead of going through a store."""
    with postgres.connect(database, role="eve") as db:
        yield db


def test_another_role_is_told_that_there_is_no_such_vault(postgres: Server, database: str, hers: PostgresStore) -> None:
    for name in ("diary", "nothing of that name"):
        with pytest.raises(VaultNotFoundError) as refusal:
            PostgresStore(postgres.url(database, name, role="eve"))
        assert "diary" not in str(refusal.value)


def test_two_roles_may_have_vaults_of_one_name(postgres: Server, database: str, hers: PostgresStore) -> None:
    """Otherwise a name that is refused would say that somebody has it."""
    before = contents(hers)
    with closing(PostgresStore(postgres.url(database, "diary", role="eve"), create=True)) as store:
        store.create(NEXT_HEADER, b"eve's")
        commit(store, b"eve's record")

        assert contents(hers) == before
        assert store.records([at(2)]) == {at(2): b"eve's record"}


def test_a_role_has_one_vault_of_a_name(postgres: Server, database: str, hers: PostgresStore) -> None:
    with pytest.raises(ConflictError):
        PostgresStore(postgres.url(database, "diary", role="alice"), create=True)


@pytest.mark.parametrize("table", TABLES)
def test_another_role_reads_and_locks_no_row(eve: Connection, table: str) -> None:
    assert eve.execute(f"SELECT count(*) FROM strongroom.{table}").fetchone() == (0,)
    if table != "entry":
        assert eve.execute(f"SELECT 1 FROM strongroom.{table} FOR UPDATE").fetchall() == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege), eve.transaction():
        eve.execute(f"LOCK TABLE strongroom.{table} IN SHARE MODE")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO strongroom.entry VALUES ('{vault}', 3, 'planted')",
        "INSERT INTO strongroom.entry VALUES ('{vault}', 2, 'one that is there')",
        "INSERT INTO strongroom.record VALUES ('{vault}', 1, 'planted')",
        "INSERT INTO strongroom.part VALUES ('{vault}', 'planted', 'planted')",
        """
        INSERT INTO strongroom.part VALUES ('{vault}', 'part', 'planted')
        ON CONFLICT (vault, name) DO UPDATE SET body = 'planted'
        """,
        """
        INSERT INTO strongroom.vault (id, name, role, header, mac)
        VALUES ('{free}', 'hers', 'alice', '', decode(repeat('00', 64), 'hex'))
        """,
    ],
)
def test_another_role_adds_no_row_and_learns_nothing_from_the_refusal(
    eve: Connection, hers: PostgresStore, statement: str
) -> None:
    before = contents(hers)
    free = "00000000-0000-0000-0000-000000000000"

    for vault in (hers._id, free):  # one that is there, and one that is not: the same answer
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            eve.execute(statement.format(vault=vault, free=free))

    assert contents(hers) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE strongroom.vault SET header = 'planted'",
        "UPDATE strongroom.record SET body = decode(repeat('00', 6), 'hex')",
        "UPDATE strongroom.part SET body = NULL",
    ],
)
def test_another_role_changes_no_row(eve: Connection, hers: PostgresStore, statement: str) -> None:
    before = contents(hers)

    assert eve.execute(statement).rowcount == 0

    assert contents(hers) == before


def test_nobody_learns_the_channel_by_which_a_vault_is_told_of(eve: Connection, hers: PostgresStore) -> None:
    """Its name is the vault's id, and no view shows it to another role."""
    for view in ("pg_stat_activity", "pg_locks", "pg_listening_channels() AS one (channel)", "pg_prepared_statements"):
        seen = repr(eve.execute(f"SELECT * FROM {view}").fetchall())
        assert hers._id.hex not in seen.replace("-", "")


OVERWRITING = [
    "UPDATE strongroom.entry SET body = 'another'",
    "UPDATE strongroom.entry SET seq = seq + 1",
    "DELETE FROM strongroom.entry",
    "TRUNCATE strongroom.entry",
    """
    INSERT INTO strongroom.entry SELECT vault, seq, 'another' FROM strongroom.entry
    ON CONFLICT (vault, seq) DO UPDATE SET body = 'another'
    """,
    "UPDATE strongroom.record SET body = 'another'",
    "UPDATE strongroom.record SET address = address + 1",
    "DELETE FROM strongroom.record",
    "DELETE FROM strongroom.vault",
    "DELETE FROM strongroom.part",
    "UPDATE strongroom.vault SET name = 'another'",
    "UPDATE strongroom.vault SET role = 'eve'",
    "UPDATE strongroom.version SET number = 2",
    "ALTER TABLE strongroom.entry DISABLE ROW LEVEL SECURITY",
    "CREATE TABLE strongroom.planted (one integer)",
    *(f"LOCK TABLE strongroom.{table} IN SHARE MODE" for table in TABLES),
]


@pytest.mark.parametrize("statement", OVERWRITING)
def test_a_role_can_not_overwrite_or_remove_what_it_wrote(
    postgres: Server, database: str, hers: PostgresStore, statement: str
) -> None:
    """Not even with its own password: an entry stays, and a record can become zeros but nothing else."""
    before = contents(hers)

    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with postgres.connect(database, role="alice") as db, refused, db.transaction():
        db.execute(statement)

    assert contents(hers) == before


def test_the_owner_of_the_tables_is_held_to_the_policies_too(postgres: Server, own_database: str) -> None:
    """FORCE ROW LEVEL SECURITY: one who is no superuser sees its own vaults alone, and records it erases alone."""
    with postgres.connect(own_database) as db:
        db.execute("CREATE ROLE keeper LOGIN CREATEROLE")
        db.execute("DROP SCHEMA strongroom CASCADE")
        db.execute(f"GRANT CREATE ON DATABASE {own_database} TO keeper")
    try:
        init(postgres.url(own_database, role="keeper"), role="guest")
        with closing(PostgresStore(postgres.url(own_database, "v", role="guest"), create=True)) as store:
            store.create(HEADER, FIRST)
            commit(store, b"record")
            with postgres.connect(own_database, role="keeper") as db:
                for table in TABLES:
                    assert db.execute(f"SELECT count(*) FROM strongroom.{table}").fetchone() == (0,)
                    assert db.execute(f"DELETE FROM strongroom.{table}").rowcount == 0
            assert store.records([at(2)]) == {at(2): b"record"}
        with closing(PostgresStore(postgres.url(own_database, "w", role="keeper"), create=True)) as own:
            own.create(HEADER, FIRST)
            commit(own, b"record")
            with (
                postgres.connect(own_database, role="keeper") as db,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                db.execute("UPDATE strongroom.record SET body = 'another'")
    finally:
        with postgres.connect(own_database) as db:
            db.execute("DROP OWNED BY keeper, guest CASCADE")
            db.execute("DROP ROLE guest")
            db.execute("DROP ROLE keeper")


def test_without_the_policies_another_role_reads_everything(postgres: Server, own_database: str) -> None:
    """The negative control: it is the policies that keep Eve out."""
    for role in ("alice", "eve"):
        init(postgres.url(own_database), role=role)
    with closing(PostgresStore(postgres.url(own_database, "diary", role="alice"), create=True)) as store:
        store.create(HEADER, FIRST)
    with postgres.connect(own_database) as db:
        db.execute("ALTER TABLE strongroom.vault DISABLE ROW LEVEL SECURITY")

    with postgres.connect(own_database, role="eve") as eve:
        assert eve.execute("SELECT name FROM strongroom.vault").fetchall() == [("diary",)]
        assert eve.execute("SELECT body FROM strongroom.entry").fetchall() == [(FIRST,)]


def test_members_of_a_role_share_its_vaults(postgres: Server, database: str, hers: PostgresStore) -> None:
    with postgres.connect(database) as db:
        db.execute("GRANT alice TO eve")
    try:
        with closing(PostgresStore(postgres.url(database, "diary", role="eve"))) as store:
            commit(store, b"by a member")
            assert contents(store) == contents(hers)
    finally:
        with postgres.connect(database) as db:
            db.execute("REVOKE alice FROM eve")


def test_a_name_that_two_roles_of_a_member_have_has_to_be_chosen(
    postgres: Server, database: str, hers: PostgresStore
) -> None:
    with closing(PostgresStore(postgres.url(database, "diary", role="eve"), create=True)) as store:
        store.create(NEXT_HEADER, b"eve's")
    with postgres.connect(database) as db:
        db.execute("GRANT alice TO eve")
    try:
        with pytest.raises(InvalidInputError, match="options=-crole%3DROLE"):
            PostgresStore(postgres.url(database, "diary", role="eve"))

        with closing(PostgresStore(postgres.url(database, "diary", role="eve", options="-crole=alice"))) as store:
            assert contents(store) == contents(hers)
    finally:
        with postgres.connect(database) as db:
            db.execute("REVOKE alice FROM eve")


def test_a_role_that_was_let_in_nowhere_is_told_how(postgres: Server, database: str, hers: PostgresStore) -> None:
    with pytest.raises(InvalidInputError, match="strongroom store init URL --role ROLE"):
        PostgresStore(postgres.url(database, "diary", role="stranger"))


def test_a_client_role_does_everything_that_a_vault_needs(hers: PostgresStore) -> None:
    commit(
        hers, b"new", erase=[at(2)], header=NEXT_HEADER, drop_parts=["part"], put_parts=[("other", b"2")], purge=True
    )
    write(hers, Change(put_parts=[("other", b"3"), ("more", b"4")]))

    assert hers.read_header() == NEXT_HEADER
    assert hers.records([at(2), at(3)]) == {at(2): bytes(6), at(3): b"new"}
    assert {name: hers.part(name) for name in hers.parts()} == {"other": b"3", "more": b"4"}
    with pytest.raises(VaultTamperedError):
        write(hers, Change(seq=3, entry=b"another"))


def test_dropped_parts_leave_rows_that_the_next_ones_take(postgres: Server, database: str, hers: PostgresStore) -> None:
    """A role has no DELETE; so a vault that writes snapshots for years must not leave a row for each."""
    for number in range(20):
        write(hers, Change(drop_parts=hers.parts(), put_parts=[(f"{number} a", b"a"), (f"{number} b", b"b")]))

    with postgres.connect(database, role=OWNER) as db:
        assert db.execute("SELECT count(*) FROM strongroom.part").fetchone() == (2,)
    assert hers.parts() == ["19 a", "19 b"]
