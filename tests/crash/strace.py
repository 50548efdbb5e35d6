"""System calls of a program and all its children, read from strace while it runs.

strace sees every write whoever makes it: SQLite's C code, Python, a library. It needs no root, no
FUSE and no compiler, only a kernel that allows ptrace.
"""

import binascii
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
LONGEST_STRING = 64 << 20  # no write is cut short: a cut one is a TraceError
PIPE_SIZE = 1 << 20  # the most that Linux grants without privileges

_LINE = re.compile(r"(\d+) +(.*)\n", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_DESCRIPTOR = re.compile(r"(\d+)<([^>]*)>(\(deleted\))?")
_OPENED = re.compile(r"<([^>]*)>")
_STRING = re.compile(r'"([^"]*)"(\.\.\.)?')


class TraceError(RuntimeError):
    """The trace can't be made or can't be trusted; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A file descriptor, with the path that it had when the call was made; "" is not a file."""

    number: int
    path: str
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One finished system call; `began` and `ended` order it among the others."""

    pid: int
    name: str
    arguments: str
    result: int
    opened: str  # what strace says behind the result: the path of an opened file, or an error
    began: int
    ended: int

    @property
    def failed(self) -> bool:
        return self.result < 0

    def descriptor(self) -> Descriptor:
        """The descriptor in the first argument."""
        found = _DESCRIPTOR.match(self.arguments)
        if found is None:
            return Descriptor(number=int(self.arguments.split(",")[0]), path="")
        path = _path(found[2])  # or a name such as `pipe:[4711]`
        path = path if path.startswith("/") else ""
        return Descriptor(number=int(found[1]), path=path, deleted=bool(found[3]))

    def descriptor_paths(self) -> list[str]:
        """The paths of all descriptors among the arguments."""
        return [_path(found[2]) for found in _DESCRIPTOR.finditer(self.arguments)]

    @property
    def opened_path(self) -> str:
        """The path of the descriptor that the call returned."""
        found = _OPENED.match(self.opened)
        return _path(found[1]) if found else ""

    def strings(self) -> list[bytes]:
        """Every string argument, whole."""
        found = _STRING.findall(self.arguments)
        if any(cut for _, cut in found):
            raise TraceError(f"{self.name} wrote more than {LONGEST_STRING} bytes at once")
        return [decode(text) for text, _ in found]

    def written(self) -> bytes:
        """The bytes that a write call handed over, as far as the kernel took them."""
        body = b"".join(self.strings())
        return body[: self.result]

    def paths(self) -> list[str]:
        """The string arguments of a call that takes paths."""
        return [os.fsdecode(text) for text in self.strings()]

    def number(self, position: int) -> int:
        """The argument at that position, counted from the end: -1 is the last one."""
        return int(self.arguments.rsplit(", ", -position)[position])


def decode(text: str) -> bytes:
    """Undo `strace -xx`."""
    raw = text.encode("latin-1")
    digits = raw.translate(None, b"\\x")
    if 2 * len(digits) == len(raw):
        return binascii.unhexlify(digits)
    # The path of a descriptor: bytes above 127 come as they are.
    return re.sub(rb"\\x([0-9a-f]{2})", lambda hexed: binascii.unhexlify(hexed[1]), raw)


def _path(text: str) -> str:
    return os.fsdecode(decode(text))


def parse(lines: Iterator[str]) -> Iterator[Call]:
    """Finished calls in the order in which they finished; those cut off by an exit are left out."""
    started: dict[int, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        found = _LINE.fullmatch(line)
        if found is None:
            raise TraceError(f"strace said: {line.strip()[:200]}")
        pid, text = int(found[1]), found[2]
        if text.startswith(("+++", "---")):
            continue
        if text.endswith(_UNFINISHED):
            started[pid] = number, text.removesuffix(_UNFINISHED)
            continue
        began = number
        if resumed := _RESUMED.fullmatch(text):
            began, head = started.pop(pid)
            text = head + resumed[2]
        call = _CALL.fullmatch(text)
        if call is None:
            raise TraceError(f"strace said: {text[:200]}")
        if call[3] == "?":  # the process ended inside the call
            continue
        yield Call(
            pid=pid,
            name=call[1],
            arguments=call[2],
            result=int(call[3], 0),
            opened=call[4].strip(),
            began=began,
            ended=number,
        )


def absent() -> str | None:
    """Why tests that need strace can't run on a bare machine; None where they can, and in CI, which has to have it."""
    if sys.platform != "linux":
        return "tracing system calls needs Linux"
    if shutil.which("strace") is None and not os.environ.get("CI"):
        return "strace is not installed: apt-get install strace, and these tests run too"
    return None


@cache
def require() -> str:
    """The path of a strace that works here.

    Raises:
        TraceError: there is none, or the system forbids tracing.
    """
    program = shutil.which("strace")
    if program is None:
        raise TraceError("strace is missing: apt-get install strace (any package manager has it)")
    tried = subprocess.run(
        [program, "-f", "-e", "trace=write", "-o", os.devnull, sys.executable, "-ISc", ""],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        raise TraceError(
            "strace is not permitted to trace here (in a container: --cap-add=SYS_PTRACE): " + tried.stderr.strip()
        )
    return program


def trace(
    command: Sequence[str | Path],
    *,
    calls: Sequence[str],
    environment: Mapping[str, str] | None = None,
    folder: Path,
) -> Iterator[Call]:
    """Run a command in a folder and yield its calls while it runs.

    Raises:
        TraceError: strace is missing or forbidden, or the command failed.
    """
    program = require()
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    # A `?` lets strace accept a call that this processor does not have (`open` on ARM).
    traced = "trace=" + ",".join(f"?{call}" for call in calls)
    flags = ["-f", "--seccomp-bpf", "-y", "-xx", "-s", str(LONGEST_STRING), "-e", "signal=none"]
    child = subprocess.Popen(
        [program, *flags, "-e", traced, "-o", f"/dev/fd/{writing}", "--", *command],
        cwd=folder,
        env=python_environment() | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[writing],
        text=True,
    )
    os.close(writing)
    said: list[str] = []
    listener = threading.Thread(target=lambda: said.append(child.communicate()[0]))
    listener.start()
    try:
        with os.fdopen(reading, encoding="latin-1", newline="\n") as lines:
            yield from parse(lines)
    except BaseException:
        child.terminate()
        raise
    finally:
        listener.join()
    if child.returncode:
        raise TraceError(f"the traced program failed ({child.returncode}):\n{said[0][-4000:]}")


def python_environment() -> dict[str, str]:
    """This process's environment, with which a child imports what this process can import."""
    paths = [str(TESTS), *(path for path in sys.path if path)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
