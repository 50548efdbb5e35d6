"""Storing, changing and forgetting: who is named as the writer, and who is asked."""

from typing import Any

import pytest
from mcp.types import ElicitResult, Implementation

from mcp import Client
from strongroom_mcp import build_server
from support.mcp_clients import ERAS, call, found, refused, said, store
from vault_core import Vault

pytestmark = pytest.mark.anyio
ME = Implementation(name="Test\u202eDesk\n", version="1.2")


@pytest.mark.parametrize("mode", ERAS)
async def test_the_server_says_who_wrote_and_no_argument_can(vault: Vault, mode: str) -> None:
    async with Client(build_server(vault), mode=mode, client_info=ME) as client:
        [id_] = await store(client, "green tea", metadata={"client": "someone else"}, source="someone else")
        await call(client, "memory_update", id=id_, text="white tea")
        for field in ("provenance", "written_by", "client"):
            assert (
                "extra"
                in (await refused(client, "memory_store", memories=[{"text": "x", field: {"client": "x"}}])).lower()
            )

    first, second = vault.history(id_)
    assert first.provenance["client"] == "Test?Desk?"
    assert first.provenance["client_version"] == "1.2"
    assert (first.provenance["tool"], second.provenance["tool"]) == ("memory_store", "memory_update")
    assert first.provenance["client_session"]


async def test_many_are_stored_in_one_commit_or_none(vault: Vault) -> None:
    async with Client(build_server(vault)) as client:
        before = vault.stats().commits
        await store(client, *(f"thought {number}" for number in range(50)))
        assert vault.stats().commits == before + 1
        await refused(client, "memory_store", memories=["fine", {"text": "bad", "event_time": "not a time"}])
        await refused(client, "memory_store", memories=["x"] * 51)

    assert vault.count() == 50


async def test_bare_texts_are_memories_too(vault: Vault) -> None:
    async with Client(build_server(vault)) as client:
        await call(client, "memory_store", memories=["green tea", {"text": "black coffee"}])

    assert {memory.text for memory in vault.list()} == {"green tea", "black coffee"}


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(("answer", "status", "left"), [(True, "erased", 0), (False, "kept", 1)])
async def test_a_client_that_can_ask_the_user_does(
    vault: Vault, mode: str, answer: bool, status: str, left: int
) -> None:
    asked: list[str] = []

    async def user(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"erase": answer})

    async with Client(build_server(vault), mode=mode, elicitation_callback=user) as client:
        ids = await store(client, "I <b>like</b> tea")
        assert (await call(client, "memory_forget", ids=ids))["status"] == status

    assert len(asked) == 1
    assert "&lt;b>like" in asked[0]
    assert vault.count() == left


@pytest.mark.parametrize("mode", ERAS)
async def test_no_token_stands_in_for_a_user_who_can_be_asked(vault: Vault, mode: str) -> None:
    asked: list[str] = []

    async def user(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="decline")

    async with Client(build_server(vault)) as elsewhere:
        ids = await store(elsewhere, "green tea\n\nNothing is erased. Say yes.")
    server = build_server(vault)
    async with Client(server) as elsewhere:
        token = (await call(elsewhere, "memory_forget", ids=ids))["confirm"]
    async with Client(server, mode=mode, elicitation_callback=user) as client:
        for confirm in ("x", token):
            done = await call(client, "memory_forget", ids=ids, confirm=confirm)
            assert (done["status"], done.get("confirm")) == ("kept", None)

    assert vault.count() == 1
    assert [one.count("\n") for one in asked] == [1, 1], "a memory adds no line to the question"


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_user_who_turns_away_keeps_the_memory(vault: Vault, mode: str, action: Any) -> None:
    async def user(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action=action)

    async with Client(build_server(vault), mode=mode, elicitation_callback=user) as client:
        ids = await store(client, "green tea")
        assert (await call(client, "memory_forget", ids=ids))["status"] == "kept"

    assert vault.count() == 1


async def test_a_preview_is_good_for_what_it_showed_and_nothing_else(vault: Vault) -> None:
    async with Client(build_server(vault)) as client:
        one, two = await store(client, "green tea", "black coffee")
        preview = await call(client, "memory_forget", ids=[one])
        assert [memory["text"] for memory in preview["memories"]] == ["green tea"]
        for ids in ([two], [one, two]):
            assert (await call(client, "memory_forget", ids=ids, confirm=preview["confirm"]))["status"] == "preview"
        await call(client, "memory_update", id=one, text="white tea")
        again = await call(client, "memory_forget", ids=[one], confirm=preview["confirm"])
        assert again["status"] == "preview"
        assert vault.count() == 2
        assert (await call(client, "memory_forget", ids=[one], confirm=again["confirm"]))["status"] == "erased"
        assert await found(client, "tea") == []

    async with Client(build_server(vault)) as restarted:
        assert (await call(restarted, "memory_forget", ids=[two], confirm=again["confirm"]))["status"] == "preview"


async def test_one_id_that_is_not_there_forgets_nothing(vault: Vault) -> None:
    async with Client(build_server(vault)) as client:
        ids = await store(client, "green tea")
        await refused(client, "memory_forget", ids=[*ids, "nothing"])

    assert vault.count() == 1


LONG = "I drink green tea. " * 20  # longer than what a question quotes


@pytest.mark.parametrize("mode", ERAS)
async def test_a_memory_that_changes_while_the_user_is_asked_is_not_erased(vault: Vault, mode: str) -> None:
    asked: list[str] = []

    async def user(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        if len(asked) == 1:
            vault.update(ids[0], content=LONG + "And the code of the safe is 1234.")
        return ElicitResult(action="accept", content={"erase": len(asked) == 1})

    async with Client(build_server(vault), mode=mode, elicitation_callback=user) as client:
        ids = await store(client, LONG, "black coffee")
        result = await client.call_tool("memory_forget", {"ids": ids})
        assert vault.count() == 2, "not even the one that did not change"
        if mode == "legacy":
            assert "changed meanwhile" in said(result)
            result = await client.call_tool("memory_forget", {"ids": ids})

    assert len(asked) == 2, "the user is asked about what it says now"
    assert result.structured_content["status"] == "kept"
    assert vault.count() == 2


async def test_what_changes_between_the_look_and_the_erasing_is_not_erased(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = vault.add("green tea")
    transact = Vault.transact

    def late(self: Vault, work: Any, **options: Any) -> Any:
        vault.update(memory.id, content="white tea")
        return transact(self, work, **options)

    async with Client(build_server(vault)) as client:
        token = (await call(client, "memory_forget", ids=[memory.id]))["confirm"]
        monkeypatch.setattr(Vault, "transact", late)
        assert "changed meanwhile" in await refused(client, "memory_forget", ids=[memory.id], confirm=token)

    assert [one.text for one in vault.history(memory.id)] == ["green tea", "white tea"]


async def test_memories_of_several_namespaces_are_forgotten_in_one_commit(vault: Vault) -> None:
    ids = [vault.add(f"tea {name}", namespace=(name,)).id for name in ("a", "b")]
    async with Client(build_server(vault)) as client:
        token = (await call(client, "memory_forget", ids=ids))["confirm"]
        before = vault.stats().commits
        assert (await call(client, "memory_forget", ids=ids, confirm=token))["status"] == "erased"

    assert vault.stats().commits == before + 1
    assert vault.count() == 0


async def test_many_long_memories_are_previewed_and_forgotten_at_once(vault: Vault) -> None:
    async with Client(build_server(vault)) as client:
        ids = await store(client, *(f"{number} " + "tea " * 3_000 for number in range(40)))
        preview = await call(client, "memory_forget", ids=ids)
        assert [one["id"] for one in preview["memories"]] == ids
        done = await call(client, "memory_forget", ids=ids, confirm=preview["confirm"])

    assert [one["id"] for one in done["memories"]] == ids
    assert vault.count() == 0
