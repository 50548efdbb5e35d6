"""Nothing that passes through the adapter reaches a file in the clear, nor what its objects show of themselves."""

import copy
import pickle  # noqa: TID251  what others do to our objects
from pathlib import Path

import pytest
from llama_index.core.base.llms.types import ChatMessage

from crash import strace
from crash.leaks import needles
from crash.trace_writes import Writes, trace_writes
from llamaindex_strongroom import StrongroomBufferChatStore, StrongroomKVStore, StrongroomVectorStore
from support.llama_secrets import used
from vault_core import Vault
from vault_core.errors import SessionStateError

traced = pytest.mark.skipif(strace.absent() is not None, reason=strace.absent() or "")


def writes_of(folder: Path, *arguments: str) -> Writes:
    environment = {"SQLITE_TMPDIR": str(folder), "STRONGROOM_STATE_DIR": str(folder / "state")}
    program = ["-W", "ignore", "-m", "support.llama_secrets", *arguments]
    return trace_writes(program, needles=needles(), folder=folder, environment=environment)


@traced
def test_no_canary_is_in_anything_written_while_llamaindex_uses_a_vault(tmp_path: Path) -> None:
    writes = writes_of(tmp_path)

    assert writes.hits == {}
    assert writes.total > 10_000
    assert (tmp_path / "shown-0").stat().st_size > 100


@traced
def test_a_canary_written_on_purpose_is_found(tmp_path: Path) -> None:
    assert any("on purpose" in path for path in writes_of(tmp_path, "tell").hits)


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
def test_what_comes_out_of_a_pickle_has_no_vault(vault: Vault) -> None:
    for thing in used(vault):
        again = pickle.loads(pickle.dumps(thing))  # noqa: S301  our own
        assert type(again) is type(thing)

    store = pickle.loads(pickle.dumps(StrongroomVectorStore(vault, namespace=("n",))))  # noqa: S301
    assert store.namespace == ("n",)
    for call in (
        store.get_nodes,
        lambda: pickle.loads(pickle.dumps(StrongroomKVStore(vault))).get("a"),  # noqa: S301
        lambda: pickle.loads(pickle.dumps(StrongroomBufferChatStore(vault))).get_keys(),  # noqa: S301
    ):
        with pytest.raises(SessionStateError, match="pickle"):
            call()


def test_a_deep_copy_is_of_the_same_vault(vault: Vault) -> None:
    store = copy.deepcopy(StrongroomBufferChatStore(vault))
    store.add_message("a", ChatMessage(role="user", content="tea"))

    assert [one.content for one in StrongroomBufferChatStore(vault).get_messages("a")] == ["tea"]
