"""Words: counts, phrases, erasure and snapshots of the positional index, compared with counting by hand."""

import random
from collections.abc import Iterable

import numpy as np
import pytest

from vault_core.index import words as words_room
from vault_core.index.tokens import stems, words
from vault_core.index.words import Words

VOCABULARY = ["tea", "kettle", "harbour", "violin", "lantern", "running", "runs", "12", "Zürich", "plum"]


def rows_of(count: int, seed: int) -> list[tuple[str, str]]:
    chance = random.Random(seed)
    return [
        (chance.choice(["", "Ada Monday\n"]), " ".join(chance.choices(VOCABULARY, k=chance.randrange(9))))
        for _ in range(count)
    ]


def counted(rows: list[tuple[str, str]], stem: str) -> dict[int, int]:
    found = {number: (stems(lead) + stems(text)).count(stem) for number, (lead, text) in enumerate(rows)}
    return {number: times for number, times in found.items() if times}


def as_counted(index: Words, stem: str) -> dict[int, int]:
    token = index.number(stem)
    if token is None:
        return {}
    counts = index.counts(token)
    return dict(zip(counts.rows.tolist(), counts.times.astype(int).tolist(), strict=True))


def fields(index: Words, kept: Iterable[int]) -> list[bytes]:
    return [b"".join(field.pieces) for field in index.pack(np.array([*kept]))]


@pytest.fixture(params=[4, 50, 1 << 15], ids=["many segments", "some segments", "no segment"])
def _segments(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_room, "_UNSORTED", request.param)


@pytest.mark.usefixtures("_segments")
def test_words_are_counted_as_by_hand_however_they_came_and_whatever_was_erased() -> None:
    rows, index, chance = rows_of(300, seed=1), Words(), random.Random(2)
    for start in range(0, len(rows), 30):
        index.append(rows[start : start + 30])
        for stem in {stem for word in VOCABULARY for stem in stems(word)} | {"monday", "nowhere"}:
            assert as_counted(index, stem) == counted(rows[: start + 30], stem)
        for number in chance.sample(range(start + 30), k=5):
            index.erase(number)
            rows[number] = ("", "")

    assert index.lengths.tolist() == [len(stems(lead)) + len(stems(text)) for lead, text in rows]


@pytest.mark.usefixtures("_segments")
@pytest.mark.parametrize("newest", [1, 7, 10_000])
def test_rows_that_share_words_are_those_counted_by_hand_in_the_newest_uses(newest: int) -> None:
    rows, index, chance = rows_of(300, seed=7), Words(), random.Random(8)
    index.append(rows)
    for number in chance.sample(range(300), k=40):
        index.erase(number)
        rows[number] = ("", "")
    asked = ["tea", "12", "monday"]
    by_hand: dict[int, int] = {}
    for stem in asked:
        uses = [number for number, times in counted(rows, stem).items() for _ in range(times)][-newest:]
        for number in set(uses):
            by_hand[number] = by_hand.get(number, 0) + 1

    shared = index.sharing(index.tokens_of(asked), newest)

    assert list(zip(*(column.tolist() for column in shared), strict=True)) == sorted(by_hand.items())
    assert [len(column) for column in index.sharing([], newest)] == [0, 0]


def test_what_a_text_says_is_its_stems_without_its_lead_and_nothing_once_erased() -> None:
    rows, index = [("Ada\n", "The running kettle"), ("", ""), ("", "tea tea"), ("", "plum")], Words()
    index.append(rows)
    index.erase(3)

    said = index.said_by(np.array([2, 0, 1, 3]))

    assert said == [index.tokens_of(stems(text)) for text in ("tea tea", "The running kettle", "", "")]


@pytest.mark.usefixtures("_segments")
def test_a_phrase_is_found_where_its_words_follow_each_other_and_nowhere_else() -> None:
    rows, index = rows_of(300, seed=3), Words()
    index.append(rows)
    for one in VOCABULARY:
        for two in VOCABULARY:
            pair = [*stems(one), *stems(two)]
            expected = [
                number
                for number, (lead, text) in enumerate(rows)
                if any(part[at : at + 2] == pair for part in (stems(lead), stems(text)) for at in range(len(part)))
            ]
            tokens = [index.number(stem) for stem in pair]
            assert index.phrase([token for token in tokens if token is not None]).tolist() == expected


@pytest.mark.parametrize("run", [1, 30, 1 << 16])
def test_a_snapshot_holds_what_is_left_and_no_word_of_what_was_erased(
    run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words_room, "_RUN", run)
    rows, index = [*rows_of(50, seed=4), ("", "an unrepeatable secret"), *rows_of(50, seed=5)], Words()
    index.append(rows)
    index.erase(50)
    packed = fields(index, [number for number in range(len(rows)) if number != 50])

    again, left = Words.unpack(packed), rows[:50] + rows[51:]

    assert not any(stem.encode() in part for stem in ("unrepeat", "secret") for part in packed)
    assert index.number("secret") is None
    for word in VOCABULARY:
        assert as_counted(again, stems(word)[0]) == counted(left, stems(word)[0])
    again.append([("", "more tea")])
    assert as_counted(again, "tea") == counted([*left, ("", "more tea")], "tea")


def test_dates_and_numbers_are_looked_for_in_the_text_not_in_front_of_it() -> None:
    index = Words()
    index.append([("Ada Monday 8 May 2023\n", "we met"), ("", "on Monday, 12 of us"), ("", "never")])
    rows = np.array([0, 1, 2])

    assert index.having(rows, index.tokens_of(["monday"])).tolist() == [False, True, False]
    assert index.having(rows, index.numerals()).tolist() == [False, True, False]
    assert index.numerals(4) == index.tokens_of(["2023"])


def test_parts_that_do_not_fit_each_other_are_refused() -> None:
    index = Words()
    index.append(rows_of(20, seed=6))
    packed = fields(index, range(20))
    for broken in ([packed[0], packed[1][:-4], *packed[2:]], [b"", *packed[1:]], [*packed[:4], b""]):
        with pytest.raises(ValueError, match="words"):
            Words.unpack(broken)


def test_words_lose_case_and_accents_and_scripts_without_spaces_fall_into_characters() -> None:
    assert words("Café naïve, the user's 2nd_try!") == ["cafe", "naive", "the", "user", "s", "2nd_try"]
    assert words("東京 tower") == ["東", "京", "tower"]
    assert stems("running runs ran") == ["run", "run", "ran"]
