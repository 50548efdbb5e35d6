"""The SQLite store keeps the protocol, and what is its own: one transaction for a change, no foreign exception."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from vault_core import InvalidInputError, SessionStateError, UnavailableError, VaultNotFoundError, VaultTamperedError
from vault_core.store import Change, Head, SqliteStore
from vault_core.testing import StoreConformance
from vault_core.testing.conformance import FIRST, HEADER, NEXT_HEADER, at, commit, contents, write

EVERYTHING = Change(  # writes to every table in every way
    seq=3,
    entry=b"third",
    records=[b"new", b"newer"],
    erase=[at(2)],  # erased already after the first time, which changes nothing
    header=NEXT_HEADER,
    drop_parts=["old"],
    put_parts=[("new", b"part"), ("kept", b"changed")],
)


class SqlitePlace:
    """A file that is not there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> SqliteStore:
        return SqliteStore(self.path, create=True)

    def open(self) -> SqliteStore:
        return SqliteStore(self.path)


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> SqlitePlace:
        return SqlitePlace(tmp_path / "alice.vault")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two commits and a part."""
    path = tmp_path / "alice.vault"
    with closing(SqliteStore(path, create=True)) as store:
        store.create(HEADER, FIRST)
        commit(store, b"record", put_parts=[("old", b"part"), ("kept", b"part")])
    return path


class Failing(sqlite3.Connection):
    """A connection whose n-th statement fails like one on a full disk, maybe after it was carried out."""

    at = 0
    left: int | None = None
    failed = ""
    afterwards = False

    def begin(self, *, afterwards: bool) -> None:
        """Let the next statement fail than the one that failed last."""
        self.at, self.failed, self.afterwards = self.at + 1, "", afterwards
        self.left = self.at

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self._counted(sql, partial(super().execute, sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        return self._counted(sql, partial(super().executemany, sql, parameters))

    def _counted(self, sql: str, work: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        if self.left is not None:
            self.left -= 1
        if self.left != 0:
            return work()
        self.left, self.failed = None, sql
        if self.afterwards:
            work()
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error


@pytest.fixture
def failing(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SqliteStore, Failing]]:
    """A store on that file, and its connection that can be told to fail."""
    made: list[Failing] = []

    def connect(*arguments: Any, **options: Any) -> Failing:
        made.append(original(*arguments, **options, factory=Failing))
        return made[-1]

    original = sqlite3.connect
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        store = SqliteStore(path)
    yield store, made[0]
    store.close()


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
def test_a_statement_that_fails_takes_the_whole_change_back(
    failing: tuple[SqliteStore, Failing], path: Path, afterwards: bool
) -> None:
    """| the statement that fails | before it is carried out | after it is carried out |
    |---|---|---|
    | COMMIT | nothing of the change is there | all of it is |
    | any other | nothing of the change is there | nothing of it is |
    """
    store, connection = failing
    commit(store)
    while True:
        with closing(SqliteStore(path)) as other:
            write(other, Change(seq=other.head() + 1, entry=b"", put_parts=[("old", b"part"), ("kept", b"part")]))
            before = contents(other)
        change = replace(EVERYTHING, seq=store.head() + 1)
        connection.begin(afterwards=afterwards)
        try:
            write(store, change)
        except UnavailableError:
            with closing(SqliteStore(path)) as other:
                last = connection.failed == "COMMIT"
                assert (contents(other) == before) is not (last and afterwards)
                assert other.head() == change.seq - 1 + (last and afterwards)
            assert store.head() == change.seq - 1 + (last and afterwards)
        else:
            break
    assert connection.at > 10  # every statement of the change had its turn


def test_what_make_raises_passes_as_it_is(path: Path) -> None:
    """Also what looks like an error of SQLite's: it may come from the caller of a transaction."""
    with closing(SqliteStore(path)) as store:
        for error in (sqlite3.OperationalError("mine"), OverflowError("mine"), MemoryError("mine")):

            def make(_: Head, error: Exception = error) -> Change:
                raise error

            with pytest.raises(type(error), match="mine"):
                store.append(make)


def test_a_taken_address_is_refused_with_everything_it_brings(path: Path) -> None:
    change(path, "INSERT INTO record VALUES (?, ?)", at(3, 1), b"planted")

    with closing(SqliteStore(path)) as store:
        before = contents(store)
        with pytest.raises(VaultTamperedError):
            write(store, EVERYTHING)
        assert contents(store) == before


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("INSERT INTO entry VALUES (?, ?)", (1 << 40, b"far")),
        ("INSERT INTO entry VALUES (?, ?)", (3, "text")),
        ("UPDATE header SET body = ?", ("text",)),
        ("DELETE FROM header", ()),
    ],
    ids=["seq beyond addresses", "entry of text", "header of text", "no header"],
)
def test_a_row_that_no_store_writes_is_tampering(path: Path, statement: str, values: tuple[Any, ...]) -> None:
    change(path, statement, *values)

    with closing(SqliteStore(path)) as store, pytest.raises(VaultTamperedError):
        contents(store)


def test_a_session_that_is_closed_says_so(path: Path) -> None:
    store = SqliteStore(path)
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


def test_a_read_only_store_refuses_every_write(path: Path) -> None:
    with closing(SqliteStore(path, read_only=True)) as store:
        before = contents(store)

        with pytest.raises(SessionStateError):
            commit(store)
        with pytest.raises(SessionStateError):
            store.reclaim()
        assert store.purge() is False
        assert contents(store) == before


def test_a_folder_that_is_missing_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(VaultNotFoundError, match="folder"):
        SqliteStore(tmp_path / "missing" / "alice.vault", create=True)

    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long_for_the_machine_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        SqliteStore(tmp_path / ("a" * 300))


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_nobody_else_of_this_machine_can_read_the_files(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "alice.vault", create=True)) as store:
        store.create(HEADER, FIRST)
        store.lock(exclusive=False)
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}

    assert len(modes) == 4  # the vault, its WAL, the index of that, the lock
    assert set(modes.values()) == {0o600}


def change(path: Path, statement: str, *values: Any) -> None:
    """Change the file behind the store's back."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement, values)
