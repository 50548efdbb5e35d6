"""LlamaIndex on a vault: stores, retriever and memory behind its own interfaces."""
