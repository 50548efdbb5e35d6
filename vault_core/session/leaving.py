"""Exports: the memories and items of an open vault, written to a file a few at a time.

What is exported is what the vault held when it began. What another session forgets meanwhile is left out; what it adds
is not taken.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from vault_core.crypto import KdfParameters
from vault_core.errors import InvalidInputError, UnavailableError
from vault_core.index import Row
from vault_core.index.catalogue import ItemRow
from vault_core.index.columns import Ints
from vault_core.keys import Passphrase
from vault_core.memory import Item, Memory, Space
from vault_core.memory.arguments import check_callable, check_flags
from vault_core.memory.codec import decode_item
from vault_core.memory.model import Address
from vault_core.session.memories import fetch
from vault_core.session.reading import Boxes, Query
from vault_core.session.session import Session
from vault_core.session.verify import Progress
from vault_core.transfer import ExportReport
from vault_core.transfer.bundle import BundleWriter
from vault_core.transfer.jsonl import Lines
from vault_core.transfer.target import NewFile

_MEMORIES = 64  # whose rows are looked at together
_FIRST = 8  # versions opened together, as long as nothing is known of their size
_MOST = 128
_ROOM = 32 << 20  # bytes of versions held at a time
_RESTLESS = (
    "memories were embedded again or brought while the export ran; nothing was written, run the export once more"
)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is exported of one box: the addresses of current versions, and the collections of items."""

    box: str
    addresses: Ints
    items: Sequence[tuple[str, int]]


def export_memories(
    session: Session,
    path: Any,
    *,
    namespace: Any,
    box: Boxes,
    passphrase: str | None,
    history: bool,
    items: bool | None,
    overwrite: bool,
    kdf: KdfParameters | None,
    progress: Progress | None,
) -> ExportReport:
    """See `Vault.export_memories`."""
    check_flags(history=history, overwrite=overwrite, items=items if items is not None else False)
    if progress is not None:
        check_callable(progress, "progress")
    secret = None if passphrase is None else Passphrase(passphrase)
    if secret is None and kdf is not None:
        raise InvalidInputError("kdf is for a bundle; give a passphrase as well")
    if secret is not None:
        secret.check_quality()
    query = Query(
        namespace=namespace, include_superseded=True, include_expired=True, include_archived=True, box=box
    )  # everything, whatever a search shows
    with_items = namespace is None if items is None else items
    export = _Export(session, query, history=history, items=with_items, progress=progress)
    session.refuse_own(path)
    with NewFile(path, overwrite=overwrite) as file, ExitStack() as stack:
        if secret is None:
            lines = Lines(file.write)
            export.run(lines)
        else:
            bundle = BundleWriter(file.write, secret, kdf)
            stack.callback(bundle.wipe)
            lines = Lines(bundle.write)
            export.run(lines)
            bundle.close()
    return ExportReport(
        path=str(file.path),
        memories=lines.memories,
        versions=lines.versions,
        items=lines.items,
        bytes=file.size,
        encrypted=secret is not None,
    )


class _Export:
    """One export on its way."""

    def __init__(
        self, session: Session, query: Query, *, history: bool, items: bool, progress: Progress | None
    ) -> None:
        self._session, self._history, self._progress = session, history, progress
        with session.reading():
            self._upto = Address(session.log.state.seq + 1, 0).number  # addresses from here on came later
            self._began = session.now()
            boxes = sorted(query.boxes(session), key=lambda box: box.name)
            self._parts = []
            for box in boxes:
                index = session.index(box)
                current = index.columns.address[query.scope(session, box).mask(index, searched=False)].copy()
                collections = sorted(index.catalogue.collections().items()) if items else []
                self._parts.append(_Part(box.name, current, collections))
        self._done, self._gone = 0, False
        self._total = sum(len(part.addresses) + sum(count for _, count in part.items) for part in self._parts)
        self._at_once = _FIRST

    def run(self, lines: Lines) -> None:
        """Write everything."""
        for part in self._parts:
            for versions in self._memories(part):
                self._memory(lines, part.box, versions)
                self._step()
            self._check_still(part)
            for collection, _ in part.items:
                for item in self._items(part.box, collection):
                    lines.item(part.box, item)
                    self._step()
        lines.end()

    def _memory(self, lines: Lines, box: str, versions: Iterator[Memory]) -> None:
        """One memory; a space is told before the first of its versions' line."""
        told = (self._told(lines, box, version) for version in versions)
        first = next(told, None)
        if first is not None:
            lines.memory(box, first, told)
        else:
            self._gone = True

    def _told(self, lines: Lines, box: str, version: Memory) -> Memory:
        for name in sorted(version.vectors):
            with self._session.reading() as session:
                space = session.index(session.box(box)).spaces.get(name)
            self._tell(lines, box, space)
        return version

    def _tell(self, lines: Lines, box: str, space: Space | None) -> None:
        try:
            if space is not None and lines.space_is_new(box, space):
                lines.space(box, space)
        except ValueError:
            raise UnavailableError(_RESTLESS) from None

    def _memories(self, part: _Part) -> Iterator[Iterator[Memory]]:
        """For each memory its versions, oldest first."""
        for start in range(0, len(part.addresses), _MEMORIES):
            some: list[int] = part.addresses[start : start + _MEMORIES].tolist()
            with self._session.reading() as session:
                catalogue = session.index(session.box(part.box)).catalogue
                found = catalogue.rows(some)
                rows = [self._versions(catalogue, found[address]) for address in some if address in found]
            self._gone = self._gone or len(rows) < len(some)
            yield from self._opened(part.box, rows)

    def _versions(self, catalogue: Any, row: Row) -> list[Row]:
        if not self._history:
            return [row]
        return [one for one in catalogue.versions(row.id, row.namespace) if one.address < self._upto]

    def _opened(self, box: str, rows: list[list[Row]]) -> Iterator[Iterator[Memory]]:
        flat = [row for versions in rows for row in versions]
        stream = self._stream(box, flat)
        for versions in rows:
            yield (memory for memory in (next(stream) for _ in versions) if memory is not None)

    def _stream(self, box_name: str, rows: list[Row]) -> Iterator[Memory | None]:
        """The versions at these rows, None for one that was erased meanwhile; only so many at a time as have room."""
        start = 0
        while start < len(rows):
            some = rows[start : start + self._at_once]
            with self._session.reading() as session:
                found = fetch(session, session.box(box_name), some)
            largest = max((_size(memory) for memory in found.values()), default=1)
            self._at_once = max(1, min(_MOST, _ROOM // largest))
            start += len(some)
            for row in some:
                version = found.pop(row.address, None)
                self._gone = self._gone or version is None
                yield version

    def _items(self, box_name: str, collection: str) -> Iterator[Item]:
        with self._session.reading() as session:
            catalogue = session.index(session.box(box_name)).catalogue
            rows = list(catalogue.items(collection, "", by_commit=False, reverse=False))
        some: list[ItemRow] = []
        for row in rows:
            if row.address >= self._upto:
                continue
            if some and (len(some) == _MOST or sum(one.size for one in some) + row.size > _ROOM):
                yield from self._open_items(box_name, some)
                some = []
            some.append(row)
        yield from self._open_items(box_name, some)

    def _open_items(self, box_name: str, rows: list[ItemRow]) -> Iterator[Item]:
        with self._session.reading() as session:
            found = session.plaintexts(session.box(box_name), {row.address: row.digest for row in rows})
        for row in rows:
            plaintext = found.pop(row.address, None)
            if plaintext is not None:
                yield decode_item(plaintext, Address.of(row.address))

    def _check_still(self, part: _Part) -> None:
        """If something has gone, that it was forgotten, and not written anew at another address."""
        if not self._gone:
            return
        with self._session.reading() as session:
            columns = session.index(session.box(part.box)).columns
            later = columns.address >= self._upto
            if bool(np.any(columns.created[later] <= self._began)):
                raise UnavailableError(_RESTLESS)

    def _step(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)


def _size(memory: Memory) -> int:
    """About how many bytes a version takes."""
    vectors = sum(vector.nbytes for fields in memory.vectors.values() for vector in fields.values())
    return 256 + vectors + 2 * len(memory.text)
