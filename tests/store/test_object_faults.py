"""Whatever happens to requests: nothing acknowledged is lost, nothing is doubled, nothing stays half done for ever.

A store that believes answers stands beside it: with that one the same harness finds doubled commits.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from support.buckets import Crash, Faulty, MemoryBucket
from vault_core.errors import UnavailableError
from vault_core.store import Change, Head, StoredHeader
from vault_core.store.object import ObjectStore, blocks, erasing, layout, store

URL = "s3://bucket/prefix"
SEQUENCES = 1_000
OPERATIONS = 12
FATES = ("before", "after", "denied", "twice", "late")
WINDOW = 4  # small, so that there is something to pack


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses, no threads (their order would be another each time), and windows that fill soon."""
    for module in (blocks, erasing, layout, store):
        if hasattr(module, "WINDOW"):
            monkeypatch.setattr(module, "WINDOW", WINDOW)
        if hasattr(module, "concurrently"):
            monkeypatch.setattr(module, "concurrently", lambda work, items: [work(one) for one in items])
        if hasattr(module, "at_once"):
            monkeypatch.setattr(module, "at_once", lambda one, other: (one(), other()))
    monkeypatch.setattr(store, "_PAUSE", 0)


FIRST_HEADER = StoredHeader(b"header 1", b"m" * 64)


@dataclass(slots=True)
class Model:
    """What has been acknowledged."""

    entries: dict[int, bytes] = field(default_factory=dict)
    records: dict[int, bytes] = field(default_factory=dict)
    erased: set[bytes] = field(default_factory=set)  # bytes that must be nowhere in the end
    header: StoredHeader = FIRST_HEADER


def opened(bucket: object) -> ObjectStore:
    return ObjectStore(URL, bucket=bucket)  # type: ignore[arg-type]


def new_vault() -> tuple[MemoryBucket, Model]:
    bucket, model = MemoryBucket(), Model()
    ObjectStore(URL, create=True, bucket=bucket).create(model.header, b"entry 1")
    model.entries[1] = b"entry 1"
    return bucket, model


class Weather:
    """How often something goes wrong; it clears up for whoever keeps trying."""

    def __init__(self, dice: random.Random, rate: float) -> None:
        self.dice, self.rate, self.tries = dice, rate, 0

    def __call__(self, _: int, __: str) -> str:
        return self.dice.choice(FATES) if self.dice.random() < self.rate * 0.95**self.tries else "pass"


def settled(session: ObjectStore, weather: Weather, plan: Callable[[Head], Change]) -> Change:
    """Append, and repeat the same change after a lost answer until it is known what became of it.

    As `RetryingStore` does. When the store itself says that another came first, there is a new plan.
    """
    pending: list[Change] = []

    def make(head: Head) -> Change:
        if not pending or head.seq >= pending[0].seq:
            pending[:] = [plan(head)]
        return pending[0]

    def once() -> Change:
        if pending:
            there = dict(session.entries(pending[0].seq - 1, pending[0].seq))
            if there.get(pending[0].seq) == pending[0].entry:
                return pending[0]
        change = session.append(make)
        assert change is not None
        return change

    return until_available(weather, once)


def until_available(weather: Weather, work: Callable[[], Any]) -> Any:
    for tries in range(1_000):
        weather.tries = tries
        try:
            return work()
        except UnavailableError:
            continue
        finally:
            weather.tries = 0
    raise AssertionError("it is never available")


def one_operation(dice: random.Random, session: ObjectStore, model: Model, number: int, weather: Weather) -> None:
    kind = dice.choice(("commit", "commit", "erase", "header", "purge", "reclaim", "read"))
    live = sorted(address for address, body in model.records.items() if any(body))
    chosen = dice.sample(live, min(len(live), dice.choice((1, 3)))) if kind == "erase" else []
    header = StoredHeader(b"header of operation %02d" % number, bytes([number]) * 64) if kind == "header" else None
    if kind in ("commit", "erase", "header"):
        records = [b"record %02d %d" % (number, n) for n in range(dice.randrange(3))] if header is None else []
        plans = count()
        change = settled(
            session,
            weather,
            lambda head: Change(
                seq=head.seq + 1,
                entry=b"plan %d of operation %d" % (next(plans), number),
                records=records,
                erase=chosen,
                header=header,
            ),
        )
        assert change.entry is not None
        model.entries[change.seq] = change.entry
        model.records.update({change.seq << 24 | n: body for n, body in enumerate(records)})
        for address in chosen:
            model.erased.add(model.records[address])
            model.records[address] = bytes(len(model.records[address]))
        if header is not None:
            model.erased.update(model.header)
            model.header = header
    elif kind == "purge":
        session.purge()
    elif kind == "reclaim":
        until_available(weather, session.reclaim)
    else:
        until_available(weather, lambda: check(session, model))


def check(session: ObjectStore, model: Model) -> None:
    """The store shows what was acknowledged, and nothing else."""
    assert dict(session.entries(0)) == model.entries
    addresses = list(session.addresses(-1))
    assert addresses == sorted(model.records)
    assert session.records(addresses).keys() == model.records.keys()
    assert session.read_header() == model.header


def check_whole(bucket: MemoryBucket, model: Model) -> None:
    """The same for one who comes later, who also finishes what was broken off."""
    session = opened(bucket)
    check(session, model)
    assert session.purge()
    assert session.records(model.records) == model.records
    session.reclaim()
    check(session, model)
    assert session.records(model.records) == model.records
    everything = bucket.everything()
    assert [body for body in model.erased if body in everything] == []
    left = [int(name[-16:]) for name in bucket.objects if name.startswith("unfinished/")]
    assert [seq for seq in left if seq <= max(model.entries)] == []  # beyond lies what was never made


def random_sequence(seed: int) -> None:
    dice = random.Random(seed)
    bucket, model = new_vault()
    weather = Weather(dice, dice.choice((0.05, 0.2, 0.5)))
    faulty = [Faulty(bucket, weather) for _ in range(2)]
    sessions = [until_available(weather, lambda one=one: opened(one)) for one in faulty]
    for number in range(OPERATIONS):
        one_operation(dice, dice.choice(sessions), model, number, weather)
        if dice.random() < 0.3:
            dice.choice(faulty).arrive()
    for one in faulty:
        one.arrive()
    check_whole(bucket, model)


@pytest.mark.parametrize("tenth", range(10))
def test_random_faults_lose_nothing_and_double_nothing(tenth: int) -> None:
    sequences(range(tenth * SEQUENCES // 10, (tenth + 1) * SEQUENCES // 10))


def sequences(seeds: range) -> None:
    for seed in seeds:
        try:
            random_sequence(seed)
        except AssertionError as error:
            raise AssertionError(f"sequence {seed}") from error


def test_a_store_that_believes_answers_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: "exists" is taken for another's object, without looking."""
    monkeypatch.setattr(ObjectStore, "_mark_at", lambda *_: b"not ours")

    with pytest.raises(AssertionError):
        sequences(range(100))


# crashes


def append_one(session: ObjectStore) -> None:
    session.append(lambda head: Change(seq=head.seq + 1, entry=b"entry of the crash", records=[b"new record"]))


def erase_some(session: ObjectStore) -> None:
    session.append(
        lambda head: Change(
            seq=head.seq + 1, entry=b"entry of the crash", erase=[2 << 24, 3 << 24, 6 << 24], drop_parts=["snapshot"]
        )
    )


def change_header(session: ObjectStore) -> None:
    header = StoredHeader(b"the header of the crash", b"c" * 64)
    session.append(lambda head: Change(seq=head.seq + 1, entry=b"entry of the crash", header=header))


def put_part(session: ObjectStore) -> None:
    session.append(lambda _: Change(put_parts=[("snapshot", b"a new one")]))


TASKS: dict[str, Callable[[ObjectStore], object]] = {
    "append": append_one,
    "erase": erase_some,
    "header": change_header,
    "part": put_part,
    "purge": ObjectStore.purge,
    "reclaim": ObjectStore.reclaim,
}


def grown(*, broken_off: bool) -> tuple[MemoryBucket, Model]:
    """A vault of ten commits with a pack, a part, erased records and an old header; or with all of that half done."""
    bucket, model = new_vault()
    session = opened(bucket)
    for seq in range(2, 11):
        record = b"the record of %d" % seq
        session.append(lambda head, record=record: Change(seq=head.seq + 1, entry=b"entry", records=[record]))
        model.entries[seq], model.records[seq << 24] = b"entry", record
        if seq == 6:
            session.reclaim()
    session.append(lambda _: Change(put_parts=[("snapshot", b"of an earlier time")]))
    if broken_off:
        faulty = Faulty(bucket, lambda _, call: "crash before" if call == "replace" else "pass")
        with pytest.raises(Crash):
            opened(faulty).append(lambda head: Change(seq=head.seq + 1, entry=b"erases", erase=[4 << 24, 7 << 24]))
        model.entries[11] = b"erases"
        for address in (4 << 24, 7 << 24):
            model.erased.add(model.records[address])
            model.records[address] = bytes(len(model.records[address]))
        with pytest.raises(Crash):
            opened(Faulty(bucket, lambda _, call: "crash before" if call == "replace" else "pass")).reclaim()
    return bucket, model


def crashes(task: str) -> Iterator[tuple[int, str]]:
    """Every request of a task, and the process ends before or after it."""
    bucket, _ = grown(broken_off=task in ("purge", "reclaim"))
    counting = Faulty(bucket, lambda *_: "pass")
    session = opened(counting)
    before = len(counting.calls)
    TASKS[task](session)
    for number in range(before, len(counting.calls)):
        yield number, "crash before"
        yield number, "crash after"


@pytest.mark.parametrize("task", TASKS)
def test_a_crash_between_any_two_requests_is_completed_by_the_next_opener(task: str) -> None:
    outcomes = set[bool]()
    for at, fate in crashes(task):
        bucket, model = grown(broken_off=task in ("purge", "reclaim"))
        faulty = Faulty(bucket, lambda number, _, at=at, fate=fate: fate if number == at else "pass")
        session = opened(faulty)
        with pytest.raises(Crash):
            TASKS[task](session)

        took_effect = _took_effect(bucket, model, task)
        outcomes.add(took_effect)
        check_whole(bucket, model)
        append_one(opened(bucket))  # nobody is stuck
        if took_effect and task == "erase":
            assert opened(bucket).part("snapshot") is None
    assert outcomes == ({True, False} if task in ("append", "erase", "header") else {False})


def _took_effect(bucket: MemoryBucket, model: Model, task: str) -> bool:
    """Whether the commit of the crash is there: both are right, as nobody was told. The model follows."""
    name = layout.log_name(11)
    if task not in ("append", "erase", "header") or name not in bucket.objects:
        return False
    model.entries[11] = b"entry of the crash"
    if task == "append":
        model.records[11 << 24] = b"new record"
    if task == "erase":
        for seq in (2, 3, 6):
            model.erased.add(model.records[seq << 24])
            model.records[seq << 24] = bytes(len(model.records[seq << 24]))
    if task == "header":
        model.erased.update(model.header)
        model.header = StoredHeader(b"the header of the crash", b"c" * 64)
    return True


def test_without_the_markers_a_crash_leaves_erased_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the crash tests."""
    monkeypatch.setattr(erasing.Rewriter, "announce", lambda *_: None)

    with pytest.raises(AssertionError):
        test_a_crash_between_any_two_requests_is_completed_by_the_next_opener("erase")


# writers that sleep


def test_a_writer_that_slept_through_a_compaction_can_not_take_a_number_again() -> None:
    bucket, model = new_vault()
    sleeper, other = opened(bucket), opened(bucket)
    late = Faulty(bucket, lambda _, call: "late" if call == "create" else "pass")
    with pytest.raises(UnavailableError):  # its create is on the way: seq 2
        opened(late).append(lambda _: Change(seq=2, entry=b"of one who gave up"))
    for seq in range(2, 10):
        other.append(lambda head: Change(seq=head.seq + 1, entry=b"entry of another", records=[b"x"]))
        model.entries[seq], model.records[seq << 24] = b"entry of another", b"x"
    other.reclaim()
    assert bucket.objects[layout.log_name(2)][0] == layout.encode_stub(0)

    late.arrive()
    change = sleeper.append(lambda head: Change(seq=head.seq + 1, entry=b"of one who slept"))

    assert change is not None
    assert change.seq == 10
    model.entries[10] = b"of one who slept"
    check_whole(bucket, model)
