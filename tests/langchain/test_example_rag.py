"""examples/langchain_rag.py runs, offline, and says what it should."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "langchain_rag.py"


def test_the_example_answers_from_the_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE))["main"](tmp_path)

    assert capsys.readouterr().out.splitlines() == [
        "Bins are collected on Tuesday morning.",
        "The boiler is reset with the red button under the cover.",
        "I put the spare key under the third flower pot.",
    ]
