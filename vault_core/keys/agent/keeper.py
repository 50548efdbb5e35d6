"""The keys that the agent holds, and when each has to go. Time is passed in."""

from dataclasses import dataclass

from vault_core.crypto import Key
from vault_core.keys.agent import wire


@dataclass(slots=True, kw_only=True)
class Held:
    """The KEK of one slot of a vault; `until` moves with every use."""

    salt: bytes
    key: Key
    place: bytes
    timeout: int
    until: float


class Keeper:
    """One key for each vault."""

    def __init__(self) -> None:
        self._held: dict[bytes, Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def put(self, vault: bytes, salt: bytes, key: Key, place: bytes, *, timeout: int, now: float) -> bool:
        """Take a key, in the place of the one that was there. False if there is no room; the key is wiped then."""
        if vault not in self._held and len(self._held) >= wire.MAX_VAULTS:
            key.wipe()
            return False
        self.drop(vault)
        self._held[vault] = Held(salt=salt, key=key, place=place, timeout=timeout, until=now + timeout)
        return True

    def get(self, vault: bytes, salt: bytes, *, now: float) -> tuple[int, Key | None]:
        """The answer for a slot, and its key. Asking for the right slot counts as use; asking for another does not."""
        self.sweep(now)
        held = self._held.get(vault)
        if held is None:
            return wire.NOTHING, None
        if held.salt != salt:
            return wire.OTHER_SLOT, None
        held.until = now + held.timeout
        return wire.KEY, held.key

    def drop(self, vault: bytes) -> int:
        """Wipe the key of a vault, or all for `EVERY`; gives how many there were."""
        gone = list(self._held) if vault == wire.EVERY else [vault] if vault in self._held else []
        for one in gone:
            self._held.pop(one).key.wipe()
        return len(gone)

    def sweep(self, now: float) -> None:
        """Wipe what nobody has asked for in time."""
        for vault in [vault for vault, held in self._held.items() if held.until <= now]:
            self.drop(vault)

    def next_end(self) -> float | None:
        """When the next key has to go; None if there is none."""
        return min((held.until for held in self._held.values()), default=None)

    def entries(self, now: float) -> list[bytes]:
        """What is held, as frames."""
        self.sweep(now)
        return [
            wire.ENTRY.pack(vault, max(0, round(held.until - now)), held.timeout, held.place)
            for vault, held in self._held.items()
        ]
