"""The tools that write. Each is one commit, durable before the reply: clients kill their servers."""

from collections.abc import Sequence
from typing import Annotated, Any

from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult, Resolve
from pydantic import Field

from strongroom_mcp import budget, trust, view
from strongroom_mcp.calls import Desk
from strongroom_mcp.forgetting import Asked, Erase, Ids, Previews, asked, can_ask, erase, meant
from strongroom_mcp.scope import Scope
from strongroom_mcp.shapes import (
    Forgotten,
    Id,
    Json,
    Label,
    Namespace,
    NewMemory,
    OneOrMany,
    Origin,
    StoredAll,
    Tags,
    Text,
    Time,
    Type,
    Unit,
)
from vault_core import ConflictError, Draft, InvalidInputError, Memory, Vault

_ERASED = "Nothing more to do."
_LASTS = "The user said or confirmed this memory, so only the user decides when it expires; memory_forget asks them."
_KEPT = "The user wants to keep it. Don't ask again."
_PREVIEW = "Nothing is erased yet. Show this to the user; if they agree, call again with the same ids and this confirm."


class Writing:
    """The tools that write."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._previews = desk, Previews()

    async def memory_store(self, memories: OneOrMany, ctx: Context[Any, Any]) -> StoredAll:
        """Remember something: one memory or several, each a short statement that stands on its own.

        Say where it comes from with origin when it is from a tool, the web or an import.
        """

        def work(vault: Vault, scope: Scope) -> list[Memory]:
            return vault.add_many([_draft(one, scope) for one in memories], box=scope.box)

        stored = await self._desk.write(ctx, "memory_store", work)
        await self._desk.changed(ctx, *stored)
        return self._receipt(stored)

    async def memory_update(
        self,
        id: Id,
        ctx: Context[Any, Any],
        text: Text | None = None,
        type: Type = None,
        tags: Tags = None,
        importance: Unit = None,
        event_time: Time = None,
        expires_at: Time = None,
        metadata: Json = None,
        origin: Origin = None,
        reason: Annotated[Label | None, Field(description="Why it changes, for the history.")] = None,
        namespace: Namespace = None,
    ) -> StoredAll:
        """Change a memory that is no longer right. What is not named stays; earlier versions stay in its history."""
        given: dict[str, Any] = {
            "content": text,
            "memory_type": type,
            "tags": tags,
            "importance": importance,
            "event_time": event_time,
            "expires_at": expires_at,
            "metadata": metadata,
        }
        changes = {name: value for name, value in given.items() if value is not None}

        def work(vault: Vault, scope: Scope) -> Memory:
            memory = scope.find(vault, id, namespace)
            if expires_at is not None and memory.trust == "trusted":  # or an agent could hide it without asking
                raise InvalidInputError(_LASTS)
            said = trust.changed(memory, origin)
            return vault.update(
                memory.id, namespace=memory.namespace, box=scope.box, reason=reason, origin=said, **changes
            )

        memory = await self._desk.write(ctx, "memory_update", work)
        await self._desk.changed(ctx, memory)
        return self._receipt([memory])

    def _receipt(self, memories: Sequence[Memory]) -> StoredAll:
        return StoredAll(stored=budget.together([view.stored(memory, self._desk.scope) for memory in memories]))

    def forget_tool(self) -> Any:
        """The tool `memory_forget`, which asks the user by way of this desk."""
        desk, previews = self._desk, self._previews

        async def look(ids: Ids, namespace: Namespace, ctx: Context[Any, Any]) -> Asked | None:
            return await asked(desk, previews, ids, namespace) if can_ask(ctx) else None

        async def ask(about: Annotated[Any, Resolve(look)]) -> Any:
            return Erase(erase=False) if about is None else Elicit(about.question, Erase)

        async def memory_forget(
            ids: Ids,
            ctx: Context[Any, Any],
            about: Annotated[Any, Resolve(look)],
            answer: Annotated[ElicitationResult[Erase], Resolve(ask)],
            namespace: Namespace = None,
            confirm: Annotated[
                str | None, Field(max_length=128, description="From the preview, once the user has agreed.")
            ] = None,
        ) -> Forgotten:
            """Erase memories for good, with their history. The user is asked; where that can't be, there is a preview.

            What is merely out of date is better changed with memory_update.
            """
            agreed = isinstance(answer, AcceptedElicitation) and answer.data.erase

            def work(vault: Vault, scope: Scope) -> Forgotten:
                found = meant(vault, scope, ids, namespace)
                shown = budget.together([view.entry(memory, scope) for memory in found])
                if about is not None and not agreed:
                    return Forgotten(status="kept", memories=shown, next_step=_KEPT)
                if about is None and not previews.confirms(confirm, found):
                    token = previews.token(found)
                    return Forgotten(status="preview", memories=shown, confirm=token, next_step=_PREVIEW)
                if about is not None and not previews.confirms(about.token, found):
                    raise ConflictError("a memory has changed since the user was asked")
                erase(vault, scope, found)
                return Forgotten(status="erased", memories=shown, next_step=_ERASED)

            done = await desk.write(ctx, "memory_forget", work)
            if done.status == "erased":
                await desk.changed(ctx)
            return done

        return memory_forget


def _draft(given: NewMemory, scope: Scope) -> Draft:
    return Draft(
        content=given.text,
        memory_type=given.type,
        tags=given.tags or (),
        namespace=scope.inside(given.namespace),
        importance=given.importance,
        event_time=given.event_time,
        expires_at=given.expires_at,
        source=given.source,
        thread=given.thread,
        metadata=given.metadata,
        origin=trust.claimed(given.origin),
    )
