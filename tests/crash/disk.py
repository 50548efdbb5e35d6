"""A disk that may lose power: what is durable, what is still in flight, and what a cut leaves.

The rules:

- A write or truncation is in flight until its file is synced after it; until then a cut may keep
  it, drop it, or tear it: each 512-byte sector of it is there, missing, noise, or zeros. Bytes that
  the write did not name stay as they were (SQLite's "powersafe overwrite").
- Writes to one file and to several may reach the disk in any order.
- A name (create, link, rename, unlink) is in flight too. A journaling file system keeps their
  order, so that a cut keeps the first few, and a sync of anything makes all of them durable. The
  strict model promises what POSIX does and no more: each one alone, until its folder is synced.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePath
from random import Random

SECTOR = 512  # what a disk writes as one; smaller than any disk's today, so that more can tear

DROPPED, KEPT, NOISE, ZEROS = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Bytes at an offset of a file; `began` and `ended` order it among the other calls."""

    file: int
    offset: int
    body: bytes
    ended: int

    @property
    def sectors(self) -> int:
        last = self.offset + len(self.body) - 1
        return last // SECTOR - self.offset // SECTOR + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate:
    file: int
    size: int
    ended: int
    sectors: int = 1  # it happens or it does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A name begins to mean a file; or stops to mean one, if `file` is None."""

    name: str
    file: int | None
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    old: str
    new: str
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """What was written to the file before the call began is durable once it has ended."""

    file: int
    began: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFolder:
    folder: str
    began: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The workload said something: see `crash.marks`."""

    body: bytes


Op = Write | Truncate | Link | Rename | Sync | SyncFolder | Mark
Naming = Link | Rename


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Everything a workload did to the files below a folder, in order.

    `before` holds the files that were there, by path below the folder; the nth is file n.
    """

    name: str
    before: dict[str, bytes]
    ops: list[Op]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which of the ops in flight a cut keeps, and how: op number -> fate of each of its sectors."""

    writes: tuple[tuple[int, bytes], ...]
    names: tuple[int, ...]


@dataclass(slots=True)
class Disk:
    """The durable bytes, and the ops in flight, after a number of ops."""

    strict: bool
    files: dict[int, bytearray] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    writes: dict[int, Write | Truncate] = field(default_factory=dict)
    namings: dict[int, Naming] = field(default_factory=dict)

    @classmethod
    def before(cls, log: Log, *, strict: bool) -> "Disk":
        """The disk that the workload found: all of it durable."""
        disk = cls(strict=strict)
        for file, (name, body) in enumerate(log.before.items()):
            disk.files[file] = bytearray(body)
            disk.names[name] = file
        return disk

    def step(self, number: int, op: Op) -> None:
        """Do the op with this number in the log."""
        match op:
            case Write() | Truncate():
                self.writes[number] = op
            case Link() | Rename():
                self.namings[number] = op
            case Sync():
                self._settle_writes(op)
                if not self.strict:
                    self._settle_names(op.began, folder=None)
            case SyncFolder():
                self._settle_names(op.began, folder=op.folder if self.strict else None)
            case Mark():
                pass

    def all(self) -> Choice:
        """Everything in flight reaches the disk."""
        return Choice(
            writes=tuple((n, bytes([KEPT]) * op.sectors) for n, op in self.writes.items()),
            names=tuple(self.namings),
        )

    def none(self) -> Choice:
        """Nothing in flight reaches the disk."""
        return Choice(writes=(), names=())

    def some(self, random: Random) -> Choice:
        """A part of what is in flight reaches the disk, some of it damaged."""
        keep, tear = random.choice((0.1, 0.5, 0.9)), random.choice((0.0, 0.2, 0.6))
        writes = []
        for number, op in self.writes.items():
            kept = random.random() < keep
            fate = bytes([KEPT if kept else DROPPED]) * op.sectors
            if isinstance(op, Write) and random.random() < tear:
                damage = random.choice(((KEPT, DROPPED), (KEPT, DROPPED, NOISE, ZEROS)))
                fate = bytes(random.choices(damage, k=op.sectors))
            if any(fate):
                writes.append((number, fate))
        names = list(self.namings)
        if self.strict:
            names = [number for number in names if random.random() < keep]
        else:
            del names[random.randint(0, len(names)) :]
        return Choice(writes=tuple(writes), names=tuple(names))

    def after(self, choice: Choice) -> dict[str, bytearray]:
        """The files that a cut leaves if this is what it keeps, by path below the folder."""
        names = dict(self.names)
        for number in choice.names:
            _name(names, self.namings[number])
        files = {file: bytearray(self.files.get(file, b"")) for file in names.values()}
        for number, fate in choice.writes:
            op = self.writes[number]
            if op.file in files:
                _write(files[op.file], number, op, fate)
        return {name: files[file] for name, file in names.items()}

    def _settle_writes(self, sync: Sync) -> None:
        body = self.files.setdefault(sync.file, bytearray())
        for number, op in list(self.writes.items()):
            if op.file == sync.file and op.ended < sync.began:
                _write(body, number, op, bytes([KEPT]) * op.sectors)
                del self.writes[number]

    def _settle_names(self, began: int, *, folder: str | None) -> None:
        for number, op in list(self.namings.items()):
            if op.ended < began and (folder is None or folder in _folders(op)):
                _name(self.names, op)
                del self.namings[number]


def _folders(op: Naming) -> set[str]:
    names = [op.name] if isinstance(op, Link) else [op.old, op.new]
    return {str(PurePath(name).parent) for name in names}


def _name(names: dict[str, int], op: Naming) -> None:
    match op:
        case Link(name=name, file=None):
            names.pop(name, None)
        case Link(name=name, file=int(file)):
            names[name] = file
        case Rename(old=old, new=new):
            # Without its old name (its creation was lost) there is nothing to rename.
            if old in names:
                names[new] = names.pop(old)


def _write(body: bytearray, number: int, op: Write | Truncate, fate: bytes) -> None:
    if isinstance(op, Truncate):
        _resize(body, op.size)
        return
    if fate.count(KEPT) == len(fate):
        _put(body, op.offset, op.body)
        return
    start = op.offset
    for sector, fortune in enumerate(fate, op.offset // SECTOR):
        end = min((sector + 1) * SECTOR, op.offset + len(op.body))
        piece = op.body[start - op.offset : end - op.offset]
        if fortune == NOISE:
            piece = hashlib.shake_128(b"%d %d" % (number, sector)).digest(len(piece))
        if fortune == ZEROS:
            piece = bytes(len(piece))
        if fortune != DROPPED:
            _put(body, start, piece)
        start = end


def _put(body: bytearray, offset: int, piece: bytes) -> None:
    if len(body) < offset:
        _resize(body, offset)
    body[offset : offset + len(piece)] = piece


def _resize(body: bytearray, size: int) -> None:
    if size < len(body):
        del body[size:]
    else:
        body.extend(bytes(size - len(body)))
