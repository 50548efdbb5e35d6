"""The agent's process: `python -m vault_core.keys.agent FOLDER`, started by `strongroom unlock`.

It has an interpreter of its own instead of being a fork: nothing that a person typed was ever in its memory.
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

from vault_core.errors import UnavailableError
from vault_core.keys.agent import place, wire
from vault_core.keys.agent.keeper import Keeper
from vault_core.keys.agent.serve import Server
from vault_core.keys.agent.start import LOST, READY, hold_lock

_SET_DUMPABLE = 4  # PR_SET_DUMPABLE of Linux: neither core dumps nor a debugger of the same user
_DENY_ATTACH = 31  # PT_DENY_ATTACH of macOS
_WAITING = 64


def main(folder: Path) -> int:
    """Serve until no key is left; gives the exit code. Whoever started this has a child that ends at once."""
    if os.fork():
        os._exit(0)
    _harden()
    try:
        place.made(folder)
        lock = hold_lock(folder)
    except (UnavailableError, OSError):
        return LOST
    if lock is None:
        return LOST  # another agent is there already
    keeper, path = Keeper(), place.socket_in(folder)
    try:
        with _listening(path) as listener:
            _say_ready()
            Server(listener, keeper).run()
    finally:
        keeper.drop(wire.EVERY)
        with contextlib.suppress(OSError):
            path.unlink()  # while the lock is held: it can't be a successor's
        os.close(lock)
    return 0


def _harden() -> None:
    """What can be had of the system; an agent without one of these still works."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None)
    if sys.platform == "linux":
        library.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    elif sys.platform == "darwin":
        library.ptrace(_DENY_ATTACH, 0, None, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _listening(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()  # of an agent that was killed; this one holds the lock
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(_WAITING)
    return listener


def _say_ready() -> None:
    """Tell whoever started this, and let go of the pipe."""
    with contextlib.suppress(OSError):
        os.write(1, READY)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
