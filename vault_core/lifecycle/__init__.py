"""What happens to memories: changing, consolidating, forgetting, as plans for one commit. Values in, values out."""

from vault_core.lifecycle.batch import Batch
from vault_core.lifecycle.consolidate import Summariser
from vault_core.lifecycle.merge import Brought
from vault_core.lifecycle.receipt import Receipt

__all__ = ["Batch", "Brought", "Receipt", "Summariser"]
