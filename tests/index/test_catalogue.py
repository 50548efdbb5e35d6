"""The catalogue: what it holds is the same in one piece, in pages of its own, and loaded from an image."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from vault_core.index import catalogue as catalogue_room
from vault_core.index.catalogue import Catalogue
from vault_core.memory import Address, Draft, Item, Memory
from vault_core.memory.draft import memory_from
from vault_core.memory.model import placed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def memories(first: int, count: int, text: str = "tea with Zoë", **more: Any) -> list[Memory]:
    drafts = [
        Draft(content=f"{text} {number}", namespace=("home", str(number % 3)), **more)
        for number in range(first, first + count)
    ]
    made = [
        memory_from(draft, id=f"id {number}", now=NOW, provenance={}, vectors={})
        for number, draft in enumerate(drafts, first)
    ]
    for number, memory in enumerate(made, first):
        placed(memory, Address(1, number), None, "main")
    return made


def items(count: int) -> list[Item]:
    return [
        Item(collection="rows", key=str(n), value=b"v", created_at=NOW, updated_at=NOW, address=Address(2, n))
        for n in range(count)
    ]


def insert(catalogue: Catalogue, some: Sequence[Memory]) -> None:
    catalogue.insert(some, [bytes(32)] * len(some))


def held(catalogue: Catalogue) -> tuple[Any, ...]:
    rows = catalogue.rows(address for address, _ in catalogue.live_addresses())
    spaces = {row.namespace: catalogue.labels(row.namespace) for row in rows.values()}
    return rows, spaces, [*catalogue.items("rows", "", by_commit=True, reverse=False)]


def moved(catalogue: Catalogue) -> bool:
    return catalogue._room == math.inf


@pytest.mark.parametrize("limit", [0, 100_000, 1 << 30], ids=["from the beginning", "on the way", "never"])
def test_a_catalogue_that_moves_into_pages_holds_what_one_in_one_piece_holds(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Catalogue()
    monkeypatch.setattr(catalogue_room, "_IN_ONE_PIECE", limit)
    other = Catalogue()
    for catalogue in (plain, other):
        for first in range(0, 400, 100):
            insert(catalogue, memories(first, 100, tags=["moved"], thread="talk"))
        catalogue.put_items(items(50), [bytes(32)] * 50)
        catalogue.erase(Address(1, 7).number)

    again = Catalogue(other.image())

    assert moved(other) == (limit < 1 << 30)
    assert held(other) == held(again) == held(plain)
    insert(again, memories(400, 10))
    assert again.current("id 405", again.known_namespace(("home", "0")) or 0) is not None


@pytest.mark.parametrize("limit", [0, 1 << 30], ids=["in pages", "in one piece"])
def test_an_image_has_no_trace_of_what_was_erased(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_room, "_IN_ONE_PIECE", limit)
    catalogue = Catalogue()
    insert(catalogue, memories(0, 300, "an unrepeatable secret"))
    catalogue = Catalogue(catalogue.image())
    assert b"unrepeatable" in catalogue.image()

    for number in range(300):
        catalogue.erase(Address(1, number).number)

    assert b"unrepeatable" not in catalogue.image()


@pytest.mark.parametrize("text", ["", "x" * 3_000, "茶" * 3_000, "\x01" * 500])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"tags": ["é" * 250] * 20, "metadata": {"k": "\x01" * 2_000}, "supersedes": ["i" * 500] * 20},
        {"slot": ("茶" * 100, "茶" * 100), "thread": "茶" * 150, "source": "茶" * 150, "memory_type": "茶" * 150},
        {"index": False},
        {"index": {"one": "茶" * 2_000}},
    ],
)
def test_rows_never_take_more_than_the_room_that_is_made_for_them(text: str, more: dict[str, Any]) -> None:
    catalogue = Catalogue()
    empty, room = len(catalogue.image()), catalogue._room

    insert(catalogue, memories(0, 200, text, **more))
    catalogue.put_items(items(200), [bytes(32)] * 200)

    assert len(catalogue.image()) - empty <= room - catalogue._room
