"""Commits that are made beforehand and written in one round trip, on condition that nobody else has written."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from support.postgres import Server
from vault_core import UnavailableError
from vault_core.store import Change, Head
from vault_core.store.postgres import PostgresStore, rows
from vault_core.testing.conformance import FIRST, HEADER, at, commit, contents


@pytest.fixture
def url(postgres: Server, database: str) -> str:
    """A vault's URL; there is a header and an entry."""
    url = postgres.url(database, "at once")
    with closing(PostgresStore(url, create=True)) as store:
        store.create(HEADER, FIRST)
    return url


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    """A store that wrote last: commit 2."""
    with closing(PostgresStore(url)) as store:
        assert commit(store, b"second") == 2
        yield store


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[Head]:
    """The heads that were shown in a critical section."""
    shown: list[Head] = []
    begin = rows.begin

    def seen(*arguments: Any, **options: Any) -> Head:
        shown.append(begin(*arguments, **options))
        return shown[-1]

    monkeypatch.setattr(rows, "begin", seen)
    return shown


def making(heads: list[Head], entry: bytes = b"entry") -> Callable[[Head], Change]:
    """A `make` that notes what it was shown."""

    def make(head: Head) -> Change:
        heads.append(head)
        return Change(seq=head.seq + 1, entry=entry, records=[b"record"])

    return make


def test_who_wrote_last_writes_again_without_entering_the_section(
    store: PostgresStore, url: str, turns: list[Head]
) -> None:
    assert [commit(store, b"one", b"two"), commit(store)] == [3, 4]

    assert turns == []
    with closing(PostgresStore(url)) as other:
        assert other.head() == 4
        assert other.records([at(3), at(3, 1)]) == {at(3): b"one", at(3, 1): b"two"}


@pytest.mark.parametrize(
    "also",
    [
        {"erase": [at(2)]},
        {"header": rows.StoredHeader(b"another", bytes(64))},
        {"drop_parts": ["a"]},
        {"purge": True},
        {"put_parts": [("a", b"part")]},
        {"records": [bytes(3 << 20), bytes(3 << 20)]},
    ],
    ids=lambda also: next(iter(also)),
)
def test_what_is_more_than_a_few_records_takes_its_turn(
    store: PostgresStore, turns: list[Head], also: dict[str, Any]
) -> None:
    records = also.pop("records", [b"record"])

    assert commit(store, *records, **also) == 3
    assert len(turns) == 1
    assert commit(store) == 4
    assert len(turns) == 1


def test_a_commit_made_for_a_past_state_is_not_written_but_made_anew(
    store: PostgresStore, url: str, turns: list[Head]
) -> None:
    with closing(PostgresStore(url)) as other:
        assert commit(other, b"theirs") == 3
    heads: list[Head] = []
    turns.clear()

    change = store.append(making(heads))

    assert [head.seq for head in heads] == [2, 3]
    assert change is not None
    assert change.seq == 4
    assert [head.seq for head in turns] == [3]
    assert store.records([at(3), at(4)]) == {at(3): b"theirs", at(4): b"record"}


def test_where_others_write_too_a_store_takes_its_turn_at_once(
    store: PostgresStore, url: str, turns: list[Head]
) -> None:
    heads: list[Head] = []
    with closing(PostgresStore(url)) as other:
        for _ in range(3):
            commit(other)
            store.append(making(heads))

    assert [head.seq for head in heads] == [2, 3, 5, 7]  # in vain only the first time
    assert store.head() == 8


def test_a_look_that_shows_others_commits_ends_the_expectation(store: PostgresStore, url: str) -> None:
    with closing(PostgresStore(url)) as other:
        commit(other)
    heads: list[Head] = []

    assert store.head() == 3
    store.append(making(heads))

    assert [head.seq for head in heads] == [3]


def test_a_refusal_of_a_past_state_is_asked_again_and_one_of_the_present_passes(store: PostgresStore, url: str) -> None:
    asked: list[int] = []

    def make(head: Head) -> Change:
        asked.append(head.seq)
        if head.seq == 2:
            raise LookupError("not there")
        return Change(seq=head.seq + 1, entry=b"entry")

    with pytest.raises(LookupError):
        store.append(make)
    assert asked == [2]
    with closing(PostgresStore(url)) as other:
        commit(other)

    assert store.append(make) is not None
    assert asked == [2, 2, 3]


def test_what_writes_nothing_is_asked_once_unless_somebody_else_has_written(
    store: PostgresStore, url: str, turns: list[Head]
) -> None:
    asked: list[int] = []

    assert store.append(lambda head: asked.append(head.seq)) is None
    assert (asked, turns) == ([2], [])
    with closing(PostgresStore(url)) as other:
        commit(other)

    assert store.append(lambda head: asked.append(head.seq)) is None
    assert asked == [2, 2, 3]


def test_a_header_that_is_not_the_expected_one_bars_a_commit_made_for_it(
    store: PostgresStore, postgres: Server, database: str, turns: list[Head]
) -> None:
    with postgres.connect(database) as db:
        db.execute("UPDATE strongroom.vault SET mac = %b", (bytes([1] * 64),))

    assert commit(store) == 3
    assert [head.header for head in turns] == [HEADER._replace(mac=bytes([1] * 64))]


def test_a_log_that_went_back_is_not_written_to_beyond_its_end(
    store: PostgresStore, postgres: Server, database: str
) -> None:
    with postgres.connect(database) as db:
        db.execute("DELETE FROM strongroom.record WHERE address >> 24 = 2")
        db.execute("DELETE FROM strongroom.entry WHERE seq = 2")
    heads: list[Head] = []

    store.append(making(heads))

    assert [head.seq for head in heads] == [2, 1]
    assert [seq for seq, _ in store.entries(0)] == [1, 2]


def losing(postgres: Server, database: str, *, before: bool) -> tuple[Callable[..., bool], list[Any]]:
    """`rows.commit_at` with the connection cut before or after it has taken effect; and what it was asked to do."""
    original, asked = rows.commit_at, list[Any]()

    def lost(db: Any, *arguments: Any, **options: Any) -> bool:
        asked[:] = [arguments, options]
        if not before:
            assert original(db, *arguments, **options)
        with postgres.connect() as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", (db.info.backend_pid,))
        db.execute("SELECT 1")
        raise AssertionError("the connection is still there")

    return lost, asked


@pytest.mark.parametrize("before", [True, False], ids=["before it is there", "after"])
def test_a_commit_whose_answer_is_lost_is_there_once(
    store: PostgresStore, postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    lost, asked = losing(postgres, database, before=before)
    with monkeypatch.context() as patch:
        patch.setattr(rows, "commit_at", lost)
        assert commit(store, b"once") == 3
    then = contents(store)

    arguments, options = asked  # which the server may get to do only now
    with psycopg.connect(store._address.conninfo, autocommit=True) as late:
        assert not rows.commit_at(late, *arguments, **options)

    assert contents(store) == then
    assert store.records([at(3)]) == {at(3): b"once"}


def test_a_lost_commit_whose_number_another_has_taken_is_made_anew(
    store: PostgresStore, url: str, postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, _ = losing(postgres, database, before=True)
    heads: list[Head] = []

    def beaten(*arguments: Any, **options: Any) -> bool:
        with closing(PostgresStore(url)) as other:
            assert commit(other, b"theirs") == 3
        return lost(*arguments, **options)

    monkeypatch.setattr(rows, "commit_at", beaten)
    change = store.append(making(heads, b"ours"))

    assert change is not None
    assert change.seq == 4
    assert [entry for _, entry in store.entries(2)] == [b"entry 3", b"ours"]


def test_a_lost_commit_to_a_vault_that_is_not_what_it_was_is_unavailable(
    store: PostgresStore, postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, _ = losing(postgres, database, before=True)

    def and_changed(*arguments: Any, **options: Any) -> bool:
        with postgres.connect(database) as db:
            db.execute("UPDATE strongroom.vault SET mac = %b", (bytes([1] * 64),))
        return lost(*arguments, **options)

    monkeypatch.setattr(rows, "commit_at", and_changed)
    with pytest.raises(UnavailableError):
        commit(store)

    assert store.head() == 2
