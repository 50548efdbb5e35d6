"""What is wrong with a URL, a server or its tables is said in a sentence that names the fix and holds no secret."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from support.postgres import Server
from support.tls_front import TlsFront, certificate, tls_front
from vault_core import (
    ConflictError,
    FormatTooNewError,
    InvalidInputError,
    UnavailableError,
    VaultNotFoundError,
    VaultTamperedError,
)
from vault_core.store import open_store
from vault_core.store.postgres import PostgresStore, init
from vault_core.store.postgres.address import Address
from vault_core.testing.conformance import FIRST, HEADER, commit

SECRET = "pa55word-of-alice"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://host/db", r"vault=NAME"),
        ("postgresql://host/db?vault=", r"vault=NAME"),
        (f"postgresql://alice:{SECRET}@host:port/db?vault=v", "not a number"),
        (f"postgresql://alice:{SECRET}@[::1/db?vault=v", "not a URL"),
        (f"postgresql://alice:{SECRET}@host/db%zz?vault=v", "no URL of a database"),
        (f"postgresql://alice:{SECRET}@host/db?vault=v&colour=red", "'colour'.*vault, pooler.*sslmode"),
        ("postgresql://host/db?vault=v&vault=w", "twice"),
        ("postgresql://host/db?vault=v&pooler=maybe", "pooler is yes or no"),
        ("postgresql://host/db?vault=%00", "printable"),
        ("postgresql://host/db?vault=%ff", "UTF-8"),
        (f"postgresql://host/db?vault={'v' * 201}", "200 characters"),
        (f"postgresql:///db?host=/nowhere&password={SECRET}&sslmode=often&vault=v", "sslmode"),
    ],
)
def test_a_url_that_is_wrong_is_the_callers_mistake(url: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says) as refusal:
        open_store(url)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://h/db?vault=v", "postgresql://h/db?vault=v"),
        (f"postgresql://a:{SECRET}@h:5433/db?vault=v", "postgresql://a@h:5433/db?vault=v"),
        (f"postgresql://a@h/db?password={SECRET}&vault=v", "postgresql://a@h/db?vault=v"),
        (f"postgres://h/db?vault=v&sslpassword={SECRET}", "postgresql://h/db?vault=v"),
        ("postgresql:///db?host=/run/pg&vault=a%20b", "postgresql:///db?vault=a%20b&host=/run/pg"),
        ("postgresql://[::1]/db?vault=v", "postgresql://[::1]/db?vault=v"),
        ("postgresql://h1,h2/db?vault=v&sslmode=verify-full", "postgresql://h1,h2/db?vault=v&sslmode=verify-full"),
        ("postgresql://h1:1,h2:2/db?vault=v", "postgresql://h1:1,h2:2/db?vault=v"),
    ],
)
def test_a_location_leads_there_again_and_holds_no_secret(url: str, shown: str) -> None:
    address = Address.parse(url)

    assert address.location == shown
    assert Address.parse(shown).location == shown
    assert SECRET not in repr(address)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://db.example/db?vault=v", "sslmode=require"),
        ("postgresql://db.example/db?vault=v&sslmode=verify-full", "sslmode=verify-full"),
        ("postgresql://db.example/db?vault=v&sslmode=disable", "sslmode=disable"),
        ("postgresql://localhost/db?vault=v", ""),
        ("postgresql:///db?vault=v", ""),
        ("postgresql://127.0.0.1,db.example/db?vault=v", "sslmode=require"),
    ],
)
def test_what_leaves_the_machine_is_encrypted_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, url: str, mode: str
) -> None:
    for name in ("PGSSLMODE", "PGHOST", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    found = [word for word in Address.parse(url).conninfo.split() if word.startswith("sslmode=")]

    assert found == ([mode] if mode else [])


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as taken:  # nobody listens on it
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UnavailableError, match=r"can't be reached \(Connection refused\)"):
            PostgresStore(f"postgresql://alice:{SECRET}@127.0.0.1:{taken.getsockname()[1]}/db?vault=v")


def test_a_server_that_says_nothing_is_unavailable_after_connect_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UnavailableError, match="timeout"):
            PostgresStore(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/db?vault=v&connect_timeout=2")


def test_a_database_that_is_missing_is_named(postgres: Server) -> None:
    with pytest.raises(InvalidInputError, match=r'database "nowhere" does not exist.*createdb'):
        PostgresStore(postgres.url("nowhere", "v"))


def test_a_role_that_is_missing_is_named(postgres: Server, database: str) -> None:
    with pytest.raises(InvalidInputError, match=r'role "nobody" does not exist.*strongroom store init'):
        PostgresStore(postgres.url(database, "v", role="nobody"))


def test_a_database_without_tables_is_told_how_to_get_them(postgres: Server) -> None:
    for create in (True, False):
        with pytest.raises(InvalidInputError, match="strongroom store init"):
            PostgresStore(postgres.url("postgres", "v"), create=create)


def test_a_missing_table_is_damage(postgres: Server, own_database: str) -> None:
    with postgres.connect(own_database) as db:
        db.execute("DROP TABLE strongroom.record")

    with pytest.raises(VaultTamperedError, match="one is missing or was changed"):
        PostgresStore(postgres.url(own_database, "v"), create=True)


def test_newer_tables_ask_for_an_upgrade(postgres: Server, own_database: str) -> None:
    with postgres.connect(own_database) as db:
        db.execute("UPDATE strongroom.version SET number = 99")
        db.execute("ALTER TABLE strongroom.record ADD COLUMN more text")

    for use in (lambda url: PostgresStore(url, create=True), init):
        with pytest.raises(FormatTooNewError):
            use(postgres.url(own_database, "v"))


def test_a_vault_that_is_missing_is_told_how_to_be_made(postgres: Server, database: str) -> None:
    with pytest.raises(VaultNotFoundError, match="strongroom init --vault URL"):
        open_store(postgres.url(database, "nothing"))


def test_a_vault_that_is_there_is_not_made_again(postgres: Server, database: str) -> None:
    one, other = (PostgresStore(postgres.url(database, "v"), create=True) for _ in range(2))
    with closing(one), closing(other):
        one.create(HEADER, FIRST)

        with pytest.raises(ConflictError):
            other.create(HEADER, b"another")
        with pytest.raises(ConflictError):
            PostgresStore(postgres.url(database, "v"), create=True)
        assert list(one.entries(0)) == [(1, FIRST)]


def test_a_vault_that_is_deleted_while_it_is_open_is_damage(postgres: Server, database: str) -> None:
    with closing(PostgresStore(postgres.url(database, "v"), create=True)) as store:
        store.create(HEADER, FIRST)
        postgres.empty(database)

        with pytest.raises(VaultTamperedError, match="no header"):
            store.read_header()
        with pytest.raises(VaultTamperedError, match="no header"):
            commit(store)


def test_tables_are_made_once_by_whoever_comes_first(postgres: Server) -> None:
    name = postgres.database("made_at_once", prepared=False)
    try:
        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(lambda _: init(postgres.url(name), role="newcomer"), range(6)))

        assert sorted(one.tables for one in made) == [False] * 5 + [True]
        assert sorted(one.role for one in made) == [False] * 5 + [True]
    finally:
        postgres.drop(name)
        with postgres.connect() as db:
            db.execute("DROP ROLE newcomer")


def test_making_tables_without_the_right_to_is_told_who_may(postgres: Server) -> None:
    init(postgres.url(postgres.database("plain", prepared=False)), role="alice")
    try:
        with postgres.connect() as db:
            db.execute("DROP ROLE IF EXISTS outsider")
            db.execute("CREATE ROLE outsider")
        for role in ("outsider", "another"):
            with pytest.raises(InvalidInputError, match="CREATEROLE"):
                init(postgres.url("plain", role="alice"), role=role)
    finally:
        postgres.drop("plain")
        with postgres.connect() as db:
            db.execute("DROP ROLE IF EXISTS outsider")


# passwords and TLS, by TCP


@pytest.fixture(scope="module")
def guarded(postgres: Server, shared_database: str) -> Iterator[Server]:
    """The server as one who comes by TCP sees it: it wants alice's password. Her vault is there."""
    init(postgres.url(shared_database), role="alice")
    with postgres.connect() as db:
        db.execute(f"ALTER ROLE alice PASSWORD '{SECRET}'")
    with closing(PostgresStore(postgres.url(shared_database, "v", role="alice"), create=True)) as store:
        store.create(HEADER, FIRST)
    yield postgres
    postgres.empty(shared_database)


@pytest.fixture(scope="module")
def tls(guarded: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    """TLS in front of that server, which is built without."""
    with tls_front(guarded.port, tmp_path_factory.mktemp("tls")) as front:
        yield front


def test_a_wrong_or_missing_password_is_told_where_to_put_it(guarded: Server, shared_database: str) -> None:
    for password in ("", "wrong-" + SECRET):
        with pytest.raises(InvalidInputError, match="PGPASSFILE") as refusal:
            PostgresStore(guarded.tcp(shared_database, "v", role="alice", password=password))
        assert SECRET not in str(refusal.value)


def test_a_password_comes_from_a_file_or_the_environment(
    guarded: Server, shared_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pgpass"
    path.write_text(f"127.0.0.1:{guarded.port}:*:alice:{SECRET}\n")
    path.chmod(0o600)
    for name, value in {"PGPASSFILE": str(path), "PGPASSWORD": SECRET}.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with closing(PostgresStore(guarded.tcp(shared_database, "v", role="alice"))) as store:
                assert store.head() == 1
                assert SECRET not in store.location


def test_tls_settings_reach_the_connection(tls: TlsFront, shared_database: str) -> None:
    url = tls.url(shared_database, "v", SECRET, sslmode="verify-ca", sslrootcert=str(tls.certificate))
    with closing(PostgresStore(url)) as store, store._alive().connection() as db:
        assert db.pgconn.ssl_in_use
        assert db.execute("SHOW application_name").fetchone() == ("strongroom",)
        assert store.head() == 1


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_server_with_another_certificate_is_refused(
    tls: TlsFront, shared_database: str, tmp_path: Path, mode: str
) -> None:
    other = certificate(tmp_path)
    for root in (other, tmp_path / "missing"):
        with pytest.raises(InvalidInputError, match="sslrootcert") as refusal:
            PostgresStore(tls.url(shared_database, "v", SECRET, sslmode=mode, sslrootcert=str(root)))
        assert SECRET not in str(refusal.value)


def test_tls_that_the_server_does_not_speak_is_not_done_without(postgres: Server, shared_database: str) -> None:
    with pytest.raises(InvalidInputError, match="turn TLS on at the server"):
        PostgresStore(postgres.tcp(shared_database, "v", role="postgres", sslmode="require"))
