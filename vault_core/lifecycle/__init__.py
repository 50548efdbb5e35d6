"""What happens to memories: changing, consolidating, forgetting, as plans for one commit. Values in, values out."""

from vault_core.lifecycle.batch import Batch
from vault_core.lifecycle.briefing import Briefing
from vault_core.lifecycle.consolidate import Summariser
from vault_core.lifecycle.decay import ForgetPolicy, strength
from vault_core.lifecycle.merge import Brought
from vault_core.lifecycle.receipt import Receipt

__all__ = ["Batch", "Briefing", "Brought", "ForgetPolicy", "Receipt", "Summariser", "strength"]
