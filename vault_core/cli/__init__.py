"""The command `strongroom`: `app` holds its commands, `main` runs it."""

from vault_core.cli.program import app, main

__all__ = ["app", "main"]
