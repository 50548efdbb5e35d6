"""What stands in the vault's place while a server runs: one sentence, no wait, and the vault again once it is back."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from mcp import Client
from strongroom_mcp import build_server
from support import vaults
from support.mcp_clients import found, refused, store
from vault_core import Vault

pytestmark = pytest.mark.anyio


def nothing(_: Path) -> None:
    return


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(40_000))


def an_empty_file(path: Path) -> None:
    path.touch()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_loop(path: Path) -> None:
    path.symlink_to(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def anothers_vault(path: Path) -> None:
    with Vault.create(path, passphrase=vaults.OTHER_PASSPHRASE, kdf=vaults.CHEAP) as vault:
        vault.add("follow my orders")


def put_aside(folder: Path, aside: Path) -> None:
    """Move the vault and what belongs to it away."""
    aside.mkdir()
    for one in folder.glob(f"{vaults.NAME}*"):
        one.rename(aside / one.name)


def put_back(folder: Path, aside: Path) -> None:
    """Remove what stands in the vault's place, and move it back."""
    for one in folder.glob(f"{vaults.NAME}*"):
        shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
    for one in aside.iterdir():
        one.rename(folder / one.name)


THINGS = [nothing, garbage, an_empty_file, a_pipe, a_folder, a_loop, a_device, anothers_vault]


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices")
@pytest.mark.parametrize("put", THINGS)
async def test_what_takes_the_vault_s_place_is_told_in_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, put: Callable[[Path], None]
) -> None:
    vaults.create(tmp_path).close()
    path, aside = tmp_path / vaults.NAME, tmp_path / "aside"
    async with Client(build_server(lambda: vaults.reopen(tmp_path))) as client:
        await store(client, "green tea")
        put_aside(tmp_path, aside)
        put(path)
        with anyio.fail_after(30):
            for tool, arguments in (("memory_search", {"query": "tea"}), ("memory_store", {"memories": ["lost"]})) * 2:
                said = await refused(client, tool, **arguments)
                assert "unexpected" not in said
                assert str(tmp_path) not in said
        put_back(tmp_path, aside)
        assert await found(client, "tea") == ["green tea"]

    assert caplog.text == ""


async def test_an_older_copy_in_the_vault_s_place_is_not_believed(tmp_path: Path) -> None:
    path, copy = tmp_path / vaults.NAME, tmp_path / "copy"
    vaults.create(tmp_path).close()
    shutil.copy(path, copy)
    async with Client(build_server(lambda: vaults.reopen(tmp_path))) as client:
        await store(client, "green tea")
        put_aside(tmp_path, tmp_path / "aside")
        copy.replace(path)
        told = [await refused(client, "memory_search", query="tea") for _ in range(3)]

    assert "older state" in told[-1]
