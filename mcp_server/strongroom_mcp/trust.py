"""Whose word a memory is, as far as a client may say.

Rules:
- Origin is the caller's claim. Over MCP it is `agent` unless something less trusted is claimed (`tool`, `web`,
  `import` or a label of the caller's own); `user` is taken for `agent`, for a model can be talked into saying it.
- A change never makes a memory more trusted than it was: an agent that rewrites what came from the web leaves it from
  the web. Only the user raises trust, and not over MCP.
"""

from vault_core import Memory

USER, AGENT = "user", "agent"


def claimed(origin: str | None) -> str:
    """The origin of something new."""
    return AGENT if origin in (None, "", USER, AGENT) else str(origin)


def changed(memory: Memory, origin: str | None) -> str:
    """The origin of a changed memory: the less trusted of what it was and what is claimed."""
    now = claimed(origin)
    return now if now != AGENT or memory.origin == USER else memory.origin
