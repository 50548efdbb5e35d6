"""The PostgreSQL store keeps the protocol, and what is its own: hearing of commits, bounded reading, a pooler."""

import time
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from support.postgres import Server
from vault_core import UnavailableError, VaultTamperedError
from vault_core.store import Change, Head
from vault_core.store.postgres import PostgresStore, init, listener, rows
from vault_core.testing import StoreConformance
from vault_core.testing.conformance import FIRST, HEADER, NEXT_HEADER, at, commit, contents, write


class PostgresPlace:
    """A name in a database that no vault has yet."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create(self) -> PostgresStore:
        return PostgresStore(self.url, create=True)

    def open(self) -> PostgresStore:
        return PostgresStore(self.url)


class TestPostgresStore(StoreConformance):
    @pytest.fixture
    def place(self, postgres: Server, database: str) -> PostgresPlace:
        return PostgresPlace(postgres.url(database, "alice"))


class TestPostgresStoreBehindAPooler(StoreConformance):
    @pytest.fixture
    def place(self, postgres: Server, database: str) -> PostgresPlace:
        return PostgresPlace(postgres.url(database, "alice", pooler="yes"))


@pytest.fixture
def place(postgres: Server, database: str) -> PostgresPlace:
    """A vault with two commits and parts."""
    place = PostgresPlace(postgres.url(database, "alice"))
    with closing(place.create()) as store:
        store.create(HEADER, FIRST)
        commit(store, b"record", put_parts=[("old", b"part"), ("kept", b"part")])
    return place


EVERYTHING = Change(  # writes to every table in every way
    seq=3,
    entry=b"third",
    records=[b"new", b"newer"],
    erase=[at(2)],
    header=NEXT_HEADER,
    drop_parts=["old"],
    put_parts=[("new", b"part"), ("kept", b"changed")],
)


@pytest.mark.parametrize("table", ["vault", "entry", "record", "part"])
@pytest.mark.parametrize("state", ["53100", "40001", "57014"], ids=["disk full", "serialization", "stopped"])
def test_a_statement_that_fails_takes_the_whole_change_back(
    postgres: Server, own_database: str, table: str, state: str
) -> None:
    place = PostgresPlace(postgres.url(own_database, "alice"))
    with closing(place.create()) as store, postgres.connect(own_database) as db:
        store.create(HEADER, FIRST)
        commit(store, b"record", put_parts=[("old", b"part"), ("kept", b"part")])
        before = contents(store)
        db.execute(f"""
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$;
            CREATE TRIGGER fail AFTER INSERT OR UPDATE ON strongroom.{table} FOR EACH ROW EXECUTE FUNCTION fail()
        """)

        with pytest.raises(UnavailableError):
            write(store, EVERYTHING)
        assert contents(store) == before

        db.execute(f"DROP TRIGGER fail ON strongroom.{table}")
        write(store, EVERYTHING)
        assert store.head() == 3


def test_a_taken_address_is_refused_with_everything_it_brings(
    place: PostgresPlace, postgres: Server, database: str
) -> None:
    with closing(place.open()) as store, postgres.connect(database) as db:
        db.execute("INSERT INTO strongroom.record SELECT vault, %s, 'planted' FROM strongroom.record", (at(3, 1),))
        before = contents(store)

        with pytest.raises(VaultTamperedError):
            write(store, EVERYTHING)

        assert contents(store) == before


def test_a_commit_of_thousands_in_many_arrays_is_one(place: PostgresPlace) -> None:
    bodies = [b"%d" % n * 100 for n in range(5_000)] + [bytes([n]) * 3_000_000 for n in range(1, 4)]
    with closing(place.open()) as store:
        commit(store, *bodies)

        addresses = [at(3, n) for n in range(len(bodies))]
        assert store.records(addresses) == dict(zip(addresses, bodies, strict=True))


def test_entries_come_in_batches_of_bounded_size(place: PostgresPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    original = rows.read

    def read(db: object, query: str, values: object, *, most: int) -> list[tuple[object, ...]]:
        found = original(db, query, values, most=most)
        sizes.append(sum(len(row[1]) for row in found) if query is rows.ENTRIES else 0)
        return found

    with closing(place.open()) as store:
        for number in range(3, 13):
            write(store, Change(seq=number, entry=bytes([number]) * 4_000_000))
        monkeypatch.setattr(rows, "read", read)

        assert [seq for seq, _ in store.entries(0)] == list(range(1, 13))
    assert max(sizes) <= rows.BATCH_BYTES + 4_000_000


def test_a_server_that_gives_more_than_was_asked_for_is_given_up_on(postgres: Server, database: str) -> None:
    with postgres.connect(database) as db:
        with pytest.raises(VaultTamperedError):
            rows.read(db, "SELECT n FROM generate_series(1, 20000) AS m, generate_series(1, 20000) AS n", (), most=10)
        with pytest.raises(VaultTamperedError):
            rows.read(db, "SELECT decode(repeat('00', %b), 'hex')", (rows.MAX_BODY + 1,), most=1)

        assert db.execute("SELECT 1").fetchone() == (1,)


def test_what_another_session_commits_is_heard_of_without_asking(
    place: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "TRUSTED", 1e9)
    with closing(place.open()) as store, closing(place.open()) as other:
        store.moved()
        store.head()  # connects the listener
        store.moved()
        assert not store.moved()

        commit(other)
        assert store.moved()  # told directly: it is of this process
        until = time.monotonic() + 60
        store._ear.moved = False
        other._ear.token = "of another process"
        monkeypatch.setattr(listener.Listener, "tell", lambda *_: None)
        commit(other)
        while not (heard := store.moved()) and time.monotonic() < until:
            pass
        assert heard
        assert not store.moved()


def test_own_commits_are_no_news(place: PostgresPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "TRUSTED", 1e9)
    with closing(place.open()) as store, closing(place.open()) as other:
        for one in (store, other):
            one.moved(), one.head(), one.moved()

        commit(store)
        while not other.moved():  # the word of it has come to this process
            pass

        assert not store.moved()


def test_after_a_while_without_a_look_silence_proves_nothing(
    place: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(place.open()) as store:
        store.moved()
        store.head()
        store.moved()
        monkeypatch.setattr(listener, "TRUSTED", 0.0)

        assert store.moved()
        assert store.capabilities.lag == 5.0


def test_behind_a_pooler_nothing_outlives_a_transaction(postgres: Server, database: str) -> None:
    url = postgres.url(database, "alice", pooler="yes")
    with closing(PostgresStore(url, create=True)) as store:
        store.create(HEADER, FIRST)
        for number in range(2, 12):
            write(store, replace(EVERYTHING, seq=number))
            contents(store)
        with store._alive().connection() as db:
            left = [
                db.execute(query).fetchall()
                for query in (
                    "SELECT name FROM pg_prepared_statements",
                    "SELECT pg_listening_channels()",
                    "SELECT name, setting FROM pg_settings WHERE source = 'session'",
                    "SELECT name FROM pg_settings WHERE name = 'lock_timeout' AND setting <> '0'",
                )
            ]
    assert left == [[], [], [], []]


def test_where_the_owner_has_turned_waiting_for_the_disk_off_a_vault_waits(postgres: Server, own_database: str) -> None:
    with postgres.connect() as db:
        db.execute(f"ALTER DATABASE {own_database} SET synchronous_commit = off")
    store = PostgresStore(postgres.url(own_database, "v"), create=True)
    with closing(store), store._alive().connection() as db:
        assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_purging_leaves_nothing_that_a_query_could_find(place: PostgresPlace, postgres: Server, database: str) -> None:
    with closing(place.open()) as store:
        commit(store, b"s" * 5_000)
        commit(store, erase=[at(3)])

        assert store.purge(wait=False) is False
        assert store.purge()
        with postgres.connect(database) as db:
            assert db.execute("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'record'").fetchone() == (0,)


def test_purging_is_not_said_to_be_done_while_somebody_looks_at_an_older_state(
    place: PostgresPlace, postgres: Server, database: str
) -> None:
    with closing(place.open()) as store, postgres.connect(database) as db:
        db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        db.execute("SELECT count(*) FROM strongroom.record")
        commit(store, erase=[at(2)])

        assert not store.purge()
        db.execute("COMMIT")
        assert store.purge()


def test_a_role_that_does_not_own_the_tables_leaves_purging_to_the_server(postgres: Server, database: str) -> None:
    init(postgres.url(database), role="alice")
    with closing(PostgresStore(postgres.url(database, "v", role="alice"), create=True)) as store:
        store.create(HEADER, FIRST)
        commit(store, b"record")
        commit(store, erase=[at(2)])

        assert not store.purge()
        store.reclaim()


def test_what_is_already_erased_is_not_written_again(place: PostgresPlace, postgres: Server, database: str) -> None:
    with closing(place.open()) as store, postgres.connect(database) as db:
        commit(store, erase=[at(2)])
        before = db.execute("SELECT ctid FROM strongroom.record").fetchall()

        commit(store, erase=[at(2)])

        assert db.execute("SELECT ctid FROM strongroom.record").fetchall() == before


def test_bodies_are_stored_as_they_are(place: PostgresPlace, postgres: Server, database: str) -> None:
    """Compressing what is sealed costs time, and what is zeroed would change its size."""
    with closing(place.open()) as store:
        commit(store, bytes(100_000))
    with postgres.connect(database) as db:
        sizes = db.execute("SELECT pg_column_size(body) FROM strongroom.record ORDER BY address").fetchall()
    assert sizes[-1] == (100_000,)


def test_no_foreign_exception_leaves_the_store(place: PostgresPlace) -> None:
    with closing(place.open()) as store:

        def make(_: object) -> Change:
            raise psycopg.OperationalError("of a caller's own database")

        with pytest.raises(psycopg.OperationalError, match="of a caller's own"):
            store.append(make)  # what `make` raises is its own
        with pytest.raises(VaultTamperedError):
            write(store, Change(put_parts=[("name\0", b"")]))
        assert commit(store) == 3


def test_the_first_commits_of_a_connection_may_read_before_they_write(postgres: Server, own_database: str) -> None:
    """A connection that has not prepared its statements yet, as after five uses it has."""
    place = PostgresPlace(postgres.url(own_database, "alice"))
    with closing(place.create()) as store:
        store.create(HEADER, FIRST)

        def make(head: Head) -> Change:
            assert len(dict(store.entries(0))) == head.seq
            store.records([at(head.seq)])
            return Change(seq=head.seq + 1, entry=b"entry", records=[b"record"] * (head.seq % 2))

        for _ in range(8):
            store.append(make)

        assert store.head() == 9


def test_commits_that_fail_leave_no_connection_on_which_the_next_one_fails(postgres: Server, own_database: str) -> None:
    place = PostgresPlace(postgres.url(own_database, "alice"))
    with closing(place.create()) as store:
        store.create(HEADER, FIRST)
        commit(store, b"record")
        for tries in range(12):
            with pytest.raises(VaultTamperedError, match="taken"):
                write(store, Change(seq=2, entry=b"another", records=[b"other"], erase=[at(2)], drop_parts=["part"]))

            assert commit(store, b"record", erase=[at(2)], drop_parts=["part"]) == 3 + tries
