"""Resources and completions: the same part of the vault, for clients that attach rather than ask."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import Completion, CompletionArgument, PromptReference, ResourceTemplateReference
from pydantic import BaseModel

from strongroom_mcp import budget, view
from strongroom_mcp.calls import Desk
from strongroom_mcp.framing import shown
from strongroom_mcp.limits import MAX_COMPLETIONS, RECENT
from strongroom_mcp.reading import briefing, status
from strongroom_mcp.scope import Scope
from strongroom_mcp.shapes import Offset, Page, Part
from vault_core import Memory, Vault
from vault_core.errors import VaultError

TEMPLATE = "memory://{id}"
REST = "memory://{id}{?part,offset}"
JSON = "application/json"
_RECENT_SHOWN = 20
_BRIEFING_TOKENS = 1_500
Complete = Callable[
    [PromptReference | ResourceTemplateReference, CompletionArgument, Any], Awaitable[Completion | None]
]


class Resources:
    """What can be read by its address."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def memory(self, id: str, ctx: Context[Any, Any]) -> str:  # noqa: ARG002  a template needs none, but may
        """One memory, by its id."""
        return _json(await self._desk.read(lambda vault, scope: view.whole(scope.find(vault, id), scope)))

    async def rest(self, id: str, ctx: Context[Any, Any], part: Part = "text", offset: Offset = 0) -> str:  # noqa: ARG002  as above
        """A later page of one memory, or another part of it."""
        return _json(await self._desk.read(lambda vault, scope: view.whole(scope.find(vault, id), scope, offset, part)))

    async def briefing(self) -> str:
        """What an agent should know from the start."""
        return _json(await self._desk.read(lambda vault, scope: briefing(vault, scope, _BRIEFING_TOKENS)))

    async def recent(self) -> str:
        """The memories that changed last."""
        return _json(await self._desk.read(_recent))

    async def stats(self) -> str:
        """How many memories there are, and in which namespaces."""
        return _json(await self._desk.read(lambda vault, scope: status(vault, scope, self._desk)))


def completions(desk: Desk) -> Complete:
    """Ids for the template of a memory, and tags for the prompt `recall`."""

    async def complete(
        ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, _: Any
    ) -> Completion | None:
        if isinstance(ref, ResourceTemplateReference) and ref.uri in (TEMPLATE, REST) and argument.name == "id":
            values = _ids
        elif isinstance(ref, PromptReference) and ref.name == "recall" and argument.name == "tag":
            values = _tags
        else:
            return None
        if not desk.meter.take():
            return None
        try:
            offered = await desk.read(lambda vault, scope: values(_newest(vault, scope, RECENT), scope))
        except VaultError:  # locked, say: there is nothing to offer, and a tool will say why
            return None
        fitting = [value for value in dict.fromkeys(offered) if value.startswith(argument.value)]
        first = budget.first(fitting[:MAX_COMPLETIONS])
        return Completion(values=first, total=len(fitting), has_more=len(fitting) > len(first))

    return complete


def _recent(vault: Vault, scope: Scope) -> Page:
    memories, omitted = view.each(_newest(vault, scope, _RECENT_SHOWN), scope, view.entry)
    return Page(memories=memories, next_offset=len(memories) if omitted else None)


def _newest(vault: Vault, scope: Scope, limit: int) -> list[Memory]:
    return vault.list(namespace=scope.namespace, limit=limit, box=scope.box)


def _ids(memories: Iterable[Memory], scope: Scope) -> list[str]:
    return [scope.name(memory) for memory in memories]


def _tags(memories: Iterable[Memory], scope: Scope) -> list[str]:  # noqa: ARG001  as _ids
    return sorted(shown(tag) for memory in memories for tag in memory.tags)


def _json(model: BaseModel) -> str:
    return model.model_dump_json()
