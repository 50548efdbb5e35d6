"""Asking before something is erased.

Rules:
- Where the client can ask the user (form elicitation), the user is asked, with the beginning of each memory on a line
  of its own; no token stands in for the answer, for a model could fetch one without the user.
- Where it can't, the first call is a preview: it shows what would be erased and gives a token. A second call with the
  same ids and that token erases.
- The token is bound to the very versions that were shown and to this run of the server; it is no secret and opens
  nothing by itself.
"""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit
from pydantic import BaseModel, Field

from strongroom_mcp import view
from strongroom_mcp.calls import Desk
from strongroom_mcp.limits import MAX_IDS
from strongroom_mcp.scope import Scope
from strongroom_mcp.shapes import Id, Namespace
from vault_core import Memory, Vault

Ids = Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS)]
_ASKED = 100  # characters of each memory in the question
_NAMED = 10  # memories that the question quotes


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


async def asked(desk: Desk, ids: list[str], namespace: Namespace, ctx: Context[Any, Any]) -> Erase | Elicit[Erase]:
    """The question for the user, where the client can ask it."""
    if not can_ask(ctx):
        return Erase(erase=False)

    def question(vault: Vault, scope: Scope) -> str:
        found = [view.entry(scope.find(vault, id_, namespace), scope) for id_ in dict.fromkeys(ids)]
        quoted = [f"- {' '.join(one.text.split())[:_ASKED]}" for one in found[:_NAMED]]
        more = [f"- and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
        what = "this memory" if len(found) == 1 else f"these {len(found)} memories"
        return "\n".join([f"Erase {what} for good, with the history?", *quoted, *more])

    return Elicit(await desk.read(question), Erase)
