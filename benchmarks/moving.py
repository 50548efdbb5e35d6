"""Moving house: time and memory of imports and exports. `python -m benchmarks.moving [--memories 100000]`.

Every step is a process of its own. What counts is how much more RAM it takes than a process that only opens the same
vault: the index lies in RAM anyway. Reading alone, without a vault, shows what a reader holds.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from vault_core import FileKey, KdfParameters, Vault, new_key_text
from vault_core.memory import Draft, Memory, Space
from vault_core.memory.draft import memory_from
from vault_core.transfer import choose, open_source
from vault_core.transfer.jsonl import Lines

DIMENSION = 64
PASSPHRASE = "correct horse battery staple"  # noqa: S105  of vaults that are gone a minute later
COST = KdfParameters(memory_kib=64 * 1024, passes=1, lanes=1)  # so that its memory hides nothing
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("tea", "bread", "river", "garden", "letter", "morning", "friend", "winter", "music", "window", "street")


def main() -> None:
    """Print the table, or carry out one step in this process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moving", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--step", nargs=2, metavar=("STEP", "FOLDER"))
    given = parser.parse_args()
    if given.step:
        _step(given.step[0], Path(given.step[1]))
        return
    print("| memories | step | seconds | peak RSS, MiB |\n|---|---|---|---|")
    for count in (given.memories // 20, given.memories):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "key").write_text(new_key_text("file"))
            write(folder / "it.jsonl", count)
            for step in STEPS:
                command = [sys.executable, "-m", "benchmarks.moving", "--step", step, str(folder)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                print(f"| {count:,} | {step} | {done.stdout.strip()} |", flush=True)
            same = (folder / "it.jsonl").read_bytes() == (folder / "again.jsonl").read_bytes()
            print(f"| {count:,} | the second export is {'the same' if same else 'ANOTHER'} | | |", flush=True)


def write(path: Path, count: int) -> None:
    """An export of so many memories, every tenth with two versions."""
    with path.open("wb") as file:
        lines = Lines(file.write)
        lines.space("main", Space(name="default", dimension=DIMENSION))
        for number in range(count):
            versions = _versions(number)
            lines.memory("main", next(versions), versions)
        lines.end()


def _versions(number: int) -> Iterator[Memory]:
    draw = np.random.default_rng(number)
    for version in range(2 if number % 10 == 0 else 1):
        text = " ".join(draw.choice(WORDS, 14)) + f" {number}.{version}"
        yield memory_from(
            Draft(content=text, memory_type="EPISODIC", tags=["moved"], metadata={"number": number}),
            id=f"{number:024x}",
            now=BEGAN + timedelta(seconds=number, microseconds=version),
            provenance={"program": "benchmark", "session": "0" * 32},
            vectors={"default": {"": draw.standard_normal(DIMENSION).astype(np.float32)}},
        )


def _step(name: str, folder: Path) -> None:
    start = time.perf_counter()
    STEPS[name](folder)
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{seconds:.1f} | {peak}")


def _read(folder: Path) -> None:
    source = open_source(folder / "it.jsonl")
    for _ in choose(source).read(source):
        pass


def _import(folder: Path) -> None:
    with Vault.create(folder / "it.vault", unlock=FileKey(folder / "key")) as vault:
        vault.import_memories(folder / "it.jsonl")


def _again(folder: Path) -> None:
    with _open(folder) as vault:
        before = vault.stats().commits
        vault.import_memories(folder / "it.jsonl")
        if vault.stats().commits != before:
            raise SystemExit("a second import committed something")


def _import_bundle(folder: Path) -> None:
    with Vault.create(folder / "other.vault", unlock=FileKey(folder / "key")) as vault:
        vault.import_memories(folder / "it.bundle", passphrase=PASSPHRASE)


def _export_bundle(folder: Path) -> None:
    with _open(folder) as vault:
        vault.export_memories(folder / "it.bundle", passphrase=PASSPHRASE, kdf=COST)


def _export(folder: Path) -> None:
    with _open(folder) as vault:
        vault.export_memories(folder / "again.jsonl")


def _open_only(folder: Path) -> None:
    with _open(folder) as vault:
        vault.count()


def _open(folder: Path) -> Vault:
    return Vault.open(folder / "it.vault", unlock=FileKey(folder / "key"))


STEPS: dict[str, Callable[[Path], None]] = {
    "read, no vault": _read,
    "import": _import,
    "open": _open_only,
    "import again": _again,
    "export": _export,
    "export a bundle": _export_bundle,
    "import the bundle": _import_bundle,
}

if __name__ == "__main__":
    main()
