"""The formats of other systems, in the order in which a source is tried: the surest signs first, plain notes last."""

from vault_core.transfer import vaultmem  # isort: skip
from vault_core.transfer import knowledge_graph  # isort: skip
from vault_core.transfer import mem0, memory_vault  # isort: skip
from vault_core.transfer import chatgpt, claude  # isort: skip
from vault_core.transfer import chat, markdown  # isort: skip

FORMATS = tuple(
    module.FORMAT for module in (vaultmem, knowledge_graph, mem0, memory_vault, chatgpt, claude, chat, markdown)
)
