"""The few kinds of error a vault raises, one for each thing a caller would do next, and its one warning.

Messages may change; the types, and the exit codes the command line gives them, may not. No message holds a
secret or the text of a memory.
"""


class VaultError(Exception):
    """Anything that goes wrong with a vault. Catch this one to catch them all."""


class InvalidInputError(VaultError, ValueError):
    """The call can't be carried out as it stands. Correct the argument that the message names."""


class WrongPassphraseError(VaultError):
    """No slot opens with this secret. Try another secret; the vault is untouched."""


class VaultTamperedError(VaultError):
    """The store's bytes are not what was written. Restore a copy; do not write to this one."""


class RollbackError(VaultTamperedError):
    """The store shows an older or other state than this machine has seen.

    If you restored a backup on purpose, open with `accept_rollback=True`.
    """


class VaultNotFoundError(VaultError):
    """There is no vault at this location. Check the path, or create one."""


class VaultAlreadyOpenError(VaultError):
    """Another session holds the vault exclusively, or an exclusive session wants it alone. Close the other."""


class MemoryNotFoundError(VaultError, KeyError):
    """No memory or version has this id. Check the namespace: ids are looked up in exactly one."""

    __str__ = Exception.__str__  # KeyError's own shows the message in quotes


class ConflictError(VaultError):
    """What you want to create is already there, or changed under you. Read again and retry."""


class UnavailableError(VaultError):
    """The store, the embedder or the machine can't serve now (busy, full, unreachable). Try again later."""


class EmbedderUnavailableWarning(UserWarning):
    """The embedder could not be reached: what was added has no vector yet, what was asked is answered by words alone.

    Nothing is lost; once the embedder is back, `Vault.reembed` (or `strongroom reembed`) makes the vectors.
    """


class FormatTooNewError(VaultError):
    """The vault was written by a newer version. Upgrade strongroom."""


class EmbedderMismatchError(VaultError):
    """The vectors don't fit the space they are meant for. Use the space's own embedder, or another space."""


class SessionStateError(VaultError):
    """This session can't do that any more (closed, forked, read-only, keys withdrawn). Open a new one."""
