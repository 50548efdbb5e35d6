"""Imports: what a reader finds in a source, brought into an open vault in commits of many memories.

A commit holds each memory that it brings whole, so an import that was killed is completed by running it again. What the
vault has already costs no commit.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from vault_core.errors import InvalidInputError, UnavailableError, VaultError
from vault_core.index import BoxIndex
from vault_core.keys import Box
from vault_core.lifecycle import Batch, Brought
from vault_core.memory import Memory, Namespace, encode_memory
from vault_core.memory.arguments import check_callable, check_flags
from vault_core.memory.draft import check_label, check_namespace
from vault_core.memory.limits import MAX_LABELS
from vault_core.session import locks
from vault_core.session.memories import fetch
from vault_core.session.session import Session
from vault_core.session.verify import Progress
from vault_core.session.writing import Writer
from vault_core.transfer import (
    MAX_SKIPPED,
    Arrival,
    Finding,
    Format,
    ImportReport,
    ItemArrival,
    Skipped,
    Source,
    choose,
    open_source,
)

_MEMORIES = 1_000  # of one commit
_VERSIONS = 20_000  # a commit has room for 100,000 records
_BYTES = 16 << 20
_LARGE = 32 << 20  # from here on it is tried whether a version fits into a record
_STRENGTH = ("unchanged", "updated", "added")


def import_memories(
    session: Session,
    writer: Writer,
    path: Any,
    *,
    passphrase: str | Callable[[], str] | None,
    source: str,
    namespace: Sequence[str] | None,
    box: str | None,
    items: bool | None,
    dry_run: bool,
    progress: Progress | None,
) -> ImportReport:
    """See `Vault.import_memories`."""
    told = (lambda *_: None) if progress is None else progress
    check_callable(told, "progress")
    check_flags(dry_run=dry_run, items=items if items is not None else False)
    root = () if namespace is None else check_namespace(namespace)
    with session.reading():
        if box is not None:
            session.box(check_label(box, "box"))
        if not dry_run:
            session.check_writable()
    session.refuse_own(path)
    opened, chosen = _chosen(path, source, passphrase)
    mover = _Mover(session, writer, root, box, items=namespace is None if items is None else items, dry_run=dry_run)
    try:
        with closing(chosen.read(opened)) as findings:  # type: ignore[type-var]  # a generator, as readers are
            for finding in findings:
                mover.take(finding)
                if mover.moved():
                    told(min(opened.meter.read, opened.meter.total), opened.meter.total)
        mover.flush()
        told(opened.meter.total, opened.meter.total)
    except OSError as error:
        raise UnavailableError(
            f"the source can't be read any further ({type(error).__name__}){mover.so_far()}"
        ) from None
    except VaultError as error:
        if mover.commits:
            error.add_note(f"import it again once that is put right{mover.so_far()}")
        raise
    return mover.report(chosen.name)


def _chosen(path: Any, source: str, passphrase: str | Callable[[], str] | None) -> tuple[Source, Format]:
    """The source and its format, with the passphrase if it needs one."""
    opened = open_source(path)
    chosen = choose(opened, source)
    if chosen.sealed and passphrase is not None:
        opened = replace(opened, passphrase=passphrase() if callable(passphrase) else passphrase)
    return opened, chosen


class _Mover:
    """Gathers findings and commits them."""

    def __init__(
        self, session: Session, writer: Writer, root: Namespace, box: str | None, *, items: bool, dry_run: bool
    ) -> None:
        self._session, self._writer, self._root, self._box = session, writer, root, box
        self._items, self._dry_run = items, dry_run
        self._waiting: list[Arrival | ItemArrival] = []
        self._target = ""
        self._versions = self._bytes = 0
        self._skipped: list[Skipped] = []
        self._skipped_count = self._seen = 0
        self._memories, self._item_counts = Counter[str](), Counter[str]()
        self._lost, self._left = Counter[str](), 0
        self._last = "unchanged"  # what became of the memory that may go on in the next arrival
        self.commits = 0

    def take(self, finding: Finding) -> None:
        """Take in what a reader found."""
        self._seen += 1
        if isinstance(finding, Skipped):
            self._skip(finding)
            return
        if isinstance(finding, ItemArrival):
            if not self._items:
                self._left += 1
                return
            box, versions, size = finding.box, 1, len(finding.item.value)
        else:
            try:
                finding = self._rooted(finding)
            except InvalidInputError as error:
                self._skip(Skipped(finding.place, str(error)))
                return
            box, versions = finding.versions[-1].box, len(finding.versions)
            size = sum(map(_size, finding.versions))
        target = box if self._box is None else self._box
        full = len(self._waiting) >= _MEMORIES or self._versions + versions > _VERSIONS or self._bytes + size > _BYTES
        if full or target != self._target:
            self.flush()
        self._target = target
        self._waiting.append(finding)
        self._versions, self._bytes = self._versions + versions, self._bytes + size

    def moved(self) -> bool:
        """Whether it is time to tell how far it is."""
        return self._seen % 100 == 0 or not self._waiting

    def flush(self) -> None:
        """Commit what waits."""
        waiting, self._waiting, self._versions, self._bytes = self._waiting, [], 0, 0
        if not waiting:
            return
        work = _bringing(waiting)
        if self._dry_run:
            brought = self._tried(work)
        else:
            if not self._box_is_there(waiting):
                return
            brought = self._writer.commit(self._target, work)
            self.commits += any(one.outcome != "unchanged" for one in brought)
        for arrival, one in zip(waiting, brought, strict=True):
            self._tally(arrival, one)

    def report(self, source: str) -> ImportReport:
        """What was done."""
        if self._left:
            reason = f"{self._left:,} items were left out: they have no namespace; import them with items=True"
            self._skip(Skipped("items", reason))
        for name, count in sorted(self._lost.items()):
            reason = (
                f"{count:,} {'memory' if count == 1 else 'memories'} came without vectors: those in the source are of "
                "another embedder or dimension than the vault's; `reembed` makes new ones"
            )
            self._skip(Skipped(f"space {name}", reason))
        return ImportReport(
            source=source,
            added=self._memories["added"],
            updated=self._memories["updated"],
            unchanged=self._memories["unchanged"],
            items=self._item_counts["added"] + self._item_counts["updated"],
            items_unchanged=self._item_counts["unchanged"],
            skipped=tuple(self._skipped),
            skipped_count=self._skipped_count,
            commits=self.commits,
            dry_run=self._dry_run,
        )

    def so_far(self) -> str:
        """What is in the vault already, as the end of a sentence."""
        done = self._memories["added"] + self._memories["updated"]
        return f"; {done:,} memories were brought before, and stay" if self.commits else "; nothing was written"

    def _rooted(self, arrival: Arrival) -> Arrival:
        namespace = (*self._root, *arrival.versions[-1].namespace)
        if len(namespace) > MAX_LABELS:
            raise InvalidInputError(f"a namespace has at most {MAX_LABELS} labels")
        for version in arrival.versions:
            if _size(version) > _LARGE:
                encode_memory(version)
        if not self._root:
            return arrival
        return replace(arrival, versions=[replace(version, namespace=namespace) for version in arrival.versions])

    def _tried(self, work: Callable[[Batch], list[Brought]]) -> list[Brought]:
        """What a commit would do."""
        try:
            own = self._writer.fingerprint()
        except UnavailableError:
            own = ""
        session = self._session
        with session.reading():
            known = next((box for box in session.keyring.boxes if box.name == self._target), None)
            box = known or Box(id=bytes(16), name=self._target, keys={})
            batch = Batch(
                session.index(box) if known else BoxIndex(),
                box,
                seq=session.log.state.seq + 1,
                now=session.now(),
                fetch=lambda rows: fetch(session, box, rows),
                fingerprint=lambda space: own if space == "default" else "",
            )
            return work(batch)

    def _box_is_there(self, waiting: Sequence[Arrival | ItemArrival]) -> bool:
        with self._session.reading() as session:
            if any(box.name == self._target for box in session.keyring.boxes):
                return True
        try:
            locks.add_box(self._session, self._target)
        except InvalidInputError as error:
            for arrival in waiting:
                self._skip(Skipped(arrival.place, str(error)))
            return False
        self.commits += 1
        return True

    def _tally(self, arrival: Arrival | ItemArrival, brought: Brought) -> None:
        for reason in brought.reasons:
            self._skip(Skipped(arrival.place, reason))
        self._lost.update(brought.lost)
        if isinstance(arrival, ItemArrival):
            self._item_counts[brought.outcome] += 1
            return
        outcome: str = brought.outcome
        if arrival.continues:
            self._memories[self._last] -= 1
            outcome = max(self._last, outcome, key=_STRENGTH.index)
        self._memories[outcome] += 1
        self._last = outcome

    def _skip(self, skipped: Skipped) -> None:
        self._skipped_count += 1
        if len(self._skipped) < MAX_SKIPPED:
            self._skipped.append(skipped)


def _bringing(waiting: Sequence[Arrival | ItemArrival]) -> Callable[[Batch], list[Brought]]:
    def work(batch: Batch) -> list[Brought]:
        return [batch.bring_item(one.item) if isinstance(one, ItemArrival) else _bring(batch, one) for one in waiting]

    return work


def _bring(batch: Batch, one: Arrival) -> Brought:
    if one.foreign and (known := batch.known(one.versions[-1], undated=one.undated, unique=one.unique)) is not None:
        return known
    return batch.bring(one.versions, one.spaces)


def _size(memory: Memory) -> int:
    """About how many bytes of RAM a version holds."""
    vectors = sum(vector.nbytes for fields in memory.vectors.values() for vector in fields.values())
    content = len(memory.content) if isinstance(memory.content, str) else len(memory.text)
    indexed = 0 if isinstance(memory.index, bool) else sum(map(len, memory.index.values()))
    return 1024 + vectors + 2 * (content + indexed)
