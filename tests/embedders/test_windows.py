"""Long texts: windows that overlap, cover everything and are scored by the best."""

import random
from pathlib import Path

import pytest

from support import vaults
from vault_core import Vault
from vault_core.embedders.windows import MAX_WINDOWS, OVERLAP_UNITS, WINDOW_UNITS, field_of, windows
from vault_core.memory.limits import MAX_CONTENT_BYTES, MAX_VECTORS
from vault_core.testing import FakeEmbedder

WORDS = ["kettle", "harbour", "violin", "lantern", "meadow", "winter", "letter", "bicycle"]


def prose(words: int, seed: int = 1) -> str:
    chance = random.Random(seed)
    return " ".join(f"{chance.choice(WORDS)}{number}" for number in range(words))


@pytest.mark.parametrize("text", ["tea", "a" * WINDOW_UNITS, prose(WINDOW_UNITS), " tea \n", "茶" * WINDOW_UNITS])
def test_a_short_text_is_one_window_as_it_is(text: str) -> None:
    assert windows(text) == [text]


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_a_blank_text_is_none(text: str) -> None:
    assert windows(text) == []


@pytest.mark.parametrize("most", [1, 2, 3, 10, MAX_WINDOWS])
@pytest.mark.parametrize("words", [161, 200, 288, 289, 1_000, 5_000])
def test_windows_cover_every_word_in_order_and_overlap(words: int, most: int) -> None:
    text = prose(words)

    found = windows(text, most)

    assert 1 <= len(found) <= most
    assert found[0].split()[0] == text.split()[0]
    assert found[-1].split()[-1] == text.split()[-1]
    joined = found[0].split()
    for window in found[1:]:
        again = window.split()
        assert joined[-OVERLAP_UNITS:] == again[:OVERLAP_UNITS]
        joined += again[OVERLAP_UNITS:]
    assert joined == text.split()


def test_a_window_is_short_in_every_script() -> None:
    for text in (prose(2_000), "茶" * 2_000, "x" * 20_000, "ж" * 20_000, "กา" * 2_000, "a,b;" * 5_000):
        found = windows(text)
        assert len(found) > 1
        assert max(map(len, found)) <= WINDOW_UNITS * 13


def test_the_longest_memory_has_no_more_windows_than_it_may(tmp_path: Path) -> None:
    text = "word " * (MAX_CONTENT_BYTES // 5)
    assert len(windows(text)) <= MAX_WINDOWS

    with vaults.create(tmp_path, embedder=FakeEmbedder(8)) as vault:
        given = {str(number): [1.0, 0.0] for number in range(MAX_VECTORS - 3)}
        vault.add(text, id="full", vectors={"image": given})

        assert len(vault.get("full").vectors["default"]) == 3
        assert vault.verify(full=True)


def test_a_memory_without_room_for_a_vector_has_none(tmp_path: Path) -> None:
    with vaults.create(tmp_path, embedder=FakeEmbedder(8)) as vault:
        given = {str(number): [1.0, 0.0] for number in range(MAX_VECTORS)}
        vault.add("tea", id="full", vectors={"image": given})

        assert "default" not in vault.get("full").vectors
        assert vault.reembed().memories == 0


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def vault(tmp_path: Path, embedder: FakeEmbedder) -> Vault:
    return vaults.create(tmp_path, embedder=embedder)


def test_a_memory_scores_by_its_best_window(vault: Vault, embedder: FakeEmbedder) -> None:
    text = prose(1_000)
    with vault:
        vault.add(text, id="long")
        vault.add("quite something else", id="short")
        pieces = windows(text)

        for piece in (pieces[0], pieces[3], pieces[-1]):
            best, other = vault.find_similar(embedder.embed_query(piece))
            assert (best.memory.id, other.memory.id) == ("long", "short")
            assert best.score == pytest.approx(1.0, abs=1e-5)
        assert set(vault.get("long").vectors["default"]) == {field_of(number) for number in range(len(pieces))}


def test_a_new_content_replaces_every_window(vault: Vault, embedder: FakeEmbedder) -> None:
    with vault:
        vault.add(prose(1_000), id="note")
        last = windows(prose(1_000))[-1]
        vault.update("note", content="short", keep_history=False)

        assert list(vault.get("note").vectors["default"]) == [""]
        assert vault.find_similar(embedder.embed_query(last))[0].score < 0.9

        vault.update("note", content=prose(400, seed=2))
        assert len(vault.get("note").vectors["default"]) == len(windows(prose(400, seed=2)))


def test_an_update_of_what_is_searched_embeds_that(vault: Vault, embedder: FakeEmbedder) -> None:
    def nearest(text: str) -> float:
        hits = vault.find_similar(embedder.embed_query(text))
        return hits[0].score if hits else 0.0

    with vault:
        vault.add("the content", id="one", index={"title": "kettle"})
        vault.update("one", content="another content")  # what is searched stays the title
        assert nearest("kettle") == pytest.approx(1.0, abs=1e-5)

        vault.update("one", index={"title": "violin"})
        assert nearest("violin") == pytest.approx(1.0, abs=1e-5)

        vault.update("one", index=True)
        assert nearest("another content") == pytest.approx(1.0, abs=1e-5)

        vault.update("one", index=False)
        assert vault.get("one").vectors == {}


def test_a_likely_text_is_embedded_once(vault: Vault, embedder: FakeEmbedder) -> None:
    with vault:
        vault.add("tea", id="drink")
        embedder.asked.clear()
        vault.update("drink", content="coffee")

        assert embedder.asked == ["coffee"]


def test_windows_are_the_same_from_a_replay(tmp_path: Path, vault: Vault, embedder: FakeEmbedder) -> None:
    query = embedder.embed_query(windows(prose(1_000))[4])
    with vault:
        vault.add(prose(1_000), id="long")
        vault.add("short", id="short")
        live = [(hit.memory.id, hit.score) for hit in vault.find_similar(query)]
    with vaults.reopen(tmp_path) as again:
        assert [(hit.memory.id, hit.score) for hit in again.find_similar(query)] == live
        again.checkpoint()
    with vaults.reopen(tmp_path) as again:
        assert [(hit.memory.id, hit.score) for hit in again.find_similar(query)] == live
