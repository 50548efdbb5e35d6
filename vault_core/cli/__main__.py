"""`python -m vault_core.cli`."""

from vault_core.cli import main

main()
