"""Items: chat-like and blob-like ones by the ten thousand, in order, exact, and never mistaken for memories."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.copies import Storage, storage
from vault_core import InvalidInputError, Items, Vault

MANY = 10_000
ROOMS = 20  # chats
SPEAKERS = ("Anna", "Ben", "bot")


def chat(number: int) -> tuple[str, bytes, dict[str, Any]]:
    """A row of one of several chats."""
    room, turn = number % ROOMS, number // ROOMS
    attributes = {"speaker": SPEAKERS[turn % 3], "turn": turn, "usage": {"tokens": number % 97}}
    return f"room{room:02}/{turn:04}", f"kettle talk {number}".encode(), attributes


def blob(number: int) -> tuple[str, bytes, None]:
    """A checkpoint: bytes of very different lengths that mean nothing to anyone."""
    chance = random.Random(number)
    return f"{number:05}-{chance.randbytes(4).hex()}", chance.randbytes(int(chance.lognormvariate(6, 1.5))), None


CHATS, BLOBS = [chat(number) for number in range(MANY)], [blob(number) for number in range(MANY)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a vault with many items, and two memories that are about the same things."""
    home = tmp_path_factory.mktemp("items")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRONGROOM_STATE_DIR", str(home / "machine"))
        with vaults.create(home) as vault:
            vault.add("the kettle is green")
            for some in batches(CHATS):
                vault.items("chat").put_many(some)
            for some in batches(BLOBS):
                vault.items("blobs").put_many(some)
            vault.add("the kettle talk was long")
        yield home


def batches(items: list[Any], size: int = 500) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


@pytest.fixture(scope="module")
def vault(folder: Path) -> Iterator[Vault]:
    """That vault, opened anew from its snapshot."""
    yield from opened(folder)


@pytest.fixture(scope="module")
def replayed(folder: Path) -> Iterator[Vault]:
    """That vault, opened anew from its log alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vault_core.index.snapshot.load", lambda *_: None)
        yield from opened(folder)


def opened(folder: Path) -> Iterator[Vault]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRONGROOM_STATE_DIR", str(folder / "machine"))
        vault = vaults.reopen(folder, read_only=True)
    with vault:
        yield vault


@pytest.mark.parametrize("way", ["vault", "replayed"])
def test_every_item_of_ten_thousand_is_read_exactly(request: pytest.FixtureRequest, way: str) -> None:
    for collection, written in ("chat", CHATS), ("blobs", BLOBS):
        items = request.getfixturevalue(way).items(collection)
        shuffled = random.Random(1).sample(written, len(written))

        read = items.get_many([key for key, _, _ in shuffled])

        assert [(item.key, item.value, item.attributes) for item in read if item is not None] == [
            (key, value, attributes or {}) for key, value, attributes in shuffled
        ]
        assert items.get_many(["nothing", written[0][0]])[0] is None


@pytest.mark.parametrize("way", ["vault", "replayed"])
def test_ten_thousand_items_are_scanned_in_order_both_ways(request: pytest.FixtureRequest, way: str) -> None:
    for collection, written in ("chat", CHATS), ("blobs", BLOBS):
        items, by_key = request.getfixturevalue(way).items(collection), sorted(written)
        keys = [key for key, _, _ in by_key]
        assert [(item.key, item.value) for item in items.scan()] == [(key, value) for key, value, _ in by_key]
        assert items.keys() == keys
        assert [item.key for item in items.scan(reverse=True, limit=2_000)] == keys[:-2_001:-1]
        keys = [key for key, _, _ in written]
        assert [item.key for item in items.scan(order="commit", limit=2_000, offset=4_000)] == keys[4_000:6_000]
        assert [item.key for item in items.scan(order="commit", reverse=True, limit=2_000)] == keys[:-2_001:-1]


def is_bot(attributes: dict[str, Any]) -> bool:
    return bool(attributes["speaker"] == "bot")


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({"speaker": "bot"}, is_bot),
        ({"turn": {"$gte": 400}}, lambda attributes: attributes["turn"] >= 400),
        ({"usage.tokens": 5}, lambda attributes: attributes["usage"]["tokens"] == 5),
        ({"speaker": "bot", "turn": {"$lt": 10}}, lambda attributes: is_bot(attributes) and attributes["turn"] < 10),
        ({"speaker": {"$in": ["Anna", "Ben"]}}, lambda attributes: not is_bot(attributes)),
        ({"turn": True}, lambda _: False),  # True is not 1
        ({"missing": 1}, lambda _: False),
        ({}, lambda _: True),
    ],
    ids=["value", "range", "nested", "two", "membership", "a truth is no number", "missing", "anything"],
)
@pytest.mark.parametrize("prefix", ["", "room07/", "room1", "nowhere"])
def test_a_scan_gives_what_begins_so_and_fits(
    vault: Vault, prefix: str, where: dict[str, Any], fits: Callable[[dict[str, Any]], bool]
) -> None:
    items = vault.items("chat")
    expected = sorted(key for key, _, attributes in CHATS if key.startswith(prefix) and fits(attributes))

    assert [item.key for item in items.scan(prefix, where)] == expected
    assert items.count(prefix, where) == len(expected)
    assert [item.key for item in items.scan(prefix, where, limit=7, offset=3)] == expected[3:10]
    assert [item.key for item in items.scan(prefix, where, reverse=True, limit=4)] == expected[::-1][:4]
    assert list(items.scan(prefix, where, limit=0)) == []
    assert [item.key for item in items.scan(prefix, where, offset=len(expected))] == []


def test_no_item_is_ever_found_listed_or_counted_as_a_memory(vault: Vault) -> None:
    both = ["the kettle is green", "the kettle talk was long"]
    assert sorted(vaults.found(vault, "kettle talk", top_k=1000, cut=False)) == both
    assert sorted(vaults.found(vault, "Anna bot speaker room07")) == []
    assert vaults.texts(vault) == both
    assert [memory.text for memory in vault.list(limit=None, order_by="created")] == both
    assert vault.count() == vault.stats().memories == sum(vault.stats().by_type.values()) == 2
    assert vault.count(filter=lambda _: True) == 2
    assert vault.namespaces() == [()]
    assert vault.stats().items == 2 * MANY


def test_a_collection_and_a_box_have_keys_of_their_own(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add_box("work")
        places = [vault.items("one"), vault.items("two"), vault.items("one", box="work")]
        for number, items in enumerate(places):
            items.put("key", b"%d" % number)

        assert [items.get("key").value for items in places] == [b"0", b"1", b"2"]  # type: ignore[union-attr]
        assert places[0].delete("key")
        assert [items.count() for items in places] == [0, 1, 1]
        assert vault.stats().items == 2


def test_writing_an_item_again_keeps_when_it_was_first_written(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        items = vault.items("chat")
        first = items.put("row", b"1", {"edited": False})
        second = items.put("row", b"2")

        assert items.get("row") == second
        assert (second.value, second.attributes) == (b"2", {})
        assert second.created_at == first.created_at
        assert second.updated_at >= first.updated_at
        assert [item.value for item in items.scan(order="commit")] == [b"2"]
        assert vault.verify(full=True).erased == 1


def test_of_two_items_with_one_key_in_one_batch_the_last_holds(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        items = vault.items("chat")
        given = items.put_many([("row", b"1"), ("other", b"2"), ("row", b"3", {"a": 1})])

        assert [item.value for item in given] == [b"3", b"2", b"3"]
        assert [(item.key, item.value) for item in items.scan()] == [("other", b"2"), ("row", b"3")]
        assert vault.verify(full=True).records == 2


def test_deleting_says_how_many_there_were(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        items = vault.items("chat")
        items.put_many([(f"row {number}", b"") for number in range(5)])
        commits = vault.stats().commits

        assert items.delete_many(["row 0", "row 1", "row 0", "nothing"]) == 2
        assert items.delete_many(["row 0", "nothing"]) == 0
        assert not items.delete("row 1")
        assert items.keys() == ["row 2", "row 3", "row 4"]
        assert vault.stats().commits == commits + 1  # a deletion of nothing is no commit


KEYS = [" ", "a", "A", "a/b", "a%", "a_b", "ä", "a\u0308", "\U0001f375", "z", "~", "\u2028", "'; DROP TABLE item; --"]


def test_keys_of_every_kind_are_told_apart_and_ordered_by_code_point(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        items = vault.items("chat")
        items.put_many([(key, key.encode()) for key in KEYS])

        assert [item.key for item in items.scan()] == sorted(KEYS)
        for key in KEYS:
            assert items.get(key).value == key.encode()  # type: ignore[union-attr]
            assert items.keys(key) == sorted(other for other in KEYS if other.startswith(key))


WRONG: dict[str, Callable[[Items], object]] = {
    "empty key": lambda items: items.put("", b""),
    "long key": lambda items: items.put("x" * 1_025, b""),
    "NUL in a key": lambda items: items.put("a\0b", b""),
    "half a character": lambda items: items.put("\ud800", b""),
    "text": lambda items: items.put("key", "text"),  # type: ignore[arg-type]
    "more than 32 MiB": lambda items: items.put("key", bytes((32 << 20) + 1)),
    "attributes that are no JSON": lambda items: items.put("key", b"", {"a": object()}),
    "attributes that are no object": lambda items: items.put("key", b"", ["a"]),  # type: ignore[arg-type]
    "one of a batch": lambda items: items.put_many([("good", b""), ("", b"")]),
    "a number as key": lambda items: items.get(7),  # type: ignore[arg-type]
    "unknown order": lambda items: items.scan(order="size"),  # type: ignore[arg-type]
    "negative limit": lambda items: items.scan(limit=-1),
    "unknown operator": lambda items: items.scan(where={"a": {"$near": 1}}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_item_is_refused_before_anything_is_written(tmp_path: Path, wrong: str) -> None:
    with vaults.create(tmp_path) as vault:
        with pytest.raises(InvalidInputError):
            WRONG[wrong](vault.items("chat"))

        assert vault.stats().commits == 1


def test_a_scan_goes_on_while_items_are_written_and_deleted(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        items = vault.items("chat")
        items.put_many([(f"{number:04}", b"before") for number in range(1_000)])
        scan = items.scan()
        first = next(scan)

        items.delete_many([f"{number:04}" for number in range(500, 1_000)])
        items.put_many([(f"{number:04}", b"after") for number in range(500)])
        rest = list(scan)

        assert first.key == "0000"
        assert {item.key for item in rest} <= {f"{number:04}" for number in range(500)}
        assert [item.key for item in rest] == sorted(item.key for item in rest)


# erasing


@pytest.fixture
def operator() -> Iterator[Storage]:
    """Whoever stores the bytes."""
    with storage() as side:
        yield side


ERASURES: dict[str, Callable[[Items], object]] = {
    "overwriting": lambda items: items.put("row", b"something else", {"title": "another"}),
    "deleting": lambda items: items.delete("row"),
    "overwriting in a batch": lambda items: items.put_many([("row", b"1"), ("row", b"2")]),
}


@pytest.mark.parametrize("with_snapshot", [False, True], ids=["without a snapshot", "with a snapshot"])
@pytest.mark.parametrize("how", ERASURES)
def test_overwriting_or_deleting_an_item_erases_its_bytes(
    tmp_path: Path, operator: Storage, how: str, with_snapshot: bool
) -> None:
    file = tmp_path / vaults.NAME
    with vaults.create(tmp_path) as vault:
        items = vault.items("documents")
        items.put("row", random.Random(1).randbytes(40_000), {"title": "a title"})
        items.put("other", b"stays")
        if with_snapshot:
            vault.checkpoint()
        sealed = sealed_pieces(operator, file)
        raw = operator.bytes_of(file)
        assert all(piece in raw for piece in sealed)  # this is how it would be found

        ERASURES[how](items)

    raw = operator.bytes_of(file)
    assert [piece.hex() for piece in sealed if piece in raw] == []
    with vaults.reopen(tmp_path) as vault:
        assert vault.items("documents").get("other") is not None
        vault.verify(full=True)


def sealed_pieces(operator: Storage, file: Path) -> list[bytes]:
    """Pieces of the first record and of all snapshot parts as they are stored, short enough to lie in one page."""
    rows = operator.rows(file, "SELECT body FROM record ORDER BY address LIMIT 1")
    rows += operator.rows(file, "SELECT substr(body, 8193) FROM part")  # behind the filling, docs/format.md §2
    pieces = []
    for (body,) in rows:
        assert isinstance(body, bytes)
        pieces += [body[at : at + 32] for at in (100, len(body) // 2, len(body) - 40)]
    return pieces
