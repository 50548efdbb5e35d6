"""Files that were made to do harm, or were cut, torn or mistyped: an error of ours or a report, and nothing lost.

Whatever is wrong with one memory costs only that one. No reader hangs, fills the memory, leaves its folder or lets a
foreign exception out.
"""

import gzip
import json
import os
import random
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import exports, vaults
from support.foreigners import FILES, PASSPHRASE, imported, reasons, written
from vault_core import InvalidInputError, Vault, VaultError
from vault_core.transfer import OTHERS, jsonparts
from vault_core.transfer.jsonparts import UnreadableError, lines, parts, sketch

FORMATS = [one.name for one in OTHERS]
WELL = {
    "knowledge-graph": (FILES / "knowledge-graph" / "memory.jsonl").read_bytes(),
    "mem0": (FILES / "mem0" / "get_all.json").read_bytes(),
    "memory-vault": "".join(json.dumps(one) + "\n" for one in exports.memory_vault()).encode(),
    "chatgpt": json.dumps(exports.chatgpt()).encode(),
    "claude": json.dumps(exports.claude()).encode(),
    "chat": json.dumps([{"role": "user", "content": f"Turn {n}", "created_at": n} for n in range(5)]).encode(),
    "markdown": b"---\ntags: [a]\ndate: 2025-01-01\n---\n# Title\n\nText #tag\n\n- item\n  more\n\n```\ncode\n```\n",
    "vaultmem": (FILES / "vaultmem-0.3.3" / "export.vmem").read_bytes(),
}
DEEP = b"[" * 200_000
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**200,
    1e300,
    "",
    "x",
    "../../etc/passwd",
    "\x00",
    "\ud800",
    [],
    {},
    [[]],
    {"a": 1},
]


def tried(vault: Vault, path: Path, name: str) -> int:
    """How many things an import reports or brings; -1 if it refuses the file with an error of ours."""
    try:
        report = vault.import_memories(path, passphrase=PASSPHRASE, source=name)
    except VaultError:
        return -1
    return report.added + report.updated + report.unchanged + report.skipped_count


@pytest.mark.parametrize("name", FORMATS)
def test_no_file_that_is_something_else_gets_past_a_reader(tmp_path: Path, name: str) -> None:
    """Each reader is given every file that is none of its own, and things that are no files at all."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    strangers = [tmp_path / "folder", tmp_path / "pipe", tmp_path / "loop", tmp_path / "missing", Path("/dev/zero")]
    bodies = [
        b"",
        b"\x00" * 100,
        b"\xff\xfe" * 50,
        DEEP,
        b'{"a":' * 50_000,
        b"[1,2",
        b'["',
        b"[}",
        b'{"results": 7}',
        *WELL.values(),
    ]
    strangers += [written(tmp_path, body, f"{at}.md") for at, body in enumerate(bodies)]
    with vaults.create(tmp_path) as vault:
        for path in strangers:
            tried(vault, path, name)
        assert all(memory.provenance["importer"] == name for memory in vault.stream())


def test_a_reader_with_a_bug_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: what these tests do would not hide a foreign exception."""
    monkeypatch.setattr(jsonparts.Part, "value", lambda part: part.body["no"])
    with vaults.create(tmp_path) as vault, pytest.raises(TypeError):
        tried(vault, written(tmp_path, WELL["mem0"]), "mem0")


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"markdown", "vaultmem"}))
def test_a_value_of_the_wrong_kind_costs_only_its_own_memory(tmp_path: Path, name: str) -> None:
    """Every value of a well-formed file, replaced by what it could be instead; the next record is brought."""
    records = _records(name)
    with vaults.create(tmp_path) as vault:
        for number, spoiled in enumerate(_spoiled(records[0])):
            body = _joined(name, [spoiled, records[-1]])
            assert tried(vault, written(tmp_path, body, "spoiled"), name) > 0, number
        assert vault.count() > 0


def _records(name: str) -> list[Any]:
    if name in ("knowledge-graph", "memory-vault"):
        return [json.loads(line) for line in WELL[name].splitlines()]
    loaded = json.loads(WELL[name])
    records = loaded["results"] if name == "mem0" else loaded
    return [*records, records[0]]


def _joined(name: str, records: list[Any]) -> bytes:
    if name in ("knowledge-graph", "memory-vault"):
        return "\n".join(map(json.dumps, records)).encode()
    return json.dumps({"results": records} if name == "mem0" else records).encode()


def _spoiled(value: Any) -> list[Any]:
    """The value with each of its parts, and itself, replaced by something odd. A sample, the same every time."""
    made: list[Any] = []
    for path in _paths(value):
        made += [_replaced(value, path, odd) for odd in random.Random(repr(path)).sample(ODD, 5)]
    return made[:150]


def _paths(value: Any) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *path) for key, inner in children for path in _paths(inner))]


def _replaced(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], odd)
    return copy


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"vaultmem"}))
def test_a_file_that_was_cut_or_torn_anywhere_gives_what_is_whole(tmp_path: Path, name: str) -> None:
    """Cut at any length, any byte changed: an error of ours, or a report."""
    body, chance = WELL[name], random.Random(name)
    with vaults.create(tmp_path) as vault:
        for _ in range(60):
            at = chance.randrange(len(body))
            torn = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
            for spoiled in (body[:at], torn):
                tried(vault, written(tmp_path, spoiled, "torn.md"), name)


def test_a_list_that_is_cut_gives_the_members_before_the_cut(tmp_path: Path) -> None:
    """And says that it is cut; the same in gzip and in a zip."""
    body = json.dumps([{"id": str(n), "memory": f"Fact {n}"} for n in range(100)]).encode()
    packed = gzip.compress(body)
    cut = {"plain": body[: len(body) // 2], "gzip": packed[: len(packed) // 2]}

    for name, some in cut.items():
        memories, report = imported(tmp_path, written(tmp_path, some), name=f"{name}.vault", source="mem0")
        assert [one.text for one in memories] == [f"Fact {n}" for n in range(len(memories))], name
        assert report.skipped_count >= 1, name
    assert len(memories) < 100


def test_a_zip_or_gzip_bomb_is_refused(tmp_path: Path) -> None:
    """A zip by what it says of itself, one that lies and a gzip by what comes out; none of it in much memory."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", b"[" + b" " * (40 << 20) + b"]")
    lying = bytearray(path.read_bytes())
    central = lying.rindex(b"PK\x01\x02")
    struct.pack_into("<I", lying, central + 24, 1000)
    struct.pack_into("<I", lying, 22, 1000)
    lies = written(tmp_path, bytes(lying), "lying.zip")
    inflated = written(tmp_path, gzip.compress(b" " * (40 << 20)), "bomb.jsonl.gz")
    with vaults.create(tmp_path) as vault:
        tracemalloc.start()
        with pytest.raises(InvalidInputError, match="refused"):
            vault.import_memories(path, source="chatgpt")
        tried(vault, lies, "chatgpt")
        report = vault.import_memories(inflated, source="memory-vault")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert "200 times" in reasons(report)["the file"]
    assert peak < 32 << 20


def test_names_in_an_archive_are_never_paths(tmp_path: Path) -> None:
    """A member that points out of the archive is read like any other, and nothing is written anywhere."""
    path, before = tmp_path / "evil.zip", set(tmp_path.iterdir())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../../../tmp/evil/conversations.json", json.dumps(exports.claude()))

    memories, _ = imported(tmp_path, path, source="claude")

    assert len(memories) == 3
    assert {one.name for one in set(tmp_path.iterdir()) - before} <= {"evil.zip", "key", *_vault_files(tmp_path)}


def _vault_files(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir() if one.name.startswith(vaults.NAME)}


@pytest.mark.parametrize("spoil", ["empty", "no member", "encrypted", "cut", "unknown packing"])
def test_a_zip_that_can_not_be_read_is_refused(tmp_path: Path, spoil: str) -> None:
    """With a sentence that says what to do."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other.json" if spoil == "no member" else "conversations.json", b"[]" * 500)
    raw = bytearray(path.read_bytes())
    central = raw.rindex(b"PK\x01\x02")
    if spoil == "encrypted":
        raw[central + 8] |= 1
    if spoil == "unknown packing":
        raw[central + 10] = 99
    raw = raw[: len(raw) // 2] if spoil == "cut" else raw[:4] if spoil == "empty" else raw
    with vaults.create(tmp_path) as vault, pytest.raises(InvalidInputError, match=r"zip file|no format"):
        vault.import_memories(written(tmp_path, bytes(raw), "spoiled.zip"), source="chatgpt")


def test_a_text_without_end_is_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One value larger than the limit is left out, what follows it is brought; a text that large ends the reading."""
    monkeypatch.setattr(jsonparts, "MAX_PART", 1 << 20)
    large = {"id": "0", "memory": "Large", "rest": ["x" * 1000] * 3000}
    follows = {"id": "1", "memory": "Follows"}
    memories, report = imported(tmp_path, written(tmp_path, [large, follows]), source="mem0", name="a.vault")
    assert [one.text for one in memories] == ["Follows"]
    assert "larger than" in reasons(report)["entry 1"]

    endless = [{"id": "0", "memory": "Before"}, {"id": "1", "memory": "x" * (4 << 20)}, follows]
    memories, report = imported(tmp_path, written(tmp_path, endless), source="mem0", name="b.vault")
    assert [one.text for one in memories] == ["Before"]
    assert "not read" in reasons(report)["entry 2"]

    long_line = json.dumps({"id": "1", "type": "semantic", "content": "x" * (4 << 20)}) + "\n"
    good = json.dumps({"id": "2", "type": "semantic", "content": "Good"})
    memories, report = imported(tmp_path, written(tmp_path, long_line + good), source="memory-vault", name="c.vault")
    assert [one.text for one in memories] == ["Good"]
    assert "longer than" in reasons(report)["line 1"]


def test_a_note_with_lines_that_are_all_alike_is_read_in_time_that_grows_with_it(tmp_path: Path) -> None:
    """Patterns that go back and forth over a long line would take hours for these."""
    for at, line in enumerate(
        ("# " + " " * 200_000 + "x", "- " * 100_000 + "x", "#" * 200_000, "*" * 200_000 + "x", "<!--" * 50_000)
    ):
        with vaults.create(tmp_path, f"{at}.vault") as vault:
            tried(vault, written(tmp_path, f"{line}\n\n{line}\n", "note.md"), "markdown")


def test_reports_never_hold_text_of_a_memory(tmp_path: Path) -> None:
    """Not even where it is the text that is wrong."""
    secret = "The code is 8341"
    records = [
        {"id": "1", "memory": secret + "\ud800"},
        {"id": "2", "memory": secret + "\x00"},
        {"memory": {secret: 1}},
    ]
    lines_ = [{"type": "entity", "name": secret, "entityType": 7, "observations": [secret]}]
    turns = [{"role": "user", "content": {"secret": secret}}, {"role": secret * 99, "content": "\x00" + secret}]
    for name, content in (("mem0", records), ("knowledge-graph", lines_[0]), ("chat", turns)):
        _, report = imported(tmp_path, written(tmp_path, content), source=name, name=f"{name}.vault")
        assert report.skipped_count > 0
        assert "8341" not in str(report), name


def test_a_large_export_is_read_in_constant_memory() -> None:
    """Twenty mebibytes of conversations, one at a time."""

    class Endless:
        left = 5_000
        body = b'{"mapping": {"a": "' + b'x\\"{[' * 800 + b'"}},\n'

        def read(self, _: int) -> bytes:
            if self.left == 5_000:
                self.left -= 1
                return b"["
            self.left -= 1
            return self.body if self.left > 0 else b"{}]" if self.left == 0 else b""

    tracemalloc.start()
    count = sum(1 for part in parts(Endless()) if part.problem is None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 4_999
    assert peak < 2 << 20


class Slow:
    """Gives a file's bytes a few at a time."""

    def __init__(self, body: bytes, step: int) -> None:
        self.body, self.step = body, step

    def read(self, size: int) -> bytes:
        some, self.body = self.body[: min(self.step, size)], self.body[min(self.step, size) :]
        return some


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_JSON, max_size=6), st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_the_members_of_a_list_are_what_json_says(values: list[Any], step: int, indent: int | None, bare: bool) -> None:
    """However the file comes in pieces, and however it is written."""
    body = json.dumps(values, indent=indent, ensure_ascii=bare).encode("utf-8", "surrogatepass")

    assert [part.value() for part in parts(Slow(body, step))] == json.loads(body.decode("utf-8", "surrogatepass"))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), _JSON, max_size=5), st.integers(1, 40))
def test_the_values_of_an_object_are_what_json_says(values: dict[str, Any], step: int) -> None:
    """Lists by their members, everything else whole."""
    found: dict[str, Any] = {}
    for part in parts(Slow(json.dumps(values).encode(), step)):
        if part.number:
            found.setdefault(part.key, []).append(part.value())
        else:
            found[part.key] = part.value()

    assert found == {key: value for key, value in values.items() if value != []}


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='[]{},:"\\ax0 \n', max_size=60), st.integers(1, 9))
def test_no_bytes_make_the_splitter_fail_or_loop(text: str, step: int) -> None:
    """It ends, and gives no more than what is there."""
    body = text.encode()
    try:
        found = list(parts(Slow(body, step)))
    except InvalidInputError:
        found = []
    for part in (*found, *lines(Slow(body, step))):
        try:
            part.value()
        except UnreadableError:
            continue
    assert sum(len(part.body) for part in found) <= len(body)
    assert len(sketch(body)) <= len(body)
