"""Record the scenarios of the product and check samples of their power cuts."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from crash import bugs
from crash.bugs import Bug
from crash.check import Tally, Work, check_all, scratch_folder, table
from crash.disk import Log
from crash.record import record
from crash.vaults import VaultTarget, prepare

SCENARIOS = ("create", "write", "checkpoint", "forget", "rotate", "passphrase", "sessions")


def record_scenario(name: str, *, bug: Bug = Bug.NONE) -> tuple[Log, VaultTarget]:
    """The log of a scenario of `crash.scenarios`, and who judges its states."""
    prepared = name != "create"
    with scratch_folder() as folder:
        if prepared:
            prepare(folder)
        arguments = ["-m", "crash.scenarios", name]
        log = record(name, arguments, folder=folder, environment={bugs.VARIABLE: bug})
    return log, VaultTarget(prepared=prepared)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of outcomes; 1 if there is a bad one."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--states", type=int, default=10_000, help="power cuts to simulate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=SCENARIOS)
    parser.add_argument("--keep", type=Path, help="a folder for the files of bad states")
    chosen = parser.parse_args(arguments)
    begun = time.monotonic()
    logs = [record_scenario(name) for name in chosen.only]

    def done(work: Work, tally: Tally) -> None:
        _say(f"{work.log.name}: {tally.states:,} states after {time.monotonic() - begun:.0f} s")

    tallies = check_all(logs, states=chosen.states, seed=chosen.seed, keep=chosen.keep, done=done)
    _say(table(tallies))
    return 1 if any(tally.failures for tally in tallies.values()) else 0


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the counts are what it is for


if __name__ == "__main__":
    sys.exit(main())
