"""Starting the key agent, and ending one that doesn't listen any more.

Rules:
- The agent holds a lock on a file for as long as it lives; so there is one, however many are started at once.
- It inherits nothing: no standard input or output, no environment with a secret, no terminal, no folder.
- Nothing here waits without a deadline.
"""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from vault_core.errors import UnavailableError
from vault_core.keys.agent import place

if os.name == "posix":
    import fcntl

PATIENCE = 20.0  # seconds for an interpreter to start on a busy machine
READY = b"+"
LOST = 3  # exit code: another agent was first, or the folder can't be used
_PASSED_ON = ("HOME", "PATH", "LANG", "LC_ALL")
_SHORT_WAIT = 0.02


def started() -> None:
    """See that an agent listens; start one if none does.

    Raises:
        UnavailableError: it can't be started.
    """
    place.check_supported()
    folder = place.made(place.agent_folder())
    until = time.monotonic() + PATIENCE
    while not _listens(folder):
        if time.monotonic() > until:
            raise UnavailableError(f"the key agent doesn't start in {folder}; run: strongroom lock --all")
        if not _spawned(folder, until):
            time.sleep(_SHORT_WAIT)  # another one is being started, or is about to end


def end() -> bool:
    """Kill an agent that can't be talked to, and remove what stands in its socket's place. False if there is neither.

    Raises:
        UnavailableError: it does not end.
    """
    folder = place.agent_folder()
    if not place.supported() or not folder.exists():
        return False
    place.check_folder(folder)
    killed = _killed(folder)
    try:
        place.socket_in(folder).unlink()
    except FileNotFoundError:
        return killed
    except OSError as error:
        raise UnavailableError(f"{place.socket_in(folder)} can't be removed ({error.strerror})") from None
    return True


def hold_lock(folder: Path) -> int | None:
    """The descriptor of the lock that makes this process the agent; None if another one is."""
    descriptor = os.open(place.lock_in(folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def _killed(folder: Path) -> bool:
    until = time.monotonic() + PATIENCE
    number = _settled_holder(folder, until)
    if number is None:
        return False
    os.kill(number, signal.SIGKILL)
    while _holder(folder) is not None:
        if time.monotonic() > until:
            raise UnavailableError(f"the key agent (process {number}) does not end")
        time.sleep(_SHORT_WAIT)
    return True


def _settled_holder(folder: Path, until: float) -> int | None:
    """The process that holds the lock, once it has had the time to write its number.

    Between taking the lock and that, its predecessor's stands there, which may be another program's by now.
    """
    number = _holder(folder)
    while number is not None and time.monotonic() < until:
        time.sleep(_SHORT_WAIT)
        before, number = number, _holder(folder)
        if number == before:
            return number
    return None


def _holder(folder: Path) -> int | None:
    """The process that holds the lock. Its number is true for as long as the lock is held: only it writes there."""
    try:
        descriptor = os.open(place.lock_in(folder), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = os.pread(descriptor, 32, 0).strip()
            return int(text) if text.isdigit() and int(text) > 1 else None
        return None
    finally:
        os.close(descriptor)


def _listens(folder: Path) -> bool:
    from vault_core.keys.agent import client

    return place.check_socket(place.socket_in(folder)) and client.entries() is not None


def _spawned(folder: Path, until: float) -> bool:
    """Start an agent and wait until it listens. False if it ended instead."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if paths := os.environ.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(one).absolute()) for one in paths.split(os.pathsep))
    try:
        process = subprocess.Popen(  # noqa: S603  this interpreter, with a folder of ours
            [sys.executable, "-P", "-m", "vault_core.keys.agent", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise UnavailableError(f"the key agent can't be started ({error.strerror})") from None
    assert process.stdout is not None  # noqa: S101  asked for just above
    with process.stdout as pipe:
        heard, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        ready = bool(heard) and os.read(pipe.fileno(), 1) == READY
    if not ready:
        process.kill()
    process.wait()  # not the agent: that is its child, and nobody's here
    return ready
