"""Asking the key agent.

Rules:
- No agent is no error: the vault is opened by other means. One that hangs, breaks off or is not ours is an error
  that says so; what it has said so far is not used.
- Each exchange has one connection and one deadline. Buffers that held a key are wiped.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vault_core.crypto import KEY_BYTES, Key, wipe
from vault_core.errors import SessionStateError, UnavailableError, WrongPassphraseError
from vault_core.keys.agent import place, wire
from vault_core.keys.providers import ANY_SLOT, KeyProvider, SlotKdf

NO_KEY = "the key agent holds no key for this vault; run: strongroom unlock"
STALE = (
    "the key agent's key doesn't open this vault any more: its slot was changed or removed, or the keys were rotated; "
    "run: strongroom unlock"
)
_BROKEN = "the key agent broke off or answered what is no answer; run: strongroom lock --all, then: strongroom unlock"
_HANGS = "the key agent doesn't answer; run: strongroom lock --all, then: strongroom unlock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the agent holds for one vault: its id, the end of its path, and seconds until it is dropped if unused."""

    vault: str
    place: str
    seconds_left: int
    timeout: int


@dataclass(slots=True)
class AgentKey:
    """The key that `strongroom unlock` has left with the key agent. Opens the slot it was taken from, of any kind.

    Not frozen: it remembers that the agent had a key which opened nothing, so that `advice` can say so.
    """

    kind: str = field(default=ANY_SLOT, init=False)
    stale: bool = field(default=False, init=False, repr=False, compare=False)

    def kek(self, kdf: SlotKdf, vault: bytes) -> Key:
        """See `KeyProvider.kek`. Waits for two seconds at most."""
        try:
            with _asked(wire.request(wire.GET, vault, kdf.salt)) as (answer, _, connection):
                self.stale = self.stale or answer in (wire.KEY, wire.OTHER_SLOT)
                if answer != wire.KEY:
                    raise WrongPassphraseError(STALE if self.stale else NO_KEY)
                return connection.key()
        except _NobodyError:
            raise WrongPassphraseError(NO_KEY) from None

    def advice(self) -> str:
        """Why the agent opened nothing, and what to do."""
        return STALE if self.stale else NO_KEY


class Witness:
    """A provider that lets another one work, and keeps a copy of the KEK it gave last: that of the slot it opened."""

    def __init__(self, provider: KeyProvider) -> None:
        self.provider = provider
        self.salt = b""
        self._kek: Key | None = None

    @property
    def kind(self) -> str:
        """The kind of slot this opens."""
        return self.provider.kind

    def kek(self, kdf: SlotKdf, vault: bytes) -> Key:
        """See `KeyProvider.kek`."""
        given = self.provider.kek(kdf, vault)
        self.wipe()
        self._kek, self.salt = Key.taken_from(given.view()), kdf.salt
        return given

    @property
    def kept(self) -> Key:
        """The KEK that opened the vault."""
        if self._kek is None:
            raise SessionStateError("no vault was opened with this provider")
        return self._kek

    def wipe(self) -> None:
        """Forget it."""
        if self._kek is not None:
            self._kek.wipe()
        self._kek = None


def present() -> bool:
    """Whether something is where the agent would be; it may be stale."""
    if not place.supported():
        return False
    try:
        place.socket_in(place.agent_folder()).lstat()
    except OSError:
        return False
    return True


def hold(vault: bytes, salt: bytes, kek: Key, *, seconds: int, named: str) -> bool:
    """Hand a key to the agent. False if there is none.

    Raises:
        UnavailableError: it hangs, breaks off, is not ours, or holds as many as it can.
    """
    asked = wire.request(wire.PUT, vault, salt, seconds, named)
    asked[wire.KEY_AT : wire.KEY_AT + KEY_BYTES] = kek.view()
    try:
        with _asked(asked) as (answer, _, _connection):
            if answer == wire.FULL:
                raise UnavailableError(f"the key agent holds {wire.MAX_VAULTS} vaults already; run: strongroom lock")
            if answer != wire.DONE:
                raise UnavailableError(_BROKEN)
    except _NobodyError:
        return False
    return True


def drop(vault: bytes | None = None) -> int:
    """Have the agent wipe the key of a vault, or all; gives how many there were.

    Raises:
        UnavailableError: it hangs, breaks off or is not ours.
    """
    try:
        with _asked(wire.request(wire.DROP, vault or wire.EVERY)) as (answer, count, _):
            if answer != wire.DONE:
                raise UnavailableError(_BROKEN)
            return count
    except _NobodyError:
        return 0


def entries() -> list[Entry] | None:
    """What the agent holds; None if there is no agent.

    Raises:
        UnavailableError: it hangs, breaks off or is not ours.
    """
    try:
        with _asked(wire.request(wire.LIST)) as (answer, count, connection):
            if answer != wire.ENTRIES or count > wire.MAX_VAULTS:
                raise UnavailableError(_BROKEN)
            return [_entry(connection.exactly(wire.ENTRY.size)) for _ in range(count)]
    except _NobodyError:
        return None


class _NobodyError(Exception):
    """There is no agent."""


class _Connection:
    """One exchange; everything has to be over by its deadline, however slowly the bytes come."""

    def __init__(self, given: socket.socket) -> None:
        self._socket = given
        self._until = time.monotonic() + wire.TIMEOUT

    def send(self, what: bytearray) -> None:
        self._wait()
        self._socket.sendall(what)

    def exactly(self, size: int) -> bytearray:
        """The next bytes, exactly so many. The caller wipes them if they are secret."""
        out = bytearray(size)
        try:
            self._fill(memoryview(out))
        except BaseException:
            wipe(out)
            raise
        return out

    def key(self) -> Key:
        """The next bytes as a key; they are nowhere else in this process."""
        key = Key()
        try:
            self._fill(key.view())
        except BaseException:
            key.wipe()
            raise
        return key

    def _fill(self, room: memoryview) -> None:
        while room:
            self._wait()
            got = self._socket.recv_into(room)
            if not got:
                raise ConnectionResetError
            room = room[got:]

    def _wait(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


@contextmanager
def _asked(what: bytearray) -> Iterator[tuple[int, int, _Connection]]:
    """Send a request; gives the answer, its count, and the connection that the rest comes from."""
    if not place.supported():
        raise _NobodyError
    path = place.socket_in(place.agent_folder())
    try:
        if not place.check_socket(path):
            raise _NobodyError
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
            connection = _Connection(end)
            _connect(end, path)
            connection.send(what)
            magic, version, answer, count = wire.ANSWER.unpack(connection.exactly(wire.ANSWER.size))
            if (magic, version) != (wire.MAGIC, wire.VERSION):
                raise UnavailableError(_BROKEN)
            yield answer, count, connection
    except TimeoutError:
        raise UnavailableError(_HANGS) from None
    except OSError:
        raise UnavailableError(_BROKEN) from None
    finally:
        wipe(what)


def _connect(end: socket.socket, path: object) -> None:
    end.settimeout(wire.TIMEOUT)
    try:
        end.connect(str(path))
    except (ConnectionRefusedError, FileNotFoundError):
        raise _NobodyError from None  # the socket of an agent that was killed
    except BlockingIOError:
        raise TimeoutError from None  # Linux, when those who wait already fill the queue
    if not place.is_ours(end):
        raise UnavailableError("the key agent at your socket is another user's; remove the socket")


def _entry(raw: bytearray) -> Entry:
    vault, left, timeout, told = wire.ENTRY.unpack(raw)
    return Entry(vault=vault.hex(), place=wire.told_place(told), seconds_left=left, timeout=timeout)
