"""English stems: the same as Snowball's own, for words of texts and for words made up of what its rules look at."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from snowballstemmer import stemmer

from vault_core.index import english
from vault_core.index.english import stem
from vault_core.index.tokens import words

DOCS = Path(__file__).parents[2] / "docs"
PARTS = (  # noqa: SIM905  parts of words
    "a e i o u y s t b c d l r w x z bb dd gg nn ll li ing ed eed ly ied ies sses ss us at bl iz ey ay ation ational "
    "tional alism aliti ness ful less ative ize izer ousli iviti biliti ogi ogist al ance ence er ic able ible ant "
    "ement ment ent ism ion iti past even cann inn earr herr out succ proc exc gener commun univers organ é ß 7"
).split()


def made_up(count: int) -> Iterable[str]:
    chance = random.Random(5)
    return ("".join(chance.choices(PARTS, k=chance.randint(1, 6))) for _ in range(count))


def differing(ours: Callable[[str], str], given: Iterable[str]) -> list[str]:
    theirs = stemmer("english").stemWord
    return [word for word in given if ours(word) != theirs(word)]


def test_words_of_texts_have_snowballs_stems() -> None:
    given = {word for page in DOCS.rglob("*.md") for word in words(page.read_text("utf-8"))}

    assert len(given) > 2_000
    assert differing(stem, given) == []


def test_words_made_up_of_suffixes_and_exceptions_have_snowballs_stems() -> None:
    assert differing(stem, {*made_up(40_000), *english._WHOLE, "", "y", "ay", "yy", "yyy", "sayyy"}) == []


def test_a_rule_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeded bug: -li stays after a t."""
    monkeypatch.setattr(english, "_BEFORE_LI", english._BEFORE_LI - {"t"})
    assert differing(stem, made_up(40_000))
