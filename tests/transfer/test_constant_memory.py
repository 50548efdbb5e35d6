"""Reading, importing and exporting hold a few memories at a time, however many there are.

Peaks of Python's own allocations, so that a busy machine changes nothing. 100,000 memories, with the peaks of whole
processes: `python -m benchmarks.moving`.
"""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import moving
from support.moving import HEADER, end, memory
from vault_core import Vault
from vault_core.session import arriving
from vault_core.transfer import choose, open_source

FEW, MANY = 500, 5_000
SLACK = 400_000  # bytes; what `MANY` holds more than `FEW` takes many times that


def source(folder: Path, count: int) -> Path:
    """An export of so many memories."""
    lines = (memory(f"m{number:06d}", f"tea number {number} " * 20, tags=["tea"]) for number in range(count))
    return moving.write(folder / f"{count}.jsonl", [HEADER, *lines, end(count)])


def peak(work: Callable[[], object]) -> int:
    """The most bytes that Python held more than before."""
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def reading(path: Path) -> Iterator[object]:
    opened = open_source(path)
    return choose(opened).read(opened)


def test_a_reader_holds_one_line_at_a_time(tmp_path: Path) -> None:
    few, many = (source(tmp_path, count) for count in (FEW, MANY))
    small, large = (peak(lambda path=path: sum(1 for _ in reading(path))) for path in (few, many))  # type: ignore[misc]
    assert large < small + SLACK


def test_a_reader_that_held_them_all_would_be_noticed(tmp_path: Path) -> None:
    """The seeded bug."""
    few, many = (source(tmp_path, count) for count in (FEW, MANY))
    small, large = (peak(lambda path=path: len(list(reading(path)))) for path in (few, many))  # type: ignore[misc]
    assert large > small + 10 * SLACK


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A vault of many memories, a few of them in a namespace of their own."""
    with moving.empty(tmp_path) as opened:
        opened.import_memories(source(tmp_path, MANY))
        opened.import_memories(source(tmp_path, FEW), namespace=("few",))
        yield opened


def test_exports_and_imports_hold_a_few_at_a_time(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "_MEMORIES", 100)
    few = peak(lambda: vault.export_memories(tmp_path / "few", namespace=("few",)))
    many = peak(lambda: vault.export_memories(tmp_path / "many"))
    assert many < few + SLACK
    few = peak(lambda: vault.import_memories(tmp_path / "few"))
    many = peak(lambda: vault.import_memories(tmp_path / "many"))
    assert many < few + SLACK
