"""StrongroomCipher and its serializer: other people's checkpointers, sealed by a vault."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from langchain_strongroom import StrongroomCipher, StrongroomSerializer
from support import vaults
from support.graphs import counting
from vault_core import Vault, VaultTamperedError

VALUES = [None, 0, "text", b"bytes", bytearray(b"more"), {"a": [1, {"b": [2, 3]}]}, {1, 2}, 10**18, float("inf")]


@pytest.fixture
def serializer(vault: Vault) -> StrongroomSerializer:
    return StrongroomSerializer(vault)


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_what_was_serialised_is_loaded(serializer: StrongroomSerializer, value: Any) -> None:
    kind, sealed = serializer.dumps_typed(value)

    assert kind.endswith("+strongroom")
    assert serializer.loads_typed((kind, sealed)) == value


@pytest.mark.parametrize("kind", ["msgpack", "json", "null", "bytes", "pickle", ""])
def test_a_row_that_is_not_sealed_is_refused(vault: Vault, serializer: StrongroomSerializer, kind: str) -> None:
    forged = JsonPlusSerializer().dumps_typed({"messages": ["forged"]})[1]

    with pytest.raises(VaultTamperedError):
        serializer.loads_typed((kind, forged))


def test_upstreams_serializer_accepts_the_row_that_ours_refuses(vault: Vault) -> None:
    forged = JsonPlusSerializer().dumps_typed({"messages": ["forged"]})

    assert EncryptedSerializer(StrongroomCipher(vault)).loads_typed(forged) == {"messages": ["forged"]}
    with pytest.raises(VaultTamperedError):
        StrongroomSerializer(vault).loads_typed(forged)


def test_a_sealed_row_is_not_loaded_as_another_type_or_by_another_cipher(serializer: StrongroomSerializer) -> None:
    _, sealed = serializer.dumps_typed({"a": 1})

    for kind in ("json+strongroom", "bytes+strongroom", "null+strongroom", "msgpack+aes", "msgpack+", "+strongroom"):
        with pytest.raises(VaultTamperedError):
            serializer.loads_typed((kind, sealed))


@pytest.mark.parametrize("label", [None, 7, b"msgpack+strongroom", "\ud800+strongroom", "+", "a+b+c"], ids=ascii)
def test_a_row_whose_type_is_no_type_is_refused(serializer: StrongroomSerializer, label: Any) -> None:
    _, sealed = serializer.dumps_typed({"a": 1})

    with pytest.raises(VaultTamperedError):
        serializer.loads_typed((label, sealed))


@pytest.mark.parametrize("body", [None, "text", 7, 1.5, b"", b"x" * 60], ids=ascii)
def test_a_row_whose_body_was_never_sealed_is_refused(
    vault: Vault, serializer: StrongroomSerializer, body: Any
) -> None:
    with pytest.raises(VaultTamperedError):
        serializer.loads_typed(("msgpack+strongroom", body))
    with pytest.raises(VaultTamperedError):
        StrongroomCipher(vault).decrypt("strongroom", body)


def test_a_changed_row_and_another_vaults_row_are_refused(serializer: StrongroomSerializer, tmp_path: Path) -> None:
    kind, sealed = serializer.dumps_typed({"a": 1})

    with pytest.raises(VaultTamperedError):
        serializer.loads_typed((kind, sealed[:-1] + bytes([sealed[-1] ^ 1])))
    with Vault.create("memory://", unlock=vaults.key_in(tmp_path)) as other, pytest.raises(VaultTamperedError):
        StrongroomSerializer(other).loads_typed((kind, sealed))


def test_langgraph_can_narrow_the_allowlist_and_it_stays_as_strict(vault: Vault) -> None:
    strict = StrongroomSerializer(vault, allowed_msgpack_modules=[("a", "b")])
    narrowed = strict.with_msgpack_allowlist([("c", "d")])

    assert isinstance(narrowed, StrongroomSerializer)
    assert narrowed is not strict
    assert narrowed.loads_typed(strict.dumps_typed({"a": 1})) == {"a": 1}
    with pytest.raises(VaultTamperedError):
        narrowed.loads_typed(JsonPlusSerializer().dumps_typed({"a": 1}))


def test_rows_of_before_a_rotation_are_loaded_after_it(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        serializer = StrongroomSerializer(vault)
        before = serializer.dumps_typed({"a": 1})
        vault.rotate(vaults.key_in(tmp_path))

        assert serializer.loads_typed(before) == {"a": 1}


def test_a_sqlite_saver_keeps_its_values_sealed_and_its_names_in_the_clear(vault: Vault, tmp_path: Path) -> None:
    place = tmp_path / "checkpoints.sqlite"
    where: Any = {"configurable": {"thread_id": "thread-canary"}}
    with closing(sqlite3.connect(place, check_same_thread=False)) as db:
        saver = SqliteSaver(db, serde=StrongroomSerializer(vault))
        graph = counting().compile(checkpointer=saver)
        graph.invoke({"said": ["value-canary"], "count": 0}, where)
        assert graph.get_state(where).values["said"] == ["value-canary", "first", "second"]

    raw = b"".join(path.read_bytes() for path in tmp_path.glob("checkpoints.sqlite*"))
    assert b"value-canary" not in raw
    assert b"thread-canary" in raw  # what the page on LangChain says; StrongroomSaver seals it


def test_a_forged_row_in_a_sqlite_savers_file_is_refused(vault: Vault, tmp_path: Path) -> None:
    where: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    with closing(sqlite3.connect(tmp_path / "checkpoints.sqlite", check_same_thread=False)) as db:
        saver = SqliteSaver(db, serde=StrongroomSerializer(vault))
        saver.put(where, empty_checkpoint(), {}, {})
        kind, forged = JsonPlusSerializer().dumps_typed(empty_checkpoint())
        db.execute("UPDATE checkpoints SET type = ?, checkpoint = ?", (kind, forged))

        with pytest.raises(VaultTamperedError, match="not sealed"):
            saver.get_tuple(where)
