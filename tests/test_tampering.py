"""Whatever a stranger does to the bytes: the owner gets the unchanged truth or `VaultTamperedError`, nothing else.

A seal that checks nothing stands beside it: with that one the same harness finds wrong answers.
"""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from reader.cobblestone import AEAD, CHUNK, COMMITMENT, PREFIX, SALT, TAG
from support import strangers
from support.flips import EVERY_BYTE, Tally, closed_sweep, in_processes, in_ram, open_sweep
from support.strangers import FAMILIES, Edit, Family, Tables
from support.tamper import Finding, Scene, ask, build, in_the_journal, journal_of, judge
from vault_core import VaultError
from vault_core.crypto import RECORD, Key, Place
from vault_core.log import log
from vault_core.session import verify

pytestmark = pytest.mark.exhaustive

QUARTERS = 4
UNDER_A_SESSION = 4  # of the bytes that were opened and asked about, one in so many
JOURNAL_FLIPS = 600
TORN_STATES = 300


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return build(tmp_path_factory.mktemp("tampering") / "scene")


@pytest.fixture
def scene(original: Scene) -> Iterator[Scene]:
    """A copy of the scene in RAM, for one test."""
    with in_ram(original) as copy:
        yield copy


@pytest.fixture(scope="module", params=range(QUARTERS), ids="quarter {}".format)
def quarter(original: Scene, request: pytest.FixtureRequest) -> range:
    """Where a quarter of the file lies: all four in one test would take minutes on a busy machine."""
    size = len(original.earlier[-1]) // QUARTERS
    return range(request.param * size, (request.param + 1) * size)


@pytest.fixture(scope="module")
def closed_flips(original: Scene, quarter: range) -> Tally:
    """Every byte of a quarter, flipped while nobody has the file open."""
    return in_processes(closed_sweep, original, quarter)


def test_the_untouched_vault_answers_with_the_truth(scene: Scene) -> None:
    finding = judge(scene)

    assert (finding.problems, finding.refusals) == ([], [])


def test_a_flipped_byte_is_refused_or_changes_nothing(scene: Scene, quarter: range, closed_flips: Tally) -> None:
    assert closed_flips.problems == []
    assert closed_flips.flipped == len(quarter)
    assert bytes_of_the_log(scene) & set(quarter) <= set(closed_flips.noticed)


def test_a_byte_flipped_under_an_open_session_is_refused_or_changes_nothing(
    original: Scene, closed_flips: Tally
) -> None:
    offsets = closed_flips.asked if EVERY_BYTE else closed_flips.asked[::UNDER_A_SESSION]

    tally = in_processes(open_sweep, original, offsets)

    assert tally.problems == []
    assert bytes_of_the_log(original) & set(offsets) <= set(tally.noticed)


def test_a_flipped_byte_of_the_journal_is_refused_or_changes_nothing(original: Scene) -> None:
    later = in_the_journal(original)
    everything = range(len(later.journal))
    offsets = everything if EVERY_BYTE else sorted(random.Random(1).sample(everything, JOURNAL_FLIPS))

    tally = in_processes(journal_sweep, later, offsets)

    assert tally.problems == []
    assert len(tally.noticed) > len(tally.asked) // 2


def journal_sweep(scene: Scene, offsets: Sequence[int]) -> Tally:
    tally = Tally()
    for offset in offsets:
        scene.restore()
        journal = bytearray(scene.journal)
        journal[offset] ^= 1 << random.Random(offset).randrange(8)
        journal_of(scene.path).write_bytes(journal)
        tally.flipped += 1
        tally.add(judge(scene, quick=True), offset)
    return tally


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_changed_rows_are_refused_or_change_nothing(scene: Scene, family: Family) -> None:
    problems, unnoticed = [], []
    for name, edit in family(scene):
        scene.restore()
        change(scene, edit)
        finding = judge(scene)
        problems += named(name, finding)
        unnoticed += [] if finding.noticed else [name]

    assert problems == []
    assert [name for name in unnoticed if not name.startswith("part")] == []  # parts are a cache: who cares, drops them


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_rows_changed_under_an_open_session_are_refused_or_change_nothing(scene: Scene, family: Family) -> None:
    problems, unnoticed = [], []
    for name, edit in family(scene):
        scene.restore()
        with scene.open() as vault:
            vault.list()
            change(scene, edit)
            finding = ask(vault, scene)
        problems += named(name, finding)
        unnoticed += [] if finding.noticed else [name]

    assert problems == []
    assert [name for name in unnoticed if not name.startswith("part")] == []


def test_another_schema_is_refused(scene: Scene) -> None:
    for sql, edit in [*strangers.schema(scene), *strangers.modes(scene)]:
        scene.restore()
        change(scene, edit)
        named_before_any_key = sql.startswith(("PRAGMA application_id", "PRAGMA user_version"))
        finding = judge(scene, kinds=VaultError) if named_before_any_key else judge(scene)
        assert finding.problems == [], sql
        assert finding.refusals == ["open"], sql


def test_a_schema_planted_under_an_open_session_gives_no_wrong_answer_even_after_a_write(scene: Scene) -> None:
    """A trigger can destroy what is written: then it is missing, which is noticed; it can't make up anything."""
    for sql, edit in [*strangers.schema(scene), *strangers.modes(scene)]:
        scene.restore()
        with scene.open() as vault:
            change(scene, edit)
            finding = ask(vault, scene, kinds=VaultError)
            assert finding.problems == [], sql
            with suppress(VaultError):
                written = vault.add("written after all", id="after")
                with suppress(VaultError):
                    assert vault.get("after") == written, sql
                assert vault.get_many(["lisbon", "after"])[0].text == "Lisbon was hot", sql


def test_pages_of_earlier_states_among_the_present_ones_are_refused_or_change_nothing(scene: Scene) -> None:
    """A store that writes pages here and there, as a disk does that lost some of them."""
    dice, size = random.Random(2), 8192
    present = scene.earlier[-1]
    problems = []
    for number in range(TORN_STATES):
        scene.restore()
        torn = bytearray(present)
        for page in dice.sample(range(len(present) // size), dice.choice([1, 1, 1, 2, 5])):
            old = dice.choice([*scene.earlier, scene.fork, scene.sibling])[page * size : (page + 1) * size]
            torn[page * size : page * size + len(old)] = old
        scene.path.write_bytes(torn)
        problems += named(number, judge(scene))

    assert problems == []


def test_a_file_cut_or_extended_anywhere_is_refused_or_changes_nothing(scene: Scene) -> None:
    dice, present = random.Random(3), scene.earlier[-1]
    lengths = {*range(0, len(present), 8192), *dice.sample(range(len(present)), 100), 1, 99, 100, len(present) - 1}
    for length in sorted(lengths):
        scene.restore()
        scene.path.write_bytes(present[:length])
        assert judge(scene, kinds=VaultError).problems == [], length
    for more in (b"\0", b"x" * 8191, b"\0" * 8192, present):
        scene.restore()
        scene.path.write_bytes(present + more)
        assert judge(scene).problems == []


def test_what_was_written_goes_on_working_once_the_bytes_are_put_back(scene: Scene) -> None:
    """Refusing changes nothing: neither the file nor what the machine remembers."""
    for _, edit in strangers.deleted(scene):
        scene.restore()
        change(scene, edit)
        judge(scene)

    scene.path.write_bytes(scene.earlier[-1])
    finding = judge(scene)

    assert (finding.problems, finding.refusals) == ([], [])


# Negative controls: what the harness finds in a product that checks less


def decrypt_unchecked(key: Key, context: bytes, message: bytes) -> bytearray:
    """Cobblestone-256 that opens everything: no commitment, no tags."""
    info = PREFIX + AEAD + b"\0" + message[:SALT] + context
    derived = HKDFExpand(SHA512(), 32 + 12 + COMMITMENT, info).derive(bytes(key.view()))
    body, opened = message[SALT + COMMITMENT :], bytearray()
    for number, at in enumerate(range(0, len(body), CHUNK + TAG)):
        nonce = (int.from_bytes(derived[32:44], "big") ^ number).to_bytes(12, "big")
        decryptor = Cipher(algorithms.AES(derived[:32]), CTR(nonce + (2).to_bytes(4, "big"))).decryptor()
        opened += decryptor.update(body[at : at + CHUNK + TAG][:-TAG])
    return opened


@pytest.fixture
def no_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log compares no hash and no MAC, neither of entries nor of records."""
    monkeypatch.setattr(log, "same", lambda *_: True)
    monkeypatch.setattr(log, "check_mac", lambda *_: None)
    monkeypatch.setattr(verify, "sha256", lambda _: Same())


class Same:
    """Equal to every hash."""

    def digest(self) -> "Same":
        return self

    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_with_seals_that_check_nothing_flipped_bytes_give_wrong_answers(
    scene: Scene, no_hashes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("vault_core.crypto.seal"), "decrypt", decrypt_unchecked)
    assert judge(scene).problems == []  # what is whole still opens

    tally = closed_sweep(scene, offsets_of_a_record(scene))

    assert any("another answer" in problem for problem in tally.problems)


def test_with_seals_that_ignore_the_place_swapped_rows_give_wrong_answers(
    tmp_path: Path, no_hashes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Place.context

    def nowhere(place: Place, kind: bytes, seq: int = 0, n: int = 0, also: bytes = b"") -> bytes:
        return original(place, kind, also=also) if kind == RECORD else original(place, kind, seq, n, also)

    monkeypatch.setattr(Place, "context", nowhere)
    scene = build(tmp_path / "scene")
    problems = []
    for name, edit in strangers.swapped(scene):
        scene.restore()
        change(scene, edit)
        problems += named(name, judge(scene))

    assert any("another answer" in problem for problem in problems)


def test_without_anchors_an_earlier_state_is_a_wrong_answer(scene: Scene) -> None:
    """A machine that has never seen the vault can't know that this is not the newest state (docs/threat-model.md)."""
    scene.path.write_bytes(scene.earlier[-2])
    scene.anchor_path.unlink()

    with scene.open() as vault:
        assert "bob" not in {memory.id for memory in vault.list(limit=None)}


def change(scene: Scene, edit: Edit) -> None:
    """Change rows through a connection of the stranger's own."""
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as db, suppress(sqlite3.OperationalError):
        edit(db)  # under an open session SQLite refuses another journal mode


def named(name: object, finding: Finding) -> list[str]:
    return [f"{name}: {problem}" for problem in finding.problems]


def bytes_of_the_log(scene: Scene) -> set[int]:
    """Where in the file header, entries and records lie."""
    whole, tables = scene.earlier[-1], Tables.of(scene.earlier[-1])
    bodies = [*tables.header, *tables.entry.values(), *(body for body in tables.record.values() if any(body))]
    return {offset for body in bodies for offset in range(whole.index(body), whole.index(body) + len(body))}


def offsets_of_a_record(scene: Scene) -> Sequence[int]:
    """Where in the file the sealed bytes of the newest memory lie, after salt and commitment."""
    body = Tables.of(scene.earlier[-1]).record[max(Tables.of(scene.earlier[-1]).record)]
    start = scene.earlier[-1].index(body)
    return range(start + SALT + COMMITMENT, start + len(body) - TAG)
