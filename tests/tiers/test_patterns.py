"""A question about a pattern finds the pattern, one about a fact finds the fact, on the corpora beside this file.

The corpora were there before the code, one of them by someone who has not seen it. `pytest -s` prints the table.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tiers.corpus import CORPORA, Corpus, fact_rank, load, mrr, pattern_rank, vault_of
from vault_core.retrieval import tiers

Ranks = Mapping[str, int | None]


@pytest.mark.parametrize("name", CORPORA)
def test_pattern_questions_find_the_pattern_first_and_no_fact_is_worse_off(name: str, tmp_path: Path) -> None:
    corpus = load(name)
    with vault_of(corpus, tmp_path) as vault:
        before = {question.id: fact_rank(vault, question) for question in corpus.asked("fact")}
        vault.consolidate()
        facts = {question.id: fact_rank(vault, question) for question in corpus.asked("fact")}
        patterns = {question.id: pattern_rank(vault, question) for question in corpus.asked("pattern")}

    sys.stdout.write(table(name, corpus, before, facts | patterns))
    assert mrr(patterns) == 1.0
    assert [id_ for id_, rank in before.items() if is_worse(facts[id_], rank)] == []


@pytest.mark.parametrize("name", CORPORA)
def test_without_scores_for_tiers_some_patterns_are_not_first(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = load(name)
    monkeypatch.setattr(tiers, "adjusted", lambda scores, *_, **__: scores)
    with vault_of(corpus, tmp_path) as vault:
        vault.consolidate()
        patterns = {question.id: pattern_rank(vault, question) for question in corpus.asked("pattern")}

    sys.stdout.write(f"\n{name} without scores for tiers: MRR of patterns {mrr(patterns):.3f}\n")
    assert mrr(patterns) < 1.0


def test_a_rank_that_got_worse_is_seen() -> None:
    assert is_worse(2, 1)
    assert is_worse(None, 5)
    assert not is_worse(1, 2)
    assert not is_worse(None, None)


def is_worse(after: int | None, before: int | None) -> bool:
    return before is not None and (after is None or after > before)


def table(name: str, corpus: Corpus, before: Ranks, after: Ranks) -> str:
    facts = {id_: after[id_] for id_ in before}
    patterns = {id_: rank for id_, rank in after.items() if id_ not in before}
    rows = [f"\n{name}", f"{'question':<9} {'kind':<8} {'before':>6} {'after':>6}"]
    for one in corpus.questions:
        was = str(before[one.id]) if one.id in before else ""
        rows.append(f"{one.id:<9} {one.kind:<8} {was:>6} {after[one.id]!s:>6}  {one.text}")
    rows.append(f"MRR: patterns {mrr(patterns):.3f}; facts {mrr(before):.3f} before, {mrr(facts):.3f} after\n")
    return "\n".join(rows)
