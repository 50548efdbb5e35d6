"""Random work through two sessions over a store that fails now and then, against a model that never does.

Every call can be refused, fail at the last moment, be cut, take effect with its answer lost or some calls later, or be
delivered twice. `make faults SEQUENCES=1000` runs more sequences; each is repeatable by its seed.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.places import KINDS
from support.remote_work import RemoteWork, Wrap, keys_in
from vault_core import FileKey, UnavailableError
from vault_core.store import Change, Head, RetryingStore
from vault_core.testing import FaultPlan, FaultyStore, NetworkFault, Place
from vault_core.testing.conformance import FIRST, HEADER, commit, contents

pytestmark = pytest.mark.exhaustive

PlaceOf = Callable[[str, Path], Place]
SEQUENCES = int(os.environ.get("STRONGROOM_FAULT_SEQUENCES", "40"))
OVER_HTTP = int(os.environ.get("STRONGROOM_FAULT_SEQUENCES", "10"))  # where a sequence takes seconds
ENOUGH = 60  # sequences in which a seeded bug must show
GROUP = 10  # sequences of one test


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[FileKey]:
    return keys_in(tmp_path_factory.mktemp("keys"))


def work(place_of: PlaceOf, folder: Path, kind: str, keys: list[FileKey], seed: int, wrap: Wrap = RetryingStore) -> int:
    """One sequence; gives how many operations were given up."""
    place = folder / str(seed)
    place.mkdir()
    one = RemoteWork(place_of(kind, place), keys, seed, wrap)
    try:
        one.run()
    except BaseException as error:
        error.add_note(f"{kind}, seed {seed}")
        raise
    finally:
        one.close()
    return one.given_up


@pytest.mark.parametrize(
    ("kind", "start"),
    [(kind, start) for kind in KINDS for start in range(0, OVER_HTTP if kind == "s3" else SEQUENCES, GROUP)],
)
def test_whatever_was_acknowledged_is_there_once_and_the_rest_once_or_not_at_all(
    tmp_path: Path, place_of: PlaceOf, keys: list[FileKey], kind: str, start: int
) -> None:
    given_up = [work(place_of, tmp_path, kind, keys, seed) for seed in range(start, min(start + GROUP, SEQUENCES))]

    assert any(given_up) or start > 0  # nothing was ever in doubt, if no operation was given up


# what it must find


class MakesAnew(RetryingStore):
    """Runs `make` again after an answer that was lost."""

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        for _ in range(3):
            try:
                return self.inner.append(make)
            except UnavailableError as error:
                last = error
                self._sleep(0.0)
        raise last


class SwallowsALostWrite(RetryingStore):
    """Takes a change for written because it was sent."""

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        made: list[Change | None] = []

        def kept(head: Head) -> Change | None:
            made.append(make(head))
            return made[-1]

        try:
            return self.inner.append(kept)
        except UnavailableError:
            if not made:
                raise
            return made[-1]


class TakesAnyEntryForItsOwn(RetryingStore):
    """Settles by number: whatever stands at its seq must be what it sent."""

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        sent: list[Change | None] = []

        def careless(head: Head) -> Change | None:
            before = sent[-1] if sent else None
            if before is not None and before.entry is not None:
                return None if head.seq >= before.seq else before
            sent.append(make(head))
            return sent[-1]

        for _ in range(3):
            try:
                self.inner.append(careless)
                return sent[-1]
            except UnavailableError as error:
                last = error
                self._sleep(0.0)
        raise last


@pytest.mark.parametrize("bug", [MakesAnew, SwallowsALostWrite, TakesAnyEntryForItsOwn], ids=lambda bug: bug.__name__)
@pytest.mark.parametrize("kind", ["memory", "header first"])
def test_a_store_that_tries_again_carelessly_is_found_out(
    tmp_path: Path, place_of: PlaceOf, keys: list[FileKey], kind: str, bug: Any
) -> None:
    for seed in range(ENOUGH):
        try:
            work(place_of, tmp_path, kind, keys, seed, bug)
        except Exception:  # noqa: BLE001  an assertion, or an error that no correct store raises
            return
    pytest.fail(f"{ENOUGH} sequences have not found it")


# the faults themselves


@pytest.fixture
def place(tmp_path: Path, place_of: PlaceOf) -> Any:
    return place_of("memory", tmp_path)


def always(fault: NetworkFault) -> FaultPlan:
    return FaultPlan(seed=1, chance=1.0, faults=(fault,))


@pytest.mark.parametrize("fault", NetworkFault, ids=lambda fault: fault.name)
def test_a_fault_does_what_it_says(place: Any, fault: NetworkFault) -> None:
    store = FaultyStore(place.create())
    store.create(HEADER, FIRST)
    store.follow(always(fault))
    error = None
    try:
        commit(store, b"record")
    except UnavailableError as raised:
        error = raised

    there = place.open().head() == 2
    store.follow(None)

    assert (error is None) == (fault is NetworkFault.TWICE)
    assert there == (fault in (NetworkFault.AMBIGUOUS, NetworkFault.TWICE))
    assert (store.head() == 2) == (there or fault is NetworkFault.LATE)


def test_what_arrives_late_does_not_take_a_place_that_has_gone_to_another(place: Any) -> None:
    store = FaultyStore(place.create())
    store.create(HEADER, FIRST)
    store.follow(always(NetworkFault.LATE))
    with pytest.raises(UnavailableError):
        commit(store, b"late")
    commit(place.open(), b"another's")
    before = contents(place.open())

    store.follow(None)

    assert contents(store) == before


def test_what_is_cut_gives_the_beginning(place: Any) -> None:
    store = FaultyStore(place.create())
    store.create(HEADER, FIRST)
    for _ in range(9):
        commit(store)
    store.follow(always(NetworkFault.CUT))
    given: list[int] = []

    with pytest.raises(UnavailableError):
        given.extend(seq for seq, _ in store.entries(0))

    assert given == list(range(1, len(given) + 1))
    assert len(given) < 10


def test_a_plan_strikes_the_same_calls_again(place: Any) -> None:
    def strikes(seed: int) -> list[bool]:
        store = FaultyStore(place.open())
        store.follow(FaultPlan(seed=seed, chance=0.5))
        return [fails(store.head) for _ in range(50)]

    place.create().create(HEADER, FIRST)

    assert strikes(3) == strikes(3) != strikes(4)
    assert 5 < sum(strikes(3)) < 45


def fails(call: Callable[[], object]) -> bool:
    try:
        call()
    except UnavailableError:
        return True
    return False
