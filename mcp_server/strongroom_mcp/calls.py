"""One call: who makes it, and the vault's side of it."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mcp.server.mcpserver import Context

from strongroom_mcp.keeper import Keeper
from strongroom_mcp.limits import Limits, Meter
from strongroom_mcp.scope import Scope
from vault_core import Memory, Vault

T = TypeVar("T")
_NOT_PLAIN = re.compile(r"[^ -~]")
_MAX_NAME = 64
CHANGING = ("memory://recent", "memory://briefing", "memory://stats")  # what any write may change


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every tool works with: the vault, the part of it that is served, and the rate of calls."""

    keeper: Keeper
    scope: Scope
    limits: Limits
    read_only: bool = False
    profiles: tuple[str, ...] = ()
    meter: Meter = field(init=False)
    run: str = field(default_factory=lambda: secrets.token_hex(8), init=False)  # names this run of the server

    def __post_init__(self) -> None:
        object.__setattr__(self, "meter", Meter(self.limits))

    async def read(self, work: Callable[[Vault, Scope], T]) -> T:
        """What `work` reads."""
        return await self.keeper.run(lambda vault: work(vault, self.scope))

    async def write(self, ctx: Context[Any, Any], tool: str, work: Callable[[Vault, Scope], T]) -> T:
        """What `work` writes: durable, and signed with the client's name, before this returns.

        Who writes is what the protocol says of the client; no argument of a tool can say it.
        """
        who = {**_client(ctx), "client_session": _session(ctx) or self.run, "tool": tool}

        def signed(vault: Vault) -> T:
            with vault.writing_as(**who):
                return work(vault, self.scope)

        return await self.keeper.run(signed)

    async def changed(self, ctx: Context[Any, Any], *memories: Memory) -> None:
        """Tell the clients that listen what has changed."""
        for uri in (*CHANGING, *(self.scope.address(memory) for memory in memories)):
            await ctx.notify_resource_updated(uri)


def _client(ctx: Context[Any, Any]) -> dict[str, str]:
    params = ctx.session.client_params
    if params is None:
        return {"client": "unknown"}
    name, version = _plain(params.client_info.name), _plain(params.client_info.version)
    return {"client": name or "unknown"} | ({"client_version": version} if version else {})


def _session(ctx: Context[Any, Any]) -> str:
    """The transport's id of this conversation, where it has one."""
    headers = ctx.headers
    return _plain(headers.get("mcp-session-id", "")) if headers is not None else ""


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("?", text)[:_MAX_NAME].strip()
