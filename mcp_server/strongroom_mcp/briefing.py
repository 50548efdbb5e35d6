"""What an agent should know from the start: `Vault.briefing` of the part that is served.

Until the core has it, what stands in for it is the trusted memories that are pinned or about the user.
"""

from strongroom_mcp.scope import Scope
from vault_core import Memory, Vault

_TRUSTED = "trusted"
_MOST = 50
_CHARACTERS = 4  # of a token, about


def told(vault: Vault, scope: Scope, max_tokens: int) -> list[Memory]:
    """The memories of a briefing: only what the user said or vouches for."""
    brief = getattr(vault, "briefing", None)
    if brief is None:
        return _stand_in(vault, scope, max_tokens)
    memories = brief(namespace=scope.namespace, max_tokens=max_tokens).memories
    return [memory for memory in memories if scope.contains(memory) and memory.trust == _TRUSTED]


def _stand_in(vault: Vault, scope: Scope, max_tokens: int) -> list[Memory]:
    condition = {"$or": [{"state.pinned": True}, {"memory_type": "PERSONA"}]}
    found = vault.list(namespace=scope.namespace, filter=condition, limit=_MOST * 4, box=scope.box)
    chosen = sorted((one for one in found if one.trust == _TRUSTED), key=lambda one: not one.state.pinned)[:_MOST]
    left, fitting = max_tokens * _CHARACTERS, []
    for memory in chosen:
        left -= len(memory.text)
        if left >= 0:
            fitting.append(memory)
    return fitting
