"""Run a workload and write down, in order, everything it does to the files below its folder.

The programs are the real ones: Python, its own sqlite3, as many processes as the workload starts.
SQLite's `-shm` file is left out: it lives in shared memory, never has to survive, and is rebuilt.
Anything else that this recorder does not model (a shared writable mapping, `copy_file_range`, …) is
a TraceError and not a gap, and in the end the log is replayed and compared with the real files.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crash.disk import Disk, Link, Log, Mark, Op, Rename, Sync, SyncFolder, Truncate, Write
from crash.marks import MARKS
from crash.strace import Call, TraceError, trace

_OPENS = ("open", "openat", "creat")
_NAMES = ("rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat")
_SYNCS = ("fsync", "fdatasync")
_WRITES = ("write", "writev", "pwrite64", "pwritev")
_TRUNCATES = ("truncate", "ftruncate")
_FOREIGN = ("copy_file_range", "sendfile", "splice", "fallocate", "pwritev2")
_SYSTEM = ("sync", "syncfs", "io_uring_enter", "io_submit", "process_vm_writev")
_CALLS = (*_OPENS, *_NAMES, *_SYNCS, *_WRITES, *_TRUNCATES, *_FOREIGN, *_SYSTEM, "lseek", "mmap")


def record(
    name: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Log:
    """Run `python arguments…` in the folder and return its log under this name.

    Raises:
        TraceError: strace does not work here, the workload failed, or its log is not faithful.
    """
    root = folder.resolve()
    before = _read(root)
    recorder = _Recorder(root=str(root), names={path: n for n, path in enumerate(before)})
    command = [sys.executable, *arguments]
    for call in trace(command, calls=_CALLS, environment=environment, folder=root):
        if not call.failed:
            recorder.hear(call)
    log = Log(name=name, before=before, ops=recorder.ops)
    _compare(log, root)
    return log


@dataclass(slots=True)
class _Recorder:
    root: str
    names: dict[str, int]
    ops: list[Op] = field(default_factory=list)
    files: int = 0
    # Where the next plain `write` goes. A thread that writes to a descriptor which another one
    # opened is a KeyError here: loud, and so far nobody does.
    offsets: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.files = len(self.names)

    def hear(self, call: Call) -> None:
        """Take in one successful call."""
        if call.name in _OPENS:
            self._open(call)
        elif call.name in _NAMES:
            self._rename(call)
        elif call.name in _FOREIGN or call.name == "mmap":
            self._foreign(call)
        elif call.name in _SYSTEM:
            raise TraceError(f"the recorder does not model {call.name}")
        elif call.name == "truncate":
            raise TraceError("the recorder does not model truncate by name")
        elif not call.descriptor().deleted:  # nobody will find an unlinked file after a cut
            self._use(call)

    def _open(self, call: Call) -> None:
        path = call.opened_path
        name = self._below(path)
        if name is None:
            return
        if name not in self.names:
            if "O_CREAT" not in call.arguments and call.name != "creat":
                return  # a folder
            self.names[name] = self.files
            self.ops.append(Link(name=name, file=self.files, ended=call.ended))
            self.files += 1
        if "O_APPEND" in call.arguments:
            raise TraceError(f"{name} is open for appending, which the recorder does not model")
        if "O_TRUNC" in call.arguments or call.name == "creat":
            self.ops.append(Truncate(file=self.names[name], size=0, ended=call.ended))
        self.offsets[call.pid, call.result] = 0

    def _rename(self, call: Call) -> None:
        names = [self._below(path) for path in call.paths()]
        match names:
            case [str(name)]:
                if name in self.names:  # and not a folder
                    del self.names[name]
                    self.ops.append(Link(name=name, file=None, ended=call.ended))
            case [str(old), str(new)] if call.name.startswith("link"):
                self.names[new] = self.names[old]
                self.ops.append(Link(name=new, file=self.names[old], ended=call.ended))
            case [str(old), str(new)]:
                self.names[new] = self.names.pop(old)
                self.ops.append(Rename(old=old, new=new, ended=call.ended))
            case [None] | [None, None]:
                pass
            case _:
                raise TraceError(f"a file crosses the border of the folder: {call.paths()}")

    def _use(self, call: Call) -> None:
        descriptor = call.descriptor()
        if call.name == "write" and descriptor.path == f"{self.root}/{MARKS}":
            self.ops.append(Mark(body=call.written()))
            return
        name = self._below(descriptor.path)
        if name is None:
            if call.name in _SYNCS and descriptor.path == self.root:
                self.ops.append(SyncFolder(folder=".", began=call.began))
            return
        place = call.pid, descriptor.number
        if call.name == "lseek":
            self.offsets[place] = call.result
        elif call.name in _SYNCS and name not in self.names:
            self.ops.append(SyncFolder(folder=name, began=call.began))
        elif call.name in _SYNCS:
            self.ops.append(Sync(file=self.names[name], began=call.began))
        elif call.name in _TRUNCATES:
            size = call.number(-1)
            self.ops.append(Truncate(file=self.names[name], size=size, ended=call.ended))
        elif call.name.startswith("pwrite"):
            self._write(name, call.number(-1), call)
        else:
            self._write(name, self.offsets[place], call)
            self.offsets[place] += call.result

    def _write(self, name: str, offset: int, call: Call) -> None:
        if body := call.written():
            file = self.names[name]
            self.ops.append(Write(file=file, offset=offset, body=body, ended=call.ended))

    def _foreign(self, call: Call) -> None:
        # Reading through a shared mapping is harmless, and a private one never reaches the file.
        shared = "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments
        touched = [self._below(path) for path in [*call.paths(), *call.descriptor_paths()]]
        if any(touched) and (call.name != "mmap" or shared):
            raise TraceError(f"the recorder does not model {call.name} of {touched}")

    def _below(self, path: str) -> str | None:
        """The path below the folder; nothing for what is outside it, for marks and for `-shm`."""
        full = os.path.normpath(os.path.join(self.root, path))  # noqa: PTH118 - asks no disk
        if not full.startswith(self.root + "/"):
            return None
        name = full.removeprefix(self.root + "/")
        return name if _is_state(name) else None


def _is_state(name: str) -> bool:
    return name != MARKS and not name.endswith("-shm")


def _read(root: Path) -> dict[str, bytes]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    named = {str(path.relative_to(root)): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if _is_state(name)}


def _compare(log: Log, root: Path) -> None:
    disk = Disk.before(log, strict=False)
    for number, op in enumerate(log.ops):
        disk.step(number, op)
    if disk.after(disk.all()) != _read(root):
        raise TraceError("the log does not add up to the files: a write was missed")
