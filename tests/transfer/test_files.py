"""The file of an export: there whole or not at all, and its owner's alone."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from support import moving, vaults
from vault_core import ConflictError, InvalidInputError, UnavailableError, Vault
from vault_core.transfer import target


def files(folder: Path) -> list[str]:
    """What is in a folder besides a vault and its key."""
    return sorted(
        path.name for path in folder.iterdir() if path.name != "key" and not path.name.startswith(vaults.NAME)
    )


@pytest.fixture
def vault(tmp_path: Path) -> Any:
    """A vault with one memory."""
    with moving.empty(tmp_path) as opened:
        opened.add("tea")
        yield opened


def test_an_export_is_readable_by_its_owner_alone(vault: Vault, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        vault.export_memories(tmp_path / "it.jsonl")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "it.jsonl").stat().st_mode) == 0o600
    assert files(tmp_path) == ["it.jsonl"]


def test_a_file_that_is_there_is_refused_and_stays(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "it.jsonl").write_text("mine")
    with pytest.raises(ConflictError):
        vault.export_memories(tmp_path / "it.jsonl")
    assert (tmp_path / "it.jsonl").read_text() == "mine"
    assert files(tmp_path) == ["it.jsonl"]


def test_a_file_that_came_meanwhile_stays(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    with pytest.raises(ConflictError):
        vault.export_memories(path, progress=lambda *_: path.write_text("mine"))  # type: ignore[arg-type,return-value]
    assert path.read_text() == "mine"
    assert files(tmp_path) == ["it.jsonl"]


def test_overwriting_is_asked_for(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "it.jsonl").write_text("mine")
    (tmp_path / "it.jsonl").chmod(0o644)
    vault.export_memories(tmp_path / "it.jsonl", overwrite=True)
    assert (tmp_path / "it.jsonl").read_text().startswith("{")
    assert stat.S_IMODE((tmp_path / "it.jsonl").stat().st_mode) == 0o600


def test_only_regular_files_are_overwritten(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    before = files(tmp_path)
    for name in ("folder", "pipe", "link", "absent/it.jsonl", "target/it.jsonl", "x" * 300):
        with pytest.raises(InvalidInputError):
            vault.export_memories(tmp_path / name, overwrite=True)
    for bad in ("", None, 7, b"bytes", "a\0b"):
        with pytest.raises(InvalidInputError):
            vault.export_memories(bad, overwrite=True)  # type: ignore[arg-type]
    assert files(tmp_path) == before
    assert (tmp_path / "target").read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("there", [None, "mine"])
def test_an_export_that_fails_leaves_nothing(
    vault: Vault, tmp_path: Path, error: type[BaseException], there: str | None
) -> None:
    path = tmp_path / "it.jsonl"
    if there is not None:
        path.write_text(there)

    def stop(*_: int) -> None:
        raise error

    with pytest.raises(error):
        vault.export_memories(path, overwrite=True, progress=stop)
    assert files(tmp_path) == ([] if there is None else ["it.jsonl"])
    assert there is None or path.read_text() == there
    assert vault.count() == 1


def test_a_full_disk_is_unavailable_and_leaves_nothing(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(target.os, "fsync", full)
    with pytest.raises(UnavailableError, match="No space left"):
        vault.export_memories(tmp_path / "it.jsonl")
    assert files(tmp_path) == []


def test_where_there_are_no_links_it_is_renamed(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(target.os, "link", refused)
    vault.export_memories(tmp_path / "it.jsonl")
    assert files(tmp_path) == ["it.jsonl"]
    with pytest.raises(ConflictError):
        vault.export_memories(tmp_path / "it.jsonl")


def test_an_export_of_what_was_embedded_again_meanwhile_is_refused(tmp_path: Path) -> None:
    """Versions that moved to other addresses would be missing from it."""
    from vault_core.testing import FakeEmbedder

    with vaults.create(tmp_path) as writer:
        for number in range(200):
            writer.add(f"tea {number}")
        with vaults.reopen(tmp_path, embedder=FakeEmbedder()) as other:
            done: list[int] = []

            def again(*_: int) -> None:
                if not done:
                    done.append(1)
                    other.reembed()

            with pytest.raises(UnavailableError, match="once more"):
                writer.export_memories(tmp_path / "it.jsonl", progress=again)
        assert files(tmp_path) == []
        assert writer.export_memories(tmp_path / "it.jsonl").memories == 200


def test_what_is_forgotten_meanwhile_is_left_out(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        ids = [vault.add(f"tea {number}").id for number in range(200)]
        gone = vault.export_memories(
            tmp_path / "it.jsonl",
            progress=lambda done, _: vault.forget(ids[-1]) if done == 1 else None,  # type: ignore[arg-type,return-value]
        )
        assert gone.memories == 199
