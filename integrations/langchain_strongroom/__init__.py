"""LangChain and LangGraph on a vault: memory, search and state behind their own interfaces."""
