"""Retrieval: from a query to ranked hits. Pure functions over an index."""

from vault_core.retrieval.query import lexical_query
from vault_core.retrieval.ranking import Hit, rank
from vault_core.retrieval.scope import Scope

__all__ = ["Hit", "Scope", "lexical_query", "rank"]
