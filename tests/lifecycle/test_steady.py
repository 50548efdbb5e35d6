"""What nobody meant changes nothing: unknown ids, a policy run twice. And the same work at one time is the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from vault_core import Draft, MemoryNotFoundError, Vault
from vault_core.testing import FakeClock

UNKNOWN: dict[str, Callable[[Vault], Any]] = {
    "get": lambda vault: vault.get("nobody"),
    "history": lambda vault: vault.history("nobody"),
    "line": lambda vault: vault.history("nobody", line=True),
    "changes": lambda vault: vault.changes("nobody"),
    "update": lambda vault: vault.update("nobody", content="tea"),
    "restore": lambda vault: vault.restore("nobody", "2.0"),
    "restore version": lambda vault: vault.restore("tea", "9.0"),
    "touch": lambda vault: vault.touch(["tea", "nobody"]),
    "archive": lambda vault: vault.archive("nobody"),
    "pin": lambda vault: vault.pin("nobody"),
    "merge": lambda vault: vault.merge("tea", ["nobody"]),
    "forget": lambda vault: vault.forget("nobody"),
    "forget one of two": lambda vault: vault.forget_many(["tea", "nobody"]),
    "forget elsewhere": lambda vault: vault.forget("tea", namespace=("me",)),
}


@pytest.mark.parametrize("verb", UNKNOWN)
def test_an_unknown_id_is_a_clear_error_and_nothing_is_lost(tmp_path: Path, verb: str) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add("green tea", id="tea")
        before = vault.stats()
        with pytest.raises(MemoryNotFoundError, match="no "):
            UNKNOWN[verb](vault)

        assert vault.stats() == before
        assert vaults.texts(vault) == ["green tea"]


def consolidated(folder: Path, name: str) -> list[tuple[str, str]]:
    with vaults.create(folder, name) as vault:
        clock = FakeClock()
        clock.drive(vault)
        for day in range(6):
            vault.add_many([
                Draft(content=f"I went running in the park before breakfast, {4 + day} kilometres", id=f"run{day}"),
                Draft(content=f"For lunch at the office I had soup number {day}", id=f"lunch{day}"),
            ])  # fmt: skip
            clock.advance(days=7)
        made = vault.consolidate()
        assert made.made
        commits = vault.stats().commits

        again = vault.consolidate()
        assert (again.made, again.updated, again.erased) == ([], [], [])
        assert again.unchanged == len(made.made)
        assert vault.stats().commits == commits
        return [(memory.id, memory.text) for memory in vault.stream() if memory.tier != "ATOM"]


def test_consolidating_is_the_same_at_the_same_time_and_twice_changes_nothing(tmp_path: Path) -> None:
    assert consolidated(tmp_path, "one.vault") == consolidated(tmp_path, "other.vault")
