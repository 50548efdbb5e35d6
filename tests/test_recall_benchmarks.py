"""The recall benchmarks measure what they say, on a conversation small enough to count by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import locomo, recall_speed, recall_study
from benchmarks.locomo import Question, score

SAMPLE = {
    "sample_id": "small",
    "conversation": {
        "speaker_a": "Ada",
        "speaker_b": "Ben",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ada", "dia_id": "D1:1", "text": "The kettle is green."},
            {"speaker": "Ben", "dia_id": "D1:2", "text": "My boat is blue.", "blip_caption": "a harbour"},
        ],
        "session_2_date_time": "12:05 am on 9 June, 2023",
        "session_2": [{"speaker": "Ada", "dia_id": "D2:1", "text": "We danced all night."}],
    },
    "qa": [
        {"question": "What colour is the kettle?", "evidence": ["D1:1"], "category": 4},
        {"question": "Who danced?", "evidence": ["D:2:01; D9:9"], "category": 1},
        {"question": "Where is the harbour?", "evidence": ["D1:2", "D2:1"], "category": 2},
        {"question": "no evidence", "evidence": ["D"], "category": 3},
    ],
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    data, vectors = tmp_path / "data.json", tmp_path / "vectors.npz"
    data.write_text(json.dumps([SAMPLE, {**SAMPLE, "sample_id": "other"}]))
    turns = [f"{sample}/{turn}" for sample in ("small", "other") for turn in ("D1:1", "D1:2", "D2:1")]
    questions = [f"{sample}/{number}" for sample in ("small", "other") for number in range(4)]
    np.savez(
        vectors,
        turn_key=np.array(turns),
        turn_vec=np.eye(4, dtype=np.float16)[[0, 1, 2] * 2],
        question_key=np.array(questions),
        question_vec=np.eye(4, dtype=np.float16)[[0, 2, 1, 3] * 2],
    )
    return str(data), str(vectors)


def test_the_table_holds_the_vault_and_its_peers(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    locomo.main(["--data", files[0], "--vectors", files[1], "--json"])
    shown = json.loads(capsys.readouterr().out)

    assert shown["cosine alone"]["frac@10"] == 1.0  # there are three turns
    assert shown["strongroom, with vectors"]["mrr"] == shown["cosine alone"]["mrr"] == 1.0
    assert set(shown["strongroom, no vectors"]) == {
        "frac@5", "frac@10", "frac@20", "mrr", "multi-hop", "temporal", "single-hop",
    }  # fmt: skip


def test_without_vectors_only_words_are_compared(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    locomo.main(["--data", files[0]])
    shown = capsys.readouterr().out

    assert shown.startswith("6 questions")
    assert "strongroom, no vectors" in shown
    assert "cosine" not in shown


def test_a_score_is_the_part_of_the_evidence_that_is_found() -> None:
    question = Question(sample="small", text="", category=1, evidence=frozenset({"a", "b"}), vector=None)

    assert score(question, ["x", "a"]).found == (0.5, 0.5, 0.5)
    assert score(question, ["x", "a"]).reciprocal == 0.5
    assert score(question, [*"uvwxyz", "b", "a"]).found == (0.0, 1.0, 1.0)
    assert score(question, []).reciprocal == 0.0


def test_the_study_switches_every_part_off_and_leaves_the_numbers_as_they_were(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = [getattr(*setting) for settings in recall_study.PARTS.values() for setting in settings]
    recall_study.main(["--data", files[0], "--vectors", files[1]])
    shown = capsys.readouterr().out

    assert all(f"without {part}" in shown for part in recall_study.PARTS)
    assert "all, no vectors" in shown
    assert [getattr(*setting) for settings in recall_study.PARTS.values() for setting in settings] == numbers


def test_the_speed_of_every_mode_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    recall_speed.main(["--sizes", "200"])

    assert capsys.readouterr().out.count("| 200 |") == 5
