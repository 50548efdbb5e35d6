"""Running `strongroom`: in this process, as one of its own, and on a terminal."""

import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from vault_core import KdfParameters
from vault_core.cli import app, peek

QUICK = KdfParameters(memory_kib=65536, passes=1)
COMMAND = [sys.executable, "-m", "vault_core.cli"]

# Makes the terminal on standard error the one that /dev/tty means, then becomes the command.
ON_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "vault_core.cli", *sys.argv[1:]])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document it is."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """The error document on standard error."""
        found: dict[str, str] = json.loads(self.err)["error"]
        return found


class Program:
    """The command, run in this process."""

    def __call__(self, *arguments: str, given: str | bytes | None = None) -> Ran:
        done = CliRunner().invoke(app, list(arguments), input=given, catch_exceptions=False)
        return Ran(code=done.exit_code, out=done.stdout, err=done.stderr)

    def json(self, *arguments: str, given: str | bytes | None = None) -> Any:
        """The document that a run with `--json` prints; it has to succeed."""
        done = self(*arguments, "--json", given=given)
        assert done.code == 0, done.err
        return done.document


def spawn(*arguments: str, given: str | None = None, variables: Mapping[str, str] | None = None) -> Ran:
    """Run the command as a process of its own, without a terminal."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        env={**os.environ, **(variables or {})},
    )
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def begin(*arguments: str, stdin: Any = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    """Start the command and leave it running. Its output is read unbuffered."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )


def on_terminal(*arguments: str, answers: Sequence[tuple[str, str]], stdin: Path | None = None) -> Ran:
    """Run the command where a person sits: `answers` are (what is asked, what is typed), in order.

    Standard output is a pipe; with `stdin` standard input is that file. What the person saw is the run's `err`.
    """
    ours, theirs = pty.openpty()
    seen, asked = b"", 0
    left = list(answers)
    given = stdin.open("rb") if stdin is not None else None
    running = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *arguments],
        stdin=given if given is not None else theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    try:
        os.close(theirs)
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # the last one at that terminal has gone
                chunk = b""
            if not chunk:
                break
            seen += chunk
            if left and left[0][0].encode() in seen[asked:]:
                os.write(ours, left.pop(0)[1].encode() + b"\n")
                asked = len(seen)
        out = running.communicate()[0]
    finally:
        os.close(ours)
        if given is not None:
            given.close()
    return Ran(code=running.returncode, out=out, err=seen.decode())


def raw(verb: str, *paths: Path, given: Any = None) -> Any:
    """Look at, copy or spoil a vault's bytes, in another process: this one may have the vault open."""
    done = subprocess.run(
        [sys.executable, "-I", str(peek.__file__), verb, *map(str, paths)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def file_with(text: str, path: Path) -> str:
    """Write a secret to a file; gives the file's name."""
    path.write_text(text + "\n")
    return str(path)


def command_that_prints(text: str, path: Path) -> str:
    """A command line that prints a secret, which it reads from a file: no secret is an argument."""
    file_with(text, path)
    return shlex.join([sys.executable, "-c", f"print(open({str(path)!r}).read())"]) if file_with(text, path) else ""
