"""Changing the locks: slots, passphrases, rotation, boxes. Every change is a new header and a commit that names it.

Rules (docs/format.md §3–5):
- Secrets are fetched and stretched before the critical section; inside it the header is checked to be the one they
  were made for.
- A rotation keeps the slots whose secret is at hand and drops the others; it says which.
- A header that was written, and whose commit's answer was lost, may be completed by another session's commit. Planned
  again, a change that finds its header named by the log is done.
- A slot that is removed does not take back what its holder has copied (docs/threat-model.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vault_core.crypto import KdfParameters, Key
from vault_core.errors import ConflictError, InvalidInputError, UnavailableError, WrongPassphraseError
from vault_core.keys import Header, KeyProvider, Keyring, Passphrase, Slot, seal_header
from vault_core.keys.providers import KeyringKey, check_provider
from vault_core.log import HeaderChange, Plan
from vault_core.memory.draft import check_label
from vault_core.memory.model import StoredHeader
from vault_core.session.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotEntry:
    """A slot as people see it."""

    id: str
    kind: str
    cost: KdfParameters | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a rotation did: the new key generation, and the slots kept and dropped."""

    generation: int
    kept: Sequence[SlotEntry]
    dropped: Sequence[SlotEntry]


def slots(session: Session) -> list[SlotEntry]:
    """The vault's slots."""
    with session.reading():
        return [_entry(slot) for slot in session.header.slots]


def add_slot(session: Session, provider: KeyProvider, cost: KdfParameters | None = None) -> SlotEntry:
    """Add a way to unlock.

    Raises:
        InvalidInputError: a weak passphrase, or too many slots.
    """
    if isinstance(provider, Passphrase):
        provider.check_quality()
    session.check_writable()  # before time is spent on deriving keys
    with session.reading():
        slot = Slot.make(session.mek, provider, session.header.vault, cost)
    _change(session, lambda header, keyring: ([*header.slots, slot], keyring))
    return _entry(slot)


def remove_slot(session: Session, id: str) -> None:
    """Remove a way to unlock.

    Raises:
        InvalidInputError: there is no such slot, or it is the last one.
    """
    check_label(id, "the id of a slot")

    def without(header: Header, keyring: Keyring) -> tuple[list[Slot], Keyring]:
        left = [slot for slot in header.slots if slot.id.hex() != id]
        if len(left) == len(header.slots):
            raise InvalidInputError("there is no slot with this id; see: strongroom slots")
        if not left:
            raise InvalidInputError("this is the last slot; add another one before removing it")
        return left, keyring

    _change(session, without)


def change_passphrase(session: Session, old: str, new: str, cost: KdfParameters | None = None) -> SlotEntry:
    """Put a slot with the new passphrase in the place of the one that the old passphrase opens.

    Raises:
        WrongPassphraseError: the old passphrase opens no slot.
        InvalidInputError: the new one is too weak.
        ConflictError: someone else changed that slot meanwhile.
    """
    fresh = Passphrase(new)
    fresh.check_quality()
    session.check_writable()
    with session.reading():
        header, mek = session.header, session.mek
        opened = next((slot for slot in header.slots if _opens(slot, Passphrase(old), header.vault)), None)
        if opened is None:
            raise WrongPassphraseError("the old passphrase opens no slot of this vault")
        slot = Slot.make(mek, fresh, header.vault, cost or opened.kdf.cost)

    def replaced(header: Header, keyring: Keyring) -> tuple[list[Slot], Keyring]:
        if opened not in header.slots:
            raise ConflictError("the slot was changed by another session; try again")
        return [slot if one == opened else one for one in header.slots], keyring

    _change(session, replaced)
    return _entry(slot)


def add_box(session: Session, name: str) -> str:
    """Make a box; gives its name."""

    def with_box(header: Header, keyring: Keyring) -> tuple[list[Slot], Keyring]:
        keyring.add_box(name)
        return list(header.slots), keyring

    _change(session, with_box)
    return name


def rotate(session: Session, providers: Sequence[KeyProvider]) -> Rotation:
    """New MEK, new log key, new key for every box. Slots stay if one of the providers opens them.

    The keyring slot of this machine stays by itself. Other sessions go on if they can fetch their secret again.

    Raises:
        InvalidInputError: no slot would be left.
        ConflictError: the header changed meanwhile.
    """
    session.check_writable()
    mek = Key.random()
    try:
        with session.reading():
            return _rotate(session, [*map(check_provider, providers), KeyringKey()], mek)
    finally:
        if session.mek is not mek:
            mek.wipe()


def _rotate(session: Session, providers: Sequence[KeyProvider], mek: Key) -> Rotation:
    based_on = session.header
    kept, dropped = _rewrap(based_on, providers, mek)
    if not kept:
        raise InvalidInputError("give at least one present secret, or the rotated vault could never be opened")

    def turned(header: Header, keyring: Keyring) -> tuple[list[Slot], Keyring]:
        if header != based_on:
            raise ConflictError("the vault's header was changed by another session; try again")
        keyring.rotate()
        return kept, keyring

    _change(session, turned, mek)
    return Rotation(
        generation=session.header.key_generation,
        kept=[_entry(slot) for slot in kept],
        dropped=[_entry(slot) for slot in dropped],
    )


def _change(
    session: Session, edit: Callable[[Header, Keyring], tuple[list[Slot], Keyring]], new_mek: Key | None = None
) -> None:
    """Commit a new header: `edit` gets the present one and a copy of its keyring."""
    copies: list[Keyring] = []
    headers: list[StoredHeader] = []

    def plan() -> Plan | None:
        if any(session.log.has_named(one) for one in headers):
            return None  # another session has completed it, and this one has taken it from the store
        header, mek = session.header, new_mek or session.mek
        copies.append(session.keyring.copy())
        edited, keyring = edit(header, copies[-1])
        headers.append(seal_header(header.vault, header.generation + 1, keyring, edited, mek))
        op = HeaderChange(header.generation + 1, headers[-1].digest)
        return Plan(box=None, ops=[op], header=headers[-1], keyring=keyring, purge=True)

    session.next_mek = new_mek
    try:
        session.commit(plan, after=lambda: _take(session, headers[-1], copies[-1], new_mek))
    finally:
        session.next_mek = None
        for keyring in copies:
            if keyring is not session.keyring:
                keyring.wipe()  # of a change that failed, or had to be planned again


def _take(session: Session, stored: StoredHeader, keyring: Keyring, new_mek: Key | None) -> None:
    if new_mek is not None and session.mek is not new_mek:
        session.mek.wipe()
        session.mek = new_mek
    session.take_header(Header.parse(stored), keyring)


def _rewrap(header: Header, providers: Sequence[KeyProvider], mek: Key) -> tuple[list[Slot], list[Slot]]:
    kept, dropped = [], []
    for slot in header.slots:
        opener = next((provider for provider in providers if _opens(slot, provider, header.vault)), None)
        if opener is None:
            dropped.append(slot)
        else:
            kept.append(Slot.make(mek, opener, header.vault, slot.kdf.cost))
    return kept, dropped


def _opens(slot: Slot, provider: KeyProvider, vault: bytes) -> bool:
    if slot.kind != provider.kind:
        return False
    try:
        slot.unlock(provider, vault).wipe()
    except (WrongPassphraseError, UnavailableError):
        return False
    return True


def _entry(slot: Slot) -> SlotEntry:
    return SlotEntry(id=slot.id.hex(), kind=slot.kind, cost=slot.kdf.cost)
