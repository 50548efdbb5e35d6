"""Notes in Markdown: one file, or a folder of them such as an Obsidian vault or an assistant's memory files.

Rules:
- A note is a `.md` or `.markdown` file in UTF-8 of at most 16 MiB. A folder is walked in the order of its names, at
  most 32 deep; hidden files and folders are not part of it. Links are not followed, neither to files nor to folders:
  what they lead to may lie outside.
- A memory is a paragraph, an item of a list with all that is indented below it, or a block of code. Headings, rules and
  comments are none.
- Headings are context: they are in `metadata.headings`, and searched and embedded with the text, as is the note's name.
- Front matter between `---` lines: `tags`, and one of `date`, `created`, `created_at` for the time. Words like `#this`
  are tags, too. Other plain values are in `metadata.front_matter`.
- A note without a date has the time of its file. Then the same text in the same place is the same memory, whenever the
  file was written. Ids are made of the note's path, the headings, the text, and how often it came there before.
- The thread is the note's path, the position the order in it.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from vault_core.errors import VaultError
from vault_core.memory import Draft
from vault_core.memory.draft import CONTENT_FIELD
from vault_core.transfer.arrival import Finding, Format, Skipped
from vault_core.transfer.foreign import Importer, label, labels, modified, moment
from vault_core.transfer.formats import register
from vault_core.transfer.source import Source, open_file

SUFFIXES = (".md", ".markdown")
MAX_NOTE = 16 << 20
_DEEPEST = 32
_LOOKED_AT = 10_000  # files of a folder, until one is a note
_HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]+")
_FENCE = re.compile(r"[ ]{0,3}(```+|~~~+)")
_RULE = re.compile(r"[ ]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_TAG = re.compile(r"(?<!\S)#([^\W\d][\w/-]*)")
_FRONT = re.compile(r"([A-Za-z_][\w -]{0,63}):[ \t]*(.*)$")
_DATES = ("date", "created", "created_at")


class _Block(NamedTuple):
    line: int
    headings: tuple[str, ...]
    text: str


class _Front(NamedTuple):
    created: datetime | None
    tags: list[str]
    rest: dict[str, Any]


def recognise(source: Source) -> bool:
    """Whether this is a note, or a folder with a note in it."""
    if not source.is_folder:
        return source.path.suffix.lower() in SUFFIXES
    for at, found in enumerate(_walked(source.path)):
        if isinstance(found, Path) or at > _LOOKED_AT:
            return isinstance(found, Path)
    return False


def read(source: Source) -> Iterator[Finding]:
    """Every paragraph, list item and block of code."""
    if not source.is_folder:
        yield from _note(source, source.path, source.path.name)
        return
    for found in _walked(source.path):
        if isinstance(found, Skipped):
            yield found
        else:
            yield from _note(source, found, found.relative_to(source.path).as_posix())


def _walked(folder: Path, deep: int = 0) -> Iterator[Path | Skipped]:
    where = "a folder" if deep else "the folder"
    if deep > _DEEPEST:
        yield Skipped(where, f"it lies deeper than {_DEEPEST} folders")
        return
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:
        yield Skipped(where, "it can't be read")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            yield Skipped("a link", "links are not followed")
        elif entry.is_dir(follow_symlinks=False):
            yield from _walked(folder / entry.name, deep + 1)
        elif entry.name.lower().endswith(SUFFIXES):
            yield folder / entry.name


def _note(source: Source, path: Path, name: str) -> Iterator[Finding]:
    name = name.encode("utf-8", "replace").decode()
    try:
        with open_file(path, source.meter) as file:
            raw = file.read(MAX_NOTE + 1)
        if len(raw) > MAX_NOTE:
            yield Skipped(name, f"it is larger than {MAX_NOTE >> 20} MiB")
            return
        text = raw.decode("utf-8-sig")
    except (VaultError, OSError):
        yield Skipped(name, "it is no regular file, or can't be read")
        return
    except UnicodeDecodeError:
        yield Skipped(name, "it is not UTF-8 text")
        return
    importer = Importer(name="markdown", source=source)
    lines = text.splitlines()
    front, start = _front_matter(lines)
    created = front.created
    seen: Counter[tuple[tuple[str, ...], str]] = Counter()
    for position, block in enumerate(_blocks(lines, start)):
        key = block.headings, block.text
        seen[key] += 1
        metadata: dict[str, Any] = {"note": name, "headings": list(block.headings)}
        if front.rest:
            metadata["front_matter"] = front.rest
        context = " > ".join((Path(name).stem, *block.headings))
        draft = Draft(
            content=block.text,
            id=importer.id_from(name, list(block.headings), block.text, seen[key]),
            tags=labels([*front.tags, *_TAG.findall(block.text)]),
            metadata=metadata,
            thread=label(name),
            event_time=created,
            index={CONTENT_FIELD: f"{context}\n{block.text}"},
        )
        yield importer.arrival(
            draft, f"{name}, line {block.line}", created=created, otherwise=modified(path), position=position
        )


def _front_matter(lines: list[str]) -> tuple[_Front, int]:
    """What a note says of itself, and where it begins: plain values and lists of YAML, no more."""
    end = next((at for at, line in enumerate(lines[1:200], 1) if line.rstrip() in ("---", "...")), 0)
    if not lines or lines[0].rstrip() != "---" or not end:
        return _Front(None, [], {}), 0
    values: dict[str, Any] = {}
    key = ""
    for line in lines[1:end]:
        found = _FRONT.match(line)
        if found:
            key = found[1].strip().lower()
            values[key] = _plain(found[2])
        elif key and (item := line.strip()).startswith("- "):
            before = values[key]
            values[key] = [*(before if isinstance(before, list) else []), _unquoted(item[2:])]
    created = next((when for name in _DATES if (when := moment(values.get(name)))), None)
    given = values.pop("tags", values.pop("tag", []))
    tags = [tag.lstrip("#") for tag in (given.replace(",", " ").split() if isinstance(given, str) else given)]
    return _Front(created, tags, {name: value for name, value in values.items() if value not in ("", [])}), end + 1


def _plain(value: str) -> Any:
    value = value.strip()
    if value.startswith("[") and value.endswith("]"):
        return [one for part in value[1:-1].split(",") if (one := _unquoted(part))]
    return _unquoted(value)


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _blocks(lines: list[str], start: int) -> Iterator[_Block]:
    splitter = _Splitter()
    for at, line in enumerate(lines[start:], start + 1):
        yield from splitter.take(at, line)
    yield from splitter.done()


class _Splitter:
    """Takes the lines of a note one by one and gives the blocks that they end."""

    def __init__(self) -> None:
        self._headings: list[tuple[int, str]] = []
        self._held: list[str] = []
        self._begun = 0
        self._fence = ""
        self._in_item = False

    def take(self, at: int, line: str) -> Iterator[_Block]:
        """Take in a line; gives the block before it if that is whole now."""
        if self._fence:
            yield from self._take_code(line)
            return
        blank = not line.strip()
        if self._in_item and (blank or line[:1] in (" ", "\t")):
            self._held.append(line)
            return
        heading, fence, rule = _HEADING.match(line), _FENCE.match(line), _RULE.match(line)
        item = None if rule else _ITEM.match(line)
        if blank or heading or fence or rule or item or (self._in_item and not self._held[-1].strip()):
            yield from self.done()
        if heading:
            level, title = len(heading[1]), line[heading.end() :].rstrip().rstrip("#").rstrip()
            self._headings = [one for one in self._headings if one[0] < level] + [(level, title)]
        elif not blank and not rule:
            self._begun = self._begun if self._held else at
            self._held.append(line)
            self._in_item = self._in_item or item is not None
            self._fence = fence[1] if fence else ""

    def _take_code(self, line: str) -> Iterator[_Block]:
        self._held.append(line)
        closing = line.strip()
        if closing.startswith(self._fence) and not closing.strip(self._fence[0]):
            self._fence = ""
            yield from self.done()

    def done(self) -> Iterator[_Block]:
        """The block that is held, if there is one."""
        text = "\n".join(self._held).strip("\n").rstrip()
        if self._in_item:
            text = _ITEM.sub("", text, count=1)
        if text and not (text.startswith("<!--") and text.endswith("-->")):
            yield _Block(self._begun, tuple(title for _, title in self._headings), text)
        self._held, self._in_item, self._fence = [], False, ""


FORMAT = register(Format(name="markdown", title="Markdown notes (file or folder)", recognise=recognise, read=read))
