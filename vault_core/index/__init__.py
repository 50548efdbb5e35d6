"""The index: everything needed to answer a query, in RAM, computed from the log. Disposable."""

from vault_core.index.catalogue import Catalogue, Row
from vault_core.index.columns import Columns
from vault_core.index.index import BoxIndex
from vault_core.index.vectors import Vectors

__all__ = ["BoxIndex", "Catalogue", "Columns", "Row", "Vectors"]
