"""Changing one member of a JSON file, comments and trailing commas allowed, every other byte left as it is."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from vault_core.cli.connect.splice import Splice, UneditableError

_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_ATOM = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_BROKEN = "it is not JSON as far as it can be read"


@dataclass(slots=True)
class Node:
    """A value and where it stands; for an object its members: name, where the name begins, and the value's node."""

    start: int
    end: int = 0
    value: Any = None
    members: list[tuple[str, int, "Node"]] = field(default_factory=list)


@lru_cache(maxsize=2)  # the file as it is and as it would be, each asked for several times: they may be large
def parse(text: str) -> Node:
    """The file's value.

    Raises:
        UneditableError: it is not JSON.
    """
    try:
        root = _value(text, _skip(text, 0))
    except (RecursionError, ValueError, IndexError):
        raise UneditableError(_BROKEN) from None
    if _skip(text, root.end) != len(text):
        raise UneditableError(_BROKEN)
    return root


def put(text: str, servers: str, name: str, value: Mapping[str, Any]) -> Splice | None:
    """The change that makes `value` the member `name` of `servers`; None if it is that already."""
    root = _object(parse(text), "the file")
    found = _member(root, servers)
    if found is None:
        return _inserted(text, root, root, servers, {name: dict(value)})
    container = _object(found[1], servers)
    old = _member(container, name)
    if old is None:
        return _inserted(text, root, container, name, dict(value))
    if old[1].value == value:
        return None
    return Splice(old[1].start, old[1].end, _written(text, root, old[1].start, dict(value)))


def cut(text: str, servers: str, name: str) -> Splice | None:
    """The change that removes the member `name` of `servers`, and `servers` if that is all; None if it isn't there."""
    root = _object(parse(text), "the file")
    found = _member(root, servers)
    old = _member(_object(found[1], servers), name) if found else None
    if found is None or old is None:
        return None
    if len(found[1].members) > 1:
        return _without(text, old)
    if len(root.members) > 1 and _bare(text, found[1]):
        return _without(text, found)
    if len(root.members) == 1 and _bare(text, found[1]) and _bare(text, root):
        return Splice(root.start, root.end, "{}")
    return _without(text, old)


def _value(text: str, at: int) -> Node:
    node = Node(at)
    if text[at] == "{":
        _read_object(text, node)
    elif text[at] == "[":
        _read_array(text, node)
    else:
        token = _STRING.match(text, at) or _ATOM.match(text, at)
        if token is None:
            raise ValueError
        node.value, node.end = json.loads(token[0]), token.end()
    return node


def _read_object(text: str, node: Node) -> None:
    at = _skip(text, node.start + 1)
    while text[at] != "}":
        name = _STRING.match(text, at)
        if name is None:
            raise ValueError
        colon = _skip(text, name.end())
        if text[colon] != ":":
            raise ValueError
        value = _value(text, _skip(text, colon + 1))
        node.members.append((json.loads(name[0]), at, value))
        at = _after_one(text, value.end, "}")
    node.value, node.end = {name: value.value for name, _, value in node.members}, at + 1


def _read_array(text: str, node: Node) -> None:
    node.value = []
    at = _skip(text, node.start + 1)
    while text[at] != "]":
        value = _value(text, at)
        node.value.append(value.value)
        at = _after_one(text, value.end, "]")
    node.end = at + 1


def _after_one(text: str, at: int, close: str) -> int:
    at = _skip(text, at)
    if text[at] == ",":
        return _skip(text, at + 1)
    if text[at] != close:
        raise ValueError
    return at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _object(node: Node, what: str) -> Node:
    if not isinstance(node.value, dict):
        raise UneditableError(f"{what} is no JSON object")
    return node


def _member(node: Node, name: str) -> tuple[int, Node] | None:
    found = [(at, value) for one, at, value in node.members if one == name]
    if len(found) > 1:
        raise UneditableError(f"it has “{name}” more than once")
    return found[0] if found else None


def _inserted(text: str, root: Node, container: Node, name: str, value: Any) -> Splice:
    """First in its container: nothing that stands there, no comment and no comma, is in the way."""
    inside = container.start + 1
    written = f"{json.dumps(name)}: {_written(text, root, container.start, value, deeper=1)}"
    comma = "," if container.members else ""
    if _compact(text, root):
        return Splice(inside, inside, written + comma)
    line, outer = _newline(text), _indent(text, container.start)
    member = f"{line}{outer}{_unit(text, root)}{written}{comma}"
    if container.members:
        return Splice(inside, inside, member)
    if _bare(text, container):
        return Splice(inside, container.end - 1, f"{member}{line}{outer}")
    return Splice(inside, inside, member + ("" if "\n" in text[inside : container.end] else line))


def _without(text: str, member: tuple[int, Node]) -> Splice:
    at, value = member
    begin = at
    while text[begin - 1] in " \t\r\n":
        begin -= 1
    after = _skip(text, value.end)
    if text[after] == ",":
        return Splice(begin, after + 1, "")
    if text[begin - 1] == ",":
        return Splice(begin - 1, value.end, "")
    return Splice(begin, value.end, "")


def _written(text: str, root: Node, at: int, value: Any, *, deeper: int = 0) -> str:
    """The value as text, indented as the line that it begins on."""
    if _compact(text, root):
        return json.dumps(value, ensure_ascii=False)
    unit = _unit(text, root)
    lines = json.dumps(value, ensure_ascii=False, indent=unit).split("\n")
    margin = _indent(text, at) + unit * deeper
    return (_newline(text) + margin).join(lines)


def _compact(text: str, root: Node) -> bool:
    return bool(root.members) and "\n" not in text[root.start : root.end]


def _unit(text: str, root: Node) -> str:
    return (_indent(text, root.members[0][1]) if root.members else "") or "  "


def _indent(text: str, at: int) -> str:
    begin = text.rfind("\n", 0, at) + 1
    found = re.compile(r"[ \t]*").match(text, begin)
    return found[0] if found else ""


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _bare(text: str, node: Node) -> bool:
    """Whether an object has nothing but its members, commas and white space in it: no comment would be lost."""
    at = node.start + 1
    between = []
    for _, begin, value in node.members:
        between.append(text[at:begin])
        at = value.end
    between.append(text[at : node.end - 1])
    return not "".join(between).replace(",", "").strip()
