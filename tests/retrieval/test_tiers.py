"""What asks for a pattern, what a pattern weighs, and what tiers do to a ranking."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_core.index.tiers import Standing
from vault_core.retrieval.tiers import adjusted, affinity_score, asks_for_pattern, significance

DAY = 86_400_000_000
COMPOSITE, AFFINITY = 1, 2


@pytest.mark.parametrize(
    "question",
    [
        "Where do I usually park?",
        "what's my favorite bakery",
        "Which podcasts do I play in the car?",
        "What do I do on Fridays?",
        "Do I have any habits around sleep?",
        "How often does Priya call her mother?",
        "what did I normally order at Rossi\u2019s back then?",
        "what does she tend to bring to picnics",
        "My go-to recipe for guests?",
        "Every evening walk: which way?",
        "Who do Sam and I meet at weekends?",
    ],
)
def test_asking_for_a_pattern(question: str) -> None:
    assert asks_for_pattern(question)


@pytest.mark.parametrize(
    "question",
    [
        "Where did I park yesterday?",
        "What is my blood type?",
        "When is Priya's birthday?",
        "Where do I live?",
        "What do I do tomorrow morning?",
        "Which bakery did I go to instead of my regular one?",
        "What was the routine check at the garage about?",
        "How do I want my coffee?",
        "passport number",
        "",
    ],
)
def test_asking_for_a_fact(question: str) -> None:
    assert not asks_for_pattern(question)


def test_significance_grows_with_each_time_and_fades_with_each_day() -> None:
    grown = [significance(count, 0) for count in range(100)]
    faded = [significance(5, days) for days in range(0, 5000, 100)]

    assert grown == sorted(grown)
    assert grown[0] == 0
    assert grown[-1] <= 1
    assert faded == sorted(faded, reverse=True)
    assert significance(5, 0) == pytest.approx(1 - np.exp(-1.5))
    assert significance(5, 180) == pytest.approx(significance(5, 0) / 2)
    assert significance(5, -10) == significance(5, 0)
    assert significance(5, 90, "transient") < significance(5, 90) < significance(5, 90, "Preference")


def test_an_affinity_stands_above_its_atoms_for_a_pattern_and_below_all_for_a_fact() -> None:
    scores = np.array([1.0, 0.3, 0.8, 0.5])  # atom, affinity of it, composite, atom
    standings = {1: Standing(AFFINITY, 5, 0, None, (0,)), 2: Standing(COMPOSITE, 5, 0, None, (0,))}

    pattern = adjusted(scores, standings, pattern=True, now=DAY)
    fact = adjusted(scores, standings, pattern=False, now=DAY)

    assert np.argsort(-pattern).tolist() == [1, 0, 3, 2]
    assert np.argsort(-fact).tolist() == [0, 3, 2, 1]
    assert pattern[1] == pytest.approx(affinity_score(1.0, significance(5, 1)) / affinity_score(1.0, 0.0))


@given(
    st.lists(st.tuples(st.floats(-1, 2), st.sampled_from([0, COMPOSITE, AFFINITY])), max_size=30),
    st.floats(0, 1),
)
def test_for_a_fact_no_atom_changes_its_score_or_is_passed_by_a_tier(
    candidates: list[tuple[float, int]], floor: float
) -> None:
    scores = np.array([score for score, _ in candidates])
    standings = {at: Standing(tier, 5, 0, None) for at, (_, tier) in enumerate(candidates) if tier}
    atoms = [at for at, (_, tier) in enumerate(candidates) if not tier]

    after = adjusted(scores, standings, pattern=False, now=DAY, floor=floor)

    assert after[atoms].tolist() == scores[atoms].tolist()
    noise = floor * max((float(scores[at]) for at in atoms), default=0.0)
    for tier in standings:
        assert all(after[tier] < scores[at] for at in atoms if scores[at] >= max(noise, 1e-300))
