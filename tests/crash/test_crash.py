"""A vault after a power cut: whole, nothing acknowledged lost, no false alarm."""

import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from crash import strace
from crash.bugs import Bug
from crash.check import Outcome, Tallies, check_all, table
from crash.run import SCENARIOS, record_scenario

STATES = int(os.environ.get("STRONGROOM_CRASH_STATES", "10000"))

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(strace.absent() is not None, reason=strace.absent() or ""),
]


@pytest.fixture(scope="module")
def tallies(request: pytest.FixtureRequest) -> Iterator[Tallies]:
    """What the tests have counted: shown in the end, for the counts are the result."""
    counted: Tallies = {}
    yield counted
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        print(f"\n{table(counted)}")  # noqa: T201


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_vault_survives_every_power_cut(scenario: str, tallies: Tallies) -> None:
    states = -(-STATES // len(SCENARIOS))

    counted = check_all([record_scenario(scenario)], states=states)
    tallies.update(counted)

    assert {key: tally.failures for key, tally in counted.items() if tally.failures} == {}, table(counted)
    assert sum(tally.counts[Outcome.GOOD] for tally in counted.values()) > states / 2


@pytest.mark.parametrize(
    ("bug", "outcomes"),
    [
        (Bug.NORMAL, {Outcome.LOST, Outcome.ROLLBACK}),
        (Bug.SPLIT, {Outcome.CORRUPT}),
    ],
    ids=["synchronous-normal", "two-transactions"],
)
def test_a_seeded_bug_is_found(bug: Bug, outcomes: set[Outcome]) -> None:
    counted = check_all([record_scenario("write", bug=bug)], states=300)

    found = {outcome for tally in counted.values() for outcome in tally.failures}
    assert found >= outcomes, table(counted)
