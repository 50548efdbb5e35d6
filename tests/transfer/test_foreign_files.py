"""Files of other systems: what each brings, and that a second import changes nothing."""

import gzip
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support import exports, vaults
from support.foreigners import FILES, PASSPHRASE, everything, imported, reasons, written
from vault_core import InvalidInputError, Memory

GRAPH = FILES / "knowledge-graph" / "memory.jsonl"
MEM0 = FILES / "mem0" / "get_all.json"


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def as_lines(records: list[Any]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)


def zipped(folder: Path, members: dict[str, bytes], name: str = "export.zip") -> Path:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, body in members.items():
            archive.writestr(member, body)
    return folder / name


def notes(folder: Path) -> Path:
    """A small folder of notes, as Obsidian keeps them."""
    (folder / "notes" / "home").mkdir(parents=True)
    (folder / "notes" / ".obsidian").mkdir()
    (folder / "notes" / ".obsidian" / "hidden.md").write_text("Settings")
    (folder / "notes" / "picture.png").write_bytes(b"\x89PNG")
    (folder / "notes" / "home" / "kitchen.md").write_text(
        "---\ntags: [house, food]\ndate: 2025-03-01\nrating: 4\n---\n"
        "# Kitchen #\n\nThe oven runs hot:\ntake ten degrees off. #oven\n\n## Shopping\n\n"
        "- Olive oil\n  - the green one\n\n- [ ] Salt\nand pepper\n\n---\n\n1. Wash\n2. Cook\n\n"
        "```python\n# no heading\n\nprint('hi')\n```\nAfter the code\n<!-- nothing -->\n\n# Kitchen\n\nAgain\n",
    )
    (folder / "notes" / "plain.md").write_text("\ufeffJust a thought\n\nJust a thought\n", "utf-8")
    return folder / "notes"


def sources(folder: Path) -> dict[str, Path]:
    """A source of every format."""
    openmemory = {"memories.json": json.dumps(exports.openmemory(), indent=2).encode()}
    chat = [{"role": "user", "content": "Hello", "created_at": "2025-01-01T00:00:00Z"}]
    return {
        "knowledge-graph": GRAPH,
        "mem0": MEM0,
        "mem0 (OpenMemory)": zipped(folder, openmemory, "openmemory.zip"),
        "memory-vault": written(folder, as_lines(exports.memory_vault()), "vault.jsonl"),
        "chatgpt": written(folder, exports.chatgpt(), "chatgpt.json"),
        "chatgpt (zip)": zipped(folder, {"x/conversations.json": json.dumps(exports.chatgpt()).encode()}),
        "claude": written(folder, exports.claude(), "claude.json"),
        "claude (gzip)": written(folder, gzip.compress(json.dumps(exports.claude()).encode()), "claude.json.gz"),
        "chat": written(folder, chat, "chat.json"),
        "chat (lines)": written(folder, as_lines(chat), "chat.jsonl"),
        "markdown": notes(folder),
        "vaultmem": FILES / "vaultmem-0.3.3" / "vault",
        "vaultmem (export)": FILES / "vaultmem-0.3.3" / "export.vmem",
    }


def test_each_format_is_recognised_and_a_second_import_changes_nothing(tmp_path: Path) -> None:
    """Whatever it is packed in; also when the file was written anew meanwhile, as long as it says the same."""
    for name, path in sources(tmp_path).items():
        with vaults.create(tmp_path, f"{name}.vault") as vault:
            first = vault.import_memories(path, passphrase=PASSPHRASE)
            again = vault.import_memories(path, passphrase=PASSPHRASE, dry_run=True)

            assert first.source == name.partition(" ")[0], name
            assert first.added > 0, name
            assert (again.added, again.updated, again.unchanged) == (0, 0, first.added + first.unchanged), name
            assert {one.provenance["importer"] for one in everything(vault)} == {first.source}, name


def test_a_file_without_times_that_was_only_written_anew_changes_nothing(tmp_path: Path) -> None:
    """The memory server writes its whole file with every change."""
    path = written(tmp_path, GRAPH.read_bytes(), "memory.jsonl")
    with vaults.create(tmp_path) as vault:
        vault.import_memories(path)
        path.rename(tmp_path / "other name.jsonl")
        os.utime(tmp_path / "other name.jsonl", (2_000_000_000, 2_000_000_000))
        again = vault.import_memories(tmp_path / "other name.jsonl")

    assert (again.added, again.updated, again.commits, again.skipped_count) == (0, 0, 0, 0)


def test_a_graph_can_be_shown_from_the_memories_alone(tmp_path: Path) -> None:
    """Entities, observations and relations are exactly those that the real server reads in its file."""
    memories, report = imported(tmp_path, GRAPH)
    entities: dict[str, dict[str, Any]] = {}
    relations = []
    for memory in memories:
        about = memory.metadata
        if about["graph"] == "relation":
            relations.append({"from": about["from"], "to": about["to"], "relationType": about["relation"]})
            continue
        one = {"name": about["entity"], "entityType": about["entity_type"], "observations": []}
        entity = entities.setdefault(about["entity"], one)
        if about["graph"] == "observation":
            entity["observations"].append(memory.content)

    graph = json.loads((FILES / "knowledge-graph" / "graph.json").read_text())
    assert {"entities": list(entities.values()), "relations": relations} == graph
    assert report.skipped_count == 0


def test_an_observation_is_found_by_the_name_of_its_entity(tmp_path: Path) -> None:
    """The observation itself does not name it."""
    with vaults.create(tmp_path) as vault:
        vault.import_memories(GRAPH)

        assert vaults.found(vault, "what do we know of the organization Sardine", top_k=1) == ["Sells grilled fish"]


def test_two_entities_may_be_observed_to_be_the_same(tmp_path: Path) -> None:
    """Equal observations of different entities are different memories; of one entity they are one."""
    lines = [
        {"type": "entity", "name": name, "entityType": "person", "observations": ["Lives here", "Lives here"]}
        for name in ("Ann", "Ben")
    ]

    memories, report = imported(tmp_path, written(tmp_path, as_lines(lines)))

    assert [one.metadata["entity"] for one in memories] == ["Ann", "Ben"]
    assert report.unchanged == 2


def test_mem0_memories_come_with_their_user_agent_run_and_times(tmp_path: Path) -> None:
    """As `Memory.get_all` of the real package gave them."""
    told = {f"mem0-{one['id']}": one for one in json.loads(MEM0.read_text())["results"]}
    memories, report = imported(tmp_path, MEM0)

    assert {one.id for one in memories} == told.keys()
    for one in memories:
        given = told[one.id]
        assert one.content == given["memory"]
        assert one.namespace == (given["user_id"],)
        assert (one.source, one.thread) == (given.get("agent_id"), given.get("run_id"))
        assert one.created_at == datetime.fromisoformat(given["created_at"])
        assert one.updated_at == datetime.fromisoformat(given["updated_at"])
        assert one.metadata["mem0"]["hash"] == given["hash"]
    assert sorted(one.position for one in memories if one.position is not None) == [0, 1]
    assert next(one for one in memories if one.tags).metadata["topic"] == "style"
    assert report.skipped_count == 0


def test_mem0s_graph_comes_as_relations(tmp_path: Path) -> None:
    """What `get_all` gives with a graph store."""
    told = json.loads(MEM0.read_text())
    told["relations"] = [{"source": "alice", "relationship": "lives_in", "target": "lisbon"}, {"source": 7}]

    memories, report = imported(tmp_path, written(tmp_path, told))

    assert memories[-1].content == "alice lives in lisbon"
    assert memories[-1].metadata == {"graph": "relation", "from": "alice", "relation": "lives_in", "to": "lisbon"}
    assert list(reasons(report)) == ["relations 2"]


def test_openmemory_backups_come_with_user_app_categories_and_states(tmp_path: Path) -> None:
    """The ids of the backup are told by the names it gives; what is no memory is counted."""
    path = zipped(tmp_path, {"memories.json": json.dumps(exports.openmemory()).encode()})
    memories, report = imported(tmp_path, path)
    tea, address = memories

    assert (tea.namespace, tea.source, tea.tags) == (("alice",), "cursor", ("preferences",))
    assert tea.metadata["topic"] == "style"
    assert (tea.created_at.day, tea.updated_at.day) == (1, 2)
    assert (address.state.archived, tea.state.archived) == (True, False)
    assert reasons(report)["memories 3"] == "it was deleted there"
    assert reasons(report)["status_history"] == "1 entries that are no memories are left out"


def test_openmemorys_lines_are_read_where_there_is_nothing_else(tmp_path: Path) -> None:
    """The other file of a backup, by itself and in its zip."""
    one = {"id": "1", "content": "Prefers tea", "metadata": {}, "created_at": "2025-06-01T08:00:00+00:00"}
    one |= {"updated_at": None, "state": "active", "app": "cursor", "categories": ["preferences"]}
    packed = gzip.compress(as_lines([one, one | {"id": "2", "state": "deleted"}]).encode())

    for path in (zipped(tmp_path, {"memories.jsonl.gz": packed}), written(tmp_path, packed, "memories.jsonl.gz")):
        memories, report = imported(tmp_path, path, name=f"{path.name}.vault")
        assert [(m.text, m.source, m.tags) for m in memories] == [("Prefers tea", "cursor", ("preferences",))]
        assert (report.source, report.skipped_count) == ("mem0", 1)


def test_memory_vault_lines_come_with_type_time_importance_and_uses(tmp_path: Path) -> None:
    """Content may be any JSON there; what is neither text, object nor list becomes text."""
    memories, report = imported(tmp_path, written(tmp_path, as_lines(exports.memory_vault())))
    first, second, third = memories

    assert [one.memory_type for one in memories] == ["SEMANTIC", "SOLITON", "WORKING"]
    assert (first.created_at, first.importance, first.tags) == (moment(1_700_000_000.25), 0.7, ("test",))
    assert (first.state.uses, first.state.used_at) == (3, moment(1_700_000_100))
    assert second.content == {"phase": 0.5, "name": "wave"}
    assert (second.importance, second.metadata["memory_vault"]["importance"]) == (None, 1.5)
    assert third.content == "42"
    assert report.skipped_count == 0


def turns(memories: list[Memory]) -> list[tuple[Any, ...]]:
    return [(one.thread, one.position, one.source, one.text) for one in memories]


def test_of_a_chatgpt_conversation_the_branch_that_is_shown_comes(tmp_path: Path) -> None:
    """In its order, with who said it and when; what is left out is said."""
    memories, report = imported(tmp_path, written(tmp_path, exports.chatgpt()))

    assert turns(memories) == [
        ("c-1", 0, "user", "Where do grilled sardines come from?"),
        ("c-1", 1, "assistant", "From Portugal, they say."),
        ("c-1", 3, "user", "And this one?"),
        ("c-1", 4, "tool", "42"),
        ("c-1", 5, "assistant", "print(42)"),
        ("c-2", 0, "user", "Thanks"),
    ]
    assert [one.event_time for one in memories[:2]] == [moment(1_700_000_000.5), moment(1_700_000_020)]
    assert memories[4].event_time == moment(1_700_000_040)  # the turn before's, for it has none
    assert memories[0].metadata == {"conversation": "Sardines"}
    assert reasons(report) == {
        "conversation 1": "1 turns of other branches, which are not shown, are left out",
        "conversation 1, turn 3": "what the model thought is not brought",
        "conversation 1, turn 4": "a picture or file in it is not brought",
    }


def test_a_chatgpt_tree_that_runs_in_a_circle_or_has_no_end_is_read_all_the_same(tmp_path: Path) -> None:
    """Every turn once, and the reason is told."""
    circle, endless, own = exports.chatgpt()[0], exports.chatgpt()[0], exports.chatgpt()[1]
    circle["mapping"]["root"]["parent"] = "a3"
    endless.pop("current_node")
    endless["conversation_id"] = "c-3"
    own["mapping"]["q"]["parent"] = "q"

    memories, report = imported(tmp_path, written(tmp_path, [circle, endless, own]))

    assert [one.thread for one in memories] == ["c-1"] * 5 + ["c-3"] * 2 + ["c-2"]
    told = [(one.place, one.reason.split(";")[0]) for one in report.skipped]
    assert ("conversation 1", "its turns run in a circle") in told
    assert ("conversation 2", "it does not say which turn is the last") in told
    assert ("conversation 3", "its turns run in a circle") in told


def test_claudes_messages_come_without_what_tools_did(tmp_path: Path) -> None:
    """The text of the text blocks; "human" is the user, as everywhere."""
    memories, report = imported(tmp_path, written(tmp_path, exports.claude()))

    assert turns(memories) == [
        ("c-1", 0, "user", "I moved to Porto in May."),
        ("c-1", 1, "assistant", "Noted."),
        ("c-1", 2, "user", "Here is the lease"),
    ]
    assert memories[0].event_time == datetime(2025, 5, 20, 10, 0, 0, 123456, UTC)
    assert list(reasons(report)) == ["conversation 1, turn 2", "conversation 1, turn 3"]


def test_a_chat_log_may_have_many_threads_and_parts(tmp_path: Path) -> None:
    """Times in any of the usual forms; the same words twice are two turns."""
    log = [
        {"role": "user", "content": "Thanks", "session_id": "s1", "timestamp": 1_700_000_000},
        {"role": "assistant", "content": [{"type": "text", "text": "Sure"}, {"type": "image_url"}], "session_id": "s2"},
        {"role": "user", "content": "Thanks", "session_id": "s1", "timestamp": 1_700_000_000_500},
        {"role": "user", "content": None, "session_id": "s1"},
    ]

    memories, report = imported(tmp_path, written(tmp_path, {"model": "x", "messages": log}))

    assert turns(memories) == [("s1", 0, "user", "Thanks"), ("s2", 0, "assistant", "Sure"), ("s1", 1, "user", "Thanks")]
    assert memories[2].event_time == moment(1_700_000_000.5)
    assert list(reasons(report)) == ["messages 2", "messages 4"]


def test_notes_come_by_paragraph_and_item_with_their_headings(tmp_path: Path) -> None:
    """Code is one piece, a list's items are one each, and front matter says tags and time."""
    memories, report = imported(tmp_path, notes(tmp_path))

    assert [(one.metadata["headings"], one.text) for one in memories if one.thread == "home/kitchen.md"] == [
        (["Kitchen"], "The oven runs hot:\ntake ten degrees off. #oven"),
        (["Kitchen", "Shopping"], "Olive oil\n  - the green one"),
        (["Kitchen", "Shopping"], "[ ] Salt\nand pepper"),
        (["Kitchen", "Shopping"], "Wash"),
        (["Kitchen", "Shopping"], "Cook"),
        (["Kitchen", "Shopping"], "```python\n# no heading\n\nprint('hi')\n```"),
        (["Kitchen", "Shopping"], "After the code\n<!-- nothing -->"),
        (["Kitchen"], "Again"),
    ]
    oven = memories[0]
    assert oven.tags == ("house", "food", "oven")
    assert (oven.created_at, oven.event_time) == (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC))
    assert oven.metadata["front_matter"] == {"date": "2025-03-01", "rating": "4"}
    assert [one.text for one in memories if one.thread == "plain.md"] == ["Just a thought"]
    assert reasons(report) == {"plain.md, line 3": "a duplicate: this namespace has the same content under another id"}


def test_a_note_is_found_by_its_headings(tmp_path: Path) -> None:
    """The item itself says "Olive oil" only."""
    with vaults.create(tmp_path) as vault:
        vault.import_memories(notes(tmp_path))

        assert "Olive oil\n  - the green one" in vaults.found(vault, "kitchen shopping", top_k=5)


def test_links_out_of_a_folder_of_notes_are_not_followed(tmp_path: Path) -> None:
    """Neither to a file nor to a folder, nor round in a circle."""
    folder = notes(tmp_path)
    (tmp_path / "secret.md").write_text("Not yours")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.md")

    memories, report = imported(tmp_path, folder)

    assert "Not yours" not in [one.text for one in memories]
    assert [one.reason for one in report.skipped].count("links are not followed") == 3
    assert reasons(report)["pipe.md"] == "it is no regular file, or can't be read"


def test_content_that_is_there_under_another_id_is_not_doubled(tmp_path: Path) -> None:
    """It is reported; one that only the archive has does not count."""
    records = [{"id": str(n), "memory": text, "user_id": "alice"} for n, text in enumerate(("Tea", "Salt", "Tea"))]
    with vaults.create(tmp_path) as vault:
        own = vault.add("Tea", namespace=("alice",))
        report = vault.import_memories(written(tmp_path, records))

        assert [one.text for one in everything(vault)] == ["Tea", "Salt"]
        assert vault.get(own.id, namespace=("alice",)).provenance == own.provenance
        assert list(reasons(report)) == ["entry 1", "entry 3"]
        vault.archive(own.id, namespace=("alice",))
        assert vault.import_memories(written(tmp_path, records)).added == 1


def test_a_file_can_not_take_the_place_of_a_memory_that_came_from_elsewhere(tmp_path: Path) -> None:
    """Ids of a stranger's file are never ids of the vault's own."""
    with vaults.create(tmp_path) as vault:
        vault.add("Mine", id="home", namespace=("alice",))
        vault.import_memories(written(tmp_path, [{"id": "home", "memory": "Not mine", "user_id": "alice"}]))

        assert vault.get("home", namespace=("alice",)).text == "Mine"


def test_a_memory_that_was_changed_there_gets_a_newer_version(tmp_path: Path) -> None:
    """And one that was changed here meanwhile stays as it is."""
    record = {"id": "1", "memory": "Lives in Lisbon", "created_at": "2025-01-01", "updated_at": "2025-01-01"}
    with vaults.create(tmp_path) as vault:
        vault.import_memories(written(tmp_path, [record]))
        later = record | {"memory": "Lives in Porto", "updated_at": "2025-02-01"}
        assert vault.import_memories(written(tmp_path, [later])).updated == 1
        vault.update("mem0-1", content="Lives in Faro")
        again = vault.import_memories(written(tmp_path, [later]))

        assert again.updated == 0
        assert [one.text for one in vault.history("mem0-1")] == ["Lives in Lisbon", "Lives in Porto", "Lives in Faro"]


def test_no_format_means_a_clear_answer(tmp_path: Path) -> None:
    """Which names the formats that there are."""
    for at, content in enumerate((b"", b"hello", b"\x00\x01", b"{}", b"[]", b"[1, 2]")):
        path = written(tmp_path, content, "file.bin")
        with vaults.create(tmp_path, f"{at}.vault") as vault, pytest.raises(InvalidInputError, match="vaultmem"):
            vault.import_memories(path)


def test_the_origin_says_whose_word_it_is(tmp_path: Path) -> None:
    """What the user said is trusted, what an agent wrote waits for a word of the user's, tools' words are not found."""
    log = [{"role": role, "content": f"Said by {role}"} for role in ("user", "assistant", "tool", "stranger")]
    sources_ = {"chat": written(tmp_path, log), "mem0": MEM0, "knowledge-graph": GRAPH, "markdown": notes(tmp_path)}
    trusted = {}
    for name, path in sources_.items():
        memories, _ = imported(tmp_path, path, name=f"{name}.vault", source=name)
        trusted[name] = [memory.trust for memory in memories]

    assert trusted["chat"] == ["trusted", "unconfirmed", "untrusted", "untrusted"]
    assert sorted(trusted["mem0"]) == ["trusted", "trusted", "trusted", "unconfirmed"]
    assert set(trusted["knowledge-graph"]) == {"unconfirmed"}
    assert set(trusted["markdown"]) == {"trusted"}
