"""The benchmark of the vector store runs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmark_runs_and_names_what_it_compares() -> None:
    command = [sys.executable, "-m", "benchmarks.langchain_vectors", "--size", "10", "--rounds", "1", "--queries", "3"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for name in ("vault: add_many, find_similar", "StrongroomVectorStore", "  over", "InMemoryVectorStore", "Chroma"):
        assert any(row.startswith(name) for row in printed.splitlines())
