"""An MCP server: one vault for every client that speaks the Model Context Protocol."""
