"""A cache in front of a store is quicker, and otherwise as if it were not there."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.processes import Other
from vault_core import Draft, RollbackError, Vault, VaultTamperedError
from vault_core.store import Change, SqliteStore, Store
from vault_core.store.cache import CachedStore, cache_folder
from vault_core.testing import StoreConformance

TEXTS = [f"memory {number} about canary{number}" for number in range(60)]


class CachedPlace:
    """A file with a cache in front, the same for all sessions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self) -> CachedStore:
        return CachedStore(SqliteStore(self.folder / "vault", create=True), self.folder / "cache")

    def open(self) -> CachedStore:
        return CachedStore(SqliteStore(self.folder / "vault"), self.folder / "cache")


class TestCachedStore(StoreConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> CachedPlace:
        return CachedPlace(tmp_path)


class Counting:
    """A store that counts what is asked of it: calls by name, and the bodies it gave."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.given = {"entries": 0, "records": 0, "part": 0}
        self.asked = 0  # times that records were asked for

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        for item in self.inner.entries(after, upto):
            self.given["entries"] += 1
            yield item

    def records(self, addresses: Any) -> dict[int, bytes]:
        self.asked += 1
        found = self.inner.records(addresses)
        self.given["records"] += len(found)
        return found

    def part(self, name: str) -> bytes | None:
        self.given["part"] += not name.endswith("manifest")
        return self.inner.part(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a vault that was made without any cache."""
    with vaults.create(tmp_path) as vault:
        vault.add_many([Draft(content=text) for text in TEXTS])
        vault.add("one more")
    return tmp_path


def at(folder: Path, cache: str = "cache", **options: Any) -> Vault:
    """The vault in this folder, with a cache."""
    store = CachedStore(SqliteStore(folder / vaults.NAME), folder / cache)
    return Vault.open(store, unlock=vaults.key_in(folder), **options)


def counted(folder: Path) -> tuple[Vault, Counting]:
    counting = Counting(SqliteStore(folder / vaults.NAME))
    vault = Vault.open(CachedStore(counting, folder / "cache"), unlock=vaults.key_in(folder))
    return vault, counting


def cache_file(folder: Path) -> Path:
    [file] = (folder / "cache").glob("*.cache")
    return file


def kept(folder: Path, table: str, column: str) -> list[Any]:
    """A column of the cache's file, read while nobody has it open."""
    with closing(sqlite3.connect(cache_file(folder))) as db:
        return [value for (value,) in db.execute(f"SELECT {column} FROM {table}")]  # noqa: S608  names of this file's


def change(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(cache_file(folder))) as db:
        db.execute(sql)
        db.commit()


def raw(folder: Path, cache: str = "cache") -> bytes:
    return b"".join(file.read_bytes() for file in sorted((folder / cache).iterdir()))


# quicker


def test_opening_again_reads_only_what_is_new(folder: Path) -> None:
    at(folder).close()
    with vaults.reopen(folder) as elsewhere:
        elsewhere.add("something new")

    vault, counting = counted(folder)

    with vault:
        assert vault.count() == len(TEXTS) + 2
        assert counting.given["records"] == 1
        assert counting.given["entries"] <= 4  # the new one, and the newest of before, compared


def test_hits_are_fetched_once(folder: Path) -> None:
    with at(folder) as vault:
        vault._session.checkpoint()
    cache_file(folder).unlink()
    vault, counting = counted(folder)

    with vault:
        before = counting.given["records"]
        first = vaults.found(vault, "canary7")
        asked = counting.given["records"]
        assert vaults.found(vault, "canary7") == first
        assert "memory 7 about canary7" in first
        assert before < asked == counting.given["records"]


def test_many_small_commits_are_fetched_in_a_few_requests(folder: Path) -> None:
    with vaults.reopen(folder) as elsewhere:
        for number in range(900):
            elsewhere.add(f"small {number}")
            if number % 90 == 0:
                elsewhere.forget(elsewhere.add(f"gone {number}").id)
        elsewhere._session.store.append(lambda _: Change(drop_parts=elsewhere._session.store.parts()))
        expected = vaults.texts(elsewhere)

    vault, counting = counted(folder)

    with vault:
        assert vaults.texts(vault) == expected
        assert counting.asked <= 6
        vault.verify(full=True)


def test_a_snapshot_is_fetched_once(folder: Path) -> None:
    with vaults.reopen(folder) as vault:
        vault._session.checkpoint()
    first, counting = counted(folder)
    first.close()
    assert counting.given["part"] > 0

    again, counting = counted(folder)

    with again:
        assert sorted(vaults.texts(again)) == sorted([*TEXTS, "one more"])
    assert counting.given["part"] == 0


def test_without_a_folder_of_its_own_it_is_in_the_users_cache(folder: Path, machine: Path) -> None:
    Vault.open(CachedStore(SqliteStore(folder / vaults.NAME)), unlock=vaults.key_in(folder)).close()

    assert cache_folder() == machine / "cache"
    [file] = cache_folder().iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert cache_folder().stat().st_mode & 0o777 == 0o700


# nothing in it can be read, and what was erased leaves it


def test_it_holds_only_sealed_bytes(folder: Path) -> None:
    with at(folder) as vault:
        vaults.found(vault, "canary7")
        vault._session.checkpoint()
        during = raw(folder)

    assert len(during) > 10_000
    assert b"canary" not in during + raw(folder)


def sealed(folder: Path, text: str) -> tuple[str, bytes]:
    """The id of the memory with this text, and its record as it is stored."""
    with vaults.reopen(folder) as vault:
        [memory] = [memory for memory in vault.stream() if memory.text == text]
        [body] = vault._session.store.records([memory.address.number]).values()
        return memory.id, body


def test_what_a_session_forgets_leaves_its_cache(folder: Path) -> None:
    memory, body = sealed(folder, TEXTS[7])
    with at(folder) as vault:
        assert body in raw(folder)
        vault.forget(memory)
        assert body not in raw(folder)

    assert body not in raw(folder)
    assert body not in kept(folder, "record", "body")


def test_what_another_machine_forgets_leaves_the_cache_when_a_session_hears_of_it(folder: Path) -> None:
    memory, body = sealed(folder, TEXTS[7])
    with at(folder) as vault:
        assert body in raw(folder)
        with at(folder, "another cache") as other:
            other.forget(memory)
        assert vault.count() == len(TEXTS)
        assert body not in raw(folder)
    assert body not in raw(folder)


def test_what_was_forgotten_before_a_snapshot_made_elsewhere_leaves_the_cache_too(folder: Path) -> None:
    at(folder).close()
    memory, body = sealed(folder, TEXTS[7])
    assert body in raw(folder)
    with vaults.reopen(folder) as elsewhere:
        elsewhere.forget(memory)
        elsewhere._session.checkpoint()  # the next session won't see the commit that erased it

    with at(folder) as vault:
        assert vault.count() == len(TEXTS)

    assert body not in raw(folder)


def test_copies_of_snapshots_go_with_the_snapshots(folder: Path) -> None:
    memory, _ = sealed(folder, TEXTS[7])
    with at(folder) as vault:
        vault._session.checkpoint()
    before = kept(folder, "part", "name")
    assert before
    with vaults.reopen(folder) as elsewhere:
        elsewhere.forget(memory)

    at(folder).close()

    assert not set(before).intersection(kept(folder, "part", "name"))


# a store that lies is noticed as without a cache


def test_a_store_that_went_back_is_refused(folder: Path) -> None:
    shutil.copy(folder / vaults.NAME, folder / "earlier")
    with at(folder) as vault:
        vault.add("newer")
    shutil.copy(folder / "earlier", folder / vaults.NAME)

    with pytest.raises(RollbackError):
        at(folder)


@pytest.mark.parametrize("longer", [0, 3])
def test_another_history_is_refused_or_read_as_it_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longer: int
) -> None:
    shutil.copy(folder / vaults.NAME, folder / "fork")
    with at(folder) as vault:
        vault.add("of the first history")
    here = os.environ["STRONGROOM_STATE_DIR"]
    monkeypatch.setenv("STRONGROOM_STATE_DIR", str(tmp_path / "another machine"))
    with vaults.reopen(folder, "fork") as fork:
        for number in range(1 + longer):
            fork.add(f"of the second history {number}")
    shutil.copy(folder / "fork", folder / vaults.NAME)

    with at(folder) as vault:  # a machine that has not seen the first history, with a cache that has
        assert vaults.found(vault, "history", top_k=9)
        assert not [text for text in vaults.texts(vault) if "first history" in text]
        vault.verify(full=True)
    monkeypatch.setenv("STRONGROOM_STATE_DIR", here)
    with pytest.raises(RollbackError):
        at(folder)


def test_history_that_was_given_up_is_not_served_from_copies(folder: Path, machine: Path) -> None:
    shutil.copy(folder / vaults.NAME, folder / "earlier")
    with at(folder) as vault:
        vault.add_many([Draft(content=f"given up {number}") for number in range(5)])
        vault.add("given up too")
    shutil.copy(folder / "earlier", folder / vaults.NAME)

    with at(folder, accept_rollback=True) as vault:
        for number in range(5):
            vault.add(f"instead {number}")
        assert not [text for text in vaults.texts(vault) if "given up" in text]
        vault.verify(full=True)
    with at(folder) as vault:
        assert len(vaults.texts(vault)) == len(TEXTS) + 6


def test_verifying_reads_the_store_and_not_the_copies(folder: Path) -> None:
    _, body = sealed(folder, TEXTS[7])
    with at(folder) as vault:
        assert body in raw(folder)
        with closing(sqlite3.connect(folder / vaults.NAME)) as db:  # a connection of the operator's
            db.execute("UPDATE record SET body = randomblob(length(body)) WHERE body = ?", (body,))
            db.commit()
        assert vaults.found(vault, "canary7")
        with pytest.raises(VaultTamperedError):
            vault.verify()


# whatever happens to the copies, nothing is lost and nobody hears of it


def spoil(sql: str) -> Callable[[Path], None]:
    return lambda folder: change(folder, sql)


def garbage(folder: Path) -> None:
    file = cache_file(folder)
    file.write_bytes(os.urandom(50_000))


def cut(folder: Path) -> None:
    file = cache_file(folder)
    os.truncate(file, file.stat().st_size // 2 - 100)


def flip(folder: Path) -> None:
    file = cache_file(folder)
    with file.open("r+b") as opened:
        for place in range(100, file.stat().st_size, 997):
            opened.seek(place)
            byte = opened.read(1)
            opened.seek(place)
            opened.write(bytes([byte[0] ^ 0x41]))


def a_folder_in_its_place(folder: Path) -> None:
    file = cache_file(folder)
    file.unlink()
    file.mkdir()


def a_link_in_its_place(folder: Path) -> None:
    file = cache_file(folder)
    file.unlink()
    file.symlink_to(folder / "elsewhere")


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder / "cache")
    (folder / "cache").write_text("a file")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "records of random bytes": spoil("UPDATE record SET body = randomblob(length(body))"),
    "records of zeros": spoil("UPDATE record SET body = zeroblob(length(body))"),
    "records that are text": spoil("UPDATE record SET body = 'text'"),
    "records swapped": spoil("UPDATE record SET body = (SELECT body FROM record ORDER BY address DESC LIMIT 1)"),
    "entries of random bytes": spoil("UPDATE entry SET body = randomblob(length(body))"),
    "one old entry of random bytes": spoil("UPDATE entry SET body = randomblob(99) WHERE seq = 1"),
    "entries swapped": spoil("UPDATE entry SET body = (SELECT body FROM entry ORDER BY seq DESC LIMIT 1)"),
    "an entry from the future": spoil("INSERT INTO entry VALUES (1000, 'x')"),
    "a gap": spoil("DELETE FROM entry WHERE seq = 2"),
    "parts of random bytes": spoil("UPDATE part SET body = randomblob(length(body))"),
    "heard of everything": spoil("UPDATE heard SET seq = 1 << 60"),
    "other tables": spoil("DROP TABLE record"),
    "another layout": spoil("PRAGMA user_version = 99"),
    "garbage": garbage,
    "cut off": cut,
    "flipped bytes": flip,
    "a folder in its place": a_folder_in_its_place,
    "a link in its place": a_link_in_its_place,
    "a file where its folder was": no_folder,
}


@pytest.mark.parametrize("snapshot", [False, True], ids=["log", "snapshot"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_cache_is_as_none(folder: Path, damage: Callable[[Path], None], snapshot: bool) -> None:
    with at(folder) as vault:
        if snapshot:
            vault._session.checkpoint()
            vault.add("after the snapshot")
        expected = vaults.texts(vault)

    damage(folder)

    for _ in range(2):
        with at(folder) as vault:
            assert vaults.texts(vault) == expected
            assert vaults.found(vault, "canary7")[0] == TEXTS[7]
            expected.append(vault.add(f"written with a damaged cache {len(expected)}").text)
    with vaults.reopen(folder) as vault:
        assert vaults.texts(vault) == expected
        vault.verify(full=True)
    assert not (folder / "elsewhere").exists()


def test_a_cache_that_is_damaged_under_a_session_is_as_none(folder: Path) -> None:
    with at(folder) as vault:
        vault._session.store._kept.drop_records(None)  # type: ignore[attr-defined]
        vaults.found(vault, "canary7")
        change(folder, "UPDATE record SET body = randomblob(length(body))")

        assert vaults.found(vault, "canary7")[0] == TEXTS[7]
        assert vaults.found(vault, "canary7")[0] == TEXTS[7]


# several sessions


def add_and_forget(pipe: Any, folder: Path, name: str, cache: str) -> None:
    with at(folder, cache) as vault:
        pipe.send("open")
        pipe.recv()
        for number in range(40):
            memory = vault.add(f"{name} {number}")
            assert memory.text in vaults.found(vault, f"{name} {number}", top_k=50)
            if number % 3 == 0:
                vault.forget(memory.id)
        pipe.send("done")


def test_processes_share_a_cache_and_see_each_other(folder: Path) -> None:
    at(folder).close()
    workers = [("a", "cache"), ("b", "cache"), ("c", "another")]
    others = [Other(add_and_forget, folder, *worker) for worker in workers]
    try:
        for other in others:
            assert other.hear() == "open"
        for other in others:
            other.say("go")
        for other in others:
            assert other.hear() == "done"
    finally:
        for other in others:
            other.__exit__(None, None, None)

    expected = {f"{name} {number}" for name, _ in workers for number in range(40) if number % 3}
    for cache in ("cache", "another", "none yet"):
        with at(folder, cache) as vault:
            assert set(vaults.texts(vault)) == {*TEXTS, "one more", *expected}
            vault.verify(full=True)


def test_a_forked_child_leaves_the_cache_alone(folder: Path) -> None:
    with at(folder) as vault:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with at(folder) as own:
                    own.add("from the child")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

        assert vaults.found(vault, "from the child") == ["from the child"]
