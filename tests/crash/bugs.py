"""Seeded bugs, put under any program that uses sqlite3, without its knowledge.

The product has no switch that makes it unsafe. So the harness changes the ground it stands on:
the child that runs a workload replaces `sqlite3.connect` before the product is imported.
"""

import os
import sqlite3
from collections.abc import Iterable
from enum import StrEnum
from functools import partial
from typing import Any

VARIABLE = "STRONGROOM_TEST_BUG"


class Bug(StrEnum):
    """What can be wrong."""

    NONE = "none"
    NORMAL = "synchronous=NORMAL"
    SPLIT = "entry and records in two transactions"
    SPILL = "temp_store=FILE"


def plant(bug: Bug) -> None:
    """Make every later SQLite connection of this process have the bug."""
    if bug is Bug.NONE:
        return
    sqlite3.connect = partial(sqlite3.connect, factory=_FACTORIES[bug])  # type: ignore[assignment]


def plant_from_environment() -> None:
    """Plant the bug that this variable names, in a child process and its children."""
    plant(Bug(os.environ.get(VARIABLE, Bug.NONE)))


class _Normal(sqlite3.Connection):
    """Turns `PRAGMA synchronous=FULL` into NORMAL."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """See `sqlite3.Connection.execute`."""
        if _is_pragma(sql, "synchronous"):
            sql = "PRAGMA synchronous=NORMAL"
        return super().execute(sql, parameters)


class _Spill(sqlite3.Connection):
    """Turns `PRAGMA temp_store=MEMORY` into FILE."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """See `sqlite3.Connection.execute`."""
        if _is_pragma(sql, "temp_store"):
            sql = "PRAGMA temp_store=FILE"
        return super().execute(sql, parameters)


class _Split(sqlite3.Connection):
    """Commits once more before the records are written."""

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """See `sqlite3.Connection.executemany`."""
        if self.in_transaction and sql.upper().startswith("INSERT INTO RECORD"):
            self.execute("COMMIT")
            self.execute("BEGIN IMMEDIATE")
        return super().executemany(sql, parameters)


_FACTORIES: dict[Bug, type[sqlite3.Connection]] = {
    Bug.NORMAL: _Normal,
    Bug.SPLIT: _Split,
    Bug.SPILL: _Spill,
}


def _is_pragma(sql: str, name: str) -> bool:
    return "".join(sql.lower().split()).startswith(f"pragma{name}=")
