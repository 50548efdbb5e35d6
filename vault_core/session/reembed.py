"""Embedding again: vectors for memories that have none, or all of them anew with another embedder.

Rules (docs/adr/0012-a-space-is-declared-anew.md):
- If another embedder made the default space, the first commit declares the space anew; from then on the old vectors
  don't count, and every memory is one that lacks a vector. So there is one kind of work, and whoever comes back after
  an interruption finds what is left of it by looking.
- A batch is one commit. It writes the versions of each memory again, with the same contents, times and provenance, and
  erases the records that held the old vectors. Their names in `history` are then others.
- A memory that changed between reading and writing is left alone, and looked at again at the end.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from vault_core.embedders import Embedder
from vault_core.embedders.base import dimension_of
from vault_core.embedders.windows import MAX_WINDOWS, OVERLAP_UNITS, WINDOW_UNITS
from vault_core.errors import InvalidInputError
from vault_core.index import BoxIndex, Row
from vault_core.lifecycle import Batch
from vault_core.memory import Memory, Space
from vault_core.memory.draft import DEFAULT_SPACE, searched_text
from vault_core.session.memories import fetch_stored
from vault_core.session.reading import Boxes, Query
from vault_core.session.session import Session
from vault_core.session.writing import Writer, room_for

Progress = Callable[[int, int], None]
BATCH = 64  # memories in a commit: embedding them takes far longer than committing, and little is lost with one
MAX_BATCH = 10_000  # what is embedded waits in RAM for its commit
_COMMIT_BYTES = 128 << 20  # about what a commit may bring: far below the limit of 1 GiB, and held in RAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Reembedding:
    """What embedding again did.

    `purged` says whether nothing of the old vectors is left in the store; if not, the next session finishes it.
    """

    memories: int  # that got vectors
    vectors: int
    spaces: int  # that were declared anew, one for each box
    purged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """A version to be written again. `text` is what is to be embedded; None keeps the vectors it has."""

    row: Row
    memory: Memory
    text: str | None


def reembed(
    session: Session,
    writer: Writer,
    embedder: Embedder | None,
    boxes: Boxes,
    progress: Progress | None,
    batch_size: int,
) -> Reembedding:
    """Give every memory of the boxes vectors of this embedder.

    Raises:
        UnavailableError: the embedder failed. What was committed stays; run it again to go on.
        EmbedderMismatchError: it gave something else than it should, or another session changed the space meanwhile.
    """
    if type(batch_size) is not int or not 1 <= batch_size <= MAX_BATCH:
        raise InvalidInputError(f"batch_size must be 1 to {MAX_BATCH:,}")
    with session.reading():
        session.check_writable()
    if embedder is None:
        raise InvalidInputError("there is no embedder; open the vault with one: Vault.open(…, embedder=…)")
    fingerprint = writer.fingerprint()
    space = Space(name=DEFAULT_SPACE, dimension=dimension_of(embedder), fingerprint=fingerprint)
    with session.reading():
        names = [box.name for box in Query(box=boxes).boxes(session)]
        total = sum(len(_Box(session, writer, name, space).lacking()) for name in names)
    memories = vectors = spaces = done = 0
    for name in dict.fromkeys(names):
        work = _Box(session, writer, name, space)
        spaces += work.other
        for looked_at in work.run(batch_size):
            done += looked_at
            if progress is not None:
                progress(min(done, total), total)
        memories, vectors = memories + work.memories, vectors + work.vectors
    with session.lock:
        purged = session.store.purge()
    return Reembedding(memories=memories, vectors=vectors, spaces=spaces, purged=purged)


class _Box:
    """The work on one box."""

    def __init__(self, session: Session, writer: Writer, name: str, space: Space) -> None:
        self._session, self._writer, self._name, self._space = session, writer, name, space
        self.memories = self.vectors = 0
        with session.reading():
            self.other = _is_another(self._index(), space)

    def lacking(self) -> list[int]:
        """The current memories that may need a vector, by address."""
        with self._session.reading():
            index = self._index()
            return index.current_addresses() if self.other else index.without_vector(DEFAULT_SPACE)

    def run(self, batch_size: int) -> Iterator[int]:
        """Commit batch after batch; gives how many memories each one looked at."""
        left, tried = self.lacking(), set[int]()
        if self.other and not left:
            self._write([])
        while left:
            for some in self._batches(left, batch_size):
                self._write(self._read(some))
                tried.update(some)
                yield len(some)
            left = [address for address in self.lacking() if address not in tried]

    def _batches(self, addresses: Sequence[int], batch_size: int) -> Iterator[list[int]]:
        some: list[int] = []
        size = 0
        for address in addresses:
            with self._session.reading():
                row = self._index().catalogue.row(address)
                added = 0 if row is None else sum(self._size(one) for one in self._versions(row))
            if some and (len(some) == batch_size or size + added > _COMMIT_BYTES):
                yield some
                some, size = [], 0
            some.append(address)
            size += added
        if some:
            yield some

    def _versions(self, row: Row) -> list[Row]:
        """The versions of a memory, oldest first: the last ones, where all of them would be too much for a commit."""
        chosen: list[Row] = []
        size = 0
        for version in reversed(self._index().catalogue.versions(row.id, row.namespace)):
            size += self._size(version)
            if chosen and size > _COMMIT_BYTES:
                break
            chosen.insert(0, version)
        return chosen

    def _size(self, row: Row) -> int:
        """About how many bytes a version's record has, at most, beside its metadata."""
        letters = len(row.text or "")
        return 4 * letters + 4 * self._space.dimension * min(MAX_WINDOWS, 1 + letters // (WINDOW_UNITS - OVERLAP_UNITS))

    def _read(self, addresses: Sequence[int]) -> list[list[_Version]]:
        """For each memory its versions from the first one on that needs vectors."""
        with self._session.reading():
            box, index = self._session.box(self._name), self._index()
            rows = index.catalogue.rows(addresses)  # those that are still there
            of_each = [self._versions(rows[address]) for address in addresses if address in rows]
            stored = fetch_stored(self._session, box, {row.address: row for rows in of_each for row in rows})
            found = []
            for rows_of_one in of_each:
                versions = [self._version(index, row, stored.get(row.address)) for row in rows_of_one]
                whole = [one for one in versions if one is not None]
                first = next((at for at, one in enumerate(whole) if one.text is not None), len(whole))
                if len(whole) == len(versions) and first < len(whole):
                    found.append(whole[first:])
            return found

    def _version(self, index: BoxIndex, row: Row, stored: Memory | None) -> _Version | None:
        if stored is None:  # erased a moment ago
            return None
        gone = {DEFAULT_SPACE} if self.other else set()
        counting = {name: own for name, own in index.vectors_that_count(stored).items() if name not in gone}
        text = searched_text(stored) or ""
        possible = bool(text.strip()) and room_for(counting) > 0
        needed = DEFAULT_SPACE not in counting and (possible or DEFAULT_SPACE in stored.vectors)
        return _Version(row=row, memory=replace(stored, vectors=counting), text=text if needed else None)

    def _write(self, memories: Sequence[Sequence[_Version]]) -> None:
        asked = [one for versions in memories for one in versions if one.text is not None]
        fresh = self._writer.embedded([(one.text, room_for(one.memory.vectors)) for one in asked])
        made = {
            one.row.address: replace(one.memory, vectors={**one.memory.vectors, **vectors})
            for one, vectors in zip(asked, fresh, strict=True)
        }
        got = {one.row.address: len(vectors.get(DEFAULT_SPACE, ())) for one, vectors in zip(asked, fresh, strict=True)}

        def work(batch: Batch) -> list[int]:
            """How many vectors each memory got that was written."""
            if self.other and _is_another(self._index(), self._space):
                batch.declare_anew(self._space)
            written = [
                versions
                for versions in memories
                if batch.rewrite([(one.row, made.get(one.row.address, one.memory)) for one in versions])
            ]
            return [sum(got.get(one.row.address, 0) for one in versions) for versions in written]

        written = self._writer.commit(self._name, work)
        self.memories += sum(count > 0 for count in written)
        self.vectors += sum(written)
        self.other = False

    def _index(self) -> BoxIndex:
        return self._session.index(self._session.box(self._name))


def _is_another(index: BoxIndex, space: Space) -> bool:
    """Whether the vault's space is one of another embedder."""
    known = index.spaces.get(space.name)
    return known is not None and known != space
