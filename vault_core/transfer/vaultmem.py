"""VaultMem vaults, as the package `vaultmem` 0.1 to 0.3 writes them; read with the passphrase, never written or locked.

Rules (of the package's public format, version 1):
- A vault is a folder: `meta.json` (how to unlock), `current.vmem` (header and sealed index), `current.atoms` (sealed
  atoms one after the other), `media/UUID.enc`; with blobs as the back end the atoms are `atoms/UUID.enc` instead.
- KEK = Argon2id(passphrase, salt, memory_cost KiB, 3 passes, 4 lanes); MEK = AES-256-GCM(KEK, "vmem-mek-v1"). Memory
  beyond 512 MiB is refused before it is allocated. Any slot that opens will do.
- A sealed block is nonce (12) ‖ length (4, big-endian) ‖ ciphertext ‖ tag (16). What the index seals is bound to the 48
  bytes of the header, an atom and a media file to the 16 bytes of its UUID. Index and atoms are zlib-packed JSON.
- An export is one file: header of type 3, salt (16), wrapped MEK (a sealed block), index block, atoms.

What becomes of an atom: its type, tier, text, confidence, data class and times (`created_at`, `captured_at` as the
event's time, `retention_days` as an expiry); its session is the thread; a churned atom is archived. `supersedes` names
our ids; composites and affinities name their atoms in `metadata.atoms`, with `count`, `first` and `last` as ours have
them. All else is in `metadata.vaultmem` under its own name. A media file is an item in the collection `vaultmem-media`.

Vectors go into a space of their own, `vaultmem-DIMENSION`, which has no embedder's name: the format does not say whose
they are, and a wrong guess would compare what can't be compared. `reembed` gives the memories vectors of your own.

A damaged atom is left out and reported, and the others are brought; a damaged index is `VaultTamperedError`, for
without it no atom opens.
"""

import base64
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

from vault_core.crypto import KdfParameters, Key, argon2id, open_aes_gcm, wipe
from vault_core.errors import InvalidInputError, UnavailableError, VaultTamperedError, WrongPassphraseError
from vault_core.memory import Draft, Item, Space
from vault_core.memory.limits import MAX_VALUE_BYTES
from vault_core.memory.model import TIERS, State
from vault_core.transfer.arrival import Arrival, Finding, Format, ItemArrival, Skipped
from vault_core.transfer.foreign import Importer, kept, label, moment, number
from vault_core.transfer.formats import register
from vault_core.transfer.jsonparts import UnreadableError, load
from vault_core.transfer.source import Source, open_file

MAGIC = b"VMEM"
MEDIA = "vaultmem-media"
_HEADER = struct.Struct(">4sHBBBBHIIII16sI")
_EXPORT = 3
_PASSES, _LANES, _MEMORY_KIB = 3, 4, 64 * 1024
_MAX_MEMORY_KIB = 512 * 1024  # four times the most that the package writes
_WRAP = b"vmem-mek-v1"
_NONCE, _LENGTH, _TAG = 12, 4, 16
_MAX_META = 1 << 20
_MAX_SLOTS = 16  # each costs a key derivation
_MAX_INDEX = 256 << 20  # two million atoms
_MAX_ATOM = 16 << 20
_MAX_SUPERSEDED = 256  # ids that a record may name
_TAKEN = (
    *("id", "type", "granularity", "content", "embedding", "composite_of", "affinity_of", "supersedes"),
    *("session_id", "created_at", "frequency_count", "first_observed_at", "last_observed_at", "confidence"),
    *("is_churned", "data_class", "captured_at", "schema_version", "size_tokens", "importance", "valence"),
    *("emotional_intensity", "intensity"),
)


class _Slot(NamedTuple):
    salt: bytes
    nonce: bytes
    wrapped: bytes  # with its tag


class _Block(NamedTuple):
    """Where a sealed atom lies: bytes of a file, for an id."""

    path: Path
    offset: int
    size: int | None  # None: to the end of the file
    id: str
    place: str


@dataclass(frozen=True, slots=True)
class _Opened:
    importer: Importer
    folder: Path | None
    mek: Key


def recognise(source: Source) -> bool:
    """Whether this is a vault's folder or an export."""
    if not source.is_folder:
        return source.head.startswith(MAGIC)
    try:
        return (source.path / "meta.json").is_file() and (source.path / "current.vmem").is_file()
    except OSError:
        return False


def read(source: Source) -> Iterator[Finding]:
    """Every atom of a vault.

    Raises:
        WrongPassphraseError: no passphrase, or not this one.
        VaultTamperedError: what is needed to open anything is damaged, or asks for more than the format's limits.
        InvalidInputError: it is no VaultMem vault.
    """
    importer = Importer(name="vaultmem", source=source)
    if source.passphrase is None:
        raise WrongPassphraseError("a VaultMem vault opens with its own passphrase only; give it")
    yield from _vault(importer, source.passphrase) if source.is_folder else _export(importer, source.passphrase)


def _vault(importer: Importer, passphrase: str) -> Iterator[Finding]:
    folder = importer.source.path
    meta = _meta(folder / "meta.json")
    mek = _unlocked(passphrase, _slots(meta), meta.get("memory_cost", _MEMORY_KIB))
    try:
        yield from _atoms(_Opened(importer, folder, mek), _blocks(folder, mek))
    finally:
        mek.wipe()


def _export(importer: Importer, passphrase: str) -> Iterator[Finding]:
    path = importer.source.path
    slot, start = _export_slot(path)
    mek = _unlocked(passphrase, [slot], _MEMORY_KIB)
    try:
        yield from _atoms(_Opened(importer, None, mek), _exported(path, start, mek))
    finally:
        mek.wipe()


def _atoms(opened: _Opened, blocks: Iterator[_Block | Skipped]) -> Iterator[Finding]:
    positions: dict[str, int] = {}
    for block in blocks:
        if isinstance(block, Skipped):
            yield block
            continue
        try:
            atom = _atom(block, opened.mek)
        except (VaultTamperedError, UnavailableError, InvalidInputError, UnreadableError) as error:
            yield Skipped(block.place, f"this atom is damaged: {error}")
            continue
        thread = label(atom.get("session_id"))
        position = positions.get(thread, 0) if thread else None
        if thread:
            positions[thread] = positions.get(thread, 0) + 1
        yield from _brought(opened, block, atom, thread, position)


def _brought(
    opened: _Opened, block: _Block, atom: Mapping[str, Any], thread: str | None, position: int | None
) -> Iterator[Finding]:
    importer, created = opened.importer, moment(atom.get("created_at"))
    vectors, spaces = _vectors(atom.get("embedding"))
    tier = atom.get("granularity")
    draft = Draft(
        content=atom.get("content"),
        id=importer.id_of(block.id),
        memory_type=label(atom.get("type")),
        tier=tier if isinstance(tier, str) and tier in TIERS else TIERS[0],
        metadata=_metadata(importer, atom),
        confidence=number(atom.get("confidence")),
        importance=number(atom.get("importance")),
        emotional_intensity=number(atom.get("emotional_intensity", atom.get("intensity"))),
        valence=number(atom.get("valence"), -1.0),
        thread=thread,
        event_time=moment(atom.get("captured_at")),
        expires_at=_expiry(atom, created),
        supersedes=[importer.id_of(one) for one in _ids(atom.get("supersedes"))[:_MAX_SUPERSEDED]],
        data_class=label(atom.get("data_class")),
        vectors=vectors,
    )
    state = State(archived=atom.get("is_churned") is True)
    found = importer.arrival(draft, block.place, created=created, position=position, state=state, spaces=spaces)
    yield found
    if len(_ids(atom.get("supersedes"))) > _MAX_SUPERSEDED:
        yield Skipped(block.place, f"it supersedes more than {_MAX_SUPERSEDED} atoms; the others are not hidden")
    if created is None:
        yield Skipped(block.place, "its time can't be read; it has the folder's")
    if atom.get("embedding") is not None and not vectors:
        yield Skipped(block.place, "its vector can't be read; the memory is brought without one")
    if isinstance(found, Arrival) and atom.get("media_blob_id") is not None:
        yield _media(opened, block, atom, created or importer.modified)


def _metadata(importer: Importer, atom: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    named = _ids(atom.get("composite_of")) + _ids(atom.get("affinity_of"))
    if named:
        made["atoms"] = [importer.id_of(one) for one in named]
    if type(count := atom.get("frequency_count")) is int and count >= 0:
        made["count"] = count
    for ours, theirs in (("first", "first_observed_at"), ("last", "last_observed_at")):
        if (when := moment(atom.get(theirs))) is not None:
            made[ours] = when.date().isoformat()
            made[theirs] = when.isoformat()
    return {**made, "vaultmem": {"id": atom.get("id"), **kept(atom, *_TAKEN)}}


def _vectors(embedding: Any) -> tuple[dict[str, Any] | None, dict[str, Space]]:
    if not isinstance(embedding, list) or not embedding or any(number(one, -1e9, 1e9) is None for one in embedding):
        return None, {}
    space = Space(name=f"vaultmem-{len(embedding)}", dimension=len(embedding))
    return {space.name: embedding}, {space.name: space}


def _expiry(atom: Mapping[str, Any], created: datetime | None) -> datetime | None:
    permissions = atom.get("permissions")
    days = number(permissions.get("retention_days"), 0, 1e6) if isinstance(permissions, dict) else None
    if days is None or created is None:
        return None
    try:
        return created + timedelta(days=days)
    except OverflowError:
        return None


def _ids(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _media(opened: _Opened, block: _Block, atom: Mapping[str, Any], created: datetime) -> Finding:
    where = f"media of {block.place}"
    try:
        name = str(UUID(str(atom["media_blob_id"])))  # a UUID's own spelling: no path can be in it
        if opened.folder is None:
            return Skipped(where, "an export has no media files")
        sealed = _all_of(opened.folder / "media" / f"{name}.enc", MAX_VALUE_BYTES)
        value = _unsealed(opened.mek, sealed, UUID(name).bytes)
    except (ValueError, VaultTamperedError, UnavailableError):  # an InvalidInputError is a ValueError
        return Skipped(where, "its media file is missing, damaged or too large; the memory is brought without it")
    kind = label(atom.get("content_type"))
    attributes = {"memory": opened.importer.id_of(block.id), **({"content_type": kind} if kind else {})}
    item = Item(collection=MEDIA, key=name, value=value, attributes=attributes, created_at=created, updated_at=created)
    return ItemArrival(item=item, place=where)


# opening


def _meta(path: Path) -> dict[str, Any]:
    try:
        meta = load(_all_of(path, _MAX_META))
    except UnreadableError as error:
        raise VaultTamperedError(f"the vault's meta.json can't be read: {error}") from None
    if not isinstance(meta, dict):
        raise VaultTamperedError("the vault's meta.json says nothing")
    return meta


def _slots(meta: Mapping[str, Any]) -> list[_Slot]:
    given = meta.get("credential_slots")
    if not isinstance(given, list) or not 1 <= len(given) <= _MAX_SLOTS:
        raise VaultTamperedError(f"the vault's meta.json must name 1 to {_MAX_SLOTS} slots")
    try:
        return [
            _Slot(
                base64.b64decode(one["kdf_salt"], validate=True),
                base64.b64decode(one["wrapped_mek_iv"], validate=True),
                base64.b64decode(one["wrapped_mek_ct"], validate=True)
                + base64.b64decode(one["wrapped_mek_tag"], validate=True),
            )
            for one in given
        ]
    except (KeyError, TypeError, ValueError):
        raise VaultTamperedError("a slot in the vault's meta.json can't be read") from None


def _unlocked(passphrase: str, slots: list[_Slot], memory_kib: Any) -> Key:
    if type(memory_kib) is not int or memory_kib > _MAX_MEMORY_KIB:
        raise VaultTamperedError("the vault's meta.json asks for more memory than VaultMem does, or for no amount")
    cost = KdfParameters(memory_kib=memory_kib, passes=_PASSES, lanes=_LANES)
    cost.check_for_reading()
    if any(not 8 <= len(slot.salt) <= 64 for slot in slots):
        raise VaultTamperedError("a slot in the vault's meta.json has no salt")
    secret = bytearray(passphrase.encode("utf-8", "surrogatepass"))
    try:
        for slot in slots:
            if (mek := _tried(secret, slot, cost)) is not None:
                return mek
    finally:
        wipe(secret)
    raise WrongPassphraseError("this passphrase does not open the VaultMem vault")


def _tried(secret: bytearray, slot: _Slot, cost: KdfParameters) -> Key | None:
    kek = argon2id(secret, slot.salt, cost)
    try:
        mek = open_aes_gcm(kek, slot.nonce, slot.wrapped, _WRAP)
    except VaultTamperedError:
        return None
    finally:
        kek.wipe()
    try:
        return Key.taken_from(memoryview(mek)) if len(mek) == 32 else None
    finally:
        wipe(mek)


def _unsealed(mek: Key, block: bytes, associated: bytes) -> bytes:
    """The plaintext of a sealed block that fills its bytes."""
    nonce, sealed = block[:_NONCE], block[_NONCE + _LENGTH :]
    if len(block) < _NONCE + _LENGTH + _TAG or _length(block) != len(sealed) - _TAG:
        raise VaultTamperedError("it is cut short, or has more bytes than it says")
    return open_aes_gcm(mek, nonce, sealed, associated)


def _length(block: bytes) -> int:
    return int.from_bytes(block[_NONCE : _NONCE + _LENGTH], "big")


def _unpacked(packed: bytes, most: int) -> bytes:
    """Inflate, up to a limit: what a vault's writer sealed may be a bomb."""
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(packed, most)
    except zlib.error:
        raise VaultTamperedError("it does not unpack") from None
    if inflate.unconsumed_tail or not inflate.eof:
        raise VaultTamperedError(f"it unpacks to more than {most >> 20} MiB, or not to its end")
    return plain


# atoms


def _atom(block: _Block, mek: Key) -> dict[str, Any]:
    with open_file(block.path) as file:
        sealed = _bytes_of(file, block.offset, _MAX_ATOM if block.size is None else block.size)
    atom = load(_unpacked(_unsealed(mek, sealed, UUID(block.id).bytes), _MAX_ATOM))
    if not isinstance(atom, dict):
        raise VaultTamperedError("it is no atom")
    return atom


def _blocks(folder: Path, mek: Key) -> Iterator[_Block | Skipped]:
    """The sealed atoms of a vault's folder: those that its index names, then those that are files of their own."""
    # The index first: atoms are written before the index that names them, by whoever has the vault open meanwhile.
    head = _all_of(folder / "current.vmem", _MAX_INDEX)
    index, _ = _index(head, _offset(head), mek)
    atoms = folder / "current.atoms"
    yield from _named(index, atoms, 0)
    with suppress(InvalidInputError), open_file(atoms) as file:
        size = file.seek(0, 2)
        known = sum(one["size"] for one in index if type(one.get("size")) is int)
        if size > known:
            yield Skipped("current.atoms", f"{size - known} bytes that the index does not name: they were never saved")
    yield from _blobs(folder / "atoms", mek)


def _exported(path: Path, start: int, mek: Key) -> Iterator[_Block | Skipped]:
    """The sealed atoms of an export, which lie behind its index."""
    with open_file(path) as file:
        header = _bytes_of(file, 0, _HEADER.size)
        block = _bytes_of(file, start, _MAX_INDEX)
    index, size = _index(header + block, _HEADER.size, mek)
    yield from _named(index, path, start + size)


def _index(head: bytes, offset: int, mek: Key) -> tuple[list[dict[str, Any]], int]:
    """What the index block at an offset says of the atoms, and how long the block is."""
    size = _NONCE + _LENGTH + _length(head[offset:]) + _TAG
    sealed = head[offset : offset + size]
    try:
        said = load(_unpacked(_unsealed(mek, sealed, head[: _HEADER.size]), _MAX_INDEX))
    except UnreadableError as error:
        raise VaultTamperedError(f"the vault's index can't be read: {error}") from None
    named = said.get("atom_map") if isinstance(said, dict) else None
    count = _HEADER.unpack(head[: _HEADER.size])[9]
    if not isinstance(named, list) or len(named) != count or not all(isinstance(one, dict) for one in named):
        raise VaultTamperedError("the vault's index does not name as many atoms as its header")
    return named, size


def _offset(head: bytes) -> int:
    """Where the index begins, of a header that can be read."""
    if len(head) < _HEADER.size or head[:4] != MAGIC:
        raise VaultTamperedError("current.vmem is not what VaultMem writes")
    _, version, cipher, kdf, *_ = fields = _HEADER.unpack(head[: _HEADER.size])
    if (version, cipher, kdf) != (1, 1, 1):
        raise InvalidInputError("this VaultMem vault has a newer format than 1, which is not known here")
    return int(fields[7])


def _named(index: list[dict[str, Any]], path: Path, start: int) -> Iterator[_Block | Skipped]:
    for at, one in enumerate(index, 1):
        place = f"atom {at}"
        offset, size = one.get("offset"), one.get("size")
        if type(offset) is not int or type(size) is not int or offset < 0 or not 0 < size <= _MAX_ATOM:
            yield Skipped(place, "the index names no place for it that could be")
        elif (id_ := _uuid(one.get("id"))) is None:
            yield Skipped(place, "its id is no UUID")
        else:
            yield _Block(path, start + offset, size, id_, place)


def _blobs(folder: Path, mek: Key) -> Iterator[_Block | Skipped]:
    """The atoms that are files, in the order in which they were made."""
    found: list[tuple[float, str]] = []
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".enc") if folder.is_dir() else []
    except OSError:
        names = []
    for name in names:
        place = f"atoms/{name}"
        if (id_ := _uuid(name.removesuffix(".enc"))) is None or (folder / name).is_symlink():
            yield Skipped("a file in atoms/", "its name is no UUID, or it is a link")
            continue
        block = _Block(folder / name, 0, None, id_, place)
        try:
            made = moment(_atom(block, mek).get("created_at"))
        except (VaultTamperedError, UnavailableError, InvalidInputError, UnreadableError) as error:
            yield Skipped(place, f"this atom is damaged: {error}")
            continue
        found.append((made.timestamp() if made else 0.0, id_))
    for _, id_ in sorted(found):
        yield _Block(folder / f"{id_}.enc", 0, None, id_, f"atoms/{id_}.enc")


def _uuid(value: Any) -> str | None:
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _export_slot(path: Path) -> tuple[_Slot, int]:
    """How an export is unlocked, and where its index begins."""
    with open_file(path) as file:
        head = _bytes_of(file, 0, 4096)
    start = _offset(head)
    if _HEADER.unpack(head[: _HEADER.size])[4] != _EXPORT:
        raise InvalidInputError("this file has no keys in it; give the folder of the VaultMem vault")
    block = head[_HEADER.size : start]
    salt, wrapped = block[:16], block[16:]
    if len(wrapped) != _NONCE + _LENGTH + 32 + _TAG or _length(wrapped) != 32:
        raise VaultTamperedError("the export's keys are not what VaultMem writes")
    return _Slot(salt, wrapped[:_NONCE], wrapped[_NONCE + _LENGTH :]), start


def _all_of(path: Path, most: int) -> bytes:
    with open_file(path) as file:
        return _bytes_of(file, 0, most)


def _bytes_of(file: BinaryIO, offset: int, most: int) -> bytes:
    try:
        size = file.seek(0, 2)
        file.seek(min(offset, size))
        return file.read(min(most, size))
    except (OSError, OverflowError) as error:
        raise UnavailableError(f"this file can't be read now ({type(error).__name__})") from None


FORMAT = register(
    Format(name="vaultmem", title="VaultMem vault (folder or export)", recognise=recognise, read=read, sealed=True)
)
