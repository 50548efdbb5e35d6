"""Decay: how strong a memory is, what a policy makes a ghost of, and what expires, all by a given clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from vault_core import Draft, ForgetPolicy, InvalidInputError, Memory, MemoryNotFoundError, State, Vault, strength
from vault_core.testing import FakeClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEAK = ForgetPolicy(below=0.5, min_total=0, retain_fraction=0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def vault(tmp_path: Path, clock: FakeClock) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        yield clock.drive(vault)


def memory(**fields: Any) -> Memory:
    written = fields.pop("written", NOW)
    return Memory(id="m", content="tea", created_at=written, updated_at=written, **fields)


def after(days: float, **fields: Any) -> float:
    return strength(memory(**fields), NOW + timedelta(days=days))


# strength


def test_what_is_new_is_at_full_strength_and_half_of_it_goes_with_each_half_life() -> None:
    assert after(0) == 1.0
    assert after(365, memory_type="SEMANTIC") == pytest.approx(0.5)
    assert after(730, memory_type="SEMANTIC") == pytest.approx(0.25)
    assert after(90, memory_type="EPISODIC") == pytest.approx(0.5)
    assert after(180, memory_type="SOLITON") == pytest.approx(0.5)


def test_a_data_class_says_more_than_a_type() -> None:
    assert after(30, memory_type="PERSONA", data_class="transient") == pytest.approx(0.5)
    assert after(90, memory_type="EPISODIC", data_class="unheard of") == pytest.approx(0.5)


def test_a_memory_confirmed_again_is_as_strong_as_a_new_one() -> None:
    at = NOW + timedelta(days=1000)
    confirmed = memory(state=State(refreshed_at=at))

    for days in (0, 10, 400):
        moment = at + timedelta(days=days)
        assert strength(confirmed, moment) == strength(memory(written=at), moment)


@pytest.mark.parametrize(
    "fields", [{"importance": 1.0}, {"emotional_intensity": 1.0}, {"valence": 1.0}, {"state": State(uses=3)}]
)
def test_weight_and_use_make_a_memory_last(fields: dict[str, Any]) -> None:
    assert after(100, **fields) > after(100)


@pytest.mark.parametrize("fields", [{"importance": 0.0}, {"valence": -0.5}])
def test_what_is_unimportant_or_unpleasant_goes_sooner(fields: dict[str, Any]) -> None:
    assert after(100, **fields) < after(100)


def test_use_slows_decay_and_is_weaker_than_a_confirmation() -> None:
    late = NOW + timedelta(days=100)

    unused, used = after(100), after(100, state=State(used_at=late))
    assert unused < used < after(100, state=State(refreshed_at=late))


def test_what_is_pinned_does_not_decay() -> None:
    assert after(10_000, state=State(pinned=True)) == 1.0


def test_a_time_before_it_was_written_is_full_strength() -> None:
    assert after(-10) == 1.0


# policies


def fill(vault: Vault, clock: FakeClock, number: int = 10) -> list[Memory]:
    made = []
    for place in range(number):
        made.append(vault.add(f"cup number {place} of tea", memory_type="EPISODIC"))
        clock.advance(days=60)
    return made


def test_a_policy_makes_ghosts_of_the_weakest_that_nothing_finds(vault: Vault, clock: FakeClock) -> None:
    made = fill(vault, clock)
    receipt = vault.forget_many(policy=WEAK)

    assert receipt.ghost_until == clock.now + timedelta(days=30)
    assert receipt.ids == [one.id for one in made[:9]]  # the last is 60 days old
    assert vaults.texts(vault) == ["cup number 9 of tea"]
    assert vaults.found(vault, "cup tea") == ["cup number 9 of tea"]
    assert vault.get(made[0].id).state.ghost_until == receipt.ghost_until
    assert vault.count(include_archived=True) == 10
    assert vault.forget_many(policy=WEAK).memories == 0


def test_a_policy_keeps_as_many_as_it_says(vault: Vault, clock: FakeClock) -> None:
    made = fill(vault, clock)

    assert vault.forget_many(policy=ForgetPolicy(below=1, min_total=10, retain_fraction=0)).memories == 0
    kept = vault.forget_many(policy=ForgetPolicy(below=1, min_total=7, retain_fraction=0), dry_run=True)
    assert kept.ids == [one.id for one in made[:3]]
    assert vault.forget_many(policy=ForgetPolicy(below=1, min_total=0, retain_fraction=0.95)).memories == 0
    assert vault.forget_many(policy=ForgetPolicy(below=1, min_total=0, retain_fraction=0.75)).memories == 2


def test_a_dry_run_names_what_would_go_and_changes_nothing(vault: Vault, clock: FakeClock) -> None:
    fill(vault, clock)
    commits = vault.stats().commits

    would = vault.forget_many(policy=WEAK, dry_run=True)
    assert (would.memories, would.dry_run, would.seq) == (9, True, None)
    assert vault.stats().commits == commits
    assert vault.forget_many(policy=WEAK).ids == would.ids


def test_pinned_memories_and_summaries_are_never_chosen(vault: Vault, clock: FakeClock) -> None:
    made = fill(vault, clock)
    vault.pin(made[0].id)
    vault.add("tea is a habit", tier="AFFINITY", memory_type="EPISODIC")
    clock.advance(days=10_000)

    assert set(vault.forget_many(policy=WEAK).ids) == {one.id for one in made[1:]}


@pytest.mark.parametrize("how", ["touch", "again", "pin", "unarchive", "update"])
def test_a_ghost_comes_back(vault: Vault, clock: FakeClock, how: str) -> None:
    made = fill(vault, clock)[0]
    vault.forget_many(policy=WEAK)
    match how:
        case "touch":
            vault.touch([made.id])
        case "again":
            assert vault.add(made.text).id == made.id
        case "pin":
            vault.pin(made.id)
        case "unarchive":
            vault.archive(made.id, undo=True)
        case _:
            vault.update(made.id, importance=1.0)

    back = vault.get(made.id)
    assert back.state.ghost_until is None
    assert made.text in vaults.texts(vault)
    clock.advance(days=40)
    vault.expire()
    assert vault.get(made.id).text == made.text


def test_a_ghost_whose_time_is_over_is_erased_by_expire(vault: Vault, clock: FakeClock) -> None:
    made = fill(vault, clock)
    vault.forget_many(policy=WEAK)
    assert vault.expire().memories == 0

    clock.advance(days=31)
    would = vault.expire(dry_run=True)
    assert (would.memories, would.dry_run) == (9, True)
    receipt = vault.expire()
    assert (receipt.memories, receipt.versions, receipt.purged) == (9, 9, True)
    with pytest.raises(MemoryNotFoundError):
        vault.get(made[0].id)
    assert vault.expire().memories == 0


def test_a_policy_without_a_time_for_ghosts_erases_at_once(vault: Vault, clock: FakeClock) -> None:
    made = fill(vault, clock)
    receipt = vault.forget_many(policy=ForgetPolicy(below=0.5, min_total=0, retain_fraction=0, ghost_days=0))

    assert (receipt.memories, receipt.ghost_until, receipt.purged) == (9, None, True)
    with pytest.raises(MemoryNotFoundError):
        vault.get(made[0].id)


def test_a_policy_looks_only_where_it_is_told(vault: Vault, clock: FakeClock) -> None:
    vault.add("tea", namespace=("a",), memory_type="EPISODIC")
    vault.add("tea", namespace=("b",), memory_type="EPISODIC", tags=["old"])
    clock.advance(days=1000)

    assert vault.forget_many(policy=WEAK, namespace=("a",)).memories == 1
    assert vault.forget_many(policy=WEAK, filter={"tags": {"$contains": "new"}}).memories == 0
    assert vaults.texts(vault, namespace=("b",)) == ["tea"]


def test_a_newer_fact_that_has_faded_does_not_bring_the_older_one_back(vault: Vault, clock: FakeClock) -> None:
    vault.add("I live in Ghent", slot=("user", "home"), importance=1.0)
    clock.advance(days=1)
    vault.add("I live in Oslo", slot=("user", "home"), importance=0.0)
    clock.advance(days=400)

    vault.forget_many(policy=WEAK)
    assert vaults.texts(vault) == []


def test_ghosts_are_the_same_after_a_snapshot_and_after_a_replay(tmp_path: Path) -> None:
    clock = FakeClock()
    with clock.drive(vaults.create(tmp_path)) as vault:
        fill(vault, clock)
        vault.forget_many(policy=WEAK)
        vault.checkpoint()
    for _ in range(2):
        with clock.drive(vaults.reopen(tmp_path)) as vault:
            assert vaults.texts(vault) == ["cup number 9 of tea"]
            vault._session._forget_snapshot()
            vault._session._replay()
            assert vaults.texts(vault) == ["cup number 9 of tea"]


@pytest.mark.parametrize(
    "fields",
    [
        {"below": 2},
        {"below": None},
        {"below": "weak"},
        {"retain_fraction": -0.1},
        {"retain_fraction": float("nan")},
        {"min_total": -1},
        {"min_total": 1.5},
        {"ghost_days": -1},
        {"ghost_days": float("inf")},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(fields))):
        ForgetPolicy(**fields)


def test_a_policy_of_another_kind_and_a_policy_with_ids_are_refused(vault: Vault) -> None:
    with pytest.raises(InvalidInputError, match="ForgetPolicy"):
        vault.forget_many(policy={"below": 1})  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError):
        vault.forget_many(["a"], policy=WEAK)


# expiry


def test_what_has_expired_is_found_no_more_and_expire_erases_it(vault: Vault, clock: FakeClock) -> None:
    vault.add("the shop closes at six", expires_at=clock.now + timedelta(hours=5))
    vault.add("the shop sells tea")
    clock.advance(hours=6)
    assert vaults.texts(vault) == ["the shop sells tea"]
    assert vault.count(include_expired=True) == 2

    assert vault.expire().memories == 1
    assert vault.count(include_expired=True) == 1


def test_working_memory_expires_by_itself(vault: Vault, clock: FakeClock) -> None:
    assert vault.add("now on page three", memory_type="WORKING").expires_at == clock.now + timedelta(days=1)
    later = clock.now + timedelta(days=9)
    assert vault.add("now on page four", memory_type="WORKING", expires_at=later).expires_at == later

    clock.advance(days=2)
    assert vaults.texts(vault) == ["now on page four"]


def test_expire_sweeps_every_box_or_the_one_it_is_told(vault: Vault, clock: FakeClock) -> None:
    vault.add_box("work")
    for box in ("main", "work"):
        vault.add("tea", box=box, expires_at=clock.now + timedelta(hours=1))
    clock.advance(hours=2)

    assert vault.expire(box="work").memories == 1
    assert vault.expire(dry_run=True).memories == 1
    assert vault.expire().memories == 1


def test_expire_with_nothing_to_do_is_no_commit(vault: Vault) -> None:
    vault.add("tea")
    commits = vault.stats().commits

    assert vault.expire().seq is None
    assert vault.stats().commits == commits


# use


def test_searching_is_no_commit_and_its_uses_ride_on_the_next_write(vault: Vault, clock: FakeClock) -> None:
    tea = vault.add("green tea")
    vault.add("a spare key")
    commits = vault.stats().commits
    for _ in range(3):
        vault.search("green tea")
    assert vault.stats().commits == commits
    assert vault.get(tea.id).state.uses == 0

    clock.advance(hours=1)
    vault.add("black tea")
    state = vault.get(tea.id).state
    assert (state.uses, state.used_at) == (3, clock.now - timedelta(hours=1))
    vault.add("white tea")
    assert vault.get(tea.id).state.uses == 3


def test_uses_of_what_was_erased_meanwhile_are_dropped(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, vaults.reopen(tmp_path) as other:
        tea = vault.add("green tea")
        other.search("green tea")
        vault.forget(tea.id)
        other.add("black tea")

        assert vaults.texts(vault) == ["black tea"]
        assert vault.verify(full=True).erased == 1


def test_what_is_forgotten_by_the_same_commit_is_not_used_by_it(vault: Vault) -> None:
    tea = vault.add("green tea")
    vault.search("green tea")
    vault.forget(tea.id)
    vault.add("black tea")

    assert vaults.texts(vault) == ["black tea"]


def test_uses_are_counted_in_their_own_box(vault: Vault) -> None:
    vault.add_box("work")
    vault.add("green tea")
    there = vault.add("green tea", box="work")
    vault.search("green tea", box="work")

    vault.add("black tea")
    assert [one.state.uses for one in vault.stream(filter={"id": there.id})] == [0]
    vault.add_many([Draft(content="white tea")], box="work")
    assert vault.get(there.id, box="work").state.uses == 1


def test_a_policy_that_runs_twice_takes_no_more_than_once(vault: Vault, clock: FakeClock) -> None:
    """What is kept is a part of all there were, not of what the run before has left; a ghost that comes back counts."""
    made = fill(vault, clock)
    policy = ForgetPolicy(below=1, min_total=0, retain_fraction=0.5)
    assert vault.forget_many(policy=policy).memories == 5
    assert vault.forget_many(policy=policy, dry_run=True).memories == 0
    assert vault.forget_many(policy=policy).memories == 0

    vault.touch([made[0].id])
    assert vault.forget_many(policy=policy).memories == 1
    clock.advance(days=31)
    vault.expire()
    assert vault.forget_many(policy=policy).memories == 2  # of the five that are left


@pytest.mark.parametrize(("part", "kept"), [(0.55, 55), (0.07, 7), (0.29, 29), (1 / 3, 34), (0, 0), (1, 100)])
def test_the_part_that_is_kept_is_the_one_that_was_given(part: float, kept: int) -> None:
    """0.55 · 100 is a little more than 55 in binary."""
    policy = ForgetPolicy(below=1, min_total=0, retain_fraction=part)
    assert len(policy.chosen([(0.0, address) for address in range(100)], 100)) == 100 - kept


def test_working_memory_of_the_last_day_that_there_is_is_stored(vault: Vault) -> None:
    FakeClock(datetime(9999, 12, 31, 12, tzinfo=UTC)).drive(vault)
    assert vault.add("the end", memory_type="WORKING").expires_at == datetime.max.replace(tzinfo=UTC)
