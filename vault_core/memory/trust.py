"""Trust: how far a memory may be taken at its word, from who said it and whether the owner has vouched for it.

Rules:
- An origin is a claim of whoever writes, stamped by an adapter where there is one: "user" (the default), "agent",
  "tool", "web", "import", or any other label.
- What the user said, or has vouched for (`Vault.trust`), is trusted. What an agent said is unconfirmed: it is found,
  but is in no briefing. Everything else is untrusted: it is found only by who asks for it.
- A confirmation is of one version. The next one starts anew, for it may say something else.
- What is untrusted supersedes only what is untrusted too, so that a web page can't retire what the user said. Nor does
  it become the next version of what the user said.
"""

from vault_core.errors import ConflictError

USER, AGENT, TOOL, WEB, IMPORT = "user", "agent", "tool", "web", "import"
TRUSTED, UNCONFIRMED, UNTRUSTED = "trusted", "unconfirmed", "untrusted"


def trust_of(origin: str | None, vouched: bool) -> str:
    """How far that goes: TRUSTED, UNCONFIRMED or UNTRUSTED. No origin is the user's."""
    if vouched or origin is None or origin == USER:
        return TRUSTED
    return UNCONFIRMED if origin == AGENT else UNTRUSTED


def check_next(trust: str, origin: str | None) -> None:
    """That a version of this trust may follow one of this origin: what is untrusted does not replace the user's word.

    Raises:
        ConflictError: it may not; the new one can be stored under an id of its own.
    """
    if trust == UNTRUSTED and (origin is None or origin == USER):
        raise ConflictError("what is untrusted can't replace what the user said; store it under an id of its own")
