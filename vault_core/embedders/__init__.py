"""Embedders: text to vectors. Optional everywhere; without one, recall is lexical."""

from vault_core.embedders.base import CallableEmbedder, Embedder, as_embedder, embed_checked

__all__ = ["CallableEmbedder", "Embedder", "as_embedder", "embed_checked"]
