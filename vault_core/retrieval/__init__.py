"""Retrieval: from a query to ranked hits. Pure functions over an index."""

from vault_core.retrieval.question import Question, question_of
from vault_core.retrieval.ranking import Hit, nearest, rank
from vault_core.retrieval.scope import Scope

__all__ = ["Hit", "Question", "Scope", "nearest", "question_of", "rank"]
