"""Any value for any argument: an answer, or an error of our own and everything as it was."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.vaults import CHEAP, NAME, PASSPHRASE, create, key_in, reopen
from vault_core import Draft, InvalidInputError, KdfParameters, Passphrase, Vault, VaultError

Call = Callable[[Vault, Any], Any]
NAN = float("nan")


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels else {}


VALUES: Mapping[str, Any] = {
    "None": None,
    "True": True,
    "0": 0,
    "-1": -1,
    "1": 1,
    "2^40": 2**40,
    "10^100": 10**100,
    "10^5000": 10**5000,
    "1.5": 1.5,
    "NaN": NAN,
    "infinity": float("inf"),
    "complex": 1j,
    "a text": "a",
    "a number as text": "1.5",
    "empty text": "",
    "white space": " \t\n",
    "NUL": "a\0b",
    "a line end": "a\nb",
    "a lone surrogate": "a\ud800",
    "long text": "x" * 600,
    "long letters": "ü" * 300,
    "2 MB": "y" * 2_000_000,
    "bytes": b"tea",
    "a bytearray": bytearray(b"tea"),
    "an empty list": [],
    "texts": ["a", "b"],
    "numbers": [1.0, 2.0],
    "numbers as texts": ["1", "2"],
    "a list of lists": [[1.0, 2.0]],
    "None in a list": [None],
    "a surrogate in a list": ["\ud800"],
    "many texts": ["a"] * 300,
    "huge numbers": [1e300, 1.0],
    "huge integers": [10**5000],
    "NaN in a list": [NAN, 1.0],
    "a tuple": ("a", "b"),
    "a set": {"a"},
    "a range": range(3),
    "an empty object": {},
    "an object": {"a": 1},
    "a number as key": {1: 2},
    "a set in an object": {"a": {1}},
    "NaN in an object": {"a": NAN},
    "a huge integer in an object": {"a": 10**5000},
    "a deep object": nested(100),
    "an operator": {"$and": 1},
    "a filter that is none": {"metadata.a": {"$near": 1}},
    "vectors": {"default": [1.0, 2.0]},
    "vectors by field": {"default": {"a": [1.0, 2.0]}},
    "a time": datetime(2026, 1, 1, tzinfo=UTC),
    "a date": date(2026, 1, 1),
    "a duration": timedelta(1),
    "no such date": "2026-13-01",
    "a thing of no kind": object(),
    "Ellipsis": ...,
    "an array": np.array([1.0, 2.0]),
    "a matrix": np.zeros((2, 2)),
    "complex numbers": np.array([1j, 2j]),
    "a numpy number": np.float32(1),
}
ARRAYS = (
    "an array",
    "a matrix",
    "complex numbers",
)  # they have no truth, which no type check of ours expects of a text

DRAFT_FIELDS = [field.name for field in fields(Draft) if field.name not in ("content", "keep_history")]
SEARCH = ["top_k", "offset", "namespace", "memory_type", "filter", "query_vector", "space", "min_score", "as_of", "box"]
LISTING = ["namespace", "memory_type", "filter", "order_by", "limit", "offset", "as_of", "box"]


def keyword(method: str, *arguments: Any, name: str) -> Call:
    return lambda vault, value: drained(getattr(vault, method)(*arguments, **{name: value}))


def drained(answer: Any) -> Any:
    return list(answer) if isinstance(answer, Iterator) else answer


CALLS: dict[str, Call] = {
    "add content": lambda vault, value: vault.add(value),
    **{f"add {name}": keyword("add", "some text", name=name) for name in [*DRAFT_FIELDS, "box", "colour"]},
    "add_many": lambda vault, value: vault.add_many(value),
    "add_many one": lambda vault, value: vault.add_many([Draft(content="good"), value]),
    "add_many content": lambda vault, value: vault.add_many([Draft(content="good"), Draft(content=value)]),
    **{
        f"update {name}": keyword("update", "tea", name=name)
        for name in ["content", "tags", "metadata", "box", "colour"]
    },
    "update id": lambda vault, value: vault.update(value, tags=["a"]),
    "restore": lambda vault, value: vault.restore(value, "2.0"),
    "restore version": lambda vault, value: vault.restore("tea", value),
    "touch": lambda vault, value: vault.touch(value),
    "touch one": lambda vault, value: vault.touch([value]),
    "touch expires_at": keyword("touch", ["tea"], name="expires_at"),
    "archive": lambda vault, value: vault.archive(value),
    "pin": lambda vault, value: vault.pin(value),
    "pin box": keyword("pin", "tea", name="box"),
    "forget": lambda vault, value: vault.forget(value),
    "forget box": keyword("forget", "tea", name="box"),
    "forget_many": lambda vault, value: vault.forget_many(value, dry_run=True),
    "forget_many filter": lambda vault, value: vault.forget_many(filter=value, dry_run=True),
    "forget_many namespace": lambda vault, value: vault.forget_many(namespace=value, dry_run=True),
    **{f"consolidate {name}": keyword("consolidate", name=name) for name in ["namespace", "box", "summarise"]},
    "transact": lambda vault, value: vault.transact(value),
    "transact box": lambda vault, value: vault.transact(lambda _: None, box=value),
    "tx get": lambda vault, value: vault.transact(lambda tx: tx.get(value)),
    "tx add": lambda vault, value: vault.transact(lambda tx: tx.add(value)),
    "tx add namespace": lambda vault, value: vault.transact(lambda tx: tx.add("text", namespace=value)),
    "tx add colour": lambda vault, value: vault.transact(lambda tx: tx.add("text", colour=value)),
    "tx update": lambda vault, value: vault.transact(lambda tx: tx.update("tea", tags=value)),
    "tx forget": lambda vault, value: vault.transact(lambda tx: tx.forget(value)),
    "tx put_item": lambda vault, value: vault.transact(lambda tx: tx.put_item("chat", value, b"")),
    "tx put_item value": lambda vault, value: vault.transact(lambda tx: tx.put_item("chat", "a", value)),
    "tx get_item": lambda vault, value: vault.transact(lambda tx: tx.get_item(value, "a")),
    "tx delete_item": lambda vault, value: vault.transact(lambda tx: tx.delete_item("chat", value)),
    "get": lambda vault, value: vault.get(value),
    "get namespace": keyword("get", "tea", name="namespace"),
    "get box": keyword("get", "tea", name="box"),
    "get_many": lambda vault, value: vault.get_many(value),
    "history": lambda vault, value: vault.history(value),
    "merge": lambda vault, value: vault.merge(value, ["tea"]),
    "merge others": lambda vault, value: vault.merge("tea", value),
    **{f"merge {name}": keyword("merge", "tea", ["tea"], name=name) for name in ["namespace", "box", "content"]},
    **{f"changes {name}": keyword("changes", name=name) for name in ["id", "namespace", "since", "limit", "box"]},
    "search": lambda vault, value: vault.search(value),
    **{f"search {name}": keyword("search", "tea", name=name) for name in SEARCH},
    "dense search": lambda vault, value: vault.search("tea", query_vector=value, mode="dense"),
    "find_similar": lambda vault, value: vault.find_similar(value),
    **{
        f"find_similar {name}": keyword("find_similar", [1.0, 2.0], name=name)
        for name in ["top_k", "offset", "threshold", "space", "namespace", "filter", "box"]
    },
    **{f"list {name}": keyword("list", name=name) for name in LISTING},
    **{f"stream {name}": keyword("stream", name=name) for name in ["namespace", "filter", "box"]},
    **{f"count {name}": keyword("count", name=name) for name in ["namespace", "memory_type", "filter", "box"]},
    **{
        f"namespaces {name}": keyword("namespaces", name=name)
        for name in ["prefix", "suffix", "max_depth", "limit", "offset", "box"]
    },
    "items collection": lambda vault, value: vault.items(value).put("a", b""),
    "items box": lambda vault, value: vault.items("chat", box=value).keys(),
    "put key": lambda vault, value: vault.items("chat").put(value, b""),
    "put value": lambda vault, value: vault.items("chat").put("a", value),
    "put attributes": lambda vault, value: vault.items("chat").put("a", b"", value),
    "put_many": lambda vault, value: vault.items("chat").put_many(value),
    "put_many one": lambda vault, value: vault.items("chat").put_many([("good", b""), value]),
    "get item": lambda vault, value: vault.items("chat").get(value),
    "get items": lambda vault, value: vault.items("chat").get_many(value),
    "delete item": lambda vault, value: vault.items("chat").delete(value),
    "delete items": lambda vault, value: vault.items("chat").delete_many(value),
    "scan prefix": lambda vault, value: list(vault.items("chat").scan(value)),
    "scan where": lambda vault, value: list(vault.items("chat").scan(where=value)),
    "scan where attribute": lambda vault, value: list(vault.items("chat").scan(where={"a": value})),
    "scan limit": lambda vault, value: list(vault.items("chat").scan(limit=value)),
    "scan offset": lambda vault, value: list(vault.items("chat").scan(offset=value)),
    "count items": lambda vault, value: vault.items("chat").count(value),
    "keys": lambda vault, value: vault.items("chat").keys(value),
    "add_box": lambda vault, value: vault.add_box(value),
    "remove_slot": lambda vault, value: vault.remove_slot(value),
    "add_slot": lambda vault, value: vault.add_slot(value),
    "add_slot kdf": lambda vault, value: vault.add_slot(Passphrase("short"), kdf=value),
    "change_passphrase old": lambda vault, value: vault.change_passphrase(value, PASSPHRASE),
    "change_passphrase new": lambda vault, value: vault.change_passphrase(PASSPHRASE, value),
    "rotate": lambda vault, value: vault.rotate(value),
    "verify progress": lambda vault, value: vault.verify(progress=value),
}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create(tmp_path) as vault:
        vault.add("green tea", id="tea", vector=[1.0, 0.0])
        vault.items("chat").put("a", b"1", {"a": 1})
        yield vault


def values_for(name: str) -> Iterator[tuple[str, Any]]:
    for what, value in VALUES.items():
        if not (name in ("add tier", "owner") and what in ARRAYS):
            yield what, value


def refusal(work: Callable[[], Any]) -> VaultError | None:
    """The error of ours that refuses a call; None if it gave an answer."""
    try:
        work()
    except VaultError as error:
        return error
    return None


@pytest.mark.parametrize("name", CALLS)
def test_any_value_gives_an_answer_or_an_error_of_ours_that_changes_nothing(vault: Vault, name: str) -> None:
    refused = 0
    for what, value in values_for(name):
        before = vault.stats().commits
        error = refusal(partial(CALLS[name], vault, value))
        if error is not None:
            assert len(str(error)) > 12, what
            assert vault.stats().commits == before, what
            refused += 1

    assert refused > 8
    vault.verify(full=True)
    assert "green tea" in {memory.text for memory in vault.history("tea")}


@pytest.mark.parametrize("name", ["passphrase", "unlock", "embedder", "owner", "kdf"])
def test_any_value_for_a_new_vault_makes_one_or_leaves_nothing(tmp_path: Path, name: str) -> None:
    fixed: dict[str, Any] = {"unlock": key_in(tmp_path)}
    if name in ("passphrase", "kdf"):
        fixed = {"passphrase": PASSPHRASE, "kdf": CHEAP}
    for number, (what, value) in enumerate(values_for(name)):
        if value is None:
            continue  # that is the default
        path = tmp_path / f"{number}.vault"

        error = refusal(lambda path=path, value=value: Vault.create(path, **{**fixed, name: value}).close())

        assert (error is None) is path.exists(), what
        assert error is None or len(str(error)) > 12, what


@pytest.mark.parametrize("name", ["passphrase", "unlock", "embedder"])
def test_any_value_for_opening_opens_or_is_refused(tmp_path: Path, name: str) -> None:
    create(tmp_path).close()
    for what, value in VALUES.items():
        if value is None:
            continue
        options = {name: value} if name != "embedder" else {"unlock": key_in(tmp_path), name: value}
        with pytest.raises(VaultError) as refused:
            Vault.open(tmp_path / NAME, **options)
        assert len(str(refused.value)) > 12, what

    with reopen(tmp_path) as vault:  # and nobody holds it
        vault.verify(full=True)


@pytest.mark.parametrize("name", ["memory_kib", "passes", "lanes"])
def test_any_value_for_the_cost_of_a_passphrase_is_refused_unless_it_is_allowed(name: str) -> None:
    for what, value in VALUES.items():
        refused = refusal(KdfParameters(**{name: value}).check_for_writing)

        allowed = type(value) is int and name != "memory_kib" and 1 <= value <= 16
        assert (refused is None) is allowed, what
        assert refused is None or isinstance(refused, InvalidInputError), what
