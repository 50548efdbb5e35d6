"""`python -m benchmarks`: run, print the table, keep the results if asked."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import page
from benchmarks.machine import line, load, machine
from benchmarks.measures import NAMES, QUICK, SIZES, Course, run
from benchmarks.report import table


def main() -> None:
    """Read the command line and do it."""
    chosen = _arguments()
    if chosen.page and not chosen.json:
        kept = json.loads(page.KEPT.read_text())
    else:
        kept = _measured(chosen)
        print(line(kept), table(kept["results"]), sep="\n\n")
        if chosen.json:
            chosen.json.write_text(json.dumps(kept, indent=1) + "\n")
    if chosen.page:
        for path in page.write(kept):
            _tell(f"wrote {path.name}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Strongroom's speed, beside others'.")
    parser.add_argument("--quick", action="store_true", help=f"small sizes ({_sizes(QUICK)}), few rounds")
    parser.add_argument("--sizes", type=_parsed, help=f"vault sizes, ascending (default {_sizes(SIZES)})")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=f"of: {', '.join(NAMES)}")
    parser.add_argument("--repeat", type=int, default=1, help="whole runs; each figure is their median")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument(
        "--page", action="store_true", help="write docs/benchmarks.md; without --json, from the kept results"
    )
    return parser.parse_args()


def _measured(chosen: argparse.Namespace) -> dict[str, Any]:
    sizes = chosen.sizes or (QUICK if chosen.quick else SIZES)
    small = max(sizes) <= max(QUICK)
    rounds = {"rounds": 3, "each": 10, "tail": max(min(sizes) // 5, 1)} if small else {}
    course = Course(sizes=sizes, names=chosen.only or NAMES, **rounds)
    every, versions, out = [], dict[str, str](), dict[str, str]()
    for number in range(chosen.repeat):
        if chosen.repeat > 1:
            _tell(f"run {number + 1} of {chosen.repeat}")
        with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
            results, field = run(course, Path(folder), _tell)
        every.append(results)
        versions.update(field.versions)
        out.update(field.out)
    for name, why in sorted(out.items()):
        _tell(f"{name} skipped: {why}")
    return {"machine": machine(), "load": load(), "versions": versions, "out": out, "results": _median(every)}


def _median(every: list[Any]) -> Any:
    """One result from several of the same shape; what is missing in one of them is left out."""
    if isinstance(every[0], dict):
        common = [key for key in every[0] if all(key in one for one in every)]
        return {key: _median([one[key] for one in every]) for key in common}
    return median(every)


def _parsed(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


def _sizes(sizes: tuple[int, ...]) -> str:
    return ",".join(map(str, sizes))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
