"""A key agent for a test, which never outlives it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vault_core import KeyProvider, Vault
from vault_core.keys import agent
from vault_core.keys.agent.start import _holder


@contextmanager
def none_left() -> Iterator[None]:
    """Whatever agent this machine has at the end is killed."""
    try:
        yield
    finally:
        if process() is not None:
            agent.end()
        assert process() is None


def process() -> int | None:
    """The agent's process."""
    folder = agent.agent_folder()
    return _holder(folder) if (folder / "pid").exists() else None


def wait_for_end(number: int) -> None:
    """Wait until a process that is not our child has gone."""
    descriptor = os.pidfd_open(number)
    try:
        os.waitid(os.P_PIDFD, descriptor, os.WEXITED)
    except ChildProcessError:
        import select

        assert select.select([descriptor], [], [], 60)[0], "the agent does not end"
    finally:
        os.close(descriptor)


def unlock(location: Path, provider: KeyProvider, *, seconds: int = 600) -> None:
    """Leave the key of a vault with the agent, which is started if there is none."""
    witness = agent.Witness(provider)
    with Vault.open(location, unlock=witness) as vault:
        agent.started()
        assert agent.hold(bytes.fromhex(vault.id), witness.salt, witness.kept, seconds=seconds, named=str(location))
    witness.wipe()


def count_in(number: int, secret: bytes) -> int:
    """How often a secret stands in the memory of another process. Needs root."""
    found = 0
    with Path(f"/proc/{number}/maps").open() as maps, Path(f"/proc/{number}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            begin, end = (int(one, 16) for one in span.split("-"))
            try:
                memory.seek(begin)
                found += memory.read(end - begin).count(secret)
            except (OSError, ValueError):
                continue  # [vvar] and its like
    return found
