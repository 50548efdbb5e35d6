"""Files that mean harm: refused or passed over, with place and reason, and nothing half-imported."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from support import moving, vaults
from support.moving import EVERYTHING, HEADER, end, memory, version
from vault_core import (
    FormatTooNewError,
    InvalidInputError,
    UnavailableError,
    VaultError,
    WrongPassphraseError,
)
from vault_core.transfer import jsonl

SECRET = "a secret that no report may quote"


def line(**fields: Any) -> str:
    """A memory's line with these keys instead of a memory's own; `...` takes one away."""
    one = memory("bad")["memory"] | fields
    return json.dumps({"memory": {name: value for name, value in one.items() if value is not ...}})


def with_version(**fields: Any) -> str:
    """The line of a memory whose second version has these fields; the first one is good."""
    bad = {name: value for name, value in (version(SECRET, 1) | fields).items() if value is not ...}
    return line(versions=[version("good", 0), bad])


DEEP = "[" * 5_000 + "]" * 5_000
BAD_LINES = {
    "no JSON": "{" + SECRET,
    "half a line": json.dumps(memory("bad"))[:-20],
    "no object": "[1]",
    "a number": "1",
    "null": "null",
    "two kinds": '{"memory":{},"item":{}}',
    "another kind": '{"mammoth":{}}',
    "a header again": json.dumps(HEADER),
    "a key twice": line().replace('"box"', '"id": "x", "box"', 1),
    "a key twice inside": with_version().replace('"text"', '"type": "x", "text"', 1),
    "not UTF-8": b'{"memory":{"box":"main","id":"\xff"}}',
    "cut UTF-8": b'{"memory":{"box":"main","id":"\xc3',
    "NUL": "\0",
    "a byte-order mark": "\ufeff" + line(),
    "deep": with_version(metadata="@").replace('"@"', '{"a":' + DEEP + "}"),
    "deep, little": with_version(metadata="@").replace('"@"', '{"a":' + "[" * 100 + "]" * 100 + "}"),
    "very deep": "[" * 200_000,
    "many values": '{"memory":[' + "{}," * (jsonl.MAX_LINE_MARKS // 2) + "{}]}",
    "a lone surrogate": with_version(text="@").replace('"@"', '"\\ud800"'),
    "a lone surrogate as id": line(id="@").replace('"@"', '"\\udfff"'),
    "NaN as a number": with_version(importance=float("nan")),
    "an infinity as a number": with_version(valence=float("inf")),
    "digits without end": with_version(metadata="@").replace('"@"', '{"a":' + "9" * 5_000 + "}"),
    "a number beyond its range": with_version(confidence=1.5),
    "a truth as a number": with_version(importance=True),
    "a text as a number": with_version(importance="1"),
    "a position too large": with_version(position=1 << 63),
    "a position below zero": with_version(position=-1),
    "a position that is no integer": with_version(position=1.0),
    "uses too many": with_version(state={"uses": 1 << 64}),
    "a state of another kind": with_version(state=[0, 1]),
    "a state with more": with_version(state={"owner": "me"}),
    "a pin that is a number": with_version(state={"pinned": 1}),
    "no text": with_version(text=...),
    "text and JSON": with_version(json={}),
    "text that is a number": with_version(text=7),
    "JSON that is a text": with_version(text=..., json="tea"),
    "empty text": with_version(text=" "),
    "too much text": with_version(text="x" * ((1 << 20) + 1)),
    "no type": with_version(type=...),
    "no time": with_version(updated_at=...),
    "a time that is a number": with_version(updated_at=1),
    "a time that is none": with_version(created_at="yesterday"),
    "a time out of range": with_version(event_time="9999-12-31T23:59:59-10:00"),
    "a year without end": with_version(created_at="99999999-01-01"),
    "a key that is not known": with_version(owner="me"),
    "a null": with_version(reason=None),
    "tags that are a text": with_version(tags="tea"),
    "too many tags": with_version(tags=[str(number) for number in range(300)]),
    "a tier of its own": with_version(tier="GHOST"),
    "a slot of three": with_version(slot=["a", "b", "c"]),
    "metadata that is a list": with_version(metadata=[1]),
    "a provenance of numbers": with_version(provenance={"program": 1}),
    "a provenance without end": with_version(provenance={str(number): "x" for number in range(100)}),
    "an index that is a text": with_version(index="words"),
    "vectors that are a list": with_version(vectors=[1]),
    "a space that is a list": with_version(vectors={"default": [1]}),
    "a space without vectors": with_version(vectors={"default": {}}),
    "base64 garbage": with_version(vectors={"default": {"": "AACA?"}}),
    "base64 of another spelling": with_version(vectors={"default": {"": "AACAPwAAAD9="}}),
    "half a number": with_version(vectors={"default": {"": "AAA="}}),
    "no numbers": with_version(vectors={"default": {"": ""}}),
    "a vector that is NaN": with_version(vectors={"default": {"": "AADAfwAAwH8="}}),
    "another dimension than told": with_version(vectors={"default": {"": "AACAPw=="}}),
    "a space that was not told": with_version(vectors={"other": {"": "AACAPwAAAD8="}}),
    "a box that is a number": line(box=1),
    "an id with a control character": line(id="a\x1b[2J"),
    "an id that is too long": line(id="x" * 513),
    "no id": line(id=...),
    "a namespace that is a text": line(namespace="alice"),
    "a namespace without end": line(namespace=["x"] * 33),
    "no versions": line(versions=[]),
    "versions that are an object": line(versions={}),
    "a version that is a text": line(versions=["tea"]),
    "going on with nothing": line(continues=True),
    "going on with a text": line(continues="yes"),
    "an item without a value": '{"item":{"box":"main","collection":"c","key":"k"}}',
    "a space without dimensions": '{"space":{"box":"main","dimension":0,"fingerprint":"","name":"x"}}',
    "a space of a truth": '{"space":{"box":"main","dimension":true,"fingerprint":"","name":"x"}}',
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_passed_over_and_named(tmp_path: Path, bad: str | bytes) -> None:
    """Nothing of it is taken, what stands around it is, and the report quotes none of it."""
    space = {"space": {"box": "main", "dimension": 2, "fingerprint": "", "name": "default"}}
    path = moving.write(tmp_path / "in.jsonl", [HEADER, space, memory("a"), bad, memory("b"), end(2)])
    with moving.empty(tmp_path) as vault:
        report = vault.import_memories(path)

        assert [one.place for one in report.skipped] == ["line 4"]
        assert sorted(one.id for one in vault.stream(**EVERYTHING)) == ["a", "b"]
        assert report.added == 2
        assert SECRET not in repr(report)
        assert len(report.skipped[0].reason) < 200
        vault.verify(full=True)


def test_a_good_line_in_its_place_is_taken(tmp_path: Path) -> None:
    """The control: what the lines above change is all that is wrong with them."""
    space = {"space": {"box": "main", "dimension": 2, "fingerprint": "", "name": "default"}}
    good = with_version(vectors={"default": {"": "AACAPwAAAD8="}}, position=3, importance=1, state={"pinned": True})
    path = moving.write(tmp_path / "in.jsonl", [HEADER, space, memory("a"), good, memory("b"), end(3, 4)])
    with moving.empty(tmp_path) as vault:
        assert (vault.import_memories(path).skipped, vault.count()) == ((), 3)


def test_a_line_that_is_too_long_is_read_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 1_000)
    long = json.dumps(memory("long", "x" * 5_000))
    path = moving.write(tmp_path / "in.jsonl", [HEADER, long, memory("a"), end(1)])
    with moving.empty(tmp_path) as vault:
        assert [one.place for one in vault.import_memories(path).skipped] == ["line 2"]
        assert vault.count() == 1


def test_a_last_line_without_its_end_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, [HEADER, memory(), end(1)])))
    with moving.empty(tmp_path) as vault:
        assert (vault.import_memories(path).skipped, vault.count()) == ((), 1)


def test_a_file_that_was_cut_off_is_reported(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        report = vault.import_memories(moving.write(tmp_path / "in.jsonl", [HEADER, memory()]))
        assert (report.added, [one.place for one in report.skipped]) == (1, ["the end"])


def test_a_file_that_lost_a_line_is_reported(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        report = vault.import_memories(moving.write(tmp_path / "in.jsonl", [HEADER, memory(), end(2)]))
        assert (report.added, [one.place for one in report.skipped]) == (1, ["the end"])


def test_what_stands_behind_the_end_is_left_out(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        report = vault.import_memories(moving.write(tmp_path / "in.jsonl", [HEADER, end(0), memory()]))
        assert (report.added, [one.place for one in report.skipped]) == (0, ["line 3"])


def test_a_report_names_a_thousand_places_and_counts_all(tmp_path: Path) -> None:
    path = moving.write(tmp_path / "in.jsonl", [HEADER, *["?"] * 1_500, end(0)])
    with moving.empty(tmp_path) as vault:
        report = vault.import_memories(path)
        assert (len(report.skipped), report.skipped_count) == (1_000, 1_500)


@pytest.mark.parametrize(
    ("first", "refusal"),
    [
        ('{"strongroom":"export","version":2}', FormatTooNewError),
        ('{"strongroom":"export","version":0}', InvalidInputError),
        ('{"strongroom":"export","version":true}', InvalidInputError),
        ('{"strongroom":"vault","version":1}', InvalidInputError),
        ('{"strongroom":', InvalidInputError),
        ('{"strongroom":"export","version":1' + " " * 10_000 + "}", InvalidInputError),
    ],
    ids=["newer", "zero", "a truth", "no export", "cut off", "long"],
)
def test_a_file_with_another_beginning_is_refused(tmp_path: Path, first: str, refusal: type[VaultError]) -> None:
    with moving.empty(tmp_path) as vault, pytest.raises(refusal):
        vault.import_memories(moving.write(tmp_path / "in.jsonl", [first, memory(), end(1)]))


def test_no_file_of_another_kind_does_any_harm(tmp_path: Path) -> None:
    good = moving.write(tmp_path / "good.jsonl", [HEADER, memory(), end(1)])
    (tmp_path / "empty").touch()
    (tmp_path / "it.gz").write_bytes(gzip.compress(good.read_bytes()))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    bad: list[Any] = [tmp_path / name for name in ("empty", "it.gz", "folder", "pipe", "one", "nowhere", "absent")]
    bad += ["/dev/zero", "/dev/null", "", "a\0b", None, 7, b"bytes", "x" * 5_000, tmp_path / "good.jsonl" / "inside"]
    with moving.empty(tmp_path) as vault:
        before = vault.stats().commits
        for path in bad:
            with pytest.raises((InvalidInputError, UnavailableError)):
                vault.import_memories(path)
        assert vault.stats().commits == before
        assert vault.import_memories(good).added == 1  # the control


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(moving.write(tmp_path / "good.jsonl", [HEADER, memory(), end(1)]))
    with moving.empty(tmp_path) as vault:
        assert vault.import_memories(tmp_path / "link").added == 1


@pytest.mark.parametrize("ending", ["", "-wal", ".lock"])
def test_a_file_of_an_open_vault_is_neither_read_nor_replaced(tmp_path: Path, ending: str) -> None:
    """Closing a second descriptor of it would drop SQLite's locks."""
    with vaults.create(tmp_path) as vault, moving.empty(tmp_path) as other:
        vault.add("tea")
        path = tmp_path / (vaults.NAME + ending)
        assert path.exists()
        (tmp_path / "link").symlink_to(path)
        for one in (vault, other):
            for way in (path, tmp_path / "link"):
                with pytest.raises(InvalidInputError):
                    one.import_memories(way)
                with pytest.raises(InvalidInputError):
                    one.export_memories(way, overwrite=True)
        assert vaults.texts(vault) == ["tea"]


@pytest.mark.parametrize("name", ["other", "", None, 7, ["auto"]], ids=str)
def test_a_format_that_is_not_known_is_refused(tmp_path: Path, name: Any) -> None:
    path = moving.write(tmp_path / "in.jsonl", [HEADER, memory(), end(1)])
    with moving.empty(tmp_path) as vault, pytest.raises(InvalidInputError):
        vault.import_memories(path, source=name)


def test_a_file_under_the_name_of_another_format_is_refused(tmp_path: Path) -> None:
    path = moving.write(tmp_path / "in.jsonl", [HEADER, memory(), end(1)])
    with moving.empty(tmp_path) as vault, pytest.raises((VaultError, WrongPassphraseError)):
        vault.import_memories(path, source="bundle", passphrase=vaults.PASSPHRASE)


def test_more_boxes_than_a_vault_can_have_are_reported(tmp_path: Path) -> None:
    boxes = [memory(f"m{number}") for number in range(3)]
    for number, one in enumerate(boxes):
        one["memory"]["box"] = "x" * (200 + 60 * number)
    with moving.empty(tmp_path) as vault:
        report = vault.import_memories(moving.write(tmp_path / "in.jsonl", [HEADER, *boxes, end(3)]))
        assert (report.added, [one.place for one in report.skipped]) == (1, ["line 3", "line 4"])
