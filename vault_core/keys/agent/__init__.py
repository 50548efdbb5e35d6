"""The key agent: a process of the user's that holds what opens a vault, so that programs open it without a question.

`strongroom unlock` starts it and hands it the KEK of the slot that opened the vault; `AgentKey` asks it; `strongroom
lock` ends it.

Rules (docs/threat-model.md, "The key agent"; docs/adr/0013):
- It holds the KEK of one slot for each vault: not the passphrase, and not the MEK. A slot that is removed or replaced,
  and a rotation, make that KEK worthless.
- One agent for each user, on a Unix socket in a folder of mode 0700. Both ends check the other's user id.
- Messages have fixed sizes; whoever asks waits for two seconds in all, and so does the agent.
- A key that nobody has asked for during its timeout is wiped; an agent without keys ends.
"""

from vault_core.keys.agent.client import AgentKey, Entry, Witness, drop, entries, hold, present
from vault_core.keys.agent.place import agent_folder, check_supported
from vault_core.keys.agent.start import end, started
from vault_core.keys.agent.wire import MAX_TIMEOUT

__all__ = [
    "MAX_TIMEOUT",
    "AgentKey",
    "Entry",
    "Witness",
    "agent_folder",
    "check_supported",
    "drop",
    "end",
    "entries",
    "hold",
    "present",
    "started",
]
