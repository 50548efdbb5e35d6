"""A vault ranks like plain code over plain text: live, from a snapshot, from a replay, and in another process."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from benchmarks.plain_ranking import Note, PlainRanking
from support.processes import call
from support.vaults import create, reopen
from vault_core import Draft, Vault
from vault_core.session.session import microseconds
from vault_core.testing import FakeEmbedder

LARGE_WORDS = """
harbour kettle violin lantern meadow winter letter bicycle plum garden roses train window bread market cousin doctor
holiday lighthouse piano river soup ticket umbrella visit wedding yellow zebra painting camping support group
"""
SMALL_WORDS = "the a to of and we i you it was with for yesterday twelve in 2021"
WORDS, SMALL = LARGE_WORDS.split(), SMALL_WORDS.split()
EMBEDDER = FakeEmbedder(dimension=32)


def notes() -> list[Note]:
    chance, made = Random(11), []
    for talk in range(24):
        date = datetime(2021, 1 + talk % 12, 3, 10, tzinfo=UTC) + timedelta(days=365 * (talk // 12))
        for turn in range(15):
            said = " ".join(
                chance.choice(WORDS if chance.random() < 0.5 else SMALL) for _ in range(3 + chance.randrange(12))
            )
            made.append(
                Note(
                    key=f"{talk}-{turn}",
                    text=said + chance.choice([".", "?", "!"]),
                    source=("Ada", "Ben")[turn % 2],
                    thread=f"talk {talk}",
                    date=date,
                    vector=EMBEDDER.embed_query(said).tolist(),
                )
            )
    return made


def questions() -> list[str]:
    chance = Random(12)
    begin = ["what", "when", "how many", "did Ada", "where did Ben", ""]
    asked = [f"{chance.choice(begin)} the {' '.join(chance.sample(WORDS, k=3))}" for _ in range(40)]
    return [*asked, "support group", "what happened in March 2021?", "the of and"]


NOTES, QUESTIONS = notes(), questions()


def vectors() -> list[list[float]]:
    return [EMBEDDER.embed_query(question).tolist() for question in QUESTIONS]


def ranked(vault: Vault, *, with_vectors: bool) -> list[list[str]]:
    return [
        [hit.memory.id for hit in vault.search(question, query_vector=vector if with_vectors else None, cut=False)]
        for question, vector in zip(QUESTIONS, vectors(), strict=True)
    ]


def both(folder: Path) -> list[list[list[str]]]:
    with reopen(folder) as vault:
        return [ranked(vault, with_vectors=True), ranked(vault, with_vectors=False)]


def add(vault: Vault, some: list[Note]) -> None:
    vault.add_many(
        Draft(
            content=note.text,
            id=note.key,
            source=note.source,
            thread=note.thread,
            event_time=note.date,
            vector=note.vector,
        )
        for note in some
    )


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create(tmp_path) as opened:
        for start, end in pairwise([*range(0, len(NOTES), 50), len(NOTES)]):
            add(opened, NOTES[start:end])
        yield opened


def test_a_vault_ranks_as_plain_code_over_plain_text_does(vault: Vault) -> None:
    plain, now = PlainRanking(NOTES), datetime.fromtimestamp(microseconds() / 1e6, UTC)
    for question, vector in zip(QUESTIONS, vectors(), strict=True):
        for given in vector, None:
            hits = vault.search(question, query_vector=given, cut=False)
            expected = plain.search(question, now, given)
            found = [hit.memory.id for hit in hits]
            assert found == expected[: len(found)], question
            assert len(found) == len(expected) or given is None  # without a vector some have nothing to say


def test_the_comparison_finds_a_ranking_that_is_another(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, now = PlainRanking(NOTES), datetime.fromtimestamp(microseconds() / 1e6, UTC)
    expected = [plain.search(question, now) for question in QUESTIONS]
    monkeypatch.setattr("vault_core.retrieval.lexical.AROUND", 0.7)

    assert ranked(vault, with_vectors=False) != expected


def test_rankings_are_the_same_live_from_a_snapshot_from_a_replay_and_in_another_process(
    vault: Vault, tmp_path: Path
) -> None:
    add(vault, [Note(key="gone", text="the roses of the wedding", source="Cy", thread="talk 3", date=NOTES[0].date)])
    vault.forget("gone")
    live = [ranked(vault, with_vectors=True), ranked(vault, with_vectors=False)]

    replayed = both(tmp_path)
    vault.checkpoint()

    assert replayed == live
    assert both(tmp_path) == live
    assert call(both, tmp_path) == live
