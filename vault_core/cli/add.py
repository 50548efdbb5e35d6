"""`strongroom add`: a memory from the command line, or one for each line of standard input."""

import json
import sys
from typing import Annotated, Any

import typer

from vault_core import Vault
from vault_core.cli import codes, options, unlock
from vault_core.cli import embedder as embedders
from vault_core.cli.lines import LineReader
from vault_core.cli.output import note, safe, say, say_json
from vault_core.cli.store_lines import Tally, store_lines
from vault_core.errors import InvalidInputError


def add(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The memory, or - to store each line of standard input as one.")
    ],
    namespace: options.Labels = None,
    memory_type: Annotated[
        str | None,
        typer.Option(
            "--type", metavar="TYPE", help="Such as EPISODIC, SEMANTIC, PERSONA, PROCEDURAL; else chosen by rules."
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag. Repeatable.")] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="A JSON object of your own.")] = None,
    importance: Annotated[float | None, typer.Option(metavar="NUMBER", help="From 0 to 1.")] = None,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Where it comes from.")] = None,
    thread: Annotated[str | None, typer.Option(metavar="NAME", help="The conversation it belongs to.")] = None,
    event_time: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it happened: 2026-03-01T18:00:00Z; without a zone UTC.")
    ] = None,
    id: Annotated[
        str | None, typer.Option(metavar="ID", help="An id of your own; what has it already is replaced.")
    ] = None,
    ack: Annotated[
        bool, typer.Option("--ack", help="For -: print each line's number and id as soon as it is durable.")
    ] = False,
    embedder: options.Embedder = None,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Store a memory, or with - one for each line of standard input.

    A line is acknowledged only once it is on disk, and whatever was acknowledged is kept, however the command ends.
    Blank lines are skipped; a line that can't be stored is named on standard error and the rest goes on (exit code 15).
    What stands on a command line is seen by other programs of this machine; - keeps it from them.
    """
    fields = {
        "namespace": namespace or (),
        "memory_type": memory_type,
        "tags": tag or (),
        "metadata": None if metadata is None else _parsed(metadata),
        "importance": importance,
        "source": source,
        "thread": thread,
        "event_time": event_time,
    }
    if text == "-":
        if id is not None:
            raise InvalidInputError("--id names one memory, and standard input brings many; leave it out")
        if sys.stdin is None:
            raise InvalidInputError("standard input is closed, so there are no lines to store")
        _add_lines(vault, embedder, fields, box, ack=ack, as_json=as_json)
        return
    with unlock.open_vault(vault, embedder=embedders.chosen(embedder)) as opened:
        memory = opened.add(text, id=id, box=box, **fields)
    if as_json:
        say_json(memory)
        return
    say(f"stored {safe(memory.id)} ({safe(memory.memory_type)})")
    if memory.similar:
        say(f"much like {safe(', '.join(memory.similar))}")


def _add_lines(
    vault: str | None, embedder: str | None, fields: dict[str, Any], box: str, *, ack: bool, as_json: bool
) -> None:
    with unlock.open_vault(vault, embedder=embedders.chosen(embedder)) as opened:
        tally = Tally()
        if sys.stdin.isatty():
            note("One memory a line; Ctrl-D ends.")
        try:
            _store(opened, fields, box, tally, ack=ack, as_json=as_json)
        except BrokenPipeError:
            raise
        except BaseException:
            _tell(tally, complete=False, as_json=as_json)
            raise
    _tell(tally, complete=True, as_json=as_json)
    if tally.refused:
        raise typer.Exit(codes.LINES_REFUSED)


def _store(opened: Vault, fields: dict[str, Any], box: str, tally: Tally, *, ack: bool, as_json: bool) -> None:
    def acknowledge(stored: list[tuple[int, str]]) -> None:
        if not ack:
            return
        for number, id_ in stored:
            if as_json:
                say_json({"line": number, "id": id_})
            else:
                say(f"{number}\t{id_}")
        sys.stdout.flush()

    def refuse(number: int, problem: str) -> None:
        if not as_json:
            note(f"line {number}: {problem}")

    reader = LineReader(sys.stdin.buffer)
    visible = not (ack and sys.stdout.isatty())
    store_lines(opened, reader, fields, box, tally, acknowledge=acknowledge, refuse=refuse, bar=visible)


def _tell(tally: Tally, *, complete: bool, as_json: bool) -> None:
    if as_json:
        say_json({**tally.document(), "complete": complete})
        return
    parts = [f"stored {tally.stored:,} {'line' if tally.stored == 1 else 'lines'}"]
    parts += [f"skipped {tally.blank:,} blank"] if tally.blank else []
    parts += [f"refused {len(tally.refused):,}"] if tally.refused else []
    say(", ".join(parts) + ("" if complete else f"; stopped behind line {tally.last:,}"))


def _parsed(metadata: str) -> Any:
    try:
        return json.loads(metadata)
    except (ValueError, RecursionError):
        raise InvalidInputError('--metadata must be a JSON object, such as {"topic": "tea"}') from None
