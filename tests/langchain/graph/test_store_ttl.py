"""Times to live: what expires, what begins it anew, and what erases what has expired."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import GetOp, PutOp, SearchOp

from langchain_strongroom import StrongroomStore
from support import vaults
from vault_core import Vault
from vault_core.testing import FakeClock


@pytest.fixture
def clock(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time of the vault and of the stores on it."""
    clock = FakeClock()
    clock.drive(vault)
    monkeypatch.setattr("langchain_strongroom.store.now", lambda: clock.now)
    return clock


def keys(store: StrongroomStore) -> list[str]:
    return sorted(item.key for item in store.search((), refresh_ttl=False))


def test_an_item_lives_as_long_as_it_was_given(vault: Vault, clock: FakeClock) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "short", {"a": "tea"}, ttl=5)
    store.put(("alice",), "fraction", {"a": "tea"}, ttl=0.5)
    store.put(("bob",), "long", {"a": "tea"})

    clock.advance(minutes=1)
    assert keys(store) == ["long", "short"]
    clock.advance(minutes=5)

    assert keys(store) == ["long"]
    assert store.get(("alice",), "short") is None
    assert [item.key for item in store.search((), query="tea")] == ["long"]
    assert store.list_namespaces() == [("bob",)]


def test_what_has_expired_is_still_shown_where_the_app_wants_upstreams_way(vault: Vault, clock: FakeClock) -> None:
    store = StrongroomStore(vault, ttl={"omit_expired": False, "refresh_on_read": False})
    store.put(("alice",), "key", {"a": "tea"}, ttl=5)
    clock.advance(minutes=6)

    assert keys(store) == ["key"]
    assert store.get(("alice",), "key") is not None
    assert [item.key for item in store.search((), query="tea")] == ["key"]
    assert store.list_namespaces() == [("alice",)]
    assert store.sweep_ttl() == 1
    assert keys(store) == []


def test_a_default_holds_for_puts_that_say_nothing(vault: Vault, clock: FakeClock) -> None:
    store = StrongroomStore(vault, ttl={"default_ttl": 5})
    store.put(("alice",), "default", {"a": 1})
    store.put(("alice",), "never", {"a": 1}, ttl=None)
    store.put(("alice",), "longer", {"a": 1}, ttl=50)
    clock.advance(minutes=6)

    assert keys(store) == ["longer", "never"]


@pytest.mark.parametrize("read", ["get", "search", "query"])
@pytest.mark.parametrize(
    ("configured", "said", "lives"),
    [(None, None, True), (True, None, True), (False, None, False), (None, False, False), (False, True, True)],
)
def test_reading_begins_a_ttl_anew_unless_told_not_to(
    vault: Vault, clock: FakeClock, read: str, configured: bool | None, said: bool | None, lives: bool
) -> None:
    store = StrongroomStore(vault, ttl=None if configured is None else {"refresh_on_read": configured})
    store.put(("alice",), "key", {"a": "tea"}, ttl=5)
    store.put(("alice",), "other", {"a": "tea"}, ttl=100)
    clock.advance(minutes=4)

    if read == "get":
        store.get(("alice",), "key", refresh_ttl=said)
    else:
        store.search(("alice",), query="tea" if read == "query" else None, refresh_ttl=said)
    clock.advance(minutes=4)

    assert keys(store) == (["key", "other"] if lives else ["other"])


def test_refreshing_is_one_commit_and_writes_no_new_version(vault: Vault, clock: FakeClock) -> None:
    store = StrongroomStore(vault)
    store.batch([PutOp((name,), "key", {"a": 1}, ttl=ttl) for name, ttl in (("alice", 5), ("bob", 7), ("carol", 9))])
    clock.advance(minutes=1)
    before, commits = store.get(("alice",), "key", refresh_ttl=False), vault.stats().commits

    assert len(store.search(())) == 3

    assert vault.stats().commits == commits + 1
    assert store.get(("alice",), "key", refresh_ttl=False) == before


@pytest.mark.parametrize("also", [[], [PutOp(("n",), "other", {"a": 2})]])
def test_a_read_gives_no_time_to_what_was_meanwhile_kept_for_ever(
    vault: Vault, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, also: list[PutOp]
) -> None:
    """A refresh is of the item that is there when it is written, not of the one that was read."""
    store = StrongroomStore(vault)
    store.put(("n",), "a", {"a": "a draft"}, ttl=1)
    commit = vault.transact

    def after_another(work: Any, **options: Any) -> Any:
        monkeypatch.setattr(vault, "transact", commit)
        StrongroomStore(vault).put(("n",), "a", {"a": "for ever"})
        return commit(work, **options)

    monkeypatch.setattr(vault, "transact", after_another)
    store.batch([SearchOp(("n",), query="draft"), *also])
    clock.advance(seconds=3600)

    found = store.get(("n",), "a")
    assert found is not None
    assert found.value == {"a": "for ever"}


def test_a_batch_that_reads_and_replaces_an_item_keeps_the_new_time(vault: Vault, clock: FakeClock) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "key", {"a": 1}, ttl=5)
    store.put(("alice",), "gone", {"a": 1}, ttl=5)
    commits = vault.stats().commits

    store.batch(
        [
            GetOp(("alice",), "key"),
            GetOp(("alice",), "gone"),
            PutOp(("alice",), "key", {"a": 2}, ttl=50),
            PutOp(("alice",), "gone", None),
        ]
    )
    clock.advance(minutes=20)

    assert keys(store) == ["key"]
    assert vault.stats().commits == commits + 1


def test_a_vault_that_is_open_read_only_is_read_and_refreshes_nothing(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        StrongroomStore(vault).put(("alice",), "key", {"a": 1}, ttl=5)

    with vaults.reopen(tmp_path, read_only=True) as vault:
        assert StrongroomStore(vault).get(("alice",), "key") is not None


def test_a_sweep_erases_what_this_kind_of_store_let_expire_and_nothing_else(vault: Vault, clock: FakeClock) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "over", {"a": 1}, ttl=5)
    store.put(("alice",), "alive", {"a": 1}, ttl=50)
    vault.add("not the store's", id="note", expires_at=clock.now)
    clock.advance(minutes=6)

    assert store.sweep_ttl() == 1
    assert store.sweep_ttl() == 0
    assert [memory.id for memory in vault.list(include_expired=True)] == ["note", "alive"]


def test_the_sweeper_sweeps_until_it_is_stopped(
    vault: Vault, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StrongroomStore(vault)
    store.put(("alice",), "key", {"a": 1}, ttl=5)
    clock.advance(minutes=6)
    swept = threading.Event()
    monkeypatch.setattr(store._sweeper, "_sweep", lambda: (store.sweep_ttl(), swept.set())[0])

    ended = store.start_ttl_sweeper(0.0001)
    assert store.start_ttl_sweeper(0.0001) is ended
    assert swept.wait(60)

    assert store.stop_ttl_sweeper(60)
    assert store.stop_ttl_sweeper()
    assert ended.result(60) is None
    assert vault.count(include_expired=True) == 0


def test_the_sweeper_ends_when_its_future_is_cancelled_and_can_begin_again(vault: Vault) -> None:
    store = StrongroomStore(vault, ttl={"sweep_interval_minutes": 60})

    assert store.start_ttl_sweeper().cancel()
    assert store.stop_ttl_sweeper(60)

    again = store.start_ttl_sweeper()
    assert not again.done()
    assert store.stop_ttl_sweeper(60)


def test_the_sweeper_ends_with_the_vault_and_survives_what_passes(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        store = StrongroomStore(vault)
        ended = store.start_ttl_sweeper(0.0001)
    assert ended.result(60) is None


def test_leaving_the_store_ends_its_sweeper(vault: Vault) -> None:
    with StrongroomStore(vault) as store:
        ended = store.start_ttl_sweeper()

    assert ended.result(60) is None


def wrong_ttl() -> list[Any]:
    return [-1, float("nan"), "5", True, 10**12]


@pytest.mark.parametrize("ttl", wrong_ttl(), ids=repr)
def test_a_ttl_is_a_number_of_minutes(vault: Vault, ttl: Any) -> None:
    with pytest.raises(ValueError, match="TTL"):
        StrongroomStore(vault).put(("alice",), "key", {"a": 1}, ttl=ttl)

    assert vault.count() == 0


@pytest.mark.parametrize("minutes", [-5, 1e300, float("inf"), True, "5", None], ids=str)
def test_minutes_that_others_have_written_break_no_read(vault: Vault, clock: FakeClock, minutes: Any) -> None:
    """Metadata are anybody's, a client of the MCP server's too: one such memory would hide all beside it."""
    store = StrongroomStore(vault)
    store.put(("alice",), "tea", {"a": "tea"}, ttl=5)
    metadata = {"langgraph_ttl_minutes": minutes if minutes != float("inf") else 10**300}
    vault.add("cake", id="cake", namespace=("alice",), metadata=metadata, expires_at=clock.now + timedelta(hours=1))

    assert [item.key for item in store.search(("alice",))] == ["cake", "tea"]
    assert store.get(("alice",), "cake") is not None
    clock.advance(hours=2)
    assert store.get(("alice",), "cake") is None


def test_a_ttl_that_reaches_to_the_calendars_end_is_read_and_stays(vault: Vault, clock: FakeClock) -> None:
    store = StrongroomStore(vault)
    store.put(
        ("alice",), "tea", {"a": "tea"}, ttl=(datetime.max.replace(tzinfo=UTC) - clock.now) / timedelta(minutes=1) - 1
    )
    clock.advance(minutes=2)

    assert store.get(("alice",), "tea") is not None
