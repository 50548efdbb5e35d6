"""Storing lines: one commit for each batch, and nothing acknowledged before its commit is durable."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vault_core import Draft, Vault
from vault_core.cli.interrupts import Interrupts
from vault_core.cli.lines import Line, LineReader
from vault_core.cli.output import Bar


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the lines so far. Lines up to `last` are done with."""

    stored: int = 0
    blank: int = 0
    last: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def document(self) -> dict[str, Any]:
        """The tally as JSON."""
        return {
            "stored": self.stored,
            "blank": self.blank,
            "refused": [{"line": number, "message": problem} for number, problem in self.refused],
            "last_line": self.last,
            "seconds": round(time.monotonic() - self.began, 3),
        }


def store_lines(
    vault: Vault,
    reader: LineReader,
    fields: Mapping[str, Any],
    box: str,
    tally: Tally,
    *,
    acknowledge: Callable[[list[tuple[int, str]]], None],
    refuse: Callable[[int, str], None],
    bar: bool,
) -> None:
    """Store every line that can be a memory.

    `acknowledge` gets the numbers and ids of lines that are durable, `refuse` those that can't be stored. Ctrl-C takes
    effect while waiting for input or between batches, so that whatever is stored has also been acknowledged.
    """
    size = reader.size()
    with Interrupts() as interrupts, Bar("storing lines", size, shown=bar) as shown:
        for batch in reader.batches():
            with interrupts.held():
                stored = _stored(vault, batch, fields, box)
                _count(tally, batch, len(stored))
                acknowledge(stored)
                for line in batch:
                    if line.problem:
                        refuse(line.number, line.problem)
            shown.at(tally.last if size is None else reader.read_bytes)


def _stored(vault: Vault, batch: Sequence[Line], fields: Mapping[str, Any], box: str) -> list[tuple[int, str]]:
    good = [line for line in batch if line.text]
    memories = vault.add_many([Draft(content=line.text, **fields) for line in good], box=box)
    return [(line.number, memory.id) for line, memory in zip(good, memories, strict=True)]


def _count(tally: Tally, batch: Sequence[Line], stored: int) -> None:
    tally.stored += stored
    tally.refused += [(line.number, line.problem) for line in batch if line.problem]
    tally.blank += sum(not line.text and not line.problem for line in batch)
    tally.last = batch[-1].number
