"""What a search finds first, and why it says so; through the public API."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support.vaults import create, reopen
from vault_core import Draft, InvalidInputError, UnavailableError, Vault
from vault_core.retrieval import ranking
from vault_core.testing import FakeEmbedder

BEFORE = [("Ada", "Good morning."), ("Ben", "Good morning to you."), ("Ada", "The weather is dull."), ("Ben", "It is.")]
TALK = [
    ("Ada", "Hello Ben, how was your holiday?"),
    ("Ben", "Wonderful, we went to the lighthouse."),
    ("Ada", "Which colour did you paint the boat?"),
    ("Ben", "Green, because the children wanted it."),
    ("Ada", "Nice. I bought three books about gardening yesterday."),
    ("Ben", "I read about gardening too, mostly about roses."),
    ("Ada", "The roses at the support group were lovely."),
    ("Ben", "A group of friends gave me support."),
]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create(tmp_path) as opened:
        opened.add_many(
            Draft(content=text, id=str(place), source=who, thread="talk", namespace=["home"])
            for place, (who, text) in enumerate(BEFORE + TALK, start=-len(BEFORE))
        )
        yield opened


def found(vault: Vault, query: str, **options: object) -> list[str]:
    return [hit.memory.id for hit in vault.search(query, **options)]  # type: ignore[arg-type]


def test_the_answer_to_a_question_is_found_though_it_shares_no_word_with_it(vault: Vault) -> None:
    answer = found(vault, "What colour is the boat painted?").index("3")

    assert answer <= 1  # the question itself may stand before it


def test_an_answer_is_not_among_the_first_where_answers_count_for_nothing(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "ANSWER", 0.0)
    monkeypatch.setattr(ranking, "BESIDE", 0.0)
    assert "3" not in found(vault, "What colour is the boat painted?")[:2]


@pytest.mark.parametrize(("who", "first"), [("Ada", "4"), ("Ben", "5")])
def test_a_name_in_the_question_favours_what_that_person_said(vault: Vault, who: str, first: str) -> None:
    assert found(vault, f"What did {who} do about gardening?")[0] == first


def test_words_that_follow_each_other_count_more_than_the_same_words_apart(vault: Vault) -> None:
    assert found(vault, "support group")[0] == "6"


def test_a_quoted_phrase_must_be_there_word_after_word(vault: Vault) -> None:
    assert found(vault, '"support group"') == ["6"]
    assert found(vault, '"group support"') == []
    assert found(vault, 'roses "support group"') == ["6"]


def test_when_asks_for_something_with_a_date_and_how_many_for_a_number(vault: Vault) -> None:
    for query in "When were books about gardening bought?", "How many books about gardening?":
        assert found(vault, query)[0] == "4"
        assert "wanted" in vault.search(query, explain=True)[0].parts
    assert "wanted" not in vault.search("books about gardening", explain=True)[0].parts


def test_a_question_about_what_the_vault_does_not_know_finds_nothing(vault: Vault) -> None:
    assert found(vault, "What is the tallest mountain in Peru?") == []
    assert found(vault, "What do I know about submarines?") == []


def test_a_questions_wrapping_does_not_drown_its_words(vault: Vault) -> None:
    assert found(vault, "Please tell me what you know about the lighthouse") == found(vault, "lighthouse")


def test_a_query_of_stop_words_alone_is_answered_all_the_same(vault: Vault) -> None:
    assert found(vault, "how was it")


@pytest.mark.parametrize("vectors", [True, False])
def test_the_parts_of_a_score_add_up_to_it(tmp_path: Path, vectors: bool) -> None:
    with create(tmp_path, embedder=FakeEmbedder() if vectors else None) as opened:
        opened.add_many(Draft(content=text, thread="talk", importance=0.9) for _, text in TALK)
        hits = opened.search("roses and gardening", explain=True)

        assert hits
        for hit in hits:
            assert sum(hit.parts.values()) == pytest.approx(hit.score)
            assert ("cosine" in hit.parts) == vectors
        assert all(not hit.parts for hit in opened.search("roses and gardening"))


def test_a_namespace_is_ranked_as_if_the_others_were_not_there(vault: Vault, tmp_path: Path) -> None:
    alone = [(hit.memory.id, hit.score) for hit in vault.search("roses at the group", namespace=["home"])]
    vault.add_many(Draft(content=f"roses and more roses {n}", namespace=["work"], source="Ada") for n in range(50))

    with_others = [(hit.memory.id, hit.score) for hit in vault.search("roses at the group", namespace=["home"])]

    assert [one for one, _ in with_others] == [one for one, _ in alone]
    assert [score for _, score in with_others] == pytest.approx([score for _, score in alone], abs=1e-6)


def test_a_turn_that_is_hidden_lends_nothing_to_the_turns_beside_it(vault: Vault) -> None:
    before = next(hit.score for hit in vault.search("boat colour") if hit.memory.id == "3")
    vault.archive("2", namespace=["home"])

    left = [hit for hit in vault.search("boat colour") if hit.memory.id == "3"]

    assert not left or left[0].score < before / 2


def test_a_turn_that_changed_stays_in_its_place_in_the_conversation(vault: Vault) -> None:
    vault.update("2", content="Which colour did you paint the shed?", namespace=["home"])

    assert "3" in found(vault, "What colour is the shed?")[:2]


def test_a_time_in_the_question_favours_what_happened_then(tmp_path: Path) -> None:
    with create(tmp_path) as opened:
        for year in range(2019, 2024):
            opened.add(f"we went camping, trip {year - 2000}", id=str(year), event_time=f"{year}-07-10")

        assert found(opened, "Where did we go camping in 2021?")[0] == "2021"
        assert found(opened, "camping before 2020")[0] == "2019"


def test_a_forgotten_turn_is_in_no_window_any_more_also_after_reopening(vault: Vault, tmp_path: Path) -> None:
    vault.checkpoint()
    vault.forget("2", namespace=["home"])
    assert found(vault, "boat") == []
    vault.close()

    with reopen(tmp_path) as again:
        assert found(again, "boat") == []


def test_thread_keeps_to_one_conversation(vault: Vault) -> None:
    vault.add("Roses everywhere", thread="other", id="apart")

    assert found(vault, "roses", thread="other") == ["apart"]
    assert "apart" not in found(vault, "roses", thread="talk")
    assert found(vault, "roses", thread="none") == []


def test_importance_and_freshness_decide_between_equals_only(tmp_path: Path) -> None:
    with create(tmp_path) as opened:
        opened.add("the kettle is blue, one", id="plain")
        opened.add("the kettle is blue, two", id="important", importance=1.0)
        opened.add("the kettle is blue, three", id="old", event_time="2001-01-01")
        opened.add("the kettle is blue and the kettle whistles", id="better", importance=0.0)

        assert found(opened, "kettle whistles")[0] == "better"
        order = found(opened, "blue kettle")
        assert order.index("important") < order.index("plain") < order.index("old")


# diversity and rerankers


def test_diversity_brings_the_other_thing_forward(tmp_path: Path) -> None:
    with create(tmp_path) as opened:
        for number in range(4):
            opened.add(f"tea with milk in the kitchen, cup {number}", id=f"same {number}")
        opened.add("tea ceremony far away", id="other")

        assert "other" not in found(opened, "tea with milk", top_k=2)
        assert "other" in found(opened, "tea with milk", top_k=2, diversity=0.8)
        assert found(opened, "tea with milk", diversity=0.0) == found(opened, "tea with milk")


class Longest:
    """Likes long texts."""

    def __init__(self, scores: Sequence[float] | None = None) -> None:
        self.seen: list[str] = []
        self._scores = scores

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        self.seen += [query, *texts]
        return [len(text) for text in texts] if self._scores is None else self._scores


def test_a_reranker_reads_the_query_and_the_texts_and_its_order_holds(vault: Vault) -> None:
    reranker = Longest()
    hits = vault.search("roses", reranker=reranker, top_k=2)

    lengths = [len(hit.memory.text) for hit in hits]
    assert lengths == sorted(map(len, reranker.seen[1:]), reverse=True)[:2]
    assert reranker.seen[0] == "roses"
    assert [hit.score for hit in hits] == lengths


@pytest.mark.parametrize("scores", [[], [float("nan")] * 50, ["a"] * 50], ids=["too few", "nan", "text"])
def test_a_reranker_that_gives_no_numbers_is_unavailable(vault: Vault, scores: list[float]) -> None:
    with pytest.raises(UnavailableError, match="reranker"):
        vault.search("roses", reranker=Longest(scores))


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan"), "much", True])
def test_diversity_is_a_number_from_0_to_1(vault: Vault, diversity: object) -> None:
    with pytest.raises(InvalidInputError, match="diversity"):
        vault.search("roses", diversity=diversity)  # type: ignore[arg-type]
