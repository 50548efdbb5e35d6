"""Whoever stores the objects, with every right on the bucket: the owner gets the truth or is told, nothing else.

The table of attacks is that of SQLite (tests/test_tampering.py): rows become objects. A seal that checks nothing stands
beside it there; here a log that compares no hashes does.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from support import FULL, strangers
from support.object_scenes import (
    OBJECT_FAMILIES,
    VAULT,
    Objects,
    ObjectScene,
    build_objects,
    is_a_cache,
    put_objects_in,
)
from support.strangers import FAMILIES, Family
from support.tamper import Finding, ask, judge
from vault_core import RollbackError, VaultError
from vault_core.crypto import RECORD, Place
from vault_core.log import log
from vault_core.session import verify
from vault_core.store.object import blocks, erasing, layout, store

WINDOW = 4
SOME = 1 if FULL else 9  # of the attacks, one in so many
FLIPS = 4_000 if FULL else 150


@pytest.fixture(scope="module", autouse=True)
def small_windows() -> Iterator[None]:
    """Windows that a small vault fills."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (blocks, erasing, layout, store):
            if hasattr(module, "WINDOW"):
                patch.setattr(module, "WINDOW", WINDOW)
        yield


@pytest.fixture(scope="module", params=[False, True], ids=["loose", "packed"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ObjectScene:
    return build_objects(tmp_path_factory.mktemp("objects") / "scene", packed=request.param)


def chosen(changes: Iterator[tuple[str, object]], skip: int) -> list[tuple[str, object]]:
    """Some of them, others for every family, and all with `FULL`."""
    return list(islice(changes, skip % SOME, None, SOME))


def test_the_untouched_vault_answers_with_the_truth(scene: ObjectScene) -> None:
    scene.restore()
    finding = judge(scene)

    assert (finding.problems, finding.refusals) == ([], [])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_changed_rows_are_refused_or_change_nothing(scene: ObjectScene, family: Family) -> None:
    attacked(scene, chosen(family(scene), FAMILIES.index(family)), scene.change)


@pytest.mark.parametrize("family", OBJECT_FAMILIES, ids=lambda family: family.__name__)
def test_changed_objects_are_refused_or_change_nothing(
    scene: ObjectScene, family: Callable[[ObjectScene], Iterator[tuple[str, Objects]]]
) -> None:
    def change(objects: Objects) -> bool:
        put_objects_in(scene.place, objects)
        return objects != scene.states[-1]

    def told(name: str) -> bool:  # what lies under a stub's name is not looked at while its pack answers
        return not any(one in name for one in stubs)

    stubs = [name for name, body in scene.states[-1].items() if body.startswith(layout.STUB)]
    attacked(scene, chosen(family(scene), OBJECT_FAMILIES.index(family)), change, told)


def attacked(
    scene: ObjectScene,
    changes: list[tuple[str, object]],
    change: Callable[..., bool],
    told: Callable[[str], bool] = lambda _: True,
) -> None:
    """Every change while nobody looks, and under an open session."""
    problems, unnoticed = [], []
    for name, edit in changes:
        scene.restore()
        changed = change(edit)
        finding = judge(scene, kinds=VaultError)
        problems += named(name, finding)
        unnoticed += [] if finding.noticed or not changed else [name]
        scene.restore()
        with scene.open() as vault:
            vault.list()
            changed = change(edit)
            finding = ask(vault, scene, kinds=VaultError)
        problems += named(f"{name}, under a session", finding)
        unnoticed += [] if finding.noticed or not changed else [f"{name}, under a session"]
    scene.restore()
    assert problems == []
    assert [name for name in unnoticed if told(name) and not is_a_cache(name)] == []


def named(name: object, finding: Finding) -> list[str]:
    return [f"{name}: {problem}" for problem in finding.problems]


def test_a_flipped_byte_of_any_object_is_refused_or_changes_nothing(scene: ObjectScene) -> None:
    dice, present, problems, noticed = random.Random(1), scene.states[-1], [], 0
    names = [name for name in present if present[name]]
    for number in range(FLIPS):
        name = names[number % len(names)]
        body = bytearray(present[name])
        at = dice.randrange(min(len(body), 200 if number % 3 else len(body)))  # the index more often
        body[at] ^= 1 << dice.randrange(8)
        scene.restore()
        put_objects_in(scene.place, {**present, name: bytes(body)})
        finding = judge(scene, kinds=VaultError, quick=True)
        problems += named(f"{name} at {at}", finding)
        noticed += finding.noticed
    scene.restore()

    assert problems == []
    assert noticed > FLIPS // 4


class Same:
    """Equal to every hash."""

    def digest(self) -> "Same":
        return self

    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_with_seals_that_ignore_the_place_swapped_rows_give_wrong_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the harness finds what a product that checks less would answer."""
    original = Place.context

    def nowhere(place: Place, kind: bytes, seq: int = 0, n: int = 0, also: bytes = b"") -> bytes:
        return original(place, kind, also=also) if kind == RECORD else original(place, kind, seq, n, also)

    monkeypatch.setattr(log, "same", lambda *_: True)
    monkeypatch.setattr(log, "check_mac", lambda *_: None)
    monkeypatch.setattr(verify, "sha256", lambda _: Same())
    monkeypatch.setattr(Place, "context", nowhere)
    scene = build_objects(tmp_path / "scene", packed=True)
    problems = []
    for name, edit in islice(strangers.swapped(scene), 0, None, 3):
        scene.restore()
        scene.change(edit)
        problems += named(name, judge(scene, kinds=VaultError))

    assert any("another answer" in problem for problem in problems)


def test_every_earlier_state_is_refused_by_a_machine_that_has_seen_the_newest(scene: ObjectScene) -> None:
    for state in scene.states[:-1]:
        put_objects_in(scene.place, state)
        with pytest.raises((RollbackError, VaultError)) as refused:
            scene.open()
        logs = [{n: b for n, b in objects.items() if n.startswith("log/")} for objects in (state, scene.states[-1])]
        assert isinstance(refused.value, RollbackError) or logs[0] == logs[1]
    scene.restore()


def test_an_open_session_refuses_a_bucket_that_went_elsewhere_and_writes_nothing_to_it(
    scene: ObjectScene, tmp_path: Path
) -> None:
    elsewhere = {"back": scene.states[6], "sideways": scene.fork_objects}
    for name, objects in elsewhere.items():
        for first in ("read", "write"):
            scene.restore()
            with scene.open() as vault:
                vault.count()
                put_objects_in(scene.place, objects)
                for call in (first, "read", "write", "read"):
                    with pytest.raises(VaultError) as refused:
                        vault.count() if call == "read" else vault.add("written after the bucket went elsewhere")
                    assert isinstance(refused.value, RollbackError), (name, call)
            logs = {one: body for one, body in objects.items() if one.startswith("log/")}
            assert {one: (scene.place / one).read_bytes() for one in logs} == logs
            assert len(list((scene.place / "log").iterdir())) == len(logs)
    scene.restore()


def test_a_machine_that_accepts_an_earlier_state_goes_on_from_there(scene: ObjectScene, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(scene.folder, folder)
    copy = replace(scene, folder=folder)
    put_objects_in(folder / VAULT, scene.states[6])

    with copy.open(accept_rollback=True) as vault:
        assert vault.accepted_rollback
        vault.add("from here on", id="new")
    with copy.open() as vault:
        assert not vault.accepted_rollback
        assert vault.get("new") is not None
        vault.verify(full=True)
