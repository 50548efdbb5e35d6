"""Asking before something is erased.

Rules:
- Where the client can ask the user (form elicitation), the user is asked, with the beginning of each memory on a line
  of its own; no token stands in for the answer, for a model could fetch one without the user.
- Where it can't, the first call is a preview: it shows what would be erased and gives a token. A second call with the
  same ids and that token erases.
- The token is bound to the very versions that were shown and to this run of the server; it is no secret and opens
  nothing by itself. The question to the user holds the beginning of it, so that its answer is bound as well.
- What is erased is what was shown: versions are compared in the transaction that erases. If one has changed since,
  nothing is erased, and the user has to be asked again.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import BaseModel, Field

from strongroom_mcp import view
from strongroom_mcp.calls import Desk
from strongroom_mcp.limits import MAX_IDS
from strongroom_mcp.scope import Scope
from strongroom_mcp.shapes import Id, Namespace
from vault_core import Memory, Transaction, Vault
from vault_core.errors import ConflictError

Ids = Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS)]
_ASKED = 100  # characters of each memory in the question
_NAMED = 10  # memories that the question quotes
_CODE = 12  # digits of the token in the question


class Erase(BaseModel):
    """What the user answers."""

    erase: bool = Field(description="Erase it for good?")


class Previews:
    """Tokens for what was shown before erasing."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def token(self, memories: Sequence[Memory]) -> str:
        """The token for exactly these versions of these memories."""
        named = sorted(f"{memory.id!r} {memory.namespace!r} {memory.version}" for memory in memories)
        return hmac.new(self._key, "\n".join(named).encode("utf-8", "surrogatepass"), sha256).hexdigest()[:32]

    def confirms(self, given: str | None, memories: Sequence[Memory]) -> bool:
        """Whether a token is the one for these memories as they are now."""
        return given is not None and hmac.compare_digest(
            given.encode("utf-8", "replace"), self.token(memories).encode()
        )


def can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether the client can show the user a form."""
    capabilities = ctx.client_capabilities
    form = capabilities.elicitation if capabilities is not None else None
    return form is not None and (form.form is not None or form.url is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user is asked about: the question, and the token of the versions it is about."""

    question: str
    token: str


async def asked(desk: Desk, previews: Previews, ids: list[str], namespace: Namespace) -> Asked:
    """The question for the user."""

    def about(vault: Vault, scope: Scope) -> Asked:
        found = meant(vault, scope, ids, namespace)
        quoted = [f"- {' '.join(view.entry(one, scope).text.split())[:_ASKED]}" for one in found[:_NAMED]]
        more = [f"- and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
        what = "this memory" if len(found) == 1 else f"these {len(found)} memories"
        token = previews.token(found)
        first = f"Erase {what} for good, with the history? ({token[:_CODE]})"
        return Asked(question="\n".join([first, *quoted, *more]), token=token)

    return await desk.read(about)


def meant(vault: Vault, scope: Scope, ids: list[str], namespace: Namespace) -> list[Memory]:
    """The memories that are to be erased, each once."""
    found = (scope.find(vault, id_, namespace) for id_ in ids)
    return list({(memory.namespace, memory.id): memory for memory in found}.values())


def erase(vault: Vault, scope: Scope, memories: Sequence[Memory]) -> None:
    """Erase exactly these versions and those before them, in one commit.

    Raises:
        ConflictError: one of them has a newer version by now; nothing is erased.
    """

    def work(tx: Transaction) -> None:
        for memory in memories:
            if tx.get(memory.id, namespace=memory.namespace).version != memory.version:
                raise ConflictError("a memory has changed since it was shown")
        for memory in memories:
            tx.forget(memory.id, namespace=memory.namespace)

    vault.transact(work, box=scope.box)
