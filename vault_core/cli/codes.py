"""Exit codes: one for each kind of error, for good.

| code | means |
|---|---|
| 0 | done |
| 1 | an unexpected error, a question answered with no, or a step of `demo` that did not hold |
| 2 | the command line can't be understood |
| 3 | `InvalidInputError`: something given can't be used as it stands |
| 4 | `WrongPassphraseError`: no slot opens with this secret, or none was given |
| 5 | `VaultNotFoundError`: there is no vault at this place |
| 6 | `VaultTamperedError`: the store's bytes are not what was written |
| 7 | `RollbackError`: the store shows an older or other state than this machine has seen |
| 8 | `VaultAlreadyOpenError`: another session is in the way |
| 9 | `MemoryNotFoundError`: no memory has this id in this namespace |
| 10 | `ConflictError`: it is there already, or changed meanwhile |
| 11 | `UnavailableError`: the store, the machine or the source of the secret can't serve now |
| 12 | `FormatTooNewError`: a newer version wrote this vault |
| 13 | `EmbedderMismatchError`: the vectors don't fit their space |
| 14 | `SessionStateError`: the session can't go on, such as after a rotation elsewhere |
| 15 | `add -` refused some of the lines; the others are stored |
| 130 | interrupted; what was acknowledged is stored |
| 141 | whoever read the output has gone |
"""

from collections.abc import Mapping
from types import MappingProxyType

from vault_core import errors

OK = 0
FAILED = 1
USAGE = 2
LINES_REFUSED = 15
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
BROKEN_PIPE = 141  # 128 + SIGPIPE

OF_KIND: Mapping[type[errors.VaultError], int] = MappingProxyType(
    {
        errors.InvalidInputError: 3,
        errors.WrongPassphraseError: 4,
        errors.VaultNotFoundError: 5,
        errors.VaultTamperedError: 6,
        errors.RollbackError: 7,
        errors.VaultAlreadyOpenError: 8,
        errors.MemoryNotFoundError: 9,
        errors.ConflictError: 10,
        errors.UnavailableError: 11,
        errors.FormatTooNewError: 12,
        errors.EmbedderMismatchError: 13,
        errors.SessionStateError: 14,
    }
)


def table() -> str:
    """The codes as a Markdown table, for the documentation."""
    return "\n".join(line for line in (__doc__ or "").splitlines() if line.startswith("|"))
