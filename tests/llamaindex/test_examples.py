"""The examples run offline and say what they should."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def printed(name: str, folder: Path) -> str:
    paths = os.pathsep.join(dict.fromkeys(str(Path(path).resolve()) for path in sys.path))
    return subprocess.run(
        [sys.executable, EXAMPLES / name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_folder_is_indexed_here_and_asked_elsewhere(tmp_path: Path) -> None:
    assert printed("llamaindex_folder.py", tmp_path) == (
        "indexed 3 files, 3 chunks\n"
        "travel.txt: Nora's flight to Lisbon leaves on Friday at nine. The hotel is near the river.\n"
    )


def test_an_agent_knows_in_the_next_process_what_it_heard_in_the_first(tmp_path: Path) -> None:
    assert printed("llamaindex_agent.py", tmp_path) == (
        "monday: My sister Nora lives in Lisbon.\nagent: I will remember that.\n"
        "friday: Where does Nora live?\nagent: I remember My sister Nora lives in Lisbon.\n"
    )
