"""Any value for any argument: an answer, or an error of our own and everything as it was."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import moving
from support.moving import HEADER, end, memory
from vault_core import Vault, VaultError

VALUES: list[Any] = [
    None, True, False, 0, -1, 1 << 70, 1.5, float("nan"), "", "main", "absent", "a\0b", "\ud800", "x" * 5_000, b"x",
    b"", [], [1], ["a"], ("a", None), {"a": 1}, {1: 2}, set(), object(), Path("x"), np.zeros(2), lambda *_: None,
    Exception,
]  # fmt: skip
EXPORT = ["namespace", "box", "passphrase", "history", "items", "overwrite", "kdf", "progress"]
IMPORT = ["passphrase", "source", "namespace", "box", "items", "dry_run", "progress"]


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """A vault with one memory."""
    moving.stretch_quickly(monkeypatch)
    with moving.empty(tmp_path) as opened:
        opened.add("tea", id="tea")
        yield opened


@pytest.mark.parametrize("name", EXPORT)
def test_an_export_answers_or_refuses(vault: Vault, tmp_path: Path, name: str) -> None:
    for number, value in enumerate(VALUES):
        path = tmp_path / f"{number}.out"
        try:
            vault.export_memories(path, **{name: value})
        except VaultError:
            assert not path.exists()
        assert not list(tmp_path.glob(".*.part"))
    assert vault.get("tea").text == "tea"


@pytest.mark.parametrize("name", IMPORT)
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_an_import_answers_or_refuses(vault: Vault, tmp_path: Path, name: str, sealed: bool) -> None:
    path = moving.write(tmp_path / "in.jsonl", [HEADER, memory(), end(1)])
    if sealed:
        path = tmp_path / "it.bundle"
        vault.export_memories(path, passphrase="plum anchor violet lantern")
    for value in VALUES:
        before = vault.stats().commits
        try:
            vault.import_memories(path, **{name: value})
        except VaultError:
            assert vault.stats().commits == before
    assert vault.get("tea").text == "tea"
    vault.verify(full=True)


def test_paths_are_refused_or_followed(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for value in VALUES:
        for call in (vault.export_memories, vault.import_memories):
            try:
                call(value)  # type: ignore[operator]
            except VaultError:
                continue
    assert vault.get("tea").text == "tea"
