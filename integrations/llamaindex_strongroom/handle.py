"""What an adapter object holds instead of the vault itself: a handle that copies share and pickles leave empty.

LlamaIndex pickles and deep-copies what it is given (pipelines, workflow contexts). An open vault has keys in it: it
must not follow.
"""

from typing import Any

from vault_core import Vault
from vault_core.errors import InvalidInputError, SessionStateError


class Handle:
    """The open vault of an adapter object. Copies refer to the same vault; a pickle holds nothing of it."""

    __slots__ = ("_vault",)

    def __init__(self, vault: Vault | None) -> None:
        if vault is not None and not isinstance(vault, Vault):
            raise InvalidInputError("give an open vault first: Vault.open(…) or Vault.create(…)")
        self._vault = vault

    @property
    def vault(self) -> Vault:
        """The vault.

        Raises:
            SessionStateError: the object came out of a pickle, which holds no keys.
        """
        if self._vault is None:
            raise SessionStateError("this object came out of a pickle and has no vault; make it anew with an open one")
        return self._vault

    def __copy__(self) -> "Handle":
        return self

    def __deepcopy__(self, memo: Any) -> "Handle":
        return self

    def __reduce__(self) -> tuple[type["Handle"], tuple[None]]:
        return Handle, (None,)

    def __repr__(self) -> str:
        return f"Handle({self._vault!r})"


def opened(vault: Any) -> Handle:
    """The handle of a vault that a caller gave.

    Raises:
        InvalidInputError: it is something else.
    """
    if vault is None:
        raise InvalidInputError("give an open vault first: Vault.open(…) or Vault.create(…)")
    return Handle(vault)


def checked_name(name: Any) -> str:
    """The name of a store, which no other store's name and collection together can spell.

    Raises:
        InvalidInputError: it has a slash, which parts a name from what is below it.
    """
    if not isinstance(name, str) or not name or "/" in name:
        raise InvalidInputError("the name of a store must be text that is not empty, without a slash")
    return name
