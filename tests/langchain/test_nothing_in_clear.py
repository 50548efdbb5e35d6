"""Nothing that a user said is in a file, a repr, a dump, a pickle or an error of these classes."""

import copy
import os
import pickle  # noqa: TID251  to see it refused
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from pydantic import ValidationError

from langchain_strongroom import (
    StrongroomByteStore,
    StrongroomChatMessageHistory,
    StrongroomMemory,
    StrongroomRetriever,
    StrongroomVectorStore,
    memory_tools,
)
from support.vaults import NAME, create
from vault_core import InvalidInputError, SessionStateError, Vault

CANARY = "xanadu-canary"
PLACE = (CANARY,)


def vector_store(vault: Vault) -> StrongroomVectorStore:
    store = StrongroomVectorStore(vault, DeterministicFakeEmbedding(size=6), namespace=PLACE, space=CANARY)
    store.add_documents([Document(CANARY, id=CANARY, metadata={CANARY: CANARY})])
    return store


def history(vault: Vault) -> StrongroomChatMessageHistory:
    made = StrongroomChatMessageHistory(vault, CANARY)
    made.add_messages([HumanMessage(CANARY, id=CANARY)])
    return made


def byte_store(vault: Vault) -> StrongroomByteStore:
    store = StrongroomByteStore(vault, collection=CANARY)
    store.mset([(CANARY, CANARY.encode())])
    return store


def classic(vault: Vault) -> StrongroomMemory:
    memory = StrongroomMemory(vault, session_id=CANARY, namespace=PLACE)
    memory.save_context({"input": CANARY}, {"output": CANARY})
    return memory


MADE: dict[str, Callable[[Vault], Any]] = {
    "vector store": vector_store,
    "its retriever": lambda vault: vector_store(vault).as_retriever(search_kwargs={"filter": {CANARY: CANARY}}),
    "retriever": lambda vault: StrongroomRetriever(vault, namespace=PLACE, filter={"source": CANARY}, thread=CANARY),
    "history": history,
    "byte store": byte_store,
    "classic": classic,
    "remember": lambda vault: memory_tools(vault, namespace=PLACE)[0],
    "search": lambda vault: memory_tools(vault, namespace=PLACE)[1],
    "forget": lambda vault: memory_tools(vault, namespace=PLACE)[2],
}


@pytest.mark.parametrize("make", MADE.values(), ids=list(MADE))
def test_no_repr_and_no_dump_shows_what_a_user_said(vault: Vault, make: Callable[[Vault], Any]) -> None:
    made = make(vault)

    dumped = made.model_dump() if hasattr(made, "model_dump") else None
    shown = [repr(made), str(made), dumps(made), dumps([made]), repr(dumped)]

    assert [CANARY in one for one in shown] == [False] * len(shown)


@pytest.mark.parametrize("make", MADE.values(), ids=list(MADE))
def test_pickling_is_refused_before_a_byte_of_it_is_written(
    vault: Vault, make: Callable[[Vault], Any], tmp_path: Path
) -> None:
    made, target = make(vault), tmp_path / "pickle"

    with target.open("wb") as file, pytest.raises(SessionStateError, match="pickled"):
        pickle.dump({"it": made}, file)

    assert CANARY.encode() not in target.read_bytes()


@pytest.mark.parametrize("make", MADE.values(), ids=list(MADE))
def test_a_deep_copy_is_refused_in_words(vault: Vault, make: Callable[[Vault], Any]) -> None:
    """Frameworks copy what they are given; a session can't be doubled."""
    with pytest.raises(SessionStateError, match="pickled"):
        copy.deepcopy({"it": make(vault)})


@pytest.mark.parametrize("tool", range(3), ids=["remember", "search", "forget"])
def test_what_a_model_gives_to_a_tool_is_in_no_error(vault: Vault, tool: int) -> None:
    with pytest.raises(ValidationError) as caught:
        memory_tools(vault)[tool].invoke({key: {CANARY: CANARY} for key in ("text", "query", "id")})

    assert CANARY not in str(caught.value)


def test_a_repr_that_told_would_be_seen(vault: Vault) -> None:
    class Telling(StrongroomByteStore):
        def __repr__(self) -> str:
            return f"<{self._items.collection}>"

    assert CANARY in repr(Telling(vault, collection=CANARY))
    assert CANARY in dumps(Telling(vault, collection=CANARY))


def test_a_copy_of_a_retriever_shares_the_vault(vault: Vault) -> None:
    retriever = StrongroomRetriever(vault, namespace=PLACE)

    assert copy.copy(retriever).vault is vault


def test_no_file_holds_it_in_clear(tmp_path: Path, machine: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    with create(folder) as vault:
        for make in MADE.values():
            make(vault)
        assert vault.checkpoint()

        found = _searched([folder, machine])  # from another process: see DESIGN on POSIX locks
    (folder / "seen").write_text(CANARY)

    assert found == []
    assert _searched([folder, machine]) == ["seen"], "the search finds what is there"
    assert (folder / NAME).stat().st_size > 0


def _searched(folders: list[Path]) -> list[str]:
    program = (
        "import sys, pathlib\n"
        "for folder in sys.argv[2:]:\n"
        "    for path in pathlib.Path(folder).rglob('*'):\n"
        "        if path.is_file() and sys.argv[1].encode() in path.read_bytes(): print(path.name)\n"
    )
    command = [sys.executable, "-c", program, CANARY, *map(os.fspath, folders)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    "call",
    [
        lambda vault: vector_store(vault).add_documents([Document(CANARY + "\x00", metadata={CANARY: CANARY})]),
        lambda vault: vector_store(vault).add_documents([Document(CANARY, metadata={CANARY: {CANARY}})]),
        lambda vault: vector_store(vault).add_documents([Document(CANARY, id=CANARY + "\x00")]),
        lambda vault: byte_store(vault).mset([(CANARY, CANARY)]),
        lambda vault: history(vault).add_messages([HumanMessage(CANARY, additional_kwargs={CANARY: object()})]),
        lambda vault: classic(vault).save_context({"input": [CANARY]}, {"output": CANARY}),
    ],
    ids=["NUL", "metadata", "id", "value", "message", "input"],
)
def test_no_error_repeats_what_a_user_said(vault: Vault, call: Callable[[Vault], Any]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        call(vault)

    assert CANARY not in str(caught.value)
