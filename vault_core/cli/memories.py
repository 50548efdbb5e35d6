"""Memories and hits as people read them. Every text of theirs goes through `safe`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from vault_core import Change, Memory, SearchResult, strength
from vault_core.cli.output import as_json as json_of
from vault_core.cli.output import console, plain, safe, say, say_json

SHORT = 240  # characters of a memory in a list; `show` has all of it


def print_hits(hits: Sequence[SearchResult]) -> None:
    """Print hits, best first, each with its score, and what that is made of where it was asked for."""
    if not hits:
        say("nothing found")
    for hit in hits:
        _print_one(f"{hit.score:.3f}", hit.memory)
        if hit.parts:
            say("  " + "  ".join(f"{safe(name)} {value:.3f}" for name, value in hit.parts.items()))


def print_memories(memories: Sequence[Memory], *, versions: bool = False) -> None:
    """Print memories, each with its day; or with its version and time, for those of a history."""
    for memory in memories:
        _print_one(
            f"{memory.version} {memory.updated_at:%Y-%m-%d %H:%M}" if versions else f"{memory.updated_at:%Y-%m-%d}",
            memory,
        )


def print_changes(changes: Iterable[Change], *, as_json: bool) -> None:
    """Print changes as they come, one a line: there may be more than fit in memory."""
    for change in changes:
        if as_json:
            say_json(change)
            continue
        who = f"{change.program or 'session'} {change.writer[:8]}"
        about = [change.kind, change.id, change.version and f"version {change.version}", change.reason]
        told = " · ".join(safe(part) for part in about if part)
        say(f"{change.seq:>6} {change.time:%Y-%m-%d %H:%M:%S}  {safe(who)}  {told}")


def print_memory(memory: Memory) -> None:
    """Print all of one memory."""
    say(safe(memory.text, one_line=False))
    say()
    about = plain(memory)
    state = {name: value for name, value in about.pop("state").items() if value}
    for name, value in (about | state).items():
        if name not in ("content", "similar", "index") and value not in (None, [], {}, ""):
            say(f"{name:<14} {_told(value)}")
    say(f"{'strength':<14} {strength(memory, datetime.now(UTC)):.2f}")


def _print_one(lead: str, memory: Memory) -> None:
    from rich.text import Text

    text = memory.text if len(memory.text) <= SHORT else memory.text[: SHORT - 1] + "…"
    about = [memory.id, memory.memory_type, "/".join(memory.namespace), *(f"#{tag}" for tag in memory.tags)]
    if memory.tier != "ATOM":
        about.insert(1, memory.tier)
    if memory.trust != "trusted":
        about.append(memory.trust)
    if memory.box != "main":
        about.append(f"box {memory.box}")
    out = console()
    out.print(Text.assemble((lead, "bold"), "  ", safe(text)))
    out.print(Text("  " + safe(" · ".join(part for part in about if part)), style="dim"))


def _told(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return safe(", ".join(value))
    return safe(value if isinstance(value, str) else json_of(value))
