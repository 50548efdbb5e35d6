"""Attacks on vaults in PostgreSQL and on the sealed cache in front of them, as an outsider would try them."""

import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from support import vaults
from support.postgres import Server
from vault_core import InvalidInputError, RollbackError, Transaction, UnavailableError, Vault, VaultTamperedError
from vault_core.store import kept as keeping
from vault_core.store.location import open_store
from vault_core.store.postgres import init
from vault_core.store.postgres.attended import Attended
from vault_core.store.postgres.refusals import translation
from vault_core.store.retry import RetryPolicy

SECRET = "s3cr3tpart"


@pytest.fixture
def create(tmp_path: Path) -> Callable[[str], Vault]:
    return lambda url: Vault.create(url, unlock=vaults.key_in(tmp_path))


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[[str], Vault]:
    return lambda url: Vault.open(url, unlock=vaults.key_in(tmp_path))


Opener = Callable[[str], Vault]


# what is said


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:pa@{SECRET}@127.0.0.1:1/db?vault=x",
        f"postgresql://u:1/{SECRET}@127.0.0.1:1/db?vault=x",
        f"postgresql://u:pa?{SECRET}@127.0.0.1:1/db?vault=x",
        f"postgresql://u:pa?{SECRET}=1@127.0.0.1:1/db?vault=x",
        f"postgresql://u:pa?vault={SECRET}@127.0.0.1:1/db?vault=x",
        f"postgresql://u@127.0.0.1:1/db?vault=x&password=pa&{SECRET}",
        f"postgresql://u@127.0.0.1:1/db?vault=x&password=pa&{SECRET}=1",
        f"postgresql:/u:{SECRET}@127.0.0.1:1/db?vault=x",
    ],
)
def test_a_password_that_was_not_escaped_is_in_no_error(url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Vault.open(url, passphrase=vaults.PASSPHRASE)

    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("option", ["cache=%00", "cache=/tmp/%00x"])
def test_a_cache_folder_that_can_not_be_is_refused(
    postgres: Server, database: str, create: Opener, option: str
) -> None:
    with pytest.raises(InvalidInputError, match="cache"):
        create(f"{postgres.url(database, 'x')}&{option}")


@pytest.mark.parametrize("name", ["日本/%", "a'b\"c", "../..", "a&b=c+d e", "x" * 200, "%2F", "é" * 200])
def test_names_of_all_kinds_lead_to_their_own_vault(
    postgres: Server, database: str, create: Opener, reopen: Opener, name: str
) -> None:
    url = postgres.url(database, name)
    with create(url) as vault, create(postgres.url(database, "another")):
        vault.add(f"in {name}")
        shown = vault.stats().location

    with reopen(url) as vault, reopen(shown) as same:
        assert vaults.texts(vault) == vaults.texts(same) == [f"in {name}"]


@pytest.mark.parametrize("role", ["none", "public", "pg_vaults"])
def test_a_reserved_role_is_refused_by_its_name(postgres: Server, database: str, role: str) -> None:
    with pytest.raises(InvalidInputError, match="choose another"):
        init(postgres.url(database), role=role)


def test_a_connection_that_has_no_transactions_is_refused_at_once(
    postgres: Server, database: str, create: Opener
) -> None:
    with pytest.raises(InvalidInputError, match="no option 'replication'"):
        create(postgres.url(database, "x", replication="database"))


# what the surroundings are set to


def test_a_transaction_timeout_is_no_damage() -> None:
    assert isinstance(translation(psycopg.errors.lookup("25P04")()), UnavailableError)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
@pytest.mark.parametrize("how", ["environment", "URL"])
def test_another_client_encoding_changes_nothing(
    postgres: Server,
    database: str,
    create: Opener,
    reopen: Opener,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    how: str,
) -> None:
    url = postgres.url(database, "日本é", **({"client_encoding": encoding} if how == "URL" else {}))
    if how == "environment":
        monkeypatch.setenv("PGCLIENTENCODING", encoding)
    with create(url) as vault:
        vault.add("緑茶")
        vault.checkpoint()

    with reopen(url) as vault:
        assert vaults.texts(vault) == ["緑茶"]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_writers_see_each_other_whatever_isolation_the_database_is_set_to(
    postgres: Server, own_database: str, create: Opener, reopen: Opener, level: str
) -> None:
    url = postgres.url(own_database, "isolated")
    with postgres.connect() as db:
        db.execute(f"ALTER DATABASE {own_database} SET default_transaction_isolation = '{level}'".encode())
    create(url).close()

    def write(writer: int) -> None:
        with reopen(url) as vault:
            for number in range(10):
                vault.add(f"{writer} {number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    with reopen(url) as vault:
        assert sorted(vaults.texts(vault)) == sorted(f"{n} {number}" for n in range(4) for number in range(10))


# a server that says nothing


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Everything of the server stands still: it keeps its connections, and the kernel answers for it."""
    children = subprocess.run(["pgrep", "-P", str(server.pid)], check=True, capture_output=True)  # noqa: S607
    everything = [server.pid, *map(int, children.stdout.split())]
    try:
        for pid in everything:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in everything:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault_core.store.postgres.address.SILENCE", 0.5)
    monkeypatch.setattr("vault_core.store.postgres.database._EAR", 0.5)
    monkeypatch.setattr(Attended, "silence", 0.5)
    monkeypatch.setattr("vault_core.store.retry.RetryPolicy", lambda: RetryPolicy(attempts=1))


@pytest.mark.usefixtures("impatient")
def test_a_server_that_stands_still_is_unavailable_and_the_session_goes_on_when_it_does(
    postgres: Server, database: str, create: Opener
) -> None:
    with create(postgres.url(database, "x", connect_timeout="2")) as vault:
        vault.add("before")
        with frozen(postgres), pytest.raises(UnavailableError, match="can't be reached"):
            vault.add("meanwhile")
        vault.add("meanwhile")
        vault.add("after")

        assert vaults.texts(vault) == ["before", "meanwhile", "after"]
        vault.verify(full=True)


@pytest.mark.usefixtures("impatient")
def test_a_commit_that_was_sent_to_a_server_that_stands_still_is_there_once(
    postgres: Server, database: str, create: Opener, reopen: Opener
) -> None:
    url = postgres.url(database, "x", connect_timeout="2")
    with create(url) as vault:
        with ExitStack() as still:

            def freezing(tx: Transaction) -> None:
                tx.add("meanwhile", id="one")
                still.enter_context(frozen(postgres))

            with pytest.raises(UnavailableError, match="may be there or not"):
                vault.transact(freezing)
        vault.add("after")

        assert vaults.texts(vault) in (["meanwhile", "after"], ["after"])
        with reopen(url) as another:
            assert vaults.texts(vault) == vaults.texts(another)
        vault.verify(full=True)


@pytest.mark.usefixtures("impatient")
def test_a_session_of_a_server_that_stands_still_can_be_closed(postgres: Server, database: str, create: Opener) -> None:
    vault = create(postgres.url(database, "x", connect_timeout="2"))
    with frozen(postgres):
        vault.close()


# two vaults at one URL


def test_a_vault_that_takes_the_place_of_another_is_not_mixed_up_with_it(
    postgres: Server, database: str, create: Opener, reopen: Opener
) -> None:
    url = postgres.url(database, "diary")
    with create(url) as old:
        old.add("of the old one")
        old.checkpoint()
        postgres.empty(database)
        with create(url) as new:
            new.add("of the new one")
            with pytest.raises((RollbackError, VaultTamperedError)):
                old.add("into which?")
            assert vaults.texts(new) == ["of the new one"]

    with reopen(url) as new:
        assert vaults.texts(new) == ["of the new one"]
        assert vaults.found(new, "one") == ["of the new one"]


# what stays in the cache


def cached(machine: Path) -> set[int]:
    """The addresses of the records of which this machine keeps copies."""
    (path,) = (machine / "cache").glob("*.cache")
    with closing(sqlite3.connect(path)) as db:
        return {address for (address,) in db.execute("SELECT address FROM record")}


def kept_parts(machine: Path) -> set[str]:
    (path,) = (machine / "cache").glob("*.cache")
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM part")}


def heard(machine: Path) -> int:
    (path,) = (machine / "cache").glob("*.cache")
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT seq FROM heard").fetchone()[0])


@contextmanager
def elsewhere(folder: Path) -> Iterator[None]:
    """Another machine, with its own cache and anchors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRONGROOM_STATE_DIR", str(folder))
        patch.setenv("STRONGROOM_CACHE_DIR", str(folder / "cache"))
        yield


def test_what_could_not_be_dropped_while_the_cache_was_busy_is_dropped_at_a_later_opening(
    postgres: Server, database: str, create: Opener, reopen: Opener, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        keeping, "_PRAGMAS", tuple(one.replace("busy_timeout=2000", "busy_timeout=0") for one in keeping._PRAGMAS)
    )
    url = postgres.url(database, "x")
    with create(url) as vault:
        secret = vault.add("a secret").id
    with reopen(url) as vault:
        (path,) = (machine / "cache").glob("*.cache")
        with closing(sqlite3.connect(path, isolation_level=None)) as busy:
            busy.execute("BEGIN IMMEDIATE")
            vault.forget(secret)
        vault.checkpoint()
        vault.add("more")
    erased = [address for address in cached(machine) if not any(stored(url, address))]
    assert erased, "the attack has to hit: the copy is still there"

    with reopen(url) as vault:
        vaults.texts(vault)

    assert [address for address in cached(machine) if not any(stored(url, address))] == []


def stored(url: str, address: int) -> bytes:
    """What the store itself holds at an address."""
    with closing(open_store(url)) as store:
        store.read_header()
        return store.origin.records([address])[address]


def test_what_a_session_failed_to_follow_is_not_said_to_be_heard_of(
    postgres: Server,
    database: str,
    create: Opener,
    reopen: Opener,
    machine: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = postgres.url(database, "x")
    with create(url) as vault:
        secret = vault.add("a secret").id
    vault = reopen(url)
    before = heard(machine)
    with elsewhere(tmp_path / "elsewhere"), reopen(url) as other:
        other.forget(secret)
        other.checkpoint()
        other.add("more")

    def fail(*_: object) -> None:
        raise UnavailableError("the way is gone")

    with monkeypatch.context() as patch:
        patch.setattr("vault_core.log.log.decode_ops", fail)
        with pytest.raises(UnavailableError):
            vault.add("never")
    vault.close()
    assert heard(machine) == before

    with reopen(url) as vault:
        assert vaults.texts(vault) == ["more"]
    assert [address for address in cached(machine) if not any(stored(url, address))] == []


def test_a_cache_that_comes_back_from_a_backup_brings_nothing_back(
    postgres: Server, database: str, create: Opener, reopen: Opener, machine: Path
) -> None:
    url = postgres.url(database, "x")
    with create(url) as vault:
        secret = vault.add("a secret").id
    (path,) = (machine / "cache").glob("*.cache")
    backup = path.read_bytes()
    with reopen(url) as vault:
        vault.forget(secret)
        vault.checkpoint()
    path.write_bytes(backup)

    with reopen(url) as vault:
        assert vaults.texts(vault) == vaults.found(vault, "secret") == []
    assert [address for address in cached(machine) if not any(stored(url, address))] == []


def test_a_cache_file_that_is_a_link_is_not_followed(
    postgres: Server, database: str, create: Opener, reopen: Opener, machine: Path, tmp_path: Path
) -> None:
    url = postgres.url(database, "x")
    with create(url) as vault:
        vault.add("tea")
    (path,) = (machine / "cache").glob("*.cache")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE mine (one)")
    before = other.read_bytes()
    path.unlink()
    path.symlink_to(other)

    with reopen(url) as vault:
        assert vaults.texts(vault) == ["tea"]
    assert other.read_bytes() == before
    assert not path.is_symlink()


def kill(vault: Vault) -> None:
    """End a session as SIGKILL would: nothing is tidied up."""
    vault._session.store.inner.close()  # type: ignore[attr-defined]
    vault._session.forked()


def test_snapshots_that_a_killed_session_heard_to_be_outdated_leave_the_cache_at_the_next_opening(
    postgres: Server, database: str, create: Opener, reopen: Opener, machine: Path, tmp_path: Path
) -> None:
    url = postgres.url(database, "x")
    with create(url) as vault:
        secret = vault.add("a secret").id
        vault.checkpoint()
    vault = reopen(url)
    old = parts_of(url)
    with elsewhere(tmp_path / "elsewhere"), reopen(url) as other:
        other.forget(secret)
        other.checkpoint()
    for text in ("hears of it", "and goes on"):
        vault.add(text)
        vault._session.follow_now()
    kill(vault)
    assert old & kept_parts(machine), "the attack has to hit: the copies are still there"

    reopen(url).close()

    assert kept_parts(machine) <= parts_of(url)


class Machine:
    """One of several computers, with its own cache and anchors, on which sessions begin and end or are killed."""

    def __init__(self, folder: Path, url: str, key: Path) -> None:
        self.folder, self.url, self.key = folder, url, key
        self.sessions: list[Vault] = []

    def open(self) -> Vault:
        with elsewhere(self.folder):
            return Vault.open(self.url, unlock=vaults.key_in(self.key))

    def a_session(self, chance: random.Random) -> Vault:
        if len(self.sessions) < 2 and (not self.sessions or chance.random() < 0.3):
            self.sessions.append(self.open())
        return chance.choice(self.sessions)

    def end_one(self, chance: random.Random) -> None:
        if self.sessions:
            vault = self.sessions.pop(chance.randrange(len(self.sessions)))
            if chance.random() < 0.5:
                kill(vault)
            else:
                vault.close()

    def rest(self) -> tuple[set[int], set[str]]:
        """What the cache holds once all sessions have ended and another one has looked."""
        for vault in self.sessions:
            vault.close()
        with self.open() as vault:
            vaults.texts(vault)
        return cached(self.folder), kept_parts(self.folder)


@pytest.mark.parametrize("seed", range(4))
def test_on_two_machines_whose_sessions_are_killed_nothing_forgotten_stays_and_nothing_else_is_lost(
    postgres: Server, database: str, create: Opener, tmp_path: Path, seed: int
) -> None:
    url = postgres.url(database, "x")
    create(url).close()

    assert left_behind(url, tmp_path, random.Random(seed)) == set()


def test_a_cache_that_drops_nothing_is_found_out(
    postgres: Server, database: str, create: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping.Kept, "drop_records", lambda *_: True)
    monkeypatch.setattr(keeping.Kept, "drop_parts", lambda *_: None)
    url = postgres.url(database, "x")
    create(url).close()

    assert {kind for kind, _ in left_behind(url, tmp_path, random.Random(0))} == {"record", "part"}


def parts_of(url: str) -> set[str]:
    with closing(open_store(f"{url}&cache=no")) as store:
        return set(store.parts())


def left_behind(url: str, folder: Path, chance: random.Random) -> set[tuple[str, object]]:
    """What is still in the caches of two machines that the store has erased, after work that a model accompanies."""
    machines = [Machine(folder / name, url, folder) for name in ("one", "two")]
    model: dict[str, str] = {}
    before_erasing: set[str] = set()  # parts of snapshots that may hold what was forgotten since
    for step in range(60):
        machine = chance.choice(machines)
        vault = machine.a_session(chance)
        match chance.choice(["add", "add", "forget", "forget", "read", "checkpoint", "end", "end"]):
            case "add":
                memory = vault.add(f"number {step}")
                model[memory.id] = memory.text
            case "forget" if model:
                before_erasing |= parts_of(url)
                vault.forget(gone := chance.choice(sorted(model)))
                del model[gone]
            case "read":
                vault._session.follow_now()
                assert sorted(vaults.texts(vault)) == sorted(model.values())
            case "checkpoint":
                vault.checkpoint()
            case "end":
                machine.end_one(chance)
    left: set[tuple[str, object]] = set()
    for machine in machines:
        addresses, parts = machine.rest()
        with closing(open_store(f"{url}&cache=no")) as store:
            store.read_header()
            left |= {("record", one) for one, body in store.records(sorted(addresses)).items() if not any(body)}
            left |= {("part", name) for name in (parts & before_erasing).difference(store.parts())}
        with machine.open() as vault:
            assert sorted(vaults.texts(vault)) == sorted(model.values())
    return left
