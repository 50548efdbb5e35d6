"""A function as a filter: asked while the vault is not locked, about what counts, and never guessed for."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from vault_core import Draft, ForgetPolicy, Memory, Vault
from vault_core.errors import InvalidInputError
from vault_core.session import asking
from vault_core.session.asking import Asked

WEAK = ForgetPolicy(below=1, min_total=0, retain_fraction=0)
Test = Callable[[Memory], bool]
TEXTS = [f"tea number {number}" for number in range(700)]
VERBS: dict[str, Callable[[Vault, Test], Any]] = {
    "search": lambda vault, test: [hit.memory.text for hit in vault.search("tea", filter=test, top_k=700, cut=False)],
    "find_similar": lambda vault, test: [
        hit.memory.text for hit in vault.find_similar([1.0, 0.0], filter=test, top_k=700)
    ],
    "list": lambda vault, test: [memory.text for memory in vault.list(filter=test, limit=None)],
    "stream": lambda vault, test: [memory.text for memory in vault.stream(filter=test)],
}
COUNTS: dict[str, Callable[[Vault, Test], int]] = {
    "count": lambda vault, test: vault.count(filter=test),
    "forget, dry": lambda vault, test: vault.forget_many(filter=test, dry_run=True).memories,
    "fade, dry": lambda vault, test: vault.forget_many(filter=test, policy=WEAK, dry_run=True).memories,
    "forget": lambda vault, test: vault.forget_many(filter=test).memories,
}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = vaults.create(tmp_path)
    vault.add_many([Draft(content=text, vector=[1.0, number / 1000]) for number, text in enumerate(TEXTS)])
    return vault


def third(memory: Memory) -> bool:
    return int(memory.text.split()[-1]) % 3 == 0


def expected() -> list[str]:
    return [text for number, text in enumerate(TEXTS) if number % 3 == 0]


@pytest.mark.parametrize("verb", VERBS)
def test_what_the_function_accepts_is_given(vault: Vault, verb: str) -> None:
    with vault:
        assert sorted(VERBS[verb](vault, third)) == sorted(expected())


@pytest.mark.parametrize("verb", COUNTS)
def test_what_the_function_accepts_is_counted_and_forgotten(vault: Vault, verb: str) -> None:
    with vault:
        assert COUNTS[verb](vault, third) == len(expected())
        assert vault.count() == len(TEXTS) - (len(expected()) if verb == "forget" else 0)


@pytest.mark.parametrize("verb", [*VERBS, *COUNTS])
def test_a_function_may_wait_for_another_thread_that_writes(vault: Vault, verb: str) -> None:
    wrote = threading.Event()

    def write() -> None:
        vault.add("something else", metadata={"by": "another thread"}, index=False)
        wrote.set()

    other = threading.Thread(target=write)

    def test(memory: Memory) -> bool:
        if not wrote.is_set():
            if other.ident is None:
                other.start()
            assert wrote.wait(60), "the vault is locked while the function is asked"
        return "tea" in memory.text

    with vault:
        {**VERBS, **COUNTS}[verb](vault, test)
        other.join()
        assert wrote.is_set()


def test_the_first_hits_need_few_questions(vault: Vault) -> None:
    asked: list[str] = []

    with vault:
        vault.search("tea number 5", filter=lambda memory: not asked.append(memory.id), top_k=3)  # type: ignore[func-returns-value]

    assert len(asked) == len(set(asked)) < 300


def test_what_the_function_raises_passes_and_nothing_is_forgotten(vault: Vault) -> None:
    def test(memory: Memory) -> bool:
        raise KeyError("the caller's own")

    with vault:
        with pytest.raises(KeyError, match="the caller's own"):
            vault.forget_many(filter=test)
        with pytest.raises(KeyError, match="the caller's own"):
            vault.search("tea", filter=test)
        assert vault.count() == len(TEXTS)


def test_a_function_that_adds_without_end_is_stopped(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_RUNS", 6)
    with vault:
        vault.forget_many(filter=lambda memory: memory.text != TEXTS[0])
        with pytest.raises(InvalidInputError, match="only look"):
            vault.count(filter=lambda memory: bool(vault.add(f"{memory.text} again")))


def test_an_answer_that_was_guessed_is_found(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeded bug: a query goes on with what nobody has answered."""
    monkeypatch.setattr(Asked, "check", lambda _: None)
    with vault:
        assert vault.count(filter=third) != len(expected())
