"""`strongroom export` and `import`."""

import json
from pathlib import Path

import pytest

from cli.program import Program
from support import moving
from vault_core import ConflictError, FileKey, InvalidInputError, Vault, WrongPassphraseError
from vault_core.cli import codes, terminal

SECRET = "plum anchor violet lantern"


@pytest.fixture
def other(tmp_path: Path, key_file: Path) -> str:
    """Another vault, empty."""
    path = tmp_path / "other.vault"
    Vault.create(path, unlock=FileKey(key_file)).close()
    return str(path)


@pytest.mark.usefixtures("place")
def test_memories_move_from_one_vault_to_another(tmp_path: Path, other: str, strongroom: Program) -> None:
    strongroom("add", "tea with Bob")
    file = str(tmp_path / "it.jsonl")

    exported = strongroom("export", file)
    tried = strongroom("import", file, "--vault", other, "--dry-run")
    brought = strongroom("import", file, "--vault", other)
    again = strongroom("import", file, "--vault", other)

    assert exported.out == f"wrote 1 memory in 1 version to {file}\n"
    assert "plain text" in exported.err
    assert tried.out == "would bring 1 memory, and newer versions of 0; 0 were there already\n"
    assert brought.out == "brought 1 memory, and newer versions of 0; 0 were there already\n"
    assert again.out == "brought 0 memories, and newer versions of 0; 1 were there already\n"
    assert "tea with Bob" in strongroom("list", "--vault", other).out


@pytest.mark.usefixtures("place")
def test_a_bundle_has_a_passphrase_of_its_own(
    tmp_path: Path, other: str, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving.stretch_quickly(monkeypatch)
    strongroom("add", "tea with Bob")
    file = str(tmp_path / "it.bundle")
    monkeypatch.setenv("STRONGROOM_TRANSFER_PASSPHRASE", SECRET)

    assert strongroom.json("export", file, "--encrypt")["encrypted"]
    assert b"tea" not in (tmp_path / "it.bundle").read_bytes()
    assert strongroom.json("import", file, "--vault", other)["added"] == 1

    monkeypatch.setenv("STRONGROOM_TRANSFER_PASSPHRASE", SECRET + "s")
    wrong = strongroom("import", file, "--vault", other)
    assert wrong.code == codes.OF_KIND[WrongPassphraseError]
    assert "passphrase of its own" in wrong.err
    assert SECRET not in wrong.err + wrong.out


@pytest.mark.usefixtures("place")
def test_a_passphrase_for_a_bundle_can_come_from_a_file(
    tmp_path: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving.stretch_quickly(monkeypatch)
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setenv("STRONGROOM_TRANSFER_PASSPHRASE_FILE", str(tmp_path / "secret"))
    strongroom("add", "tea")
    assert strongroom.json("export", str(tmp_path / "it"), "--encrypt")["memories"] == 1
    assert strongroom.json("import", str(tmp_path / "it"))["unchanged"] == 1


@pytest.mark.usefixtures("place")
def test_a_person_is_asked_twice_for_a_new_bundle_and_once_for_one_that_is_there(
    tmp_path: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving.stretch_quickly(monkeypatch)
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    monkeypatch.setattr(terminal, "ask_secret", ask)
    strongroom("add", "tea")
    assert strongroom("export", str(tmp_path / "it"), "--encrypt").code == 0
    assert len(asked) == 2
    assert strongroom("import", str(tmp_path / "it")).code == 0
    assert len(asked) == 3


@pytest.mark.usefixtures("place")
def test_nobody_is_asked_for_what_is_not_sealed(
    tmp_path: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(prompt: str) -> str:
        raise AssertionError(prompt)

    monkeypatch.setattr(terminal, "ask_secret", never)
    strongroom("export", str(tmp_path / "it"))
    assert strongroom("import", str(tmp_path / "it")).code == 0


@pytest.mark.usefixtures("place")
def test_without_a_passphrase_nothing_is_written(tmp_path: Path, strongroom: Program) -> None:
    refused = strongroom("export", str(tmp_path / "it"), "--encrypt")
    assert refused.code == codes.OF_KIND[InvalidInputError]
    assert "STRONGROOM_TRANSFER_PASSPHRASE_FILE" in refused.err
    assert not (tmp_path / "it").exists()


@pytest.mark.usefixtures("place")
def test_a_file_that_is_there_is_overwritten_on_request_alone(tmp_path: Path, strongroom: Program) -> None:
    (tmp_path / "it").write_text("mine")
    refused = strongroom("export", str(tmp_path / "it"), "--json")
    assert refused.error["kind"] == "ConflictError"
    assert "--overwrite" in refused.error["hint"]
    assert strongroom("export", str(tmp_path / "it"), "--overwrite").code == 0


@pytest.mark.usefixtures("place")
def test_what_was_left_out_is_told(tmp_path: Path, strongroom: Program) -> None:
    lines = ['{"strongroom":"export","version":1}', *["?\x1b[2J"] * 25, '{"end":{"items":0,"memories":0,"versions":0}}']
    (tmp_path / "it").write_text("\n".join(lines))
    ran = strongroom("import", str(tmp_path / "it"))
    assert ran.code == 0
    assert "left out, at 25 places:\n  line 2: it is not JSON, or has a key twice\n" in ran.out
    assert ran.out.endswith("  and 5 more; --json names up to a thousand\n")
    assert "\x1b" not in ran.out
    assert len(strongroom.json("import", str(tmp_path / "it"))["skipped"]) == 25


@pytest.mark.usefixtures("place")
def test_a_part_of_a_vault_is_exported_and_put_elsewhere(tmp_path: Path, other: str, strongroom: Program) -> None:
    strongroom("add", "tea", "--namespace", "alice")
    strongroom("add", "coffee", "--namespace", "bob")
    file = str(tmp_path / "it")
    assert strongroom.json("export", file, "--namespace", "alice", "--no-history")["memories"] == 1
    assert strongroom.json("import", file, "--vault", other, "-n", "old", "--from", "strongroom")["added"] == 1
    shown = strongroom.json("list", "--vault", other)
    assert json.dumps(["old", "alice"]) in json.dumps(shown)


@pytest.mark.usefixtures("place")
def test_a_file_of_no_known_format_names_those_that_are(tmp_path: Path, strongroom: Program) -> None:
    (tmp_path / "it").write_text("dear diary\0")
    refused = strongroom("import", str(tmp_path / "it"), "--json")
    assert refused.error["kind"] == "InvalidInputError"
    assert "strongroom" in refused.error["message"]


def test_a_passphrase_is_never_part_of_the_command_line(strongroom: Program) -> None:
    for command in ("export", "import"):
        shown = strongroom(command, "--help").out
        assert "--passphrase" not in shown
        assert "STRONGROOM_TRANSFER_PASSPHRASE" in shown


def test_a_vault_is_copied_to_another_place_without_its_key(
    tmp_path: Path, place: Path, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    strongroom("add", "tea with Bob")
    copy = str(tmp_path / "copy.vault")
    with monkeypatch.context() as patch:
        patch.delenv("STRONGROOM_PASSPHRASE_FILE", raising=False)
        first = strongroom("copy", str(place), copy)
        again = strongroom.json("copy", str(place), copy)

    assert first.code == 0
    assert "all read back and matched" in first.out
    assert "this is a move" in first.err
    assert (again["copied"], again["records"]) == (0, 1)
    assert "tea with Bob" in strongroom("list", "--vault", copy).out


def test_copying_onto_another_vault_is_a_conflict(place: Path, other: str, strongroom: Program) -> None:
    refused = strongroom("copy", str(place), other)

    assert refused.code == codes.OF_KIND[ConflictError]
    assert "another vault" in refused.err
