"""The store that tries again: what it repeats, for how long, and that nothing is ever written twice."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vault_core.errors import (
    ConflictError,
    RollbackError,
    SessionStateError,
    UnavailableError,
    VaultTamperedError,
)
from vault_core.store import Change, EphemeralStore, Head, RetryingStore, RetryPolicy, SqliteStore
from vault_core.testing import Fault, FaultyStore, StoreConformance
from vault_core.testing.conformance import FIRST, HEADER, NEXT_HEADER, at, commit, contents


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


class Scripted(EphemeralStore):
    """A store whose calls fail as often as `failures` says, by name; before they do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[str, int] = {}

    def strike(self, name: str) -> None:
        if self.failures.get(name, 0):
            self.failures[name] -= 1
            raise UnavailableError("no route to the server")

    def head(self) -> int:
        self.strike("head")
        return super().head()

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        for number, one in enumerate(super().entries(after, upto)):
            if number == 2:
                self.strike("entries")
            yield one

    def addresses(self, after: int) -> Iterator[int]:
        for number, one in enumerate(super().addresses(after)):
            if number == 2:
                self.strike("addresses")
            yield one


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def faulty() -> FaultyStore:
    inner = EphemeralStore()
    inner.create(HEADER, FIRST)
    return FaultyStore(inner)


def retrying(inner: Any, time: Time, **policy: Any) -> RetryingStore:
    return RetryingStore(inner, policy=RetryPolicy(**policy), chance=lambda: 1.0, sleep=time.sleep, clock=time.clock)


# reads


def test_a_read_is_repeated_with_waits_that_double_up_to_the_longest(time: Time) -> None:
    inner = Scripted()
    inner.create(HEADER, FIRST)
    inner.failures["head"] = 5

    assert retrying(inner, time, first=0.5, longest=3.0, total=60.0).head() == 1

    assert time.waits == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_wait_is_random_below_its_bound(time: Time) -> None:
    inner = Scripted()
    inner.create(HEADER, FIRST)
    inner.failures["head"] = 3
    chances = iter([0.25, 0.0, 0.75])
    policy = RetryPolicy(first=1.0, longest=10.0)

    store = RetryingStore(inner, policy=policy, chance=chances.__next__, sleep=time.sleep, clock=time.clock)
    store.head()

    assert time.waits == [0.25, 0.0, 3.0]


@pytest.mark.parametrize(
    ("policy", "tries"),
    [({"attempts": 4}, "4 times"), ({"first": 1.0, "total": 2.5}, "2 times"), ({"attempts": 1}, "once")],
)
def test_giving_up_says_why_and_how_often_it_was_tried(time: Time, policy: dict[str, Any], tries: str) -> None:
    inner = Scripted()
    inner.create(HEADER, FIRST)
    inner.failures["head"] = 99

    with pytest.raises(UnavailableError, match=f"^no route to the server \\(tried {tries}\\)$"):
        retrying(inner, time, **policy).head()


def test_what_is_walked_goes_on_behind_the_last_one_given_and_every_step_has_its_own_budget(time: Time) -> None:
    inner = Scripted()
    inner.create(HEADER, FIRST)
    for n in range(20):
        commit(inner, b"%d" % n)
    store = retrying(inner, time, attempts=3, total=10.0, first=4.0, longest=4.0)
    inner.failures = {"entries": 9, "addresses": 9}

    assert [seq for seq, _ in store.entries(0)] == list(range(1, 22))
    assert list(store.addresses(-1)) == [at(seq) for seq in range(2, 22)]

    assert inner.failures == {"entries": 0, "addresses": 0}


def test_an_interruption_passes_at_once(time: Time, faulty: FaultyStore) -> None:
    calls: list[Head] = []

    def make(head: Head) -> Change:
        calls.append(head)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrying(faulty, time).append(make)
    assert len(calls) == 1
    assert time.waits == []


# creating


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.AMBIGUOUS])
def test_creating_is_settled_when_its_answer_is_lost(time: Time, fault: Fault) -> None:
    faulty = FaultyStore(EphemeralStore())
    faulty.fail(fault)
    store = retrying(faulty, time)

    store.create(HEADER, FIRST)

    assert contents(store) == (HEADER, 1, [(1, FIRST)], [], {}, {})


def test_creating_what_another_made_meanwhile_is_a_conflict(time: Time) -> None:
    inner = EphemeralStore()
    faulty = FaultyStore(inner)
    faulty.fail(Fault.LOST)
    store = RetryingStore(faulty, sleep=lambda _: inner.create(NEXT_HEADER, b"another's"))

    with pytest.raises(ConflictError):
        store.create(HEADER, FIRST)

    assert inner.read_header() == NEXT_HEADER


def test_creating_twice_is_a_conflict_even_with_the_same_bytes(time: Time) -> None:
    store = retrying(EphemeralStore(), time)
    store.create(HEADER, FIRST)

    with pytest.raises(ConflictError):
        store.create(HEADER, FIRST)


# appending


class Writer:
    """A `make` that writes something new each time it runs, and counts."""

    def __init__(self, **also: Any) -> None:
        self.runs = 0
        self.also = also

    def __call__(self, head: Head) -> Change:
        self.runs += 1
        entry = b"run %d" % self.runs
        return Change(seq=head.seq + 1, entry=entry, records=[entry], **self.also)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.AMBIGUOUS])
def test_a_change_whose_answer_was_lost_is_there_once_and_made_once(
    time: Time, faulty: FaultyStore, fault: Fault
) -> None:
    store, make = retrying(faulty, time), Writer()
    faulty.fail(fault)

    change = store.append(make)

    assert change is not None
    assert (change.seq, change.entry) == (2, b"run 1")
    assert make.runs == 1
    assert list(store.entries(1)) == [(2, b"run 1")]
    assert store.records([at(2)]) == {at(2): b"run 1"}


def test_it_is_made_anew_when_its_place_went_to_another(time: Time, faulty: FaultyStore) -> None:
    make = Writer()
    store = RetryingStore(faulty, sleep=lambda _: commit(faulty.inner, b"another's"))
    faulty.fail(Fault.LOST)

    change = store.append(make)

    assert change is not None
    assert (change.seq, make.runs) == (3, 2)
    assert list(store.entries(1)) == [(2, b"entry 2"), (3, b"run 2")]


def test_it_took_effect_even_if_others_have_written_behind_it(time: Time, faulty: FaultyStore) -> None:
    make = Writer()
    store = RetryingStore(faulty, sleep=lambda _: commit(faulty.inner, b"another's"))
    faulty.fail(Fault.AMBIGUOUS)

    change = store.append(make)

    assert change is not None
    assert (change.seq, make.runs) == (2, 1)
    assert list(store.entries(1)) == [(2, b"run 1"), (3, b"entry 3")]


def test_another_header_in_the_place_of_its_own_makes_it_anew(time: Time, faulty: FaultyStore) -> None:
    def take_the_place(_: float) -> None:
        faulty.inner.header = NEXT_HEADER  # type: ignore[attr-defined]  # a header that waits for its commit

    make = Writer(header=NEXT_HEADER._replace(mac=bytes(64)))
    store = RetryingStore(faulty, sleep=take_the_place)
    faulty.fail(Fault.LOST)

    store.append(make)

    assert make.runs == 2


def test_what_is_left_of_a_change_that_stands_is_done(time: Time) -> None:
    class Partial(EphemeralStore):
        """Loses the connection before it drops parts."""

        cut = True

        def _carry_out(self, change: Change) -> None:
            if self.cut and change.entry is not None:
                self.cut = False
                super()._carry_out(Change(seq=change.seq, entry=change.entry, records=change.records))
                raise UnavailableError("cut")
            super()._carry_out(change)

    inner = Partial()
    inner.create(HEADER, FIRST)
    inner.part_bodies["stale"] = b"snapshot"

    retrying(inner, time).append(Writer(drop_parts=["stale"]))

    assert inner.part_bodies == {}
    assert inner.head() == 2


def test_a_change_of_parts_alone_is_made_again(time: Time, faulty: FaultyStore) -> None:
    runs: list[int] = []

    def make(head: Head) -> Change:
        runs.append(head.seq)
        return Change(put_parts=[(f"part {len(runs)}", b"body")], drop_parts=faulty.inner.parts())

    faulty.fail(Fault.AMBIGUOUS)
    retrying(faulty, time).append(make)

    assert runs == [1, 1]
    assert faulty.inner.parts() == ["part 2"]


def test_nothing_to_write_is_nothing_to_settle(time: Time, faulty: FaultyStore) -> None:
    faulty.fail(Fault.AMBIGUOUS)

    assert retrying(faulty, time).append(lambda _: None) is None


@pytest.mark.parametrize("error", [UnavailableError, ValueError, VaultTamperedError])
def test_what_make_raises_passes_untouched_and_is_not_repeated(
    time: Time, faulty: FaultyStore, error: type[Exception]
) -> None:
    raised = error("from make")
    runs: list[Head] = []

    def make(head: Head) -> Change:
        runs.append(head)
        raise raised

    with pytest.raises(error) as caught:
        retrying(faulty, time).append(make)
    assert caught.value is raised
    assert len(runs) == 1
    assert time.waits == []


def test_a_read_that_fails_inside_of_make_enters_the_critical_section_anew(time: Time) -> None:
    faulty = FaultyStore(EphemeralStore(), counted=["records"])
    faulty.create(HEADER, FIRST)
    store, waited_inside = retrying(faulty, time), []
    faulty.fail(Fault.LOST)

    def make(head: Head) -> Change:
        before = len(time.waits)
        try:
            store.records([at(1)])
        finally:
            waited_inside.append(len(time.waits) - before)
        return Change(seq=head.seq + 1, entry=b"entry")

    store.append(make)

    assert waited_inside == [0, 0]
    assert len(time.waits) == 1
    assert list(store.entries(1)) == [(2, b"entry")]


def test_giving_up_a_change_that_was_sent_says_that_it_may_be_there(time: Time, faulty: FaultyStore) -> None:
    store = retrying(faulty, time, attempts=1)
    faulty.fail(Fault.AMBIGUOUS)

    with pytest.raises(UnavailableError, match="may be there or not"):
        store.append(Writer())


def test_a_store_that_went_back_is_not_written_to(time: Time, faulty: FaultyStore) -> None:
    inner = faulty.inner
    assert isinstance(inner, EphemeralStore)
    commit(inner)
    make = Writer()
    store = RetryingStore(faulty, sleep=lambda _: inner.entry.pop(2))
    faulty.fail(Fault.LOST)

    with pytest.raises(RollbackError):
        store.append(make)

    assert make.runs == 1
    assert inner.head() == 1


def test_an_append_inside_of_an_append_is_refused(time: Time, faulty: FaultyStore) -> None:
    store = retrying(faulty, time)

    def make(head: Head) -> Change:
        with pytest.raises(SessionStateError):
            store.append(Writer())
        return Change(seq=head.seq + 1, entry=b"outer")

    store.append(make)

    assert list(store.entries(1)) == [(2, b"outer")]
    assert commit(store) == 3  # and the next one is let in


# the protocol


class _Place:
    def __init__(self, create: Callable[[], Any], another: Callable[[], Any]) -> None:
        self.create = lambda: RetryingStore(create())
        self.open = lambda: RetryingStore(another())


class TestRetryingStore(StoreConformance):
    @pytest.fixture(params=["memory", "sqlite"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> _Place:
        if request.param == "memory":
            shared = EphemeralStore()
            return _Place(lambda: shared, shared.another)
        path = tmp_path / "alice.vault"
        return _Place(lambda: SqliteStore(path, create=True), lambda: SqliteStore(path))
