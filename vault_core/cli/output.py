"""Printing: text that can't steer a terminal, JSON, and a bar for what takes long.

Rules:
- Memories and names are data. Whatever a terminal would obey (escape sequences, C1 controls, bidirectional overrides)
  is shown as its code, on pipes too: `less -R` obeys as well.
- JSON is ASCII, every control character escaped.
- Results go to standard output; bars, questions and errors to standard error.
"""

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # the categories that hold what a terminal acts on
_HARMLESS = frozenset("\u200c\u200d\u200e\u200f\u061c")  # joiners and marks that scripts and emoji need
PATIENCE = 1.0  # seconds of work before a bar appears
_NOT_SHOWN = frozenset({"vectors", "content_hash", "address"})  # of a memory: for machines, and large


def safe(text: str, *, one_line: bool = True) -> str:
    """The text with everything a terminal would obey shown as its code; line breaks as well, or kept."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter, one_line) for letter in text)


def say(text: str = "") -> None:
    """Print one line of a result. The caller has made it `safe`."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Print one line on standard error, made safe."""
    sys.stderr.write(safe(text) + "\n")
    sys.stderr.flush()


def as_json(value: Any) -> str:
    """One line of JSON in ASCII."""
    # DEL is the one control character that `ensure_ascii` leaves as it is; it can only be inside a text.
    return json.dumps(plain(value)).replace("\x7f", "\\u007f")


def say_json(value: Any) -> None:
    """Print one JSON document as a result."""
    say(as_json(value))


def note_json(value: Any) -> None:
    """Print one JSON document on standard error."""
    note(as_json(value))


def plain(value: Any) -> Any:
    """A value of the API as JSON: dataclasses as objects, times as ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        shown = {one.name: plain(getattr(value, one.name)) for one in fields(value) if one.name not in _NOT_SHOWN}
        return shown | {name: getattr(value, name) for name in ("version", "trust") if hasattr(value, name)}
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(inner) for inner in value]
    return value


def console() -> "Console":
    """Rich, on standard output, with nothing in the text taken for markup."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with a code of its own

    return _Console(file=sys.stdout, markup=False, highlight=False, emoji=False, soft_wrap=True)


class Bar:
    """A progress bar on standard error: after a second of work, and only where a person looks."""

    def __init__(
        self,
        what: str,
        total: int | None = None,
        *,
        shown: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._total, self._clock = what, total, clock
        self._shown = shown and sys.stderr.isatty()
        self._began = clock()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def at(self, done: int, total: int | None = None) -> None:
        """Say how far the work is; `total` is what it has grown to."""
        self._total = total if total is not None else self._total
        if self._progress is None:
            if not self._shown or self._clock() - self._began < PATIENCE:
                return
            self._progress = self._started()
        self._progress.update(self._progress.task_ids[0], completed=done, total=self._total)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _started(self) -> "Progress":
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        measured = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
        counted = (TextColumn("{task.completed:,.0f}"), TimeElapsedColumn())
        progress = Progress(
            TextColumn("{task.description}"),
            *(measured if self._total else counted),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # acknowledgements are a result, not part of the bar
            redirect_stderr=False,
        )
        progress.add_task(self._what, total=self._total)
        progress.start()
        return progress


def _shown(letter: str, one_line: bool) -> str:
    if letter in "\n\t" and not one_line:
        return letter
    if unicodedata.category(letter) not in _OBEYED or letter in _HARMLESS:
        return letter
    if letter == "\n":
        return " ↵ "
    if letter == "\t":
        return " "
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
