"""Input that is odd and allowed comes back as it was, also from the file; the first that is not allowed is refused."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.properties import PROPERTY
from support.strategies import labels
from support.vaults import create, key_in, reopen, texts
from vault_core import Draft, EphemeralStore, InvalidInputError, Vault
from vault_core.memory.filters import Compare

SCRIPTS = [
    "Übergrößenträger",
    "Ελληνικά και русский",
    "東京の金庫",
    "שלום עולם",
    "مرحبا\u200d بالعالم",
    "नमस्ते दुनिया",
    "👩🏽\u200d💻 emoji",
    "e\u0301 decomposed",
    "\u00e9 composed",
    "\U0001d518\U0001d52b\U0001d526 beyond the plane",
    "\ufffd\uffff\ue000 private and none",
    "a/b:c\\d\"e'f`g%h?i#j*k",
    "\u202egnirts\u202c",
    "  spaces around  ",
]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create(tmp_path) as vault:
        yield vault


@pytest.mark.parametrize("text", SCRIPTS, ids=ascii)
def test_any_script_may_stand_everywhere_and_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    with Vault.create(tmp_path / "alice.vault", unlock=key_in(tmp_path), owner=text) as vault:
        vault.add_box(text)
        written = vault.add(
            {text: [text, {"inner": text}]},
            id=text,
            namespace=(text, text),
            memory_type=text,
            tags=[text],
            metadata={text: text},
            sensitivity=text,
            source=text,
            thread=text,
            slot=(text, text),
            supersedes=[text + "!"],
            data_class=text,
            vectors={text: {text: [1.0, 2.0]}},
            index={text: f"tea {text}"},
            reason=text,
            box=text,
        )
        vault.items(text, box=text).put(text, text.encode(), {text: text})

    with reopen(tmp_path) as vault:
        assert vault.stats().owner == text
        assert vault.boxes() == ["main", text]
        found = vault.get(text, namespace=(text, text), box=text)
        assert found == written
        assert list(found.vectors) == [text]
        assert vault.namespaces() == [(text, text)]
        assert [hit.memory.id for hit in vault.search("tea")] == [text]
        for name, value in {"id": text, "tags": [text], "slot.subject": text, "memory_type": text}.items():
            assert vault.count(filter={name: value}) == 1
        assert vault.count(filter=Compare(("metadata", text), "eq", text)) == 1
        assert vault.count(filter=Compare(("content", text), "contains", text)) == 1
        assert vault.count(filter={"source": {"$imatch": text.upper()}}) == 1
        item = vault.items(text, box=text).get(text)
        assert item is not None
        assert (item.value, item.attributes) == (text.encode(), {text: text})
        assert vault.items(text, box=text).keys(text[:2]) == [text]
        vault.verify(full=True)


@pytest.mark.parametrize(
    "content",
    [
        {"big": 10**100, "small": -(10**100), "digits": 10**4290},
        {"not a number": math.nan, "far": [math.inf, -math.inf], "minus": -0.0, "tiny": 5e-324, "huge": 1.7e308},
        {"": "", "a.b": {"$eq": 1}, '"': "'", "nested": [[[[]]], {"a": {"b": {}}}], "none": None, "yes": True},
        [1, 1.0, True, "1", None, [], {}],
        {"escapes": '"\\/\b\f\n\r\t\u2028\u2029\x7f'},
    ],
    ids=["integers", "floats", "keys", "kinds", "escapes"],
)
def test_json_comes_back_with_its_kinds(tmp_path: Path, content: Any) -> None:
    with create(tmp_path) as vault:
        vault.add(content, id="json", metadata={"copy": content})
        vault.checkpoint()

    with reopen(tmp_path) as vault:
        found = vault.get("json")
        assert repr(found.content) == repr(content)
        assert repr(found.metadata) == repr({"copy": content})
        vault.verify(full=True)


@PROPERTY
@given(
    st.lists(
        st.lists(labels | st.sampled_from(["a", "b", "a/b", 'a","b', "*", "A"]), max_size=3).map(tuple), max_size=8
    )
)
def test_no_two_namespaces_are_one(namespaces: list[tuple[str, ...]]) -> None:
    """Whatever their labels hold: quotes, slashes, commas, other cases, letters composed otherwise."""
    places = list(dict.fromkeys(namespaces))
    with Vault.create(EphemeralStore(), unlock=KEY) as vault:
        vault.add_many(
            [Draft(content=f"text {number}", id="id", namespace=place) for number, place in enumerate(places)]
        )

        for number, place in enumerate(places):
            assert vault.get("id", namespace=place).text == f"text {number}"
            assert vault.count(namespace=place, exact=True) == 1
            below = [other for other in places if other[: len(place)] == place]
            assert vault.count(namespace=place) == len(below)
        assert vault.namespaces() == sorted(places)


class _Key:
    """A provider whose secret is always the same: no file has to be made for every example."""

    kind = "file"

    def kek(self, kdf: Any, vault: bytes) -> Any:
        from vault_core.crypto import Key, kek_from_secret

        return kek_from_secret(Key.taken_from(bytearray(32)), kdf.salt, vault)


KEY = _Key()


def test_of_one_id_twice_in_a_batch_the_last_holds_and_both_are_history(vault: Vault) -> None:
    written = vault.add_many([Draft(content="green tea", id="drink"), Draft(content="black coffee", id="drink")])

    assert [memory.text for memory in written] == ["green tea", "black coffee"]
    assert texts(vault) == ["black coffee"]
    assert [memory.text for memory in vault.history("drink")] == ["green tea", "black coffee"]
    assert len(vault.search("tea coffee")) == 1
    vault.verify(full=True)


def test_of_one_content_twice_in_a_batch_there_is_one_memory(vault: Vault) -> None:
    first, second, elsewhere = vault.add_many(
        [Draft(content="green tea"), Draft(content="green tea"), Draft(content="green tea", namespace=("work",))]
    )

    assert first.id == second.id != elsewhere.id
    assert vault.count() == 2


def test_of_one_key_twice_in_a_batch_the_last_item_holds(vault: Vault) -> None:
    vault.items("chat").put_many([("row", b"first"), ("other", b"x"), ("row", b"second")])

    assert [(item.key, item.value) for item in vault.items("chat").scan()] == [("other", b"x"), ("row", b"second")]
    vault.verify(full=True)


LIMITS: dict[str, tuple[Callable[[Vault, int], object], int]] = {
    "bytes of content": (lambda vault, size: vault.add("x" * size), 1 << 20),
    "bytes of content in other letters": (lambda vault, size: vault.add("ü" * (size // 2) + "x" * (size % 2)), 1 << 20),
    "bytes of an id": (lambda vault, size: vault.add("tea", id="x" * size), 512),
    "bytes of a label in other letters": (
        lambda vault, size: vault.add("tea", tags=["金" * 170 + "x" * (size - 510)]),
        512,
    ),
    "labels of a namespace": (lambda vault, size: vault.add("tea", namespace=["a"] * size), 32),
    "tags": (lambda vault, size: vault.add("tea", tags=[str(number) for number in range(size)]), 256),
    "dimensions": (lambda vault, size: vault.add("tea", vector=np.ones(size, np.float32)), 16_384),
    "vectors": (
        lambda vault, size: vault.add("tea", vectors={"s": {f"f{n}": [1.0, float(n)] for n in range(size)}}),
        1024,
    ),
    "bytes of metadata": (lambda vault, size: vault.add("tea", metadata={"a": "x" * (size - 8)}), 1 << 20),
    "levels of JSON": (lambda vault, size: vault.add("tea", metadata=_nested(size)), 64),
    "bytes of indexed text": (lambda vault, size: vault.add("tea", index={"a": "x" * size}), 1 << 20),
    "bytes of a key": (lambda vault, size: vault.items("c").put("x" * size, b""), 1024),
    "bytes of an item": (lambda vault, size: vault.items("c").put("k", bytes(size)), 32 << 20),
    "bytes of a box's name": (lambda vault, size: vault.add_box("x" * size), 255),
    "hits": (lambda vault, size: vault.search("tea", top_k=size), 10_000),
}


def _nested(levels: int) -> dict[str, Any]:
    return {"a": _nested(levels - 1)} if levels > 1 else {}


@pytest.mark.parametrize("name", LIMITS)
def test_what_reaches_a_limit_is_kept_and_what_passes_it_is_refused(tmp_path: Path, name: str) -> None:
    call, limit = LIMITS[name]
    with create(tmp_path) as vault:
        call(vault, limit)
        commits = vault.stats().commits
        with pytest.raises(InvalidInputError):
            call(vault, limit + 1)
        assert vault.stats().commits == commits

    with reopen(tmp_path) as vault:
        vault.verify(full=True)
        assert vault.stats().commits == commits


def test_sixteen_slots_fit_and_the_seventeenth_is_refused(vault: Vault, tmp_path: Path) -> None:
    for number in range(15):
        vault.add_slot(key_in(tmp_path, f"key {number}"))

    with pytest.raises(InvalidInputError, match="slots"):
        vault.add_slot(key_in(tmp_path, "one more"))

    assert len(vault.slots()) == 16
    vault.verify(full=True)
