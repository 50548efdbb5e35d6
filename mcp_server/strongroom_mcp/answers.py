"""What a client is told when something goes wrong.

Rules:
- One sentence that says what to do, from this table. No path, no traceback, nothing of a memory, neither to the client
  nor to the log; of the core's own sentences only those that name an argument or the machine's trouble.
- An unexpected error is named by its kind and place; its text stays untold, for it may quote a memory.
"""

import logging
import traceback
from pathlib import Path

from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from pydantic import ValidationError

from strongroom_mcp.framing import shown
from vault_core import errors

LOCKED = (
    "The vault is locked. Ask the user to run `strongroom unlock` in a terminal, or to name its key for this server "
    "(STRONGROOM_PASSPHRASE_FILE or STRONGROOM_PASSPHRASE_COMMAND), and then call again."
)
TOO_FAST = "Too many calls at once. Wait a few seconds, then call again."
TOO_LARGE = "The arguments are too large. Split them over several calls."

_SAID = {
    errors.WrongPassphraseError: LOCKED,
    errors.VaultNotFoundError: "There is no vault at the place this server was given. Ask the user to make one with "
    "`strongroom init`, or to correct the server's --vault.",
    errors.RollbackError: "The vault shows an older state than this machine has seen. Ask the user to look for the "
    "newer file, or to accept this one with `strongroom verify --accept-rollback`.",
    errors.VaultTamperedError: "The vault's bytes are not what was written. Ask the user to check it with "
    "`strongroom verify --full` and to restore a copy.",
    errors.VaultAlreadyOpenError: "Another program holds the vault alone. Ask the user to close it, then call again.",
    errors.MemoryNotFoundError: "There is no memory with this id. Look for it with memory_search or memory_list.",
    errors.ConflictError: "The memory changed meanwhile. Read it again, then retry.",
    errors.FormatTooNewError: "A newer version wrote this vault. Ask the user to upgrade with "
    "`pip install --upgrade 'strongroom[mcp]'` and to restart this server.",
    errors.EmbedderMismatchError: "The vault's vectors were made by another embedder. Ask the user to start this "
    "server with that one (--embedder), or to run `strongroom reembed`.",
    errors.SessionStateError: "The vault's session ended, perhaps because its keys were changed. Call again.",
}
_OWN_WORDS = (errors.InvalidInputError, errors.UnavailableError)  # they name an argument, or what the machine lacks

log = logging.getLogger("strongroom_mcp")


def answer(error: BaseException | None) -> str:
    """The sentence for an error."""
    if isinstance(error, ToolError | ResourceError):
        return str(error)
    if isinstance(error, ValidationError):
        return _refused(error)
    if isinstance(error, _OWN_WORDS):
        text = shown(str(error))[:500]
        return f"{text[:1].upper()}{text[1:]}."
    for kind in type(error).__mro__:
        if kind in _SAID:
            return _SAID[kind]
    name = type(error).__name__
    log.error("unexpected %s%s", name, _place(error))
    return f"Something unexpected went wrong in the server ({name}). Nothing was half-written."


def _refused(error: ValidationError) -> str:
    """Which arguments are wrong and why, without what was in them."""
    found = [f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()[:5]]
    return shown("Invalid arguments: " + "; ".join(found))[:1000]


def _place(error: BaseException | None) -> str:
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
