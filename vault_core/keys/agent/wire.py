"""What is said to the key agent, and what it answers: frames of fixed sizes, so that nothing has to be parsed.

A request is one `REQUEST`. An answer is one `ANSWER`, after which comes a key for `KEY`, and `count` times `ENTRY`
for `ENTRIES`. Fields that a verb doesn't need are zeros.
"""

import struct

from vault_core.crypto import KEY_BYTES

MAGIC = b"SRAG"
VERSION = 1
TIMEOUT = 2.0  # seconds for a whole exchange: a local process that needs longer hangs
MAX_VAULTS = 64  # bounds the agent, and the longest answer

# verbs
GET, PUT, DROP, LIST = 1, 2, 3, 4
# answers
DONE, KEY, NOTHING, OTHER_SLOT, FULL, ENTRIES = 1, 2, 3, 4, 5, 6

MAX_TIMEOUT = 30 * 24 * 3600  # seconds that a key may be unused
PLACE_BYTES = 200  # the end of a vault's path, for people
EVERY = bytes(16)  # the vault id that means all of them

REQUEST = struct.Struct(f">4sBB16s16sI{KEY_BYTES}s{PLACE_BYTES}s")  # magic version verb vault salt seconds key place
HEAD = struct.Struct(">4sBB16s16sI")  # a request without what is secret
KEY_AT = HEAD.size
ANSWER = struct.Struct(">4sBBH")  # magic version answer count
ENTRY = struct.Struct(f">16sII{PLACE_BYTES}s")  # vault, seconds left, timeout, place


def request(verb: int, vault: bytes = EVERY, salt: bytes = b"", seconds: int = 0, place: str = "") -> bytearray:
    """A request without a key."""
    told = place.encode("utf-8", "replace")[-PLACE_BYTES:]
    return bytearray(REQUEST.pack(MAGIC, VERSION, verb, vault, salt, seconds, b"", told))


def told_place(raw: bytes) -> str:
    """The path in a frame, as far as it is one."""
    return raw.rstrip(b"\0").decode("utf-8", "replace")
