"""`python -m strongroom_mcp`."""

from strongroom_mcp.program import main

main()
