"""The conformance suite for stores: what every implementation of `Store` keeps, whoever wrote it.

Rules (`vault_core.store.base`):
- A change takes effect whole or not at all, whatever goes wrong in between, and one at a time.
- Nothing is written over but by the verbs for that: a taken seq is refused; erasing leaves zeros of the same length.
- What is read is exactly what was written, in order, and no cursor stays open between two items.
"""
# ruff: noqa: D102  the name of a test is its sentence
# ruff: noqa: ARG002  a fixture may be asked for what it does, not for its value

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import pytest

from vault_core.errors import (
    ConflictError,
    SessionStateError,
    VaultAlreadyOpenError,
    VaultError,
    VaultNotFoundError,
    VaultTamperedError,
)
from vault_core.store import Change, Head, Store, StoredHeader
from vault_core.store.base import Capabilities

HEADER = StoredHeader(b'{"generation":1}', bytes(range(64)))
NEXT_HEADER = StoredHeader(b'{"generation":2}', bytes(range(64, 128)))
FIRST = b"the first entry"
BIG = bytes(range(256)) * (96 << 10)  # 24 MiB, more than a page, a packet or a chunk
_WRITERS, _COMMITS_EACH = 4, 25


class Place(Protocol):
    """An empty place for one vault, in the kind of store under test."""

    def create(self) -> Store:
        """The store that begins a vault here; it holds nothing yet."""
        ...

    def open(self) -> Store:
        """Another store on the same bytes, as another session would open it."""
        ...


def at(seq: int, n: int = 0) -> int:
    """The address of record `n` of commit `seq`."""
    return seq << 24 | n


def write(store: Store, change: Change) -> None:
    """Append a change as it is, whatever the head is."""
    store.append(lambda _: change)


def commit(store: Store, *records: bytes, **also: Any) -> int:
    """Append the next entry with these records; gives its seq."""

    def make(head: Head) -> Change:
        seq = head.seq + 1
        return Change(seq=seq, entry=b"entry %d" % seq, records=records, **also)

    change = store.append(make)
    assert change is not None
    return change.seq


def contents(store: Store) -> tuple[object, ...]:
    """Everything a store shows, for comparing before with after."""
    addresses = list(store.addresses(-1))
    parts = {name: store.part(name) for name in store.parts()}
    return store.read_header(), store.head(), list(store.entries(0)), addresses, store.records(addresses), parts


class StoreConformance:
    """Subclass it, and give the fixture `place`. Everything else is here."""

    @pytest.fixture
    def place(self) -> Place:
        """An empty place. The subclass gives it."""
        raise NotImplementedError("a subclass of StoreConformance gives the fixture `place`")

    @pytest.fixture
    def store(self, place: Place) -> Iterator[Store]:
        """A store that holds a header and a first entry."""
        store = place.create()
        store.create(HEADER, FIRST)
        yield store
        store.close()

    @pytest.fixture
    def other(self, place: Place, store: Store) -> Iterator[Store]:
        """Another session's store on the same bytes."""
        other = place.open()
        yield other
        other.close()

    # creating

    def test_a_new_vault_shows_its_header_and_first_entry(self, store: Store) -> None:
        assert contents(store) == (HEADER, 1, [(1, FIRST)], [], {}, {})

    def test_another_session_sees_a_new_vault(self, other: Store) -> None:
        assert contents(other) == (HEADER, 1, [(1, FIRST)], [], {}, {})

    def test_creating_twice_is_a_conflict_and_keeps_the_first(self, store: Store) -> None:
        with pytest.raises(ConflictError):
            store.create(NEXT_HEADER, b"another first entry")

        assert contents(store) == (HEADER, 1, [(1, FIRST)], [], {}, {})

    def test_an_empty_place_has_no_header(self, place: Place) -> None:
        store = place.create()
        try:
            with pytest.raises(VaultNotFoundError):
                store.read_header()
        finally:
            store.close()

    def test_it_says_what_it_can_do_and_where_it_is(self, store: Store) -> None:
        assert isinstance(store.capabilities, Capabilities)
        assert isinstance(store.location, str)
        assert store.location

    # appending

    def test_a_commit_is_there_whole(self, store: Store, other: Store) -> None:
        commit(store, b"zero", b"one", header=NEXT_HEADER, put_parts=[("s/part", b"a part")])

        expected = (
            NEXT_HEADER,
            2,
            [(1, FIRST), (2, b"entry 2")],
            [at(2, 0), at(2, 1)],
            {at(2, 0): b"zero", at(2, 1): b"one"},
            {"s/part": b"a part"},
        )
        assert contents(store) == expected
        assert contents(other) == expected

    def test_append_gives_the_change_it_carried_out(self, store: Store) -> None:
        change = Change(seq=2, entry=b"entry", records=[b"record"])

        assert store.append(lambda _: change) == change

    def test_make_is_shown_the_head(self, store: Store, other: Store) -> None:
        shown: list[Head] = []
        commit(other, header=NEXT_HEADER)

        store.append(shown.append)  # gives None: nothing to write

        assert shown == [Head(2, NEXT_HEADER)]

    def test_make_may_read_from_the_store(self, store: Store, other: Store) -> None:
        commit(other, b"theirs")

        def make(head: Head) -> Change:
            theirs = store.records([at(head.seq)])[at(head.seq)]
            entries = b"".join(entry for _, entry in store.entries(0))
            return Change(seq=head.seq + 1, entry=entries, records=[theirs])

        store.append(make)

        assert store.records([at(3)]) == {at(3): b"theirs"}
        assert dict(store.entries(2)) == {3: FIRST + b"entry 2"}

    def test_make_may_write_nothing(self, store: Store) -> None:
        before = contents(store)

        assert store.append(lambda _: None) is None
        assert contents(store) == before

    @pytest.mark.parametrize("error", [ValueError, MemoryError, OverflowError, KeyboardInterrupt, VaultTamperedError])
    def test_an_exception_from_make_leaves_everything_as_it_was(
        self, store: Store, other: Store, error: type[BaseException]
    ) -> None:
        commit(store, b"record")
        before = contents(store)

        def make(_: Head) -> Change:
            raise error("from make")

        with pytest.raises(error, match="from make"):
            store.append(make)
        assert contents(store) == before
        assert commit(store) == commit(other) - 1 == 3  # neither of them is stuck

    def test_an_append_inside_of_an_append_is_refused_and_spoils_nothing(self, store: Store) -> None:
        def make(head: Head) -> Change:
            with pytest.raises(SessionStateError):
                commit(store, b"inner")
            return Change(seq=head.seq + 1, entry=b"outer")

        store.append(make)

        assert list(store.entries(1)) == [(2, b"outer")]
        assert list(store.addresses(-1)) == []

    def test_a_taken_seq_is_refused_with_everything_it_brings(self, store: Store) -> None:
        commit(store, b"record", put_parts=[("kept", b"part")])
        before = contents(store)

        with pytest.raises(VaultTamperedError):
            write(
                store,
                Change(
                    seq=2,
                    entry=b"another",
                    records=[b"other", b"more"],
                    erase=[at(2)],
                    header=NEXT_HEADER,
                    drop_parts=["kept"],
                    put_parts=[("new", b"part")],
                ),
            )

        assert contents(store) == before

    def test_appends_of_many_sessions_are_one_after_the_other(self, place: Place, store: Store) -> None:
        seen: list[int] = []
        failures: list[BaseException] = []

        def work(mine: Store, name: int) -> None:
            try:
                seen.extend(commit(mine, b"writer %d" % name) for _ in range(_COMMITS_EACH))
            except BaseException as error:  # noqa: BLE001  shown by the assertion below
                failures.append(error)

        stores = [place.open() for _ in range(_WRITERS)]
        self._run([partial(work, mine, name) for name, mine in enumerate(stores)])
        for mine in stores:
            mine.close()

        last = 1 + _WRITERS * _COMMITS_EACH
        assert not failures
        assert sorted(seen) == list(range(2, last + 1))
        assert [seq for seq, _ in store.entries(0)] == list(range(1, last + 1))
        written = list(store.records(list(store.addresses(-1))).values())
        assert {name: written.count(b"writer %d" % name) for name in range(_WRITERS)} == dict.fromkeys(
            range(_WRITERS), _COMMITS_EACH
        )

    def test_it_shows_when_another_session_wrote(self, store: Store, other: Store) -> None:
        store.moved()
        commit(other)

        until = time.monotonic() + store.capabilities.lag
        while not (moved := store.moved()) and time.monotonic() < until:
            time.sleep(0.001)
        assert moved
        assert store.head() == 2

    # reading

    def test_entries_are_given_in_order_within_bounds(self, store: Store) -> None:
        for _ in range(4):
            commit(store)

        assert [seq for seq, _ in store.entries(0)] == [1, 2, 3, 4, 5]
        assert [seq for seq, _ in store.entries(2)] == [3, 4, 5]
        assert [seq for seq, _ in store.entries(2, 4)] == [3, 4]
        assert list(store.entries(5)) == list(store.entries(2, 2)) == []

    def test_entries_beyond_a_batch_are_all_given(self, store: Store) -> None:
        for _ in range(1_100):
            commit(store)

        assert list(store.entries(0)) == [(1, FIRST), *((seq, b"entry %d" % seq) for seq in range(2, 1_102))]

    def test_writing_goes_on_while_entries_are_read(self, store: Store, other: Store) -> None:
        commit(store)
        reading = store.entries(0)
        assert next(reading) == (1, FIRST)

        assert commit(other) == 3
        assert commit(store) == 4

        assert next(reading)[0] == 2

    def test_missing_records_are_left_out(self, store: Store) -> None:
        commit(store, b"zero", b"one")

        assert store.records([at(2, 1), at(2, 2), at(9), at(2, 1)]) == {at(2, 1): b"one"}
        assert store.records([]) == {}

    def test_thousands_of_records_are_read_at_once(self, store: Store) -> None:
        bodies = [b"record %d" % n for n in range(12_000)]
        commit(store, *bodies)

        addresses = list(store.addresses(-1))
        assert addresses == [at(2, n) for n in range(12_000)]
        assert store.records(reversed(addresses)) == dict(zip(addresses, bodies, strict=True))

    def test_addresses_begin_above_a_bound(self, store: Store) -> None:
        commit(store, b"a", b"b")
        commit(store, b"c")

        assert list(store.addresses(at(2, 0))) == [at(2, 1), at(3, 0)]
        assert list(store.addresses(at(3, 0))) == []

    def test_big_and_empty_values_come_back_as_they_were(self, store: Store, other: Store) -> None:
        header = StoredHeader(b"h" * 65_536, b"m" * 64)
        bodies = {at(2, 0): BIG, at(2, 1): b"", at(2, 2): b"\0" * 100_000}

        write(
            store,
            Change(
                seq=2,
                entry=BIG[:4_000_000],
                records=list(bodies.values()),
                header=header,
                put_parts=[("big", BIG), ("empty", b"")],
            ),
        )

        assert other.records(bodies) == bodies
        assert dict(other.entries(1)) == {2: BIG[:4_000_000]}
        assert other.read_header() == header
        assert (other.part("big"), other.part("empty")) == (BIG, b"")

    # without a commit, as a copy may end

    def test_erasing_without_a_commit_leaves_zeros(self, store: Store, other: Store) -> None:
        commit(store, b"secret", b"kept")

        write(store, Change(erase=[at(2, 0)], purge=True))

        assert other.records([at(2, 0), at(2, 1)]) == {at(2, 0): bytes(6), at(2, 1): b"kept"}
        assert other.head() == 2

    # erasing

    def test_erasing_leaves_zeros_of_the_same_length(self, store: Store, other: Store) -> None:
        commit(store, b"secret", b"kept")

        commit(store, b"new", erase=[at(2, 0)])

        assert other.records([at(2, 0), at(2, 1), at(3)]) == {at(2, 0): bytes(6), at(2, 1): b"kept", at(3): b"new"}

    def test_no_copy_of_what_was_erased_answers_any_more(self, store: Store, other: Store) -> None:
        commit(store, b"secret")
        assert other.records([at(2)]) == {at(2): b"secret"}
        commit(store, erase=[at(2)])

        other.let_go([at(2)])

        assert store.records([at(2)]) == other.records([at(2)]) == {at(2): bytes(6)}

    def test_the_origin_holds_what_the_store_shows(self, store: Store) -> None:
        commit(store, b"record", put_parts=[("part", b"body")])

        assert contents(store.origin) == contents(store)

    def test_erasing_twice_or_nothing_changes_nothing(self, store: Store) -> None:
        commit(store, b"secret")
        commit(store, erase=[at(2)])

        commit(store, erase=[at(2), at(7)])

        assert list(store.addresses(-1)) == [at(2)]
        assert store.records([at(2)]) == {at(2): bytes(6)}

    def test_purging_and_reclaiming_keep_what_is_live(self, store: Store, other: Store) -> None:
        commit(store, b"x" * 200_000, b"kept", put_parts=[("gone", b"y" * 200_000), ("kept", b"part")])
        commit(store, erase=[at(2, 0)], drop_parts=["gone"], purge=True)
        before, size = contents(store), store.size()

        assert store.purge() in (True, False)
        store.reclaim()

        assert contents(store) == contents(other) == before
        assert 0 < store.size() <= size

    # parts

    def test_a_missing_part_is_none(self, store: Store) -> None:
        assert store.part("missing") is None
        assert store.parts() == []

    def test_parts_change_without_a_commit(self, store: Store, other: Store) -> None:
        write(store, Change(put_parts=[("b", b"first"), ("a", b"2")]))
        write(other, Change(put_parts=[("b", b"second"), ("c/ü", b"3")], drop_parts=["a", "missing"]))

        assert store.parts() == ["b", "c/ü"]
        assert (store.part("b"), store.part("c/ü"), store.part("a")) == (b"second", b"3", None)
        assert store.head() == 1

    def test_dropping_comes_before_putting(self, store: Store) -> None:
        write(store, Change(put_parts=[("name", b"old")]))

        write(store, Change(drop_parts=["name"], put_parts=[("name", b"new")]))

        assert store.part("name") == b"new"

    # sharing and letting go

    def test_sessions_share_or_hold_alone(self, place: Place, store: Store, other: Store) -> None:
        store.lock(exclusive=False)
        other.lock(exclusive=False)
        third = place.open()
        try:
            with pytest.raises(VaultError):
                third.lock(exclusive=True)
        finally:
            third.close()

    def test_an_exclusive_session_keeps_others_out_until_it_closes(
        self, place: Place, store: Store, other: Store
    ) -> None:
        if not store.capabilities.exclusive:
            with pytest.raises(VaultError):
                store.lock(exclusive=True)
            return
        store.lock(exclusive=True)
        for exclusive in (False, True, False):
            refused = place.open()
            with pytest.raises(VaultAlreadyOpenError):
                refused.lock(exclusive=exclusive)
            refused.close()

        store.close()

        other.lock(exclusive=True)

    def test_saying_it_twice_is_one_hold(self, place: Place, store: Store, other: Store) -> None:
        for exclusive in (False, store.capabilities.exclusive, store.capabilities.exclusive, False):
            store.lock(exclusive=exclusive)

        other.lock(exclusive=False)

    def test_closing_twice_and_abandoning_do_no_harm(self, place: Place, store: Store, other: Store) -> None:
        commit(store, b"record")
        for _ in range(2):
            other.abandon()
        for _ in range(2):
            other.close()
            store.close()

        again = place.open()
        try:
            assert again.records([at(2)]) == {at(2): b"record"}
        finally:
            again.close()

    def test_a_durable_store_keeps_what_it_said_it_kept(self, place: Place, store: Store, other: Store) -> None:
        commit(store, b"record", header=NEXT_HEADER, put_parts=[("part", b"body")])
        before = contents(store)
        store.close()
        other.close()

        if store.capabilities.durable:
            again = place.open()
            assert contents(again) == before
            again.close()

    @staticmethod
    def _run(tasks: Sequence[Callable[[], None]]) -> None:
        threads = [threading.Thread(target=task) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
