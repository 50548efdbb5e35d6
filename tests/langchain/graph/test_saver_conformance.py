"""Upstream's suite for checkpointers, as it is published, on savers of ours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.memory import InMemorySaver

from langchain_strongroom import StrongroomSaver, StrongroomSerializer
from support import vaults
from vault_core import Vault

BASE = {"put": 17, "put_writes": 10, "get_tuple": 10, "list": 16, "delete_thread": 5}
EXTENDED = {"delete_for_runs": 7, "copy_thread": 8, "prune": 8}


class Forgetful(StrongroomSaver):
    """The seeded bug: it says that it deletes threads."""

    async def adelete_thread(self, thread_id: str) -> None:
        pass


def reported(
    folder: Path,
    made: Callable[[Vault], BaseCheckpointSaver[Any]] = StrongroomSaver,
    capabilities: set[str] | None = None,
) -> dict[str, tuple[int, int]]:
    """How many cases of each capability passed and failed, each capability on a vault of its own."""

    async def factory() -> AsyncIterator[BaseCheckpointSaver[Any]]:
        with Vault.create("memory://", unlock=vaults.key_in(folder)) as vault:
            yield made(vault)
            vault.verify(full=True)

    report = asyncio.run(validate(checkpointer_test(name="ours")(factory), capabilities=capabilities))
    return {
        name: (result.tests_passed, result.tests_failed) for name, result in report.results.items() if result.detected
    }


def test_every_base_and_extended_case_passes(tmp_path: Path) -> None:
    found = reported(tmp_path)

    assert found == {name: (number, 0) for name, number in {**BASE, **EXTENDED}.items()}
    assert (sum(BASE.values()), sum(EXTENDED.values())) == (58, 23)


def test_the_suite_finds_a_saver_that_does_not_delete(tmp_path: Path) -> None:
    assert reported(tmp_path, Forgetful, {"delete_thread"})["delete_thread"][1] > 0


def test_another_saver_passes_with_our_serializer(tmp_path: Path) -> None:
    found = reported(tmp_path, lambda vault: InMemorySaver(serde=StrongroomSerializer(vault)), set(BASE))

    assert found == {name: (number, 0) for name, number in BASE.items()}
