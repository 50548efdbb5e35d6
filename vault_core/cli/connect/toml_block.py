"""Codex's TOML: one block of ours between two comments, put at the end and cut out again, the rest left as it is."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from vault_core.cli.connect.splice import Splice, UneditableError

_BEGIN = "# >>> strongroom: {name} (written by `strongroom connect`; `--remove` takes it out)"
_END = "# <<< strongroom: {name}"


def parse(text: str) -> dict[str, Any]:
    """The file's value.

    Raises:
        UneditableError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        raise UneditableError("it is not TOML as far as it can be read") from None


def put(text: str, servers: str, name: str, value: Mapping[str, Any]) -> Splice | None:
    """The change that makes `value` the table `[servers.name]`; None if it is that already."""
    table = parse(text).get(servers, {})
    if not isinstance(table, dict):
        raise UneditableError(f"{servers} is no table")
    if table.get(name) == value:
        return None
    line = "\r\n" if "\r\n" in text else "\n"
    block = line.join(_block(servers, name, value))
    found = _found(text, name)
    if found is not None:
        return Splice(found.start(2), found.end(2), block)
    if name in table:
        raise UneditableError(f"[{servers}.{name}] is there already, and was not written by this command")
    lead = line if text else ""  # a blank line, or the end of a last line that had none: `cut` takes it back
    return Splice(len(text), len(text), f"{lead}{block}{line}")


def cut(text: str, servers: str, name: str) -> Splice | None:
    """The change that takes our block out; None if there is none."""
    found = _found(text, name)
    if found is not None:
        rest, before = text[found.end() :], text[: found.start()]
        runs_on = bool(rest and before) and not before.endswith("\n")
        return Splice(found.start(2) if runs_on else found.start(), found.end(), "")
    table = parse(text).get(servers, {})
    if isinstance(table, dict) and name in table:
        raise UneditableError(f"[{servers}.{name}] was not written by this command; remove it by hand")
    return None


def inline(servers: str, name: str, value: Mapping[str, Any]) -> str:
    """The table in one line, to be pasted in front of the first `[table]`."""
    return f"{servers}.{name} = {_literal(value)}"


def _block(servers: str, name: str, value: Mapping[str, Any]) -> list[str]:
    rows = [f"{key} = {_literal(inner)}" for key, inner in value.items()]
    return [_BEGIN.format(name=name), f"[{servers}.{name}]", *rows, _END.format(name=name)]


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_literal(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # nothing unprintable gets here: what remains is TOML's as well


def _found(text: str, name: str) -> re.Match[str] | None:
    begin, end = re.escape(_BEGIN.format(name=name)), re.escape(_END.format(name=name))
    pattern = re.compile(rf"(\r?\n|\A)({begin}\r?\n.*?\n{end})[ \t]*(?:\r?\n|\Z)", re.DOTALL)
    return pattern.search(text)
