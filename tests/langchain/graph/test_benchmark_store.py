"""The benchmark of the LangGraph store runs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_benchmark_runs_and_names_what_it_compares() -> None:
    small = ["--size", "100", "--rounds", "1", "--reads", "2", "--tasks", "3"]
    command = [sys.executable, "-m", "benchmarks.langgraph_store", *small]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    rows = printed.splitlines()
    for name in ("vault: add_many", "StrongroomStore", "  over", "  batch / add_many", "InMemoryStore", "SqliteStore"):
        assert any(row.startswith(name) for row in rows)
    assert rows[-1].startswith("longest stall of the event loop")
