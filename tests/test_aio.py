"""AsyncVault: the same vault, awaited, without blocking the loop."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from vault_core import AsyncVault, MemoryNotFoundError, SessionStateError, Vault


def test_a_vault_is_made_filled_and_searched_from_a_coroutine(tmp_path: Path) -> None:
    async def live() -> list[str]:
        key = vaults.key_in(tmp_path)
        async with await AsyncVault.create(tmp_path / vaults.NAME, unlock=key) as vault:
            await vault.add("I met Bob at the AI conference yesterday")
            await vault.add("I prefer short answers", id="style")
            with pytest.raises(MemoryNotFoundError):
                await vault.get("nobody")
        async with await AsyncVault.open(tmp_path / vaults.NAME, unlock=key) as vault:
            assert (await vault.get("style")).text == "I prefer short answers"
            assert (await vault.stats()).memories == 2
            assert [memory.text async for memory in vault.stream()] == vaults.texts(vault.sync)
            return [hit.memory.text for hit in await vault.search("Bob conference")]

    assert asyncio.run(live()) == ["I met Bob at the AI conference yesterday"]


def test_a_hundred_coroutines_at_once_lose_nothing(tmp_path: Path) -> None:
    async def live() -> None:
        with vaults.create(tmp_path) as vault:
            added = await asyncio.gather(*(vault.aio.add(f"memory {number}") for number in range(100)))
            assert len({memory.id for memory in added}) == await vault.aio.count() == 100

    asyncio.run(live())


def test_the_loop_runs_on_while_the_vault_is_busy(tmp_path: Path) -> None:
    async def live() -> None:
        with vaults.create(tmp_path) as vault:
            inside, go_on = threading.Event(), threading.Event()

            def slow(tx: Any) -> None:
                inside.set()
                assert go_on.wait(60)
                tx.add("done")

            busy = asyncio.create_task(vault.aio.transact(slow))
            await asyncio.to_thread(inside.wait)
            go_on.set()  # reached only if the loop is free while the transaction waits
            await busy
            assert vaults.texts(vault) == ["done"]

    asyncio.run(live())


def test_a_closed_vault_says_so_to_a_coroutine_too(tmp_path: Path) -> None:
    async def live() -> None:
        vault = vaults.create(tmp_path).aio
        await vault.close()
        with pytest.raises(SessionStateError):
            await vault.add("too late")
        with pytest.raises(SessionStateError):
            [memory async for memory in vault.stream()]

    asyncio.run(live())


NOT_AWAITED = {
    "read_only",
    "create",
    "open",
    "stream",
    "items",
    "id",
    "accepted_rollback",
    "aio",
}  # touch no store, or made anew


def test_every_method_that_reads_or_writes_can_be_awaited(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        for name in {name for name in vars(Vault) if not name.startswith("_")} - NOT_AWAITED:
            assert callable(getattr(vault.aio, name)), name
        with pytest.raises(AttributeError):
            _ = vault.aio.nothing


def test_what_is_awaited_inside_writing_as_says_so(tmp_path: Path) -> None:
    async def work(vault: AsyncVault) -> str:
        with vault.writing_as(tool="memory_store"):
            return (await vault.add("tea")).provenance["tool"]

    with vaults.create(tmp_path) as vault:
        assert asyncio.run(work(vault.aio)) == "memory_store"


@pytest.mark.parametrize("late", [False, True], ids=["while it opens", "when it is open"])
@pytest.mark.parametrize("verb", ["open", "create"])
def test_an_opening_that_is_cancelled_leaves_no_vault_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, late: bool
) -> None:
    if verb == "open":
        vaults.create(tmp_path).close()
    real, begun, go_on, done = getattr(Vault, verb), *(threading.Event() for _ in range(3))

    def slow(*arguments: Any, **named: Any) -> Vault:
        begun.set()
        assert go_on.wait(60)
        try:
            return real(*arguments, **named)  # type: ignore[no-any-return]  # a method found by its name
        finally:
            done.set()

    monkeypatch.setattr(Vault, verb, slow)

    async def live() -> None:
        key = vaults.key_in(tmp_path)
        task = asyncio.ensure_future(getattr(AsyncVault, verb)(tmp_path / vaults.NAME, unlock=key))
        assert await asyncio.to_thread(begun.wait, 60)
        if late:
            go_on.set()
            assert done.wait(60)  # the loop stands meanwhile: the task has not heard that the vault is open
        task.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(live())
    monkeypatch.undo()
    for thread in threading.enumerate():
        if thread.name == "strongroom-close":
            thread.join(60)

    with vaults.reopen(tmp_path, exclusive=True) as alone:
        assert alone.count() == 0
