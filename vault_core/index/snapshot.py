"""Snapshots: a sealed copy of an index at some commit, so that opening needs no full replay.

Rules (docs/format.md §7):
- Only a cache. Whatever is wrong with one, it is dropped and the log is replayed.
- Written in the store's critical section after catching up, so that it never holds what was erased before.
- A part opens only under the snapshot id and number in its name, so that a manifest that names it vouches for it.
- Vector segments are immutable and kept from snapshot to snapshot until something in them is erased.
- A graph is written without its vectors and only read by the version of the package that made it; without it, or where
  it can't be read, a new one grows.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np

from vault_core.crypto import MANIFEST, PART, Place, seal, unseal
from vault_core.errors import VaultTamperedError
from vault_core.index import ann, packing
from vault_core.index.catalogue import Catalogue
from vault_core.index.columns import Columns
from vault_core.index.index import BoxIndex
from vault_core.index.tokens import STEMMER
from vault_core.index.vectors import Vectors
from vault_core.index.words import Words
from vault_core.keys import Box
from vault_core.log import LogState, Restored
from vault_core.store import Store

LAYOUT = f"4 {STEMMER}"  # of catalogue and vector parts; another one is dropped, not converted
PART_BYTES = 1 << 20  # opened a part at a time, and one this small stays in the processor's caches on its way
MAX_SEGMENTS = 64  # that are not full; then they are written anew as few
_PREFIX = 4 + 8 + 16

Segment = tuple[str, int]  # name, rows
Named = tuple[str, bytes]  # a part: its name, and its stored bytes


@dataclass(slots=True)
class Kept:
    """The vector segments in the store that are known to be clean, by space, and how many rows in RAM they cover."""

    segments: dict[str, list[Segment]] = field(default_factory=dict)
    covered: dict[str, int] = field(default_factory=dict)  # always the first rows, erased ones counted

    def names(self) -> set[str]:
        """The parts' names."""
        return {name for segments in self.segments.values() for name, _ in segments}


def prefix_of(box: Box) -> str:
    """What the names of a box's parts begin with."""
    return f"s/{box.id.hex()}/"


def manifest_of(box: Box) -> str:
    """The name of a box's manifest."""
    return f"{prefix_of(box)}manifest"


class Building:
    """A new snapshot of one box, made a part at a time: never all of it in RAM beside the index.

    `clean` is what a later snapshot may keep; it is complete once `parts` has been gone through.
    """

    def __init__(self, writer: "Writer", index: BoxIndex, boxes: Sequence[bytes], kept: Kept) -> None:
        self._writer, self._index, self._boxes = writer, index, boxes
        self._starts: dict[str, int] = {}
        self.clean = Kept(covered={space: vectors.size for space, vectors in index.vectors.items()})
        for space, vectors in index.vectors.items():
            covered = kept.covered.get(space, 0)
            before = kept.segments.get(space, [])
            if len(before) >= MAX_SEGMENTS + covered // _rows_of_part(vectors):
                before = []
            self._starts[space] = covered if before else 0
            self.clean.segments[space] = [*before]

    def parts(self) -> Iterator[Named]:
        """The parts that are not in the store yet, the manifest last."""
        index, names = self._index, dict[str, list[str]]()
        for space, vectors in index.vectors.items():
            yield from self._segments(space, vectors)
        yield from self._sliced([index.catalogue.image()], names.setdefault("catalogue", []))
        yield from self._sliced([msgpack.packb(index.columns.pack())], names.setdefault("columns", []))
        words = packing.packed(index.words.pack(index.columns.kept))
        yield from self._sliced(words, names.setdefault("words", []))
        graphs: dict[str, Any] = {}
        for space, vectors in index.vectors.items():
            yield from self._graph(space, vectors, graphs)
        yield self._writer.manifest(self._manifest(names, graphs))

    def _manifest(self, names: dict[str, list[str]], graphs: dict[str, Any]) -> bytes:
        state = self._writer.state
        manifest: bytes = msgpack.packb(
            {
                "v": LAYOUT,
                "seq": state.seq,
                "hash": state.hash,
                "log": _pack_state(state),
                "boxes": list(self._boxes),
                **names,
                "vectors": self.clean.segments,
                "graphs": graphs,
                "last_erase": self._index.last_erase,
            }
        )
        return manifest

    def _sliced(self, pieces: Iterable[bytes | memoryview], names: list[str]) -> Iterator[Named]:
        for plaintext in packing.parts(pieces, PART_BYTES):
            part = self._writer.part(plaintext)
            names.append(part[0])
            yield part

    def _segments(self, space: str, vectors: Vectors) -> Iterator[Named]:
        for owners, fields, matrix in vectors.segments(_rows_of_part(vectors), self._starts[space]):
            named = {place: name for place, name in enumerate(fields) if name}
            packed = msgpack.packb([owners.astype("<i8").tobytes(), named, matrix.astype("<f4", copy=False).tobytes()])
            part = self._writer.part(packed)
            self.clean.segments[space].append((part[0], len(owners)))
            yield part

    def _graph(self, space: str, vectors: Vectors, graphs: dict[str, Any]) -> Iterator[Named]:
        packed = vectors.packed_graph()
        if packed is not None:
            nodes, gone, links = packed
            names: list[str] = []
            fields = [packing.Field(8 * len(gone), [gone.astype("<i8").tobytes()]), packing.Field(len(links), [links])]
            yield from self._sliced(packing.packed(fields), names)
            graphs[space] = [ann.version(), nodes, names]


def load(
    store: Store, vault: bytes, boxes: Sequence[Box]
) -> tuple[LogState, dict[bytes, BoxIndex], dict[bytes, Kept]] | None:
    """The newest snapshot of all boxes, or None if there is none that can be used.

    Raises:
        VaultTamperedError: a part is not what its manifest says. The caller replays the log instead.
    """
    manifests = {}
    for box in boxes:
        stored = store.part(manifest_of(box))
        if stored is not None:
            manifests[box.id] = _open_manifest(stored, vault, box)
    if not manifests:
        return None
    first = next(iter(manifests.values()))
    state = _unpack_state(first)
    if any(one["log"] != first["log"] or one["v"] != LAYOUT for one in manifests.values()):
        return None
    if set(first["boxes"]) != set(manifests):
        return None
    indexes, kept = {}, {}
    for box in boxes:
        if box.id in manifests:
            indexes[box.id], kept[box.id] = _load_box(store, vault, box, manifests[box.id])
    return state, indexes, kept


def newest(store: Store, box: Box) -> int:
    """The commit of the snapshot in the store, as its manifest claims; 0 if there is none. Only a hint."""
    stored = store.part(manifest_of(box))
    return 0 if stored is None else int.from_bytes(stored[4:12], "big")


class Writer:
    """Seals the parts of one box under one snapshot id, numbering them."""

    def __init__(self, vault: bytes, box: Box, state: LogState) -> None:
        self.state = state
        self._box, self._number = box, 0
        self._id = secrets.token_bytes(16)
        self._place = Place(vault=vault, box=box.id, generation=state.generation)
        self._clear = state.generation.to_bytes(4, "big") + state.seq.to_bytes(8, "big") + self._id

    def part(self, plaintext: bytes | bytearray) -> Named:
        """Seal one part."""
        number, self._number = self._number, self._number + 1
        context = self._place.context(PART, self.state.seq, number, self._id)
        stored = self._clear + seal(plaintext, self._box.keys[self.state.generation], context)
        return f"{prefix_of(self._box)}{self._id.hex()}/{number}", stored

    def manifest(self, plaintext: bytes) -> Named:
        """Seal the manifest."""
        context = self._place.context(MANIFEST, self.state.seq, 0, self._id)
        return manifest_of(self._box), self._clear + seal(plaintext, self._box.keys[self.state.generation], context)


def _rows_of_part(vectors: Vectors) -> int:
    return max(1, PART_BYTES // (4 * vectors.dimension + 64))


def _open_manifest(stored: bytes, vault: bytes, box: Box) -> dict[str, Any]:
    plaintext = _open(stored, vault, box, MANIFEST, 0)
    try:
        manifest = msgpack.unpackb(plaintext, strict_map_key=False)
        if manifest["v"] != LAYOUT or manifest["seq"] != int.from_bytes(stored[4:12], "big"):
            raise VaultTamperedError(_UNUSABLE)
        return dict(manifest)
    except (KeyError, TypeError, ValueError, msgpack.UnpackException):
        raise VaultTamperedError(_UNUSABLE) from None


def _load_box(store: Store, vault: bytes, box: Box, manifest: dict[str, Any]) -> tuple[BoxIndex, Kept]:
    def part(name: str) -> bytes:
        stored, (_, _, snapshot_id, number) = store.part(name), name.split("/")
        if stored is None or stored[12:_PREFIX].hex() != snapshot_id:
            raise VaultTamperedError(_UNUSABLE)
        return _open(stored, vault, box, PART, int(number))

    def joined(names: Sequence[str]) -> bytes:
        return b"".join(map(part, names))

    try:
        columns = Columns.unpack(msgpack.unpackb(joined(manifest["columns"])))
        words = Words.unpack(msgpack.unpackb(joined(manifest["words"])))
    except (TypeError, ValueError, msgpack.UnpackException):
        raise VaultTamperedError(_UNUSABLE) from None
    index = BoxIndex(Catalogue(joined(manifest["catalogue"])), columns, words)
    index.last_erase = manifest["last_erase"]
    kept = Kept()
    for space, segments in manifest["vectors"].items():
        vectors = index.vectors[space] = Vectors(index.spaces[space].dimension)
        for name, _ in segments:
            owners, named, packed = msgpack.unpackb(part(name), strict_map_key=False)
            addresses = np.frombuffer(owners, "<i8")
            matrix = np.frombuffer(packed, "<f4").reshape(len(addresses), vectors.dimension)
            fields = [named.get(place, "") for place in range(len(addresses))] if named else []
            vectors.append_unit(addresses, fields, matrix)
        kept.segments[space] = [(name, rows) for name, rows in segments]
        kept.covered[space] = vectors.size
    for space, (version, nodes, names) in manifest["graphs"].items():
        # The package's reader is C++ that trusts what it reads: nothing of another version, and nothing unsealed.
        if version == ann.version() and index.vectors[space].approximate:
            gone, links = msgpack.unpackb(joined(names))
            with suppress(ValueError):
                index.vectors[space].take_graph(nodes, np.frombuffer(gone, "<i8"), links)
    return index, kept


def _open(stored: bytes, vault: bytes, box: Box, kind: bytes, number: int) -> bytes:
    generation, seq = int.from_bytes(stored[:4], "big"), int.from_bytes(stored[4:12], "big")
    key = box.keys.get(generation)
    if key is None:
        raise VaultTamperedError(_UNUSABLE)
    place = Place(vault=vault, box=box.id, generation=generation)
    return unseal(stored[_PREFIX:], key, place.context(kind, seq, number, stored[12:_PREFIX]))


def _pack_state(state: LogState) -> list[Any]:
    return [state.header, state.header_digest, list(state.generations), [list(one) for one in state.restored]]


def _unpack_state(manifest: dict[str, Any]) -> LogState:
    try:
        header, digest, generations, restored = manifest["log"]
        return LogState(
            seq=manifest["seq"],
            hash=manifest["hash"],
            header=header,
            header_digest=digest,
            generations=tuple((seq, generation) for seq, generation in generations),
            restored=tuple(Restored(*one) for one in restored),
        )
    except (KeyError, TypeError, ValueError):
        raise VaultTamperedError(_UNUSABLE) from None


_UNUSABLE = "a snapshot can't be used"
