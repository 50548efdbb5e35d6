"""Many processes at once, and a server that dies under them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from support import postgres_crowd, vaults
from support.postgres import Server, server
from support.processes import Other
from vault_core import SessionStateError, UnavailableError, Vault
from vault_core.store import Change, Head
from vault_core.store.postgres import PostgresStore, rows
from vault_core.store.postgres import database as connections
from vault_core.testing.conformance import FIRST, HEADER, at, commit, contents

PROCESSES = 8
COMMITS = 100
VAULTS = 200
DEATHS = 2


@pytest.fixture
def url(postgres: Server, database: str) -> str:
    """A vault's URL; there is a header and an entry."""
    url = postgres.url(database, "crowd")
    with closing(PostgresStore(url, create=True)) as store:
        store.create(HEADER, FIRST)
    return url


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore(url)) as store:
        yield store


@pytest.fixture
def mortal() -> Iterator[Server]:
    """A server that a test may kill."""
    with server() as running:
        running.database("vaults")
        yield running


def test_of_800_commits_by_8_processes_none_is_lost_and_none_doubled(url: str) -> None:
    others = [Other(postgres_crowd.committing, url, f"writer {n}", COMMITS) for n in range(PROCESSES)]
    seqs = [other.hear() for other in others]
    assert [other.join() for other in others] == [0] * PROCESSES

    assert sorted(chain.from_iterable(seqs)) == list(range(2, 2 + PROCESSES * COMMITS))
    with closing(PostgresStore(url)) as store:
        written = {seq: body.decode() for seq, body in _records(store).items()}
        assert [seq for seq, _ in store.entries(0)] == list(range(1, 2 + PROCESSES * COMMITS))
    assert written == {seq: f"writer {n} {number}" for n, mine in enumerate(seqs) for number, seq in enumerate(mine)}


def test_memories_added_by_8_processes_are_all_there_once(tmp_path: Path, postgres: Server, database: str) -> None:
    url = postgres.url(database, "shared by all")
    with Vault.create(url, unlock=vaults.key_in(tmp_path)) as vault:
        others = [Other(postgres_crowd.adding, url, tmp_path, f"writer {n}", 25) for n in range(PROCESSES)]
        assert [other.hear() for other in others] == ["done"] * PROCESSES

        vault.add("the last")  # a write has to see everything
        found = Counter(vaults.texts(vault))
        vault.verify(full=True)
    assert {f"writer {n} {number}" for n in range(PROCESSES) for number in range(25)} <= set(found)
    assert set(found.values()) == {1}


def test_200_vaults_are_written_by_8_processes_in_one_database_at_once(
    tmp_path: Path, postgres: Server, database: str
) -> None:
    vaults.key_in(tmp_path)
    urls = [postgres.url(database, f"vault {number}") for number in range(VAULTS)]
    others = [Other(postgres_crowd.creating, urls[n::PROCESSES], tmp_path / "key") for n in range(PROCESSES)]
    assert [other.hear() for other in others] == ["done"] * PROCESSES

    for url in urls:
        with Vault.open(url, unlock=vaults.key_in(tmp_path), read_only=True) as vault:
            assert vaults.texts(vault) == [f"0 of {url}", f"1 of {url}"]


@pytest.mark.parametrize("how", ["kill", "immediate"])
def test_when_the_server_dies_under_load_nothing_acknowledged_is_lost_and_sessions_go_on(
    tmp_path: Path, mortal: Server, how: str
) -> None:
    url = mortal.url("vaults", "restless")
    Vault.create(url, unlock=vaults.key_in(tmp_path)).close()
    others = [Other(postgres_crowd.going_on, url, tmp_path, f"writer {n}") for n in range(3)]
    for _ in range(DEATHS):
        for other in others:
            other.hear()  # each has had more acknowledged, after the last death too
        mortal.kill() if how == "kill" else mortal.stop("immediate")
        mortal.start()
        for other in others:
            while other.pipe.poll():
                other.hear()  # said before it died
    for other in others:
        other.hear()
        other.say("stop")
    told = [_last(other) for other in others]
    assert [other.join() for other in others] == [0] * 3

    with Vault.open(url, unlock=vaults.key_in(tmp_path)) as vault:
        found = Counter(vaults.texts(vault))
        vault.verify(full=True)
    acknowledged = {text for mine, _, _ in told for text in mine}
    assert acknowledged <= set(found)
    assert set(found.values()) == {1}
    assert len(found) - len(acknowledged) <= sum(failed for _, failed, _ in told)


def test_a_dead_connection_is_replaced_without_anybody_noticing(
    postgres: Server, database: str, store: PostgresStore
) -> None:
    for number in range(3):
        _end_all(postgres, database)

        assert commit(store, b"record") == 2 + number
        _end_all(postgres, database)
        assert store.head() == 2 + number
        assert store.moved()


def test_a_connection_that_dies_inside_of_the_critical_section_is_unavailable_and_writes_nothing(
    postgres: Server, database: str, store: PostgresStore
) -> None:
    def make(head: Head) -> Change:
        _end_all(postgres, database)
        return Change(seq=head.seq + 1, entry=b"entry")

    with pytest.raises(UnavailableError, match="nothing was written"):
        store.append(make)

    assert store.head() == 1
    assert commit(store, b"record") == 2


def test_a_commit_whose_answer_is_lost_is_found_to_be_there(
    postgres: Server, database: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing(*arguments: Any, **options: Any) -> None:
        original(*arguments, **options)
        _end_all(postgres, database)
        arguments[0].execute("SELECT 1")  # as if the answer had not come

    original = rows.commit
    with monkeypatch.context() as patch:
        patch.setattr(rows, "commit", losing)
        assert commit(store, b"record") == 2

    assert store.records([at(2)]) == {at(2): b"record"}
    assert commit(store) == 3


def test_a_writer_that_is_killed_in_the_critical_section_keeps_nobody_out(url: str, store: PostgresStore) -> None:
    other = Other(postgres_crowd.waiting, url)
    assert other.hear() == "inside"

    other.kill()

    assert commit(store) == 2


def test_waiting_for_another_writer_ends_as_unavailable(postgres: Server, database: str, url: str) -> None:
    with Other(postgres_crowd.waiting, url) as other:
        assert other.hear() == "inside"
        patient = postgres.url(database, "crowd", options="-c lock_timeout=50ms")
        with closing(PostgresStore(patient)) as store:
            with pytest.raises(UnavailableError, match="holds the vault for too long"):
                commit(store)
            other.say("go on")
        other.join()
    with closing(PostgresStore(url)) as store:
        assert commit(store) == 2


def test_a_statement_that_takes_too_long_is_unavailable(postgres: Server, database: str, url: str) -> None:
    with closing(PostgresStore(postgres.url(database, "crowd", options="-c statement_timeout=200ms"))) as store:
        with postgres.connect(database) as db, db.transaction():
            db.execute("LOCK TABLE strongroom.entry")
            with pytest.raises(UnavailableError, match="took too long"):
                store.head()
        assert store.head() == 1


def test_when_all_connections_are_in_use_the_next_caller_hears_so(
    url: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LOOK", 0.05)
    monkeypatch.setattr(connections, "_PATIENCE", 0.1)
    others = [PostgresStore(url) for _ in range(connections.CONNECTIONS)]

    def nested(left: list[PostgresStore]) -> None:
        """A caller's code that, while writing to one vault, reads from others in the middle of their commits."""
        if not left:
            with pytest.raises(UnavailableError, match="in use"):
                store.head()
            return
        with left[0]._alive().connection():
            nested(left[1:])

    nested(others)

    assert store.head() == 1
    for other in others:
        other.close()


def test_reading_inside_of_make_needs_no_second_connection(url: str) -> None:
    """Otherwise as many writers as there are connections would wait for each other."""
    stores = [PostgresStore(url) for _ in range(connections.CONNECTIONS + 1)]

    def make(head: Head) -> None:
        for store in stores[:1]:
            assert store._held is not None
            assert contents(store)[1] == head.seq

    with stores[1]._alive().connection(), stores[1]._alive().connection(), stores[1]._alive().connection():
        stores[0].append(make)  # on the last connection that is left
    for store in stores:
        store.close()


def test_a_closed_store_says_so(url: str) -> None:
    store = PostgresStore(url)
    store.close()

    for use in (
        store.head,
        store.read_header,
        store.moved,
        store.parts,
        store.size,
        store.reclaim,
        lambda: commit(store),
    ):
        with pytest.raises(SessionStateError):
            use()


def test_a_read_only_store_refuses_every_write(url: str) -> None:
    with closing(PostgresStore(url, read_only=True)) as store:
        before = contents(store)

        for use in (store.reclaim, lambda: commit(store)):
            with pytest.raises(SessionStateError):
                use()

        assert store.purge() is False
        assert contents(store) == before


def _end_all(postgres: Server, database: str) -> None:
    """Cut every connection that a store has."""
    with postgres.connect() as db:
        db.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (database,))


def _records(store: PostgresStore) -> dict[int, bytes]:
    return {address >> 24: body for address, body in store.records(list(store.addresses(-1))).items()}


def _last(other: Other) -> Any:
    while not isinstance(told := other.hear(), tuple):
        pass
    return told
