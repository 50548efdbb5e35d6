"""Where the key agent is: its folder, its socket, and who is at the other end.

Rules:
- The folder is the user's own, no link, and closed to everybody else; so nobody else can put a socket there.
- It is found without `XDG_RUNTIME_DIR`: MCP clients start their servers without it, and both have to find the same.
- The system says who is at the other end of a connection; another user is neither asked nor answered.
"""

import os
import socket
import stat
import struct
import sys
from pathlib import Path

from vault_core.errors import UnavailableError
from vault_core.keys.anchor import state_folder

MAX_SOCKET_PATH = 103  # bytes; macOS has room for 104 with the zero at the end, Linux for 108
_LOCAL_PEERCRED = 1  # of macOS and the BSDs, at level 0
_XUCRED_BYTES = 76


def supported() -> bool:
    """Whether this system has what the agent needs."""
    return os.name == "posix" and hasattr(socket, "AF_UNIX")


def check_supported() -> None:
    """See that there can be an agent here.

    Raises:
        UnavailableError: there can't.
    """
    if not supported():
        raise UnavailableError(
            "there is no key agent on Windows; let the OS keyring open the vault: strongroom slots add keyring"
        )


def agent_folder() -> Path:
    """The agent's folder: in `STRONGROOM_STATE_DIR` if that is set, else below /run/user, else in the state folder."""
    runtime = Path(f"/run/user/{os.geteuid()}")
    if not os.environ.get("STRONGROOM_STATE_DIR") and _private(runtime):
        return runtime / "strongroom"
    return state_folder().absolute() / "agent"


def socket_in(folder: Path) -> Path:
    """The agent's socket."""
    return folder / "socket"


def lock_in(folder: Path) -> Path:
    """The file that the agent holds locked while it lives; its number stands in it."""
    return folder / "pid"


def made(folder: Path) -> Path:
    """The folder, made if it is missing, and seen to be the user's alone.

    Raises:
        UnavailableError: it is somebody else's, open to others, or can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"the key agent's folder {folder} can't be made ({error.strerror})") from None
    if len(os.fsencode(socket_in(folder))) > MAX_SOCKET_PATH:
        raise UnavailableError(f"{folder} is too long a name for the key agent's socket; set STRONGROOM_STATE_DIR")
    check_folder(folder)
    return folder


def check_folder(folder: Path) -> None:
    """See that the folder is the user's alone.

    Raises:
        UnavailableError: it is not, so whoever answers there is not to be trusted.
    """
    if not _private(folder):
        raise UnavailableError(
            f"the key agent's folder {folder} is not yours alone (a link, another owner, or open to others); remove it"
        )


def check_socket(path: Path) -> bool:
    """Whether there is a socket of the user's; False if there is nothing.

    Raises:
        UnavailableError: there is something else.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UnavailableError(f"the key agent's socket can't be looked at ({error.strerror})") from None
    check_folder(path.parent)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise UnavailableError(f"{path} is not a socket of yours, where the key agent's should be; remove it")
    return True


def is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end is of the same user. Where the system can't tell, it is not."""
    try:
        if sys.platform == "linux":
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            user: int = struct.unpack("3i", raw)[1]
        else:
            raw = connection.getsockopt(0, _LOCAL_PEERCRED, _XUCRED_BYTES)
            user = struct.unpack_from("2I", raw)[1]
    except (OSError, struct.error):
        return False
    return user == os.geteuid()


def _private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
