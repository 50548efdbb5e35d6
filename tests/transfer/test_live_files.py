"""The published packages themselves, now: each makes its file here, and it is imported.

Only with `STRONGROOM_FOREIGN=1`, for it installs them: `vaultmem` with pip into an environment of its own, the
reference memory server with npm. The committed files were made by the same script, so the suite needs neither.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.foreigners import PASSPHRASE, VAULTMEMS, imported

SCRIPT = Path(__file__).parent / "make_files.py"
SERVER = "@modelcontextprotocol/server-memory"

pytestmark = pytest.mark.skipif(
    os.environ.get("STRONGROOM_FOREIGN") != "1", reason="installs other systems' packages; set STRONGROOM_FOREIGN=1"
)


def run(*command: str | Path, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=600)


@pytest.mark.parametrize("version", VAULTMEMS)
def test_a_vault_that_vaultmem_makes_now_is_read_whole(tmp_path: Path, version: str) -> None:
    """Every atom's text, type, tier, time and vector is what the package reads back."""
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", f"vaultmem=={version}", cwd=tmp_path)
    run(python, SCRIPT, "vaultmem", tmp_path / "made", cwd=tmp_path)

    memories, report = imported(tmp_path, tmp_path / "made" / "vault", passphrase=PASSPHRASE)

    atoms = {f"vaultmem-{one['id']}": one for one in json.loads((tmp_path / "made" / "truth.json").read_text())}
    assert report.skipped_count == 0
    assert {one.id for one in memories} == atoms.keys()
    for one in memories:
        atom = atoms[one.id]
        assert [one.content, one.memory_type, one.tier, int(one.created_at.timestamp())] == [
            atom[key] for key in ("content", "type", "granularity", "created_at")
        ]
        if atom["embedding"] is not None:
            own = one.vectors["vaultmem-96"][""]
            assert np.array_equal(own, np.asarray(atom["embedding"], np.float32))


def test_a_graph_that_the_memory_server_writes_now_is_read_whole(tmp_path: Path) -> None:
    """Every observation and relation that the server reads back."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here")
    run(npm, "install", "--prefix", tmp_path, SERVER, cwd=tmp_path)
    server = tmp_path / "node_modules" / SERVER / "dist" / "index.js"
    run(sys.executable, SCRIPT, "knowledge-graph", tmp_path / "made", server, cwd=tmp_path)

    memories, report = imported(tmp_path, tmp_path / "made" / "memory.jsonl")

    graph = json.loads((tmp_path / "made" / "graph.json").read_text())
    told = [text for entity in graph["entities"] for text in entity["observations"]]
    assert [one.content for one in memories if one.metadata["graph"] == "observation"] == told
    assert sum(one.metadata["graph"] == "relation" for one in memories) == len(graph["relations"])
    assert report.skipped_count == 0
