"""Several servers and a program on one vault at once, and servers that are killed."""

import os
import random
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from support import vaults
from support.mcp_clients import call, found, linux, over_stdio, server_process, store

pytestmark = pytest.mark.anyio


async def test_what_is_stored_through_one_is_in_the_next_search_of_the_others(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as ours:
        async with over_stdio(tmp_path) as one, over_stdio(tmp_path, mode="legacy") as two:
            for round_ in range(3):
                await store(one, f"alpha {round_} from the first")
                assert len(await found(two, f"alpha {round_}", limit=1)) == 1
                assert vaults.found(ours, f"alpha {round_}")[0] == f"alpha {round_} from the first"
                await store(two, f"beta {round_} from the second")
                assert (await found(one, f"beta {round_}", limit=1)) == [f"beta {round_} from the second"]
                ours.add(f"gamma {round_} from the program")
                for client in (one, two):
                    assert (await found(client, f"gamma {round_}"))[0] == f"gamma {round_} from the program"

        assert ours.count() == 9


async def test_stores_of_two_servers_at_the_same_moment_are_all_kept(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(over_stdio(tmp_path)) for _ in range(2)]
        async with anyio.create_task_group() as stores:
            for number in range(40):
                stores.start_soon(store, clients[number % 2], f"memory {number}")

    with vaults.reopen(tmp_path) as vault:
        assert sorted(vaults.texts(vault)) == sorted(f"memory {number}" for number in range(40))


@linux
@pytest.mark.parametrize("seed", range(3))
async def test_a_server_that_is_killed_loses_nothing_that_it_acknowledged(tmp_path: Path, seed: int) -> None:
    vaults.create(tmp_path).close()
    lucky, acknowledged = random.Random(seed), []
    last = lucky.randrange(1, 40)

    async def store_until_it_dies(client: Any) -> None:
        for number in range(10_000):
            await store(client, f"memory {number}")
            acknowledged.append(f"memory {number}")
            if number == last:
                died.set()

    died = anyio.Event()
    with pytest.raises(BaseException):  # noqa: B017, PT011, PT012  however a client says that its server is gone
        async with over_stdio(tmp_path) as client:
            server = server_process()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(store_until_it_dies, client)
                await died.wait()
                for _ in range(lucky.randrange(200)):
                    await anyio.lowlevel.checkpoint()
                os.kill(server, signal.SIGKILL)

    assert len(acknowledged) > last
    with vaults.reopen(tmp_path) as vault:
        kept = set(vaults.texts(vault))
        assert set(acknowledged) <= kept
        assert len(kept) <= len(acknowledged) + 1
        assert vault.verify(full=True)
    async with over_stdio(tmp_path) as client:
        assert (await call(client, "memory_status"))["memories"] == len(kept)
