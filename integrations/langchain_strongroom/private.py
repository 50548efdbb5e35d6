"""What every class of this package has: a repr that tells nothing of the user, and no pickle.

A repr ends up in logs, tracebacks and, through `langchain_core.load.dumps`, in traces. A pickle would carry namespaces
and filters in clear, and an open vault can't travel anyway.
"""

from typing import Any, NoReturn

from vault_core import SessionStateError


class Private:
    """Says only its class, and refuses to be pickled."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise SessionStateError(f"{type(self).__name__} holds an open vault and can't be pickled; open the vault there")
