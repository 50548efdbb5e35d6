"""A word that is in everything an app says is in no byte of the vault's files, and in nothing that is dumped."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage

from langchain_strongroom import StrongroomMiddleware, StrongroomSaver, StrongroomStore
from support import vaults
from support.copies import storage
from support.graphs import Scripted, calling, saying

CANARY = "heronword"


def live(folder: Path) -> None:
    """An app that says the word wherever it can: namespace, key, value, message, thread, configurable, metadata."""
    with vaults.create(folder) as vault:
        store, saver = StrongroomStore(vault), StrongroomSaver(vault)
        store.put((CANARY,), CANARY, {CANARY: CANARY, "content": CANARY}, ttl=5)
        store.get((CANARY,), CANARY)
        store.put(("erased",), CANARY, {"content": CANARY})
        store.delete(("erased",), CANARY)
        model = Scripted(script=saying(calling("remember", text=f"{CANARY} again"), CANARY, CANARY))
        app = create_agent(
            model, middleware=[StrongroomMiddleware(vault, remember="turn")], checkpointer=saver, store=store
        )
        config: Any = {
            "configurable": {"thread_id": CANARY, "secret": CANARY},
            "metadata": {CANARY: CANARY},
            "tags": [CANARY],
        }
        app.invoke({"messages": [HumanMessage(CANARY)]}, config)
        asyncio.run(app.ainvoke({"messages": [HumanMessage(f"{CANARY}?")]}, config))
        found = saver.get_tuple(config)
        assert found is not None
        assert found.metadata["secret"] == CANARY  # type: ignore[typeddict-item]
        vault.checkpoint()


def test_the_word_is_in_no_file(tmp_path: Path) -> None:
    live(tmp_path)

    with storage() as side:
        raw = side.bytes_of(tmp_path / vaults.NAME)
    assert len(raw) > 100_000
    for form in (CANARY.encode(), CANARY.upper().encode(), CANARY.encode("utf-16-le"), CANARY.encode().hex().encode()):
        assert form not in raw
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.name.startswith(vaults.NAME):
            assert CANARY.encode() not in path.read_bytes()


def test_the_word_would_be_found_in_another_savers_file(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    from langgraph.checkpoint.sqlite import SqliteSaver

    with closing(sqlite3.connect(tmp_path / "plain", check_same_thread=False)) as db:
        app = create_agent(Scripted(script=saying("ok")), checkpointer=SqliteSaver(db))
        app.invoke({"messages": [HumanMessage(CANARY)]}, {"configurable": {"thread_id": CANARY}})

    assert CANARY.encode() in b"".join(path.read_bytes() for path in tmp_path.glob("plain*"))


@pytest.mark.parametrize("kind", [StrongroomStore, StrongroomSaver, StrongroomMiddleware])
def test_the_word_is_in_no_dump(tmp_path: Path, kind: Any) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add(CANARY)
        one = kind(vault)
        assert CANARY not in dumps({"one": one}) + repr(one) + repr(vars(one))
