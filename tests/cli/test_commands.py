"""What each command does and prints."""

import json
from pathlib import Path

import pytest

from cli.program import Program
from vault_core import FileKey, Vault

pytestmark = pytest.mark.usefixtures("place")


def added(strongroom: Program, text: str, *options: str) -> str:
    found: str = strongroom.json("add", text, *options)["id"]
    return found


def test_a_memory_that_was_added_is_found(strongroom: Program) -> None:
    assert strongroom("add", "The spare key is with the neighbour.").code == 0

    found = strongroom("search", "where is the spare key")

    assert "The spare key is with the neighbour." in found.out


def test_add_keeps_every_option(strongroom: Program) -> None:
    memory = strongroom.json(
        "add", "Tea at four", "--namespace", "me", "--namespace", "work", "--type", "PERSONA", "--tag", "habit",
        "--tag", "tea", "--metadata", '{"cups": 2}', "--importance", "0.5", "--source", "chat", "--thread", "t1",
        "--event-time", "2026-03-01T16:00:00Z", "--id", "tea",
    )  # fmt: skip

    wanted = {
        "id": "tea", "content": "Tea at four", "namespace": ["me", "work"], "memory_type": "PERSONA",
        "tags": ["habit", "tea"], "metadata": {"cups": 2}, "importance": 0.5, "source": "chat", "thread": "t1",
        "event_time": "2026-03-01T16:00:00+00:00", "box": "main",
    }  # fmt: skip
    assert {name: memory[name] for name in wanted} == wanted


def test_search_gives_scores_and_their_parts_when_asked(strongroom: Program) -> None:
    added(strongroom, "green tea")

    plain, explained = strongroom.json("search", "tea"), strongroom.json("search", "tea", "--explain")

    assert plain["query"] == "tea"
    assert plain["hits"][0]["score"] > 0
    assert plain["hits"][0]["parts"] == {}
    assert explained["hits"][0]["parts"] != {}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], {"one", "two", "three"}),
        (["--namespace", "me"], {"two", "three"}),
        (["--namespace", "me", "--exact"], {"two"}),
        (["--type", "PERSONA"], {"one"}),
        (["--tag", "a"], {"one", "two"}),
        (["--tag", "a", "--tag", "b"], {"two"}),
    ],
    ids=["all", "namespace", "exact namespace", "type", "tag", "two tags"],
)
def test_search_and_list_narrow_alike(options: list[str], found: set[str], strongroom: Program) -> None:
    added(strongroom, "first tea", "--id", "one", "--type", "PERSONA", "--tag", "a")
    added(strongroom, "second tea", "--id", "two", "-n", "me", "--tag", "a", "--tag", "b")
    added(strongroom, "third tea", "--id", "three", "-n", "me", "-n", "work")

    hits = strongroom.json("search", "tea", *options)["hits"]
    listed = strongroom.json("list", *options)

    assert {hit["memory"]["id"] for hit in hits} == found
    assert {memory["id"] for memory in listed["memories"]} == found
    assert listed["total"] == len(found)


def test_list_shows_what_is_put_away_only_when_asked(strongroom: Program, place: Path, key_file: Path) -> None:
    added(strongroom, "old tea", "--id", "old")
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        vault.archive("old")

    assert strongroom.json("list")["total"] == 0
    assert strongroom.json("list", "--all")["total"] == 1


def test_list_goes_page_by_page_and_says_that_there_is_more(strongroom: Program) -> None:
    for number in range(3):
        added(strongroom, f"memory {number}", "--id", str(number))

    page = strongroom("list", "--limit", "2", "--order", "created")
    rest = strongroom.json("list", "--limit", "2", "--offset", "2", "--order", "created")

    assert "2 of 3; more with --offset 2" in page.out
    assert [memory["id"] for memory in rest["memories"]] == ["2"]


def test_show_gives_all_of_one_memory(strongroom: Program) -> None:
    id_ = added(strongroom, "first line\nsecond line", "--tag", "home", "--metadata", '{"a": 1}')

    shown = strongroom("show", id_)

    assert shown.out.startswith("first line\nsecond line\n\n")
    assert "home" in shown.out
    assert '{"a": 1}' in shown.out
    assert strongroom.json("show", id_)["content"] == "first line\nsecond line"


def test_history_has_every_version_oldest_first(strongroom: Program) -> None:
    added(strongroom, "tea", "--id", "drink")
    added(strongroom, "coffee", "--id", "drink")

    versions = strongroom.json("history", "drink")["versions"]

    assert [version["content"] for version in versions] == ["tea", "coffee"]
    assert strongroom("history", "drink").out.index("tea") < strongroom("history", "drink").out.index("coffee")


def test_forget_says_first_and_erases_then(strongroom: Program) -> None:
    id_ = added(strongroom, "a secret")

    told = strongroom("forget", id_, "--dry-run")
    assert (told.code, told.out) == (0, "would erase 1 memory in 1 version\n")
    assert strongroom("show", id_).code == 0

    done = strongroom.json("forget", id_, "--yes")
    assert (done["memories"], done["versions"], done["purged"]) == (1, 1, True)
    assert strongroom("show", id_).code == 9


def test_forget_without_a_person_or_a_yes_erases_nothing(strongroom: Program) -> None:
    id_ = added(strongroom, "a secret")

    refused = strongroom("forget", id_)

    assert refused.code == 3
    assert "hint: add --yes" in refused.err
    assert strongroom("show", id_).code == 0


def test_pin_marks_a_memory_and_takes_it_back(strongroom: Program) -> None:
    id_ = added(strongroom, "allergic to hazelnuts")

    assert strongroom("pin", id_).code == 0
    assert strongroom.json("show", id_)["state"]["pinned"] is True

    assert strongroom.json("pin", id_, "--undo") == {"id": id_, "pinned": False, "dry_run": False}
    assert strongroom.json("show", id_)["state"]["pinned"] is False


def test_history_has_the_line_across_ids_and_every_change(strongroom: Program, place: Path, key_file: Path) -> None:
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        vault.add("Berlin", id="b", slot=("user", "home"))
        vault.add("Munich", id="m", slot=("user", "home"), reason="moved")

    assert [one["id"] for one in strongroom.json("history", "b")["versions"]] == ["b"]
    assert [one["id"] for one in strongroom.json("history", "b", "--line")["versions"]] == ["b", "m"]
    strongroom("pin", "b")
    changes = [json.loads(line) for line in strongroom("history", "b", "--changes", "--json").out.splitlines()]
    assert [change["kind"] for change in changes] == ["written", "pinned"]
    assert "moved" in strongroom("log").out
    assert strongroom("log", "--since", "3", "--limit", "1").out.split()[0] == "3"
    assert strongroom("log", "--since", "2000-01-01", "--namespace", "nowhere").out == ""
    assert strongroom("log", "--since", "yesterday").code == 3


def test_restore_brings_back_what_was_superseded(strongroom: Program, place: Path, key_file: Path) -> None:
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        version = vault.add("Berlin", id="b", slot=("user", "home")).version
        vault.add("Munich", id="m", slot=("user", "home"))

    dry = strongroom.json("restore", "b", version, "--dry-run")
    assert (dry["dry_run"], dry["memory"]["content"]) == (True, "Berlin")
    assert [one["id"] for one in strongroom.json("list")["memories"]] == ["m"]
    assert strongroom("restore", "b", version).out.startswith("restored b to version")
    assert [one["id"] for one in strongroom.json("list")["memories"]] == ["b"]
    assert strongroom("restore", "b", "99.0").code == strongroom("show", "nobody").code
    assert strongroom("restore", "nobody", version).code == strongroom("show", "nobody").code


def test_a_dry_run_pins_nothing(strongroom: Program) -> None:
    id_ = added(strongroom, "tea")

    assert strongroom("pin", id_, "--dry-run").out == f"would be pinned {id_}\n"
    assert strongroom.json("pin", id_, "--dry-run") == {"id": id_, "pinned": False, "dry_run": True}
    assert not strongroom.json("show", id_)["state"]["pinned"]
    assert strongroom("pin", "nobody", "--dry-run").code == strongroom("pin", "nobody").code


def test_add_says_what_is_much_like_it(strongroom: Program) -> None:
    id_ = added(strongroom, "The spare key is with the neighbour")

    assert f"much like {id_}" in strongroom("add", "The spare key is with our neighbour").out


def test_stats_counts_what_is_there(strongroom: Program) -> None:
    added(strongroom, "tea", "--namespace", "me")

    assert strongroom.json("stats")["memories"] == 1
    assert "memories       1" in strongroom("stats").out
    assert "by type        SEMANTIC 1" in strongroom("stats").out


def test_status_tells_what_is_there(strongroom: Program, place: Path) -> None:
    added(strongroom, "I prefer tea", "--type", "PERSONA")

    found = strongroom.json("status")

    assert found["memories"] == 1
    assert found["by_type"] == {"PERSONA": 1}
    assert found["location"] == str(place)
    assert [slot["kind"] for slot in found["slots"]] == ["file"]
    assert found["anchor"]["commit"] == found["commits"] == 2
    assert Path(found["anchor"]["file"]).exists()
    assert "memories    1" in strongroom("status").out


@pytest.mark.parametrize("options", [[], ["--full"]], ids=["hashes", "full"])
def test_verify_tells_what_it_has_seen(options: list[str], strongroom: Program) -> None:
    added(strongroom, "tea")

    report = strongroom.json("verify", *options)

    assert (report["clean"], report["commits"], report["records"]) == (True, 2, 1)
    assert report["opened"] is bool(options)
    assert strongroom("verify", *options).out.startswith("clean: 2 commits, 1 records")


def test_every_command_speaks_json(strongroom: Program) -> None:
    id_ = added(strongroom, "tea")
    commands = [
        ["add", "coffee"], ["search", "tea"], ["list"], ["show", id_], ["history", id_], ["pin", id_], ["status"],
        ["stats"], ["restore", id_, "2.0"],
        ["verify"], ["slots"], ["slots", "list"], ["slots", "new-key"], ["forget", id_, "--yes"],
    ]  # fmt: skip

    for command in commands:
        printed = strongroom(*command, "--json")
        assert printed.code == 0, printed.err
        assert printed.out.count("\n") == 1
        json.loads(printed.out)


def test_the_vault_of_the_command_line_goes_before_that_of_the_environment(strongroom: Program, tmp_path: Path) -> None:
    assert strongroom("status", "--vault", str(tmp_path / "other.vault")).code == 5


def test_an_empty_vault_name_is_refused_rather_than_replaced_by_the_default(strongroom: Program) -> None:
    assert strongroom("status", "--vault", "").code == 3


def test_without_a_command_the_program_says_what_it_can(strongroom: Program) -> None:
    assert strongroom().out == strongroom("--help").out
    assert "search" in strongroom().out


def test_the_version_is_the_package_s(strongroom: Program) -> None:
    import vault_core

    assert strongroom("--version").out == vault_core.__version__ + "\n"


def test_consolidate_says_what_it_makes_and_forget_what_goes_with_it(strongroom: Program) -> None:
    for day in 3, 4, 5:
        added(
            strongroom, f"Green tea on the balcony, cup {day}", "--id", f"tea{day}", "--event-time", f"2025-03-0{day}"
        )

    planned = strongroom.json("consolidate", "--dry-run")
    told = strongroom("consolidate", "--dry-run").out
    assert (planned["dry_run"], planned["affinities"], planned["composites"]) == (True, 1, 1)
    assert "Usually: " in told
    assert "1 affinity and 1 composite: 2 would be made" in told
    assert strongroom.json("status")["by_tier"] == {"ATOM": 3, "COMPOSITE": 0, "AFFINITY": 0}

    assert "2 made, 0 updated, 0 erased" in strongroom("consolidate").out
    assert "AFFINITY" in strongroom("search", "what do I usually drink? green tea").out
    assert strongroom.json("consolidate")["unchanged"] == 2
    assert "and 2 summaries made of it" in strongroom("forget", "tea4", "--yes").out
    assert strongroom.json("status")["by_tier"] == {"ATOM": 2, "COMPOSITE": 0, "AFFINITY": 0}
