"""The example, as it is run: each call is a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import vaults

ROOT = Path(__file__).parents[3]


def run(folder: Path, *arguments: str) -> str:
    paths = os.pathsep.join(str(Path(path).resolve()) for path in sys.path)
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "langgraph_agent.py"), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "STRONGROOM_PASSPHRASE": vaults.PASSPHRASE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.parametrize("way", [[], ["--await"]], ids=["called", "awaited"])
def test_the_agent_remembers_across_processes_and_people(tmp_path: Path, way: list[str]) -> None:
    assert run(tmp_path, *way, "My sister is called Carla.") == "Noted.\n"

    assert run(tmp_path, *way, "What is my sister called?") == "You told me: My sister is called Carla.\n"
    assert run(tmp_path, *way, "--user", "bob", "What is my sister called?") == "I don't know.\n"
    assert b"Carla" not in (tmp_path / "agent.vault").read_bytes()
