"""Origin, trust and briefings, as the core will have them; until it does, what stands in for them."""

from typing import Any

from strongroom_mcp.scope import Scope
from vault_core import Draft, Memory, Vault

HAS_TRUST = "origin" in Draft.__slots__


def origin(memory: Memory) -> str:
    """Who said it."""
    return str(getattr(memory, "origin", "user"))


def trust(memory: Memory) -> str:
    """Whether it is trusted."""
    return str(getattr(memory, "trust", "trusted"))


def saying(origin: str) -> dict[str, Any]:
    """The fields that store an origin."""
    return {"origin": origin} if HAS_TRUST else {}


def asking(*, include_untrusted: bool) -> dict[str, Any]:
    """The arguments of a search."""
    return {"include_untrusted": include_untrusted} if HAS_TRUST else {}


def brief(vault: Vault, scope: Scope, max_tokens: int) -> list[Memory]:
    """What an agent should know from the start."""
    told = getattr(vault, "briefing", None)
    if told is not None:
        return [
            memory
            for memory in told(namespace=scope.namespace, max_tokens=max_tokens).memories
            if scope.contains(memory)
        ]
    return vault.list(namespace=scope.namespace, memory_type="PERSONA", limit=20, box=scope.box)
