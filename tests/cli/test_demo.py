"""The demo holds, and each of its checks can fail."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from cli.program import QUICK, Program, spawn
from vault_core import FileKey, Vault
from vault_core.cli import rehearsal
from vault_core.cli.conversation import Conversation
from vault_core.cli.rehearsal import Rehearsal

WATCHED = """
import sys
def watch(event, arguments):
    if event == "open" and "maya.vault" in str(arguments[0]) and not str(arguments[0]).endswith(".lock"):
        print("opened", arguments[0])
sys.addaudithook(watch)
if sys.argv[1] == "open":
    open(sys.argv[2]).close()
from vault_core.cli import app
app(["demo"])
"""

NAMES = ["make", "store", "search", "ask", "look", "copy", "flip"]


def held(folder: Path) -> dict[str, bool]:
    """The steps of a demo with quick keys, by the first word of what they do."""
    folder.mkdir()
    return {step.what.split()[0]: step.held for step in Rehearsal(folder, cost=QUICK).steps()}


def test_the_demo_holds_in_every_step_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    done = spawn("demo", "--json", variables={"TMPDIR": str(temporary)})

    assert done.code == 0, done.err
    assert done.document["held"] is True
    assert [step["what"].split()[0] for step in done.document["steps"]] == NAMES
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "state").exists()


def test_the_demo_s_table_is_for_people(strongroom: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Rehearsal.__init__
    monkeypatch.setattr(Rehearsal, "__init__", lambda self, folder: quick(self, folder, cost=QUICK))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = strongroom("demo", "--keep")

    folder = Path(done.out.split("kept in ")[1].split(";")[0])
    assert done.code == 0, done.out
    assert done.out.count("held") == len(NAMES)
    assert "Mondays" in done.out
    with Vault.open(folder / "vault" / "maya.vault", unlock=FileKey(folder / "key")) as vault:
        assert vault.count() == 186


def peeking(monkeypatch: pytest.MonkeyPatch, replacement: Any) -> None:
    real = Rehearsal._peek  # what the demo sees of the files
    monkeypatch.setattr(
        Rehearsal, "_peek", lambda self, verb, *paths, given=None: replacement(real, self, verb, *paths, given=given)
    )


def test_the_demo_fails_when_the_copy_was_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_flip(real: Any, self: Any, verb: str, *paths: Path, given: Any) -> Any:
        return {"offset": 0} if verb == "flip" else real(self, verb, *paths, given=given)

    peeking(monkeypatch, no_flip)

    assert held(tmp_path / "demo") == dict.fromkeys(NAMES, True) | {"flip": False}


def test_the_demo_fails_when_words_are_in_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(self: Any, vault: Vault) -> Any:
        (self.folder / "vault" / "leak").write_text("She swims at the LIDO ON MONDAYS, after work.")
        return store(self, vault)

    store = Rehearsal._store  # the step that has to leave nothing in the clear
    monkeypatch.setattr(Rehearsal, "_store", leaky)

    assert held(tmp_path / "demo") == dict.fromkeys(NAMES, True) | {"look": False}


def test_the_demo_fails_when_the_look_would_find_nothing_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(real: Any, self: Any, verb: str, *paths: Path, given: Any) -> Any:
        return real(self, verb, *paths, given=given) | ({"found": []} if verb == "find" else {})

    peeking(monkeypatch, blind)

    assert held(tmp_path / "demo") == dict.fromkeys(NAMES, True) | {"look": False}


def test_the_demo_fails_when_the_second_process_finds_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "QUESTION", "Who are Maya's colleagues and what do they do?")

    steps = held(tmp_path / "demo")

    assert steps["search"] is False


def test_a_step_that_does_not_hold_is_the_exit_code(strongroom: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    step = rehearsal.Step(what="flip one bit", held=False, seconds=0.1, shows="it was accepted")
    monkeypatch.setattr(Rehearsal, "steps", lambda _: iter([step]))

    told = strongroom("demo", "--json")

    assert (told.code, told.document["held"]) == (1, False)


def test_no_secret_is_among_the_arguments_of_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    run = subprocess.run

    def noted(arguments: list[str], **options: Any) -> Any:
        calls.append(arguments)
        return run(arguments, **options)

    monkeypatch.setattr(subprocess, "run", noted)
    held(tmp_path / "demo")

    secrets = [(tmp_path / "demo" / name).read_text().strip() for name in ("passphrase", "key")]
    assert calls
    assert not any(secret in argument for secret in secrets for call in calls for argument in call)


@pytest.mark.parametrize("open_it", [False, True], ids=["as it is", "control"])
def test_the_demo_opens_no_vault_file_except_through_sqlite(open_it: bool, tmp_path: Path) -> None:
    """Closing any other descriptor of it would drop this process's locks."""
    path = tmp_path / "maya.vault"
    path.touch()

    done = subprocess.run(
        [sys.executable, "-c", WATCHED, "open" if open_it else "", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ("opened" in done.stdout) is open_it


def test_the_conversation_is_large_enough_to_mean_something() -> None:
    talk = Conversation()
    drafts = [draft for session in talk.sessions() for draft in session]
    ids = {draft.id for draft in drafts}

    assert len(drafts) == len(ids) >= 150
    assert len(talk.sessions()) >= 3
    assert {draft.source for draft in drafts} == {"Maya", "Jonas"}
    assert all(question.answers <= ids for question in talk.questions())
    assert len(json.dumps(talk.words())) > 10_000
