"""`strongroom connect`: enter the MCP server into the configuration of a client.

Rules:
- The change is shown before it is made, and nothing else in the file is changed: the edit is a splice of its text, and
  the result is parsed and compared with what it should say before anything is written.
- No secret is written. Where the secret comes from (a file, a command) may be.
- The old file is kept beside the new one; the new one is put in its place at once.
- What can't be edited safely is refused, with the lines to paste.
"""

from vault_core.cli.connect.verb import connect

__all__ = ["connect"]
