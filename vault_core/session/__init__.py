"""One open vault in one process: keys, log and indexes together, under one lock."""

from vault_core.session.session import Session

__all__ = ["Session"]
