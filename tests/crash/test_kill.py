"""Three writers killed in the middle of their work: what they acknowledged is there."""

import multiprocessing
import os
import random
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from crash.vaults import BY_FILE, open_vault, prepare
from vault_core import Draft

KILLS = int(os.environ.get("STRONGROOM_KILLS", "25"))
KILLS_OF_ONE_VAULT = 25  # it grows with each, and all of it is verified after each
WRITERS = 3
BATCH = 5

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


def write_until_killed(folder: Path, writer: str, acknowledge: Connection) -> None:
    """Add, and say what was acknowledged, without end."""
    vault = open_vault(folder, BY_FILE)
    acknowledge.send([])
    acknowledge.recv()  # until the others are there too
    number = 0
    while True:
        number += 1
        texts = [f"{writer}.{number}.{n} drinks tea" for n in range(1 + number % BATCH)]
        if len(texts) == 1:
            vault.add(texts[0])
        else:
            vault.add_many([Draft(content=text) for text in texts])
        acknowledge.send(texts)
        if number % 7 == 0:
            vault.checkpoint()


@pytest.mark.parametrize("first", range(0, KILLS, KILLS_OF_ONE_VAULT))
def test_what_killed_writers_acknowledged_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setenv("STRONGROOM_STATE_DIR", str(tmp_path / "state"))
    prepare(tmp_path)
    # A server that has imported everything and opened nothing: a fork of it begins at once. Before
    # Python 3.12 it looks for its preloads on PYTHONPATH alone, and says nothing if it finds none.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["crash.test_kill", "vault_core"])
    acknowledged: set[str] = set()
    kills = range(first, min(KILLS, first + KILLS_OF_ONE_VAULT))
    for kill in kills:
        acknowledged |= run_and_kill(server, tmp_path, random.Random(kill), name=str(kill))

        with open_vault(tmp_path, BY_FILE) as vault:
            vault.verify(full=True)
            found = [memory.content for memory in vault.stream()]
        assert acknowledged <= set(found), f"kill {kill}: {sorted(acknowledged - set(found))[:5]}"
        assert len(found) == len(set(found))
        assert_whole_batches(set(found))
    assert len(acknowledged) >= len(kills) * WRITERS


def run_and_kill(server: ForkServerContext, folder: Path, chance: random.Random, *, name: str) -> set[str]:
    """Start the writers, kill them after some of their acknowledgements, and give all of these."""
    pipes: list[Connection] = []
    writers: list[BaseProcess] = []
    for writer in range(WRITERS):
        ours, theirs = server.Pipe()
        process = server.Process(target=write_until_killed, args=(folder, f"{name}.{writer}", theirs))
        process.start()
        theirs.close()
        pipes.append(ours)
        writers.append(process)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    acknowledged: set[str] = set()
    # One from each writer, so that all are at it; then some more, and a moment inside the next commits.
    waiting, more = set(pipes), chance.randrange(30)
    while waiting or more > 0:
        for ready in wait(pipes):
            assert isinstance(ready, Connection)
            acknowledged |= set(ready.recv())
            waiting.discard(ready)
            more -= 1
    for victim in chance.sample(writers, WRITERS):
        victim.kill()
    for pipe, victim in zip(pipes, writers, strict=True):
        with suppress(EOFError, OSError):  # it may have been killed while it spoke
            while True:
                acknowledged |= set(pipe.recv())
        victim.join()
        pipe.close()
    return acknowledged


def assert_whole_batches(found: set[str]) -> None:
    """A batch is one commit: all of it is there or nothing is."""
    batches: dict[str, int] = {}
    for text in found:
        batch = text.rpartition(".")[0]
        batches[batch] = batches.get(batch, 0) + 1
    for batch, size in batches.items():
        assert size == 1 + int(batch.rpartition(".")[2]) % BATCH, batch
