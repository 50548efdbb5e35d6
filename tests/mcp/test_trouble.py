"""What a client is told when the vault can't be had: one sentence, no traceback, and the server stays up."""

import resource
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from mcp import Client
from strongroom_mcp import Limits, build_server
from strongroom_mcp.answers import LOCKED, TOO_FAST
from strongroom_mcp.keeper import Keeper
from support import vaults
from support.mcp_clients import (
    ERAS,
    MEMORY_TOOLS,
    call,
    found,
    linux,
    names,
    over_stdio,
    refused,
    said,
    server_process,
    store,
)
from vault_core import SessionStateError, Vault, WrongPassphraseError

pytestmark = pytest.mark.anyio
USED = {"memory_search": {"query": "tea"}, "memory_store": {"memories": ["tea"]}, "memory_status": {}}


async def all_refused(client: Client) -> set[str]:
    """What the tools say; they are all there, and all refuse."""
    assert names((await client.list_tools()).tools) == MEMORY_TOOLS
    return {await refused(client, tool, **arguments) for tool, arguments in USED.items()}


@pytest.mark.parametrize("mode", ERAS)
async def test_a_server_without_a_key_starts_lists_its_tools_and_names_the_command(tmp_path: Path, mode: str) -> None:
    vaults.create(tmp_path).close()
    log = tmp_path / "log"
    async with over_stdio(tmp_path, mode=mode, log=log, env={"STRONGROOM_PASSPHRASE_FILE": ""}) as client:
        assert await all_refused(client) == {LOCKED}

    assert "strongroom unlock" in LOCKED
    assert log.read_text() == ""


async def test_a_wrong_key_is_told_and_a_right_one_is_used_without_a_restart(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    vaults.key_in(tmp_path, "other")
    log, right = tmp_path / "log", (tmp_path / "key").read_text("ascii")
    wrong = tmp_path / "wrong"
    wrong.write_text((tmp_path / "other").read_text("ascii"), "ascii")
    async with over_stdio(tmp_path, log=log, env={"STRONGROOM_PASSPHRASE_FILE": str(wrong)}) as client:
        assert await all_refused(client) == {LOCKED}
        wrong.write_text(right, "ascii")
        await store(client, "green tea")
        assert await found(client, "tea") == ["green tea"]

    assert log.read_text() == ""


async def test_a_vault_that_is_not_there_is_told_and_found_once_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with over_stdio(tmp_path, log=log) as client:
        [told] = await all_refused(client)
        assert "strongroom init" in told
        assert str(tmp_path) not in told
        vaults.create(tmp_path).close()
        await store(client, "green tea")

    assert log.read_text() == ""


async def test_a_vault_that_goes_away_is_told_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    path, log = tmp_path / vaults.NAME, tmp_path / "log"
    async with over_stdio(tmp_path, log=log) as client:
        await store(client, "green tea")
        path.rename(tmp_path / "elsewhere")
        told = await all_refused(client)
        assert all("Traceback" not in one and str(tmp_path) not in one for one in told)
        (tmp_path / "elsewhere").rename(path)
        assert await found(client, "tea") == ["green tea"]

    assert log.read_text() == ""


async def test_a_vault_of_a_newer_format_is_told(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    with sqlite3.connect(tmp_path / vaults.NAME) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    log = tmp_path / "log"
    async with over_stdio(tmp_path, log=log) as client:
        [told] = await all_refused(client)

    assert "upgrade" in told
    assert log.read_text() == ""


@linux
async def test_a_full_disk_is_told_and_reading_goes_on(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    log = tmp_path / "log"
    async with over_stdio(tmp_path, log=log) as client:
        await store(client, "green tea")
        server = server_process()
        size = (tmp_path / f"{vaults.NAME}-wal").stat().st_size + (tmp_path / vaults.NAME).stat().st_size
        resource.prlimit(server, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        told = await refused(client, "memory_store", memories=["x" * 50_000] * 9)
        assert await found(client, "tea") == ["green tea"]
        resource.prlimit(server, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await store(client, "black coffee")

    assert "disk" in told
    assert log.read_text() == ""


async def test_an_error_that_nobody_foresaw_is_named_without_its_words(
    vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Vault:
        raise KeyError("the secret words of a memory")

    async with Client(build_server(broken)) as client:
        told = await refused(client, "memory_status")

    assert "KeyError" in told
    for words in (told, caplog.text):
        assert "secret" not in words
        assert "Traceback" not in words


async def test_keys_that_changed_elsewhere_are_fetched_anew(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    path = tmp_path / vaults.NAME
    async with Client(build_server(lambda: Vault.open(path, unlock=vaults.key_in(tmp_path)))) as client:
        await store(client, "green tea")
        with vaults.reopen(tmp_path) as other:
            other.rotate(vaults.key_in(tmp_path))
        answers = [await client.call_tool("memory_status", {}) for _ in range(2)]

    assert not answers[1].is_error, said(answers[1])


async def test_calls_that_wait_for_one_opening_share_what_came_of_it_and_stall_nobody() -> None:
    tried, go, waiting = [], threading.Event(), 20

    def locked() -> Vault:
        tried.append(1)
        assert go.wait(60)
        raise WrongPassphraseError("no")

    async with Client(build_server(locked)) as client, anyio.create_task_group() as calls:
        for _ in range(waiting):
            calls.start_soon(client.call_tool, "memory_status", {})
        while anyio.to_thread.current_default_thread_limiter().borrowed_tokens < waiting:
            await anyio.lowlevel.checkpoint()
        assert names((await client.list_tools()).tools) == MEMORY_TOOLS  # answered while all of them wait
        go.set()

    assert len(tried) < waiting


async def test_more_calls_than_the_rate_are_refused_in_a_sentence(vault: Vault) -> None:
    async with Client(build_server(vault, limits=Limits(calls=1e-9, burst=3))) as client:
        for _ in range(3):
            await call(client, "memory_status")
        assert await refused(client, "memory_status") == TOO_FAST


class Waiting:
    """The keeper's lock, for a call that waits while another one opens the vault, uses it and has to let it go."""

    def __init__(self, keeper: Keeper, meanwhile: Callable[[], object]) -> None:
        self._keeper, self._real, self._meanwhile = keeper, keeper._lock, meanwhile

    def __enter__(self) -> None:
        self._keeper._lock = self._real
        self._meanwhile()
        self._real.acquire()

    def __exit__(self, *_: object) -> None:
        self._real.release()


def test_a_call_that_waited_hears_nothing_of_failures_long_mended(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    answers = [WrongPassphraseError("locked, once")]

    def opened() -> Vault:
        if answers:
            raise answers.pop()
        return vaults.reopen(tmp_path)

    def ended(_: Vault) -> None:
        raise SessionStateError("its keys were changed")

    def tried(kind: type[Exception]) -> None:
        with pytest.raises(kind):
            keeper._run(ended)

    keeper = Keeper(opened)
    tried(WrongPassphraseError)
    keeper._lock = Waiting(keeper, lambda: tried(SessionStateError))  # type: ignore[assignment]  # the same protocol

    assert keeper._run(lambda vault: vault.count()) == 0
    keeper.close()
