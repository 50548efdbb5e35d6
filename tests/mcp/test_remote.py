"""A server whose vault is far away: the way to it breaks, it goes, it comes back; clients hear a sentence meanwhile."""

from pathlib import Path

import pytest
from psycopg import sql

from mcp import Client
from support import objects, vaults
from support.mcp_clients import MEMORY_TOOLS, found, names, over_stdio, refused, store
from support.postgres import Server
from vault_core import Vault
from vault_core.store.postgres import init

pytestmark = pytest.mark.anyio
MEMORY = "green tea in the morning"
PASSWORD = "hush-of-the-database"


async def told(client: Client, folder: Path) -> str:
    """What a write is answered with while the vault can't serve: nothing that is nobody's business."""
    assert names((await client.list_tools()).tools) == MEMORY_TOOLS
    said = await refused(client, "memory_store", memories=["black coffee"])
    for secret in ("Traceback", MEMORY, PASSWORD, str(folder), *objects.KEYS.values()):
        assert secret not in said
    assert said.count("\n") == 0
    return said


async def test_a_database_that_breaks_off_goes_away_and_comes_back(
    postgres: Server, own_database: str, tmp_path: Path, machine: Path
) -> None:
    url, log = postgres.url(own_database, "alice"), tmp_path / "log"
    Vault.create(url, unlock=vaults.key_in(tmp_path)).close()
    env = {"STRONGROOM_VAULT": url, "STRONGROOM_CACHE_DIR": str(machine / "cache")}
    async with over_stdio(tmp_path, log=log, env=env) as client:
        await store(client, MEMORY)
        with postgres.connect() as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                [own_database],
            )
        await store(client, "a second one")
        postgres.stop()
        try:
            assert "can't be reached" in await told(client, tmp_path)
        finally:
            postgres.start()
        assert await found(client, "tea") == [MEMORY]
        await store(client, "a third one")

    assert log.read_text() == ""


async def test_a_role_without_rights_is_told_and_used_once_it_has_them(
    postgres: Server, own_database: str, tmp_path: Path, machine: Path
) -> None:
    role, log = f"{own_database}_client", tmp_path / "log"
    url = postgres.url(own_database, "alice", role=role)
    with postgres.connect(own_database) as db:
        db.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), PASSWORD))
    env = {"STRONGROOM_VAULT": url, "STRONGROOM_CACHE_DIR": str(machine / "cache"), "PGPASSWORD": PASSWORD}
    try:
        async with over_stdio(tmp_path, log=log, env=env) as client:
            assert "store init" in await told(client, tmp_path)
            init(postgres.url(own_database), role=role)  # what `strongroom store init --role` does
            assert "strongroom init" in await told(client, tmp_path)
            Vault.create(url, unlock=vaults.key_in(tmp_path)).close()
            await store(client, MEMORY)
            assert await found(client, "tea") == [MEMORY]
    finally:
        postgres.drop(own_database)
        with postgres.connect() as db:
            db.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

    assert log.read_text() == ""


async def test_a_bucket_whose_answers_get_lost_that_empties_and_is_filled_again(
    s3: str, prefix: str, tmp_path: Path, machine: Path
) -> None:
    log = tmp_path / "log"
    with objects.Proxy(s3) as way:
        url = objects.url(way.endpoint, prefix)
        Vault.create(url, unlock=vaults.key_in(tmp_path)).close()
        env = {"STRONGROOM_VAULT": url, "STRONGROOM_CACHE_DIR": str(machine / "cache"), **objects.KEYS}
        async with over_stdio(tmp_path, log=log, env=env) as client:
            await store(client, MEMORY)
            way.fate = lambda request: "after cut" if request.method == "PUT" else "pass"
            await store(client, "its answer is lost")
            way.fate = lambda _: "pass"
            held = objects.objects_of(s3, prefix)
            objects.put_objects(s3, prefix, {})
            await told(client, tmp_path)
            assert "no vault" in await told(client, tmp_path)
            objects.put_objects(s3, prefix, held)
            assert await found(client, "tea") == [MEMORY]
            assert await found(client, "answer lost") == ["its answer is lost"]

    assert log.read_text() == ""
