"""The benchmark runs, says what it left out, and draws the same page from the same results."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parent.parent
PEERS = ("chromadb", "lancedb", "vaultmem")
DRAW = """
import json, sys
from pathlib import Path
from benchmarks import page
page.DOCS = Path(sys.argv[2])
page.write(json.loads(Path(sys.argv[1]).read_text()))
"""


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A whole run with vaults of a few memories."""
    kept = tmp_path_factory.mktemp("bench") / "results.json"
    return _python("-m", "benchmarks", "--sizes", "10,30", "--json", str(kept)), kept


@pytest.mark.parametrize(
    "heading",
    [
        "One memory, durable",
        "Batches with given vectors",
        "Search, 10 hits",
        "Cost of one more memory",
        "Open, after the key derivation",
        "Resident memory",
        "Size in the store",
    ],
)
def test_every_measurement_is_in_the_table(ran: tuple[subprocess.CompletedProcess[str], Path], heading: str) -> None:
    assert heading in ran[0].stdout.splitlines()


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_takes_part_or_a_line_says_why_not(
    ran: tuple[subprocess.CompletedProcess[str], Path], peer: str
) -> None:
    skipped = f"{peer} skipped: {peer} is not installed"

    assert (skipped in ran[0].stderr.splitlines()) == (find_spec(peer) is None)
    assert (f"{peer} " in ran[0].stdout) == (find_spec(peer) is not None)


def test_results_are_kept_with_machine_and_versions(ran: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    kept = json.loads(ran[1].read_text())

    assert set(kept["machine"]) == {"processor", "cores", "memory", "system", "python"}
    assert {"strongroom", "SQLite"} <= set(kept["versions"])
    assert set(kept["results"]["search"]["30"]) >= {"strongroom hybrid", "strongroom dense", "strongroom lexical"}


def test_the_page_and_its_pictures_are_the_same_for_the_same_results(
    ran: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _python("-c", DRAW, str(ran[1]), str(tmp_path / name))

    first, second = ({file.name: file.read_text() for file in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert first == second
    assert set(first) == {
        "benchmarks.md",
        "benchmarks-add-many.svg",
        "benchmarks-search.svg",
        "benchmarks-growth.svg",
    }
    for name in set(first) - {"benchmarks.md"}:
        ET.fromstring(first[name])  # noqa: S314  our own picture


def test_only_what_is_asked_for_is_measured(tmp_path: Path) -> None:
    kept = tmp_path / "results.json"
    _python("-m", "benchmarks", "--sizes", "10", "--only", "add", "--json", str(kept))

    assert list(json.loads(kept.read_text())["results"]) == ["add"]
