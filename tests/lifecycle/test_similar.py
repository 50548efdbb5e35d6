"""Near-duplicates: reported when they are added, never merged by themselves, merged on request and back."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from support import vaults
from vault_core import Draft, InvalidInputError, MemoryNotFoundError, Vault
from vault_core.index.tokens import stems
from vault_core.lifecycle.similar import LIKE, Candidate, features, likeness, similar
from vault_core.testing import FakeClock

ALIKE = {
    "punctuation": ("I prefer short answers", "I prefer short answers!"),
    "case": ("I prefer short answers", "i PREFER Short Answers"),
    "inflection": ("My dog likes long walks in the park", "My dog liked a long walk in the park"),
    "one word": ("I take my tea without sugar and with some milk", "I take my tea without sugar and with oat milk"),
    "a word more": ("The spare key is with the neighbour", "The spare key is now with the neighbour"),
    "an article": ("The spare key is with the neighbour", "The spare key is with our neighbour"),
    "another number: another fact": ("The rent is 900 euros a month", "The rent is 950 euros a month"),
    "another name: another fact": ("My sister Anna lives in Munich", "My sister Maria lives in Munich"),
    "another city: another fact": ("My sister Anna lives in Munich", "My sister Anna lives in Berlin"),
    "another time": ("My flight leaves at nine in the morning", "My flight leaves at ten in the morning"),
}  # fmt: skip
UNLIKE = [
    ("My sister Anna lives in Munich", "My brother works in Munich"),
    ("The rent is 900 euros a month", "The car costs 300 euros a month"),
    ("Tea at four", "Dinner at eight"),
    ("The dog is called Rex", "The cat is called Tom"),
    ("I met Bob at the AI conference yesterday", "I met Alice at the book fair yesterday"),
    ("I prefer short answers", "She has a short answer to everything they prefer"),
    ("", "tea"),
    ("!?", "?!"),
]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def vault(tmp_path: Path, clock: FakeClock) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        yield clock.drive(vault)


@pytest.mark.parametrize("how", ALIKE)
def test_texts_that_say_nearly_the_same_are_reported(vault: Vault, how: str) -> None:
    one, other = ALIKE[how]
    vault.add_many([Draft(content=f"note number {number} about something else") for number in range(50)])
    first = vault.add(one)
    second = vault.add(other)

    assert second.similar == (first.id,)
    assert vault.count() == 52  # and left as they are
    assert vault.get(second.id).similar == ()


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_texts_that_share_some_words_are_not(one: str, other: str) -> None:
    ours, theirs = features(stems(one)), features(stems(other))

    assert likeness(ours, theirs) < LIKE
    assert likeness(ours, theirs) == likeness(theirs, ours)


def test_the_threshold_lies_between_what_is_alike_and_what_is_not() -> None:
    alike = [likeness(features(stems(one)), features(stems(other))) for one, other in ALIKE.values()]
    unlike = [likeness(features(stems(one)), features(stems(other))) for one, other in UNLIKE]

    assert max(unlike) < LIKE <= min(alike)


def test_vectors_that_agree_need_less_in_common() -> None:
    said, near = stems("I live in Munich now"), stems("Munich is where I live")
    assert 0.25 < likeness(features(said), features(near)) < LIKE

    assert similar(said, [Candidate(1, near), Candidate(2, near, 0.97), Candidate(3, near, 0.5)]) == (2,)
    assert similar(said, [Candidate("d", stems("a cat"), 1.0)]) == ()


def test_the_vectors_of_memories_are_compared(vault: Vault) -> None:
    same, other = np.eye(8)[0], np.eye(8)[1]
    for name, vector in (("near", same), ("far", other)):
        first = vault.add("I live in Munich now", vector=same, namespace=(name,))
        second = vault.add("Munich is where I live", vector=vector, namespace=(name,))
        assert second.similar == ((first.id,) if name == "near" else ())


def test_only_what_could_be_found_in_the_same_namespace_is_reported(vault: Vault) -> None:
    vault.add("I prefer short answers", namespace=("other",))
    archived, gone = vault.add("I prefer short answers"), vault.add("I prefer short answers, always")
    vault.archive(archived.id)
    vault.forget(gone.id)
    old = vault.add("I prefer short answers, mostly")
    vault.add("never mind", supersedes=[old.id])

    assert vault.add("I prefer short answers!").similar == ()


def test_the_most_alike_come_first_and_not_too_many(vault: Vault) -> None:
    words = "one two three four five six seven eight nine ten eleven twelve"
    for number in range(8):
        vault.add(f"{words} {'more ' * 2} {number}", id=f"far{number}")
    vault.add(f"{words} here", id="near")
    found = vault.add(words).similar

    assert found[0] == "near"
    assert len(found) == 5


def test_a_small_batch_reports_and_a_large_one_does_not(vault: Vault) -> None:
    first = vault.add("I prefer short answers")
    drafts = [Draft(content="I prefer short answers!"), *(Draft(content=f"other {n}") for n in range(31))]

    assert vault.add_many(drafts)[0].similar == (first.id,)
    drafts = [Draft(content="I prefer short answers!!"), *(Draft(content=f"another {n}") for n in range(40))]
    assert vault.add_many(drafts)[0].similar == ()


# merging


def test_merging_keeps_one_and_what_the_others_know_and_erases_nothing(vault: Vault, clock: FakeClock) -> None:
    began = clock.now
    vault.add("I prefer short answers", id="a", tags=["style"], importance=0.9)
    clock.advance(days=1)
    kept = vault.add("I prefer short answers!", id="b", tags=["chat"])
    vault.add("I like short answers", id="c", tags=["style", "old"])
    before = vault.stats().commits
    merged = vault.merge("b", ["a", "c"], content="I prefer short answers, always")

    assert vault.stats().commits == before + 1
    assert (merged.text, merged.supersedes) == ("I prefer short answers, always", ("a", "c"))
    assert (set(merged.tags), merged.importance, merged.reason) == ({"style", "chat", "old"}, 0.9, "merged")
    assert merged.created_at == began
    assert vaults.texts(vault) == ["I prefer short answers, always"]
    assert vault.verify(full=True).erased == 0
    assert {memory.id for memory in vault.history("a", line=True)} == {"a", "b", "c"}

    clock.advance(days=1)
    vault.restore("b", kept.version)
    assert sorted(vaults.texts(vault)) == ["I like short answers", "I prefer short answers", "I prefer short answers!"]
    assert vault.get("b").created_at == began + timedelta(days=1)


def test_merging_without_content_keeps_what_is_said_and_its_vectors(vault: Vault) -> None:
    vault.add("tea", id="a", vector=[1.0, 0.0])
    vault.add("tea!", id="b")

    assert vault.merge("a", ["b"]).text == "tea"
    assert vault.find_similar([1.0, 0.0])[0].memory.id == "a"


def test_what_can_not_be_merged_changes_nothing(vault: Vault) -> None:
    vault.add("tea", id="a")
    before = vault.stats().commits
    for others in ([], ["a"]):
        with pytest.raises(InvalidInputError):
            vault.merge("a", others)
    for keep, others in (("a", ["nobody"]), ("nobody", ["a"])):
        with pytest.raises(MemoryNotFoundError):
            vault.merge(keep, others)

    assert vault.stats().commits == before
