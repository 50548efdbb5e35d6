"""Processes that run side by side and take turns, so that what disturbs the machine disturbs all of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent
OFFLINE = {"ANONYMIZED_TELEMETRY": "False", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}


class Out(Exception):  # noqa: N818  a runner that drops out is no error
    """A contender can't run, and why."""


class Runner:
    """One contender in its process."""

    def __init__(self, name: str, folder: Path) -> None:
        """Start it.

        Raises:
            Out: it is not installed, or does not start.
        """
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        state = {"STRONGROOM_STATE_DIR": str(folder.parent / "state")}
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.child", name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**os.environ, **OFFLINE, **state},
        )
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  both are pipes
        self._process, self._requests, self._answers = process, process.stdin, process.stdout
        try:
            self.versions: dict[str, str] = self._answer()
        except Out:
            self.stop()
            raise

    def ask(self, do: str, **arguments: Any) -> Any:
        """Let it do something, and wait.

        Raises:
            Out: it failed.
        """
        try:
            self._requests.write(json.dumps({"do": do, "with": arguments}) + "\n")
            self._requests.flush()
        except BrokenPipeError:
            raise Out("its process ended") from None
        return self._answer()

    def stop(self) -> None:
        """End its process, whatever it is doing."""
        with suppress(BrokenPipeError):
            self._requests.close()
        self._answers.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> Any:
        line = self._answers.readline()
        answer = json.loads(line) if line else {"failed": "its process ended"}
        if "gives" not in answer:
            raise Out(answer.get("missing") or answer["failed"])
        return answer["gives"]


class Field:
    """The runners of one measurement. One that drops out is noted, and the others go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runners: dict[str, Runner] = {}
        self.out: dict[str, str] = {}
        self.versions: dict[str, str] = {}

    def start(self, names: Iterable[str]) -> None:
        """Start those that can run."""
        for name in names:
            try:
                self.runners[name] = Runner(name, self.folder / name)
                self.versions.update(self.runners[name].versions)
            except Out as why:
                self.out[name] = str(why)

    def ask(self, name: str, do: str, **arguments: Any) -> Any:
        """Ask one of them; None if it is out, or drops out now."""
        if name not in self.runners:
            return None
        try:
            return self.runners[name].ask(do, **arguments)
        except Out as why:
            self.out[name] = str(why)
            self.runners.pop(name).stop()
            return None

    def restart(self, name: str) -> None:
        """Go on with the same folder in a fresh process."""
        if name in self.runners:
            self.ask(name, "close")
        if name in self.runners:
            self.runners.pop(name).stop()
            self.start([name])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in self.runners.values():
            runner.stop()
