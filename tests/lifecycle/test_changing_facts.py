"""Facts that change: what is current, what was believed at a time, and the whole line, in whatever order they came."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support import vaults
from support.changing_facts import Facts, Truth, Value, day
from support.copies import storage
from support.processes import Other, call
from vault_core import Draft, InvalidInputError, Memory, Vault
from vault_core.index.catalogue import Catalogue
from vault_core.index.supersession import Supersession
from vault_core.memory.times import to_micros
from vault_core.testing import FakeClock

NOW = 3_000.0  # a day after everything was learned
TIMES = [*range(100, 3_000, 240), NOW]
SEARCHED = range(5, 210, 41)  # persons
Seen = dict[str, Any]


def write(pipe: Connection, folder: Path, work: list[Any]) -> None:
    """One writer, whose clock says when each value was learned."""
    with vaults.reopen(folder) as vault:
        pipe.send("open")
        pipe.recv()
        for one in work:
            if isinstance(one, Value):
                put(vault, one)
            else:
                vault.archive(one.id, undo=one.undo)


def put(vault: Vault, value: Value) -> Memory:
    FakeClock(day(value.learned)).drive(vault)
    return vault.add(
        value.text,
        id=value.id,
        slot=value.slot,
        supersedes=value.supersedes,
        valid_from=None if value.valid_from is None else day(value.valid_from),
        valid_to=None if value.valid_to is None else day(value.valid_to),
    )


def said(memories: Any) -> dict[str, str]:
    return {memory.id: memory.text for memory in memories}


def seen(vault: Vault) -> Seen:
    """All that a vault says of its facts."""
    FakeClock(day(NOW)).drive(vault)
    answers: Seen = {
        "current": said(vault.list(limit=None)),
        "everything": said(vault.list(limit=None, include_superseded=True)),
        "counted": vault.count(),
    }
    for time in TIMES:
        answers["as of", time] = said(vault.list(limit=None, as_of=day(time)))
    for time in TIMES[::4]:
        answers["streamed", time] = said(vault.stream(as_of=day(time)))
        answers["counted", time] = vault.count(as_of=day(time))
    for person in SEARCHED:
        for time in (900, 1_700, None):
            at = None if time is None else day(time)
            hits = vault.search(f"person{person}", mode="lexical", cut=False, top_k=50, as_of=at)
            answers["searched", person, time] = said(hit.memory for hit in hits)
        line = vault.history(f"{person}-0", line=True)
        answers["line", person] = [(memory.id, memory.text) for memory in line]
        assert all(memory.provenance["session"] for memory in line)
    return answers


def expected(truth: Truth) -> Seen:
    """What it should say."""
    current = truth.current(NOW)
    answers: Seen = {"current": current, "everything": truth.everything(NOW), "counted": len(current)}
    at = {time: truth.as_of(time) for time in (*TIMES, 900, 1_700)}
    answers |= {("as of", time): at[time] for time in TIMES}
    answers |= {("streamed", time): at[time] for time in TIMES[::4]}
    answers |= {("counted", time): len(at[time]) for time in TIMES[::4]}
    for person in SEARCHED:
        for time in (900, 1_700, None):
            holding = current if time is None else at[time]
            about = f"person{person} "
            answers["searched", person, time] = {id_: text for id_, text in holding.items() if text.startswith(about)}
        answers["line", person] = truth.line(f"{person}-0")
    return answers


def differences(found: Seen, wanted: Seen) -> list[Any]:
    return [what for what in wanted if found[what] != wanted[what]]


def seen_by_another(folder: Path) -> Seen:
    with vaults.reopen(folder) as vault:
        return seen(vault)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """A vault that three processes have written to at once."""
    folder, facts = tmp_path_factory.mktemp("facts"), Facts(seed=11)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRONGROOM_STATE_DIR", str(folder / "state"))
        vaults.create(folder).close()
        with ExitStack() as stack:
            others = [stack.enter_context(Other(write, folder, work)) for work in facts.work]
            assert [other.hear() for other in others] == ["open"] * len(others)
            for other in others:
                other.say("go")
    return folder, facts


@pytest.fixture
def home(written: tuple[Path, Facts], tmp_path: Path) -> Path:
    """A copy of that vault."""
    (tmp_path / "key").write_bytes((written[0] / "key").read_bytes())
    with storage() as side:
        side.copy(written[0] / vaults.NAME, tmp_path / vaults.NAME)
    return tmp_path


def truth_of(facts: Facts) -> Truth:
    return Truth(one for work in facts.work for one in work)


def test_the_generator_makes_what_the_proof_is_about() -> None:
    facts = Facts(seed=11)
    truth = truth_of(facts)
    values = [value for versions in truth.versions.values() for value in versions]

    assert len({value.slot for value in values} - {None}) >= 200
    assert max(len(truth.line(f"{person}-0")) for person in range(210)) >= 6
    assert all(len(work) > 150 for work in facts.work)
    assert sum(value.supersedes != () for value in values) > 20
    assert len(truth.archived) > 20
    assert sum(value.valid_from is not None and value.valid_from > NOW for value in values) > 20
    assert truth.current(NOW) != truth.as_of(NOW)  # some have ended, some are to come
    late = [one for work in facts.work for one, next_ in pairwise(work) if older(next_, one)]
    assert len(late) > 100


def older(one: Any, other: Any) -> bool:
    return isinstance(one, Value) and isinstance(other, Value) and one.learned < other.learned


def test_three_processes_that_write_at_once_leave_what_is_true(written: tuple[Path, Facts], home: Path) -> None:
    _, facts = written
    wanted = expected(truth_of(facts))

    with vaults.reopen(home) as vault:
        assert differences(seen(vault), wanted) == []
        assert vault.verify(full=True).erased == 0  # nothing is deleted by supersession
        vault.checkpoint()
    with vaults.reopen(home) as from_snapshot:
        assert differences(seen(from_snapshot), wanted) == []
    assert differences(call(seen_by_another, home), wanted) == []
    with storage() as side:
        assert side.change(home / vaults.NAME, "DELETE FROM part") is None
    with vaults.reopen(home) as from_log:
        assert differences(seen(from_log), wanted) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_arrival_does_not_matter(tmp_path: Path, seed: int) -> None:
    facts = Facts(seed=seed, writers=1)
    values = [one for one in facts.work[0] if isinstance(one, Value)][:250]
    first_said = {value.id: value for value in reversed(values)}  # one version each: those of an id have their order
    ways = [list(first_said.values()), sorted(first_said.values(), key=lambda value: value.learned)]
    ways.append(Random(seed).sample(ways[0], len(ways[0])))
    wanted = Truth(ways[0])

    for way in ways:
        with Vault.create("memory://", unlock=vaults.key_in(tmp_path)) as vault:
            for value in way:
                put(vault, value)
            FakeClock(day(NOW)).drive(vault)
            assert said(vault.list(limit=None)) == wanted.current(NOW)
            for time in TIMES[::5]:
                assert said(vault.list(limit=None, as_of=day(time))) == wanted.as_of(time)


def test_restoring_undoes_supersession_and_can_be_undone(written: tuple[Path, Facts], home: Path) -> None:
    _, facts = written
    truth = truth_of(facts)
    current = truth.current(NOW)
    hidden = [id_ for id_ in truth.everything(NOW) if id_ not in current][:60:2]

    with vaults.reopen(home) as vault:
        for place, id_ in enumerate(hidden):
            restored = vault.get(id_)
            FakeClock(day(NOW + 1 + place / 100)).drive(vault)
            vault.restore(id_, restored.version)
            assert id_ in said(vault.list(limit=None, filter={"id": id_}))
            if restored.slot is not None and (restored.valid_from is None or restored.valid_from <= day(NOW)):
                slot = {"slot.subject": restored.slot.subject}
                begun = [one for one in vault.list(filter=slot) if one.valid_from is None or one.valid_from <= day(NOW)]
                assert [one.id for one in begun] == [id_]
        for time in TIMES:
            assert said(vault.list(limit=None, as_of=day(time))) == truth.as_of(time)


# small cases, one rule each


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(day(1_000))


@pytest.fixture
def vault(tmp_path: Path, clock: FakeClock) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        yield clock.drive(vault)


HOME = ("user", "home city")


def cities(vault: Vault, **query: Any) -> list[str]:
    return [memory.text for memory in vault.list(order_by="created", **query)]


def test_a_late_arriving_older_fact_never_overrides_a_newer_one(vault: Vault, clock: FakeClock) -> None:
    vault.add("Munich", slot=HOME, valid_from="2022-01-01")
    clock.advance(days=1)
    vault.add("Berlin", slot=HOME, valid_from="2020-06-01")

    assert cities(vault) == ["Munich"]
    assert cities(vault, as_of=clock.now) == ["Munich"]
    assert cities(vault, include_superseded=True) == ["Munich", "Berlin"]


def test_when_it_was_true_and_when_it_was_learned_are_two_times(vault: Vault, clock: FakeClock) -> None:
    vault.add("Berlin", slot=HOME, valid_from=day(0), valid_to=day(400))
    learned = clock.advance(days=100)
    vault.add("Munich", slot=HOME, valid_from=day(1_050))

    assert cities(vault, as_of=day(300)) == []  # it was true, and nobody had told us
    assert cities(vault, as_of=day(1_060)) == []  # what we believed then had ended
    assert cities(vault, as_of=learned) == ["Munich"]


def test_a_value_to_come_leaves_the_present_one_until_it_begins(vault: Vault, clock: FakeClock) -> None:
    vault.add("Munich", slot=HOME)
    clock.advance(days=1)
    vault.add("Rome from spring on", slot=HOME, valid_from=day(1_100))

    assert cities(vault) == ["Munich", "Rome from spring on"]
    assert cities(vault, as_of=clock.now) == ["Munich"]
    clock.advance(days=200)
    assert cities(vault) == ["Rome from spring on"]


def test_other_tags_do_not_make_a_fact_newer_and_another_text_does(vault: Vault, clock: FakeClock) -> None:
    for number, city in enumerate(("Berlin", "Munich")):
        vault.add(city, id=f"c{number}", slot=HOME)
        clock.advance(days=1)
    vault.update("c0", tags=["old"])
    assert cities(vault) == ["Munich"]

    clock.advance(days=1)
    vault.update("c0", content="Hamburg")
    assert cities(vault) == ["Hamburg"]


def test_archiving_what_supersedes_brings_back_what_was_superseded(vault: Vault, clock: FakeClock) -> None:
    vault.add("Berlin", slot=HOME)
    clock.advance(days=1)
    munich = vault.add("Munich", slot=HOME)
    vault.archive(munich.id)
    assert cities(vault) == cities(vault, as_of=clock.now) == ["Berlin"]

    vault.archive(munich.id, undo=True)
    assert cities(vault) == ["Munich"]


def test_a_retraction_brings_back_what_the_retracted_value_had_hidden(vault: Vault, clock: FakeClock) -> None:
    vault.add("Berlin", slot=HOME)
    clock.advance(days=1)
    munich = vault.add("Munich", slot=HOME)
    clock.advance(days=1)
    vault.add("The move never happened", supersedes=[munich.id])

    assert cities(vault) == ["Berlin", "The move never happened"]


def test_what_was_restored_gives_way_to_a_value_that_is_new_again(vault: Vault, clock: FakeClock) -> None:
    berlin = vault.add("Berlin", id="b", slot=HOME)
    clock.advance(days=1)
    vault.add("Munich", id="m", slot=HOME)
    clock.advance(days=1)
    vault.restore("b", berlin.version)
    assert cities(vault) == ["Berlin"]

    clock.advance(days=1)
    vault.update("m", content="Hamburg")
    assert cities(vault) == ["Hamburg"]

    clock.advance(days=1)
    vault.restore("b", berlin.version)
    assert cities(vault) == ["Berlin"]
    assert [memory.text for memory in vault.history("b", line=True)] == [
        "Berlin", "Munich", "Berlin", "Hamburg", "Berlin",
    ]  # fmt: skip


def test_the_line_of_a_slot_says_who_and_when(vault: Vault, clock: FakeClock) -> None:
    for city in ("Berlin", "Munich", "Rome"):
        vault.add(city, id=city, slot=HOME, reason="moved")
        clock.advance(days=1)
    line = vault.history("Munich", line=True)

    assert [(memory.id, memory.updated_at, memory.reason) for memory in line] == [
        (city, day(1_000 + number), "moved") for number, city in enumerate(("Berlin", "Munich", "Rome"))
    ]
    assert len({memory.provenance["session"] for memory in line}) == 1
    assert [memory.id for memory in vault.history("Munich")] == ["Munich"]


# what the harness must find

BUGS: dict[str, Any] = {
    "newer is what arrived later": lambda _, row: (row.address, 0, 0),
    "newer is what was learned later": lambda _, row: (row.updated, 0, row.address),
    "when it was learned is when its id was made": lambda _, row: (
        next(time for time in (row.valid_from, row.created) if time is not None), row.created, row.address,
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS)
def test_a_wrong_order_is_found(
    written: tuple[Path, Facts], home: Path, bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supersession, "_since", BUGS[bug])
    with storage() as side:
        side.change(home / vaults.NAME, "DELETE FROM part")
    with vaults.reopen(home) as vault:
        found = differences(seen(vault), expected(truth_of(written[1])))

    assert {"current", ("as of", NOW)} <= set(found)


def test_believing_earlier_what_was_only_true_then_is_found(
    written: tuple[Path, Facts], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Supersession.at

    def hindsight(self: Supersession, moment: int, **options: bool) -> Any:
        return sound(self, max(moment, to_micros(day(NOW))), **options)

    monkeypatch.setattr(Supersession, "at", hindsight)
    with vaults.reopen(home) as vault:
        found = differences(seen(vault), expected(truth_of(written[1])))

    assert ("as of", 100) in found


def test_a_version_below_more_than_a_record_can_name_is_not_restored(vault: Vault) -> None:
    """A record that no reader takes would shut the whole vault."""
    first = vault.add("value", slot=HOME)
    vault.add_many([Draft(content=f"value {number}", slot=HOME) for number in range(257)])

    with pytest.raises(InvalidInputError, match="256"):
        vault.restore(first.id, first.version)
    assert vault.verify(full=True).opened
    assert vault.get(first.id).text == "value"


def test_a_tag_for_what_was_answered_does_not_bring_it_back(vault: Vault, clock: FakeClock) -> None:
    """Of two that name each other the later statement holds, and other tags are no statement."""
    berlin = vault.add("Berlin", id="b", slot=HOME)
    clock.advance(days=1)
    vault.add("Munich", id="m", slot=HOME, supersedes=["b"])
    clock.advance(days=1)
    vault.restore("b", berlin.version)
    clock.advance(days=1)
    vault.update("m", tags=["old"])
    assert cities(vault) == ["Berlin"]

    clock.advance(days=1)
    vault.update("m", supersedes=["b"])  # said once more
    assert cities(vault) == ["Munich"]


def test_a_tag_does_not_hide_again_what_has_said_something_else_since(vault: Vault, clock: FakeClock) -> None:
    vault.add("Tea at five", id="tea")
    clock.advance(days=1)
    vault.add("No tea any more", id="none", supersedes=["tea"])
    clock.advance(days=1)
    vault.update("tea", content="Tea at four")
    clock.advance(days=1)
    vault.update("none", importance=0.2)

    assert cities(vault) == ["Tea at four", "No tea any more"]


def test_in_a_circle_the_earliest_statement_does_not_count(vault: Vault, clock: FakeClock) -> None:
    """Otherwise a circle would hide all of its members."""
    for id_, named in (("a", "z"), ("b", "a"), ("c", "b")):
        vault.add(f"{id_} it is", id=id_, supersedes=[named])
        clock.advance(days=1)
    assert cities(vault) == ["c it is"]
    before = clock.now
    vault.update("a", supersedes=["c"])
    assert cities(vault) == cities(vault, as_of=clock.now) == ["a it is"]
    assert cities(vault, as_of=before - timedelta(days=1)) == ["c it is"]

    clock.advance(days=1)
    vault.add("d it is", id="d", supersedes=["a"])
    assert cities(vault) == ["d it is"]
    vault.forget("d")
    assert cities(vault) == ["a it is"]
    vault.forget("a")  # and what it broke is whole again
    assert cities(vault) == ["c it is"]


def test_a_circle_is_settled_wherever_its_earliest_statement_is(vault: Vault, clock: FakeClock) -> None:
    """The one that comes back is neither the one that was written nor the one that it names."""
    for id_ in "abc":
        vault.add(f"{id_} it is", id=id_)
        clock.advance(days=1)
    for id_, named in (("c", "b"), ("b", "a"), ("a", "c")):
        vault.update(id_, supersedes=[named])
        clock.advance(days=1)

    assert cities(vault) == cities(vault, as_of=clock.now) == ["b it is"]
    vault.forget("a")
    assert cities(vault) == cities(vault, as_of=clock.now) == ["c it is"]


def test_who_supersedes_whom_by_name_is_the_same_after_an_import(
    vault: Vault, clock: FakeClock, tmp_path: Path
) -> None:
    """An import writes memories one after the other, whichever statement was made first."""
    vault.add("Tea", id="z", supersedes=["a"])
    clock.advance(days=1)
    vault.add("Coffee", id="a", supersedes=["z"])
    clock.advance(days=1)
    vault.update("a", content="Water", supersedes=[])
    clock.advance(days=1)
    vault.update("z", tags=["hot"], supersedes=["a"])
    earlier = clock.now - timedelta(days=2)
    vault.export_memories(tmp_path / "house.jsonl")

    with Vault.create("memory://", unlock=vaults.key_in(tmp_path)) as other:
        clock.drive(other)
        other.import_memories(tmp_path / "house.jsonl")
        for time in (None, earlier, clock.now):
            assert cities(other, as_of=time) == cities(vault, as_of=time) != []


def test_a_tag_decides_nothing_between_facts_of_one_moment(vault: Vault, clock: FakeClock) -> None:
    vault.add("Berlin", id="b", slot=HOME, valid_from="2020-01-01")
    vault.add("Munich", id="m", slot=HOME, valid_from="2020-01-01")
    clock.advance(days=1)
    vault.update("b", tags=["old"])

    assert cities(vault) == ["Munich"]


def test_what_happens_later_leaves_the_present_value_until_then(vault: Vault, clock: FakeClock) -> None:
    """Without `valid_from` a value begins at its `event_time`."""
    vault.add("Munich", slot=HOME)
    clock.advance(days=1)
    vault.add("We move to Rome", slot=HOME, event_time=day(1_100))
    assert cities(vault) == ["Munich", "We move to Rome"]
    assert cities(vault, as_of=clock.now) == ["Munich"]

    clock.advance(days=200)
    assert cities(vault) == cities(vault, as_of=clock.now) == ["We move to Rome"]


def test_what_is_in_no_slot_is_known_before_it_happens(vault: Vault, clock: FakeClock) -> None:
    vault.add("The dentist on Tuesday", event_time=clock.now + timedelta(days=3))
    assert cities(vault, as_of=clock.now) == ["The dentist on Tuesday"]


def test_restoring_the_present_value_leaves_the_one_to_come(vault: Vault, clock: FakeClock) -> None:
    munich = vault.add("Munich", id="m", slot=HOME)
    clock.advance(days=1)
    vault.add("Rome from spring on", slot=HOME, valid_from=day(1_100))
    vault.update("m", content="Munich, for now")
    vault.restore("m", munich.version)
    assert cities(vault) == ["Munich", "Rome from spring on"]

    clock.advance(days=200)
    assert cities(vault) == ["Rome from spring on"]


def test_a_version_is_restored_also_from_below_one_whose_clock_is_ahead(vault: Vault, clock: FakeClock) -> None:
    berlin = vault.add("Berlin", id="b", slot=HOME)
    clock.advance(days=2)
    vault.add("Munich", id="m", slot=HOME, supersedes=["b"])
    clock.advance(days=-1)
    vault.restore("b", berlin.version)

    assert cities(vault) == ["Berlin"]


def test_versions_of_a_long_history_are_each_judged_without_reading_all_others(
    vault: Vault, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was believed at a time is asked once for a memory, not once for each of its versions."""
    vault.add("none of it", id="count", slot=HOME)
    for number in range(40):
        clock.advance(days=1)
        vault.update("count", content=f"{number} of it")
    asked: list[str] = []
    right = Catalogue.last_before

    def counted(self: Catalogue, id: str, namespace: int, moment: int) -> int | None:
        asked.append(id)
        return right(self, id, namespace, moment)

    monkeypatch.setattr(Catalogue, "last_before", counted)
    assert cities(vault, as_of=day(1_020)) == ["19 of it"]
    assert asked == ["count"]
