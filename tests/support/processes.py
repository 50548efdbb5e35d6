"""Other processes, and what is said to them in turn: a test that has no sleeps needs an order.

`Other` runs a function of a test module in a fresh process and talks with it through a pipe. `run_program` runs one in
an interpreter of its own, from start to teardown.
"""

import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 120  # seconds until a process that says nothing is taken for stuck

_CONTEXT = multiprocessing.get_context("forkserver")  # its children inherit no session, no lock and no thread
_CONTEXT.set_forkserver_preload(["pytest", "vault_core"])  # a fork of it begins at once


class OtherProcessError(AssertionError):
    """The function in the other process raised; the message is its traceback."""


class Other:
    """A process that runs `work(pipe, *arguments)`; `state` makes it another machine."""

    def __init__(self, work: Callable[..., None], *arguments: Any, state: str | os.PathLike[str] | None = None) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        folder = os.fspath(state) if state is not None else os.environ["STRONGROOM_STATE_DIR"]
        self._process = _CONTEXT.Process(target=_work, args=(work, theirs, folder, arguments), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pipe(self) -> Connection:
        """Our end, for `multiprocessing.connection.wait`."""
        return self._pipe

    def say(self, what: Any = None) -> None:
        """Send something without waiting for an answer."""
        self._pipe.send(what)

    def hear(self) -> Any:
        """The next thing it says.

        Raises:
            OtherProcessError: it failed, ended or says nothing.
        """
        if not self._pipe.poll(PATIENCE):
            raise OtherProcessError("the other process says nothing")
        try:
            told = self._pipe.recv()
        except EOFError:
            self._process.join(PATIENCE)
            raise OtherProcessError(f"the other process ended with {self._process.exitcode}") from None
        if isinstance(told, _Failure):
            raise OtherProcessError(told.trace)
        return told

    def ask(self, what: Any = None) -> Any:
        """Send something and give the answer."""
        self.say(what)
        return self.hear()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.is_alive()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()

    def join(self) -> int:
        """Wait for its end; gives the exit code, negative for a signal."""
        self._process.join(PATIENCE)
        assert self._process.exitcode is not None, "the other process does not end"
        return self._process.exitcode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._process.kill()
        code = self.join()
        if error is None and code != 0:
            self.hear()  # raises with its traceback, if it left one
        self._pipe.close()
        assert error is not None or code == 0, f"the other process ended with {code}"


class _Failure:
    def __init__(self, trace: str) -> None:
        self.trace = trace


def _work(work: Callable[..., None], pipe: Connection, state: str, arguments: Sequence[Any]) -> None:
    os.environ["STRONGROOM_STATE_DIR"] = state
    try:
        work(pipe, *arguments)
    except Exception:
        pipe.send(_Failure(traceback.format_exc()))
        raise


def call(work: Callable[..., Any], *arguments: Any, state: str | os.PathLike[str] | None = None) -> Any:
    """What `work(*arguments)` gives in a process of its own."""
    with Other(_answer, work, arguments, state=state) as other:
        return other.hear()


def _answer(pipe: Connection, work: Callable[..., Any], arguments: Sequence[Any]) -> None:
    pipe.send(work(*arguments))


def run_program(work: Callable[..., None], *arguments: Any) -> str:
    """What a function prints when it is all that a new interpreter does, whose exit code must be 0."""
    command = [sys.executable, "-c", _PROGRAM, work.__module__, work.__qualname__, *map(os.fspath, arguments)]
    paths = os.pathsep.join(dict.fromkeys(str(Path(path).resolve()) for path in sys.path))
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stderr == "", done.stderr
    return done.stdout


_PROGRAM = "import importlib, sys; getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(*sys.argv[3:])"
