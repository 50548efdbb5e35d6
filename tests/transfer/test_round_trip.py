"""Export, import into another vault, export: the same bytes, and the same vault."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import moving, strategies, vaults
from support.moving import EVERYTHING
from vault_core import Draft, Memory, State, Vault
from vault_core.testing import FakeEmbedder
from vault_core.transfer import version as versions

DERIVED = {"id", "namespace", "box", "address", "similar", "content_hash"}  # told by the line, or worked out anew
NAMED = {"memory_type": "type", "content": "text"}


def moved(vault: Vault, folder: Path) -> Vault:
    vault.export_memories(folder / "moved.jsonl", overwrite=True)
    other = moving.empty(folder)
    report = other.import_memories(folder / "moved.jsonl")
    assert report.skipped == ()
    return other


def test_a_vault_with_something_of_everything_comes_out_the_same(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        moving.fill(vault)
        first = moving.export(vault, tmp_path / "first.jsonl")
        with moved(vault, tmp_path) as other:
            second = moving.export(other, tmp_path / "second.jsonl")
            other.verify(full=True)

            assert first == second
            assert other.boxes() == vault.boxes()
            assert other.stats().spaces == vault.stats().spaces


def test_every_memory_is_as_it_was(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        moving.fill(vault)
        with moved(vault, tmp_path) as other:
            for box in vault.boxes():
                mine, theirs = ([*one.stream(**EVERYTHING, box=box)] for one in (vault, other))
                assert len(mine) > 0
                by_key = {(one.namespace, one.id): one for one in theirs}
                for memory in mine:
                    history = vault.history(memory.id, namespace=memory.namespace, box=box)
                    arrived = other.history(memory.id, namespace=memory.namespace, box=box)
                    assert by_key[memory.namespace, memory.id] == arrived[-1]
                    for one, two in zip(history, arrived, strict=True):
                        assert dataclasses.replace(one, address=two.address) == two
                        assert {space: {name: vector.tobytes() for name, vector in fields.items()}
                                for space, fields in one.vectors.items()} == {
                                    space: {name: vector.tobytes() for name, vector in fields.items()}
                                    for space, fields in two.vectors.items()}  # fmt: skip


def test_what_is_hidden_stays_hidden(tmp_path: Path) -> None:
    """Supersession, expiry and archives are worked out anew, and come out the same."""
    with vaults.create(tmp_path) as vault:
        moving.fill(vault)
        with moved(vault, tmp_path) as other:
            assert sorted(vaults.texts(other)) == sorted(vaults.texts(vault))
            assert "lives in Paris" not in vaults.texts(other)
            assert "the old way" not in vaults.texts(other)
            assert vaults.found(other, "words to find") == vaults.found(vault, "words to find")
            assert other.stats().by_tier == vault.stats().by_tier


def test_items_are_as_they_were(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        moving.fill(vault)
        with moved(vault, tmp_path) as other:
            for box in ("main", "work"):
                mine, theirs = (list(one.items("chat", box=box).scan()) for one in (vault, other))
                assert [
                    dataclasses.replace(one, address=two.address) for one, two in zip(mine, theirs, strict=True)
                ] == theirs
                assert mine


def test_a_thread_goes_on_where_it_was(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        moving.fill(vault)
        with moved(vault, tmp_path) as other:
            assert other.add("turn 3", thread="talk").position == 3


def test_facts_of_one_moment_supersede_each_other_as_before(tmp_path: Path) -> None:
    """Where the times decide nothing, the order in which they became current does, and an export keeps it."""
    with moving.empty(tmp_path) as vault:
        lines = [moving.memory(f"m{number}", f"city {number}", slot=["user", "city"]) for number in (3, 1, 2)]
        vault.import_memories(moving.write(tmp_path / "in.jsonl", [moving.HEADER, *lines, moving.end(3)]))
        assert vaults.texts(vault) == ["city 2"]
        with moved(vault, tmp_path) as other:
            assert vaults.texts(other) == ["city 2"]


def test_without_history_only_what_holds_is_exported(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        moving.fill(vault)
        report = vault.export_memories(tmp_path / "now.jsonl", history=False)
        with moving.empty(tmp_path) as other:
            other.import_memories(tmp_path / "now.jsonl")
            assert (
                report.memories == report.versions == sum(other.count(**EVERYTHING, box=box) for box in other.boxes())
            )
            assert [one.text for one in other.history("tea")] == ["I like white tea"]


def test_a_namespace_is_exported_with_what_is_below_it(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        moving.fill(vault)
        vault.export_memories(tmp_path / "alice.jsonl", namespace=("alice",))
        with moving.empty(tmp_path) as other:
            report = other.import_memories(tmp_path / "alice.jsonl", namespace=("family",))
            assert other.namespaces() == [("family", "alice"), ("family", "alice", "home")]
            assert report.items == 0


def test_everything_can_go_into_one_box(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        moving.fill(vault)
        vault.export_memories(tmp_path / "all.jsonl", box="work")
        with moving.empty(tmp_path) as other:
            other.import_memories(tmp_path / "all.jsonl", box="main")
            assert other.boxes() == ["main"]
            assert vaults.texts(other) == ["a colleague"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drafts=st.lists(strategies.drafts, min_size=1, max_size=4))
def test_whatever_can_be_stored_comes_out_the_same(tmp_path: Path, drafts: list[Draft]) -> None:
    with moving.empty(tmp_path) as vault:
        vault.add_many(drafts)
        first = moving.export(vault, tmp_path / "first.jsonl")
        with moved(vault, tmp_path) as other:
            assert moving.export(other, tmp_path / "second.jsonl") == first


def test_every_field_of_a_memory_is_exported() -> None:
    """Whoever adds a field decides here whether it moves."""
    exported = versions._KEYS | set(NAMED)
    assert {field.name for field in dataclasses.fields(Memory)} - DERIVED <= exported
    assert {field.name for field in dataclasses.fields(State)} == {*versions._MARKS, *versions._STATE_TIMES, "uses"}


def test_a_long_history_takes_several_lines(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        memory = vault.add("0" * 900_000, id="long")
        for number in range(1, 7):
            vault.update(memory.id, content=str(number) * 900_000)
        first = moving.export(vault, tmp_path / "first.jsonl")
        shown = [one["memory"] for one in moving.lines(tmp_path / "first.jsonl") if "memory" in one]
        with moving.empty(tmp_path) as other:
            report = other.import_memories(tmp_path / "first.jsonl")
            again = other.import_memories(tmp_path / "first.jsonl")

            assert [one.get("continues") for one in shown] == [None, True]
            assert (report.added, report.updated, report.skipped) == (1, 0, ())
            assert (again.unchanged, again.commits, again.skipped) == (1, 0, ())
            assert len(other.history("long")) == 7
            assert moving.export(other, tmp_path / "second.jsonl") == first


def test_the_vectors_of_another_embedder_are_left_out_and_counted(tmp_path: Path) -> None:
    with Vault.create("memory://", unlock=vaults.key_in(tmp_path), embedder=FakeEmbedder(8)) as vault:
        vault.add("tea with Bob", id="tea")
        vault.export_memories(tmp_path / "it.jsonl")
    with Vault.create("memory://", unlock=vaults.key_in(tmp_path), embedder=FakeEmbedder(16)) as other:
        report = other.import_memories(tmp_path / "it.jsonl")
        assert [(one.place, "without vectors" in one.reason) for one in report.skipped] == [("space default", True)]
        assert other.get("tea").vectors == {}
        other.reembed()
        assert other.search("tea", mode="dense")[0].memory.id == "tea"


def test_the_vectors_of_the_same_embedder_come_along(tmp_path: Path) -> None:
    with Vault.create("memory://", unlock=vaults.key_in(tmp_path), embedder=FakeEmbedder(8)) as vault:
        vault.add("tea with Bob", id="tea")
        vault.export_memories(tmp_path / "it.jsonl")
        (vector,) = vault.get("tea").vectors["default"].values()
    embedder = FakeEmbedder(8)
    with Vault.create("memory://", unlock=vaults.key_in(tmp_path), embedder=embedder) as other:
        other.import_memories(tmp_path / "it.jsonl")
        (same,) = other.get("tea").vectors["default"].values()
        assert np.array_equal(vector, same)
        assert embedder.asked == []  # an import embeds nothing
        assert other.search("tea", mode="dense")[0].memory.id == "tea"


def test_an_export_is_plain_json_that_others_can_read(tmp_path: Path) -> None:
    with moving.empty(tmp_path) as vault:
        vault.add('Müller\u2028 said "no"\n', id="m", vector=[1, 0.5])
        vault.export_memories(tmp_path / "it.jsonl")
    raw = (tmp_path / "it.jsonl").read_bytes()
    shown = [json.loads(line) for line in raw.split(b"\n")[:-1]]

    assert list(shown[0]) == ["strongroom", "version"]
    assert shown[2]["memory"]["versions"][0]["text"] == 'Müller\u2028 said "no"\n'
    assert shown[2]["memory"]["versions"][0]["vectors"] == {"default": {"": "AACAPwAAAD8="}}
    assert shown[-1] == moving.end(1)


@pytest.mark.parametrize("namespace", [None, ("a",)])
def test_the_same_content_gives_the_same_bytes_whatever_the_vault(
    tmp_path: Path, namespace: tuple[str, ...] | None
) -> None:
    """Nothing of the vault itself is in an export: not its id, not its keys, not the time."""
    path = moving.write(tmp_path / "in.jsonl", [moving.HEADER, moving.memory("a"), moving.memory("b"), moving.end(2)])
    exports = set()
    for number in range(2):
        with moving.empty(tmp_path) as vault:
            vault.import_memories(path, namespace=namespace)
            exports.add(moving.export(vault, tmp_path / f"{number}.jsonl"))
    assert len(exports) == 1


def test_a_memory_with_as_many_spaces_as_there_can_be_comes_out_the_same(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add("green tea", vectors={f"space {number}": {"": [1.0, number]} for number in range(1_024)})
        first = moving.export(vault, tmp_path / "first.jsonl")
        with moved(vault, tmp_path) as other:
            assert moving.export(other, tmp_path / "second.jsonl") == first
