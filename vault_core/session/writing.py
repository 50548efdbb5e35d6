"""Writing: adds, changes and forgetting as durable commits. Checks and embedding come before the critical section."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from vault_core.embedders import Embedder, embed_checked
from vault_core.embedders.base import fingerprint_of, warn_unavailable
from vault_core.embedders.windows import MAX_WINDOWS, field_of, windows
from vault_core.errors import InvalidInputError, MemoryNotFoundError, UnavailableError
from vault_core.index import Row
from vault_core.lifecycle import Batch, Receipt
from vault_core.lifecycle.similar import similar_to
from vault_core.log import Plan
from vault_core.memory import Draft, Memory, Namespace
from vault_core.memory.arguments import check_ids, each_draft
from vault_core.memory.canonical import readable
from vault_core.memory.draft import (
    DEFAULT_SPACE,
    check_content,
    check_id,
    check_label,
    memory_from,
    searched_text,
    vectors_of,
)
from vault_core.memory.limits import MAX_TAGS, MAX_VECTORS
from vault_core.memory.model import Vector, Vectors
from vault_core.memory.times import expiry_of, from_micros
from vault_core.memory.trust import TRUSTED, check_next
from vault_core.session.memories import each, fetch
from vault_core.session.reading import Query
from vault_core.session.session import Session

T = TypeVar("T")

_COMPARED = 32  # drafts of one batch up to which near-duplicates are looked for: about a millisecond each
ID_BYTES = 12  # 96 random bits: no two alike, short enough to read aloud
_DRAFT_FIELDS = frozenset(field.name for field in fields(Draft))
_NOT_REVISED = frozenset({"id", "namespace", "keep_history"})


_STORED_BARE = "stored without vectors, catch up later with `strongroom reembed` or Vault.reembed"

Fresh = dict[str, dict[str, Vector]]  # what the embedder made: space -> field -> vector
Vectorise = Callable[[Memory], Memory]  # a memory with its vectors, or as it is for want of them
Drafted = Callable[[Draft], tuple[Memory, bool]]
Revised = Callable[[Memory, Mapping[str, Any]], Memory]


class _Unembedded(Exception):  # noqa: N818  a signal between a plan and its caller, never seen outside
    """A plan needs vectors of texts; embedding is done outside of the critical section, then it is planned again."""

    def __init__(self, texts: Sequence[tuple[str, int]]) -> None:
        super().__init__()
        self.texts = texts  # each with how many vectors it may have at most


class _Unnamed(Exception):  # noqa: N818  the same, for the embedder's fingerprint
    """A plan needs the embedder's fingerprint, which may have to be asked for."""


class Writer:
    """The writing side of one open vault."""

    def __init__(self, session: Session, embedder: Embedder | None) -> None:
        self._session, self._embedder = session, embedder
        self._known_fingerprint: str | None = "" if embedder is None else None

    def commit(self, box: str, work: Callable[[Batch], T], *, purge: bool = False) -> T:
        """Run `work` on a batch inside the critical section and commit what it collects."""
        results: list[T] = []
        noted: dict[int, tuple[int, int]] = {}
        session = self._session
        unreachable = False

        def fingerprint(space: str) -> str:
            if space != DEFAULT_SPACE or unreachable:
                return ""
            if self._known_fingerprint is None:
                raise _Unnamed
            return self._known_fingerprint

        def plan() -> Plan | None:
            results.clear()
            target = session.box(box)
            batch = Batch(
                session.index(target),
                target,
                seq=session.log.state.seq + 1,
                now=session.now(),
                fetch=lambda rows: fetch(session, target, rows),
                fingerprint=fingerprint,
            )
            results.append(work(batch))
            noted.clear()
            noted.update(session.uses.waiting(target.id))
            return batch.plan(purge=purge, uses=noted)

        def after() -> None:
            session.uses.taken(session.box(box).id, noted)

        try:
            session.commit(plan, after)
        except _Unnamed:
            try:
                self.fingerprint()
            except UnavailableError:  # the caller's own vectors: whose they are is not known
                unreachable = True
            session.commit(plan, after)
        return results[0]

    def fingerprint(self) -> str:
        """The embedder's name; asked once.

        Raises:
            UnavailableError: it can't be asked now.
        """
        if self._known_fingerprint is None and self._embedder is not None:
            self._known_fingerprint = fingerprint_of(self._embedder)
        return self._known_fingerprint or ""

    def add_many(self, drafts: Iterable[Draft], box: str) -> list[Memory]:
        """One commit for all drafts, or none."""
        given = each_draft(drafts)
        prepared, problem = self._prepared(given)
        if not prepared:
            return []

        named = [memory.id for memory, draft in zip(prepared, given, strict=True) if draft.id is not None]
        unnamed = [memory.content_hash for memory, draft in zip(prepared, given, strict=True) if draft.id is None]

        def work(batch: Batch) -> list[Memory]:
            batch.expect(named, unnamed)
            return [
                batch.add(memory, explicit_id=draft.id is not None, keep_history=draft.keep_history)
                for memory, draft in zip(prepared, given, strict=True)
            ]

        with self._session.lock:
            stored = self.commit(box, work)
            if len(stored) <= _COMPARED:
                stored = self._compared(stored, box)
        _warn(problem)  # once they are durable: to whoever makes an error of it, nothing is lost
        return stored

    def merge(self, keep: str, others: Sequence[str], namespace: Namespace, box: str, content: Any) -> Memory:
        """One memory takes the place of others that say the same, as a new version of it."""
        wanted = [id_ for id_ in dict.fromkeys(check_ids(others)) if id_ != keep]
        if not wanted:
            raise InvalidInputError("name at least one other memory to merge")
        if content is not None:
            check_content(content)
        changes = {} if content is None else {"content": content}

        def made(batch: Batch) -> Memory:
            kept, rest = batch.current(keep, namespace), [batch.current(id_, namespace) for id_ in wanted]
            weights = [one.importance for one in (kept, *rest) if one.importance is not None]
            merged = {
                "supersedes": tuple(dict.fromkeys((*kept.supersedes, *wanted))),
                "tags": tuple(dict.fromkeys(tag for one in (kept, *rest) for tag in one.tags)),
                "importance": max(weights, default=None),
                "reason": "merged",
            }
            revised = self.revised(kept, {**merged, **changes})
            return replace(revised, created_at=min(one.created_at for one in (kept, *rest)))

        likely = [] if content is None else [readable(content)]
        return self._revise(box, made, likely=likely, embed=content is not None, keep_history=True)

    def _compared(self, stored: list[Memory], box: str) -> list[Memory]:
        """The same memories, each with the ids of those that were there before and say nearly the same."""
        index, fresh = self._session.index(self._session.box(box)), {memory.address.number for memory in stored}
        found = [similar_to(index, memory, fresh) for memory in stored]
        return [replace(one, similar=ids) if ids else one for one, ids in zip(stored, found, strict=True)]

    def update(
        self, id: str, namespace: Namespace, box: str, changes: Mapping[str, Any], *, keep_history: bool
    ) -> Memory:
        """A new version with some fields replaced; its vectors follow what is searched of it."""
        if "content" in changes:
            check_content(changes["content"])
        moved = bool({"content", "index"} & set(changes)) and not {"vector", "vectors"} & set(changes)

        def made(batch: Batch) -> Memory:
            return self.revised(batch.current(id, namespace), changes)

        likely = [readable(changes["content"])] if moved and "content" in changes and "index" not in changes else []
        return self._revise(box, made, likely=likely, embed=moved, keep_history=keep_history)

    def restore(self, id: str, version: str, namespace: Namespace, box: str) -> Memory:
        """An earlier version becomes the current one again, as a new version."""
        check_label(version, "version")

        def made(batch: Batch) -> Memory:
            session = self._session
            row = batch.row(id, namespace)
            catalogue = session.index(session.box(box)).catalogue
            earlier = next((one for one in catalogue.versions(id, row.namespace) if str(one.at) == version), None)
            if earlier is None:
                raise MemoryNotFoundError("this memory has no such version; see history(id)")
            now, current, again = session.now(), batch.open(row), batch.open(earlier)
            above = session.index(session.box(box)).supersession.above(earlier, now)
            supersedes = tuple(dict.fromkeys((*again.supersedes, *(one.id for one in above))))
            now = max([now, *(one.updated + 1 for one in above)])  # written by a clock that is ahead of this one
            if len(supersedes) > MAX_TAGS:  # what a reader of records allows
                raise InvalidInputError(
                    f"more than {MAX_TAGS} memories stand above this version; store what it says anew instead"
                )
            return replace(
                again,
                updated_at=from_micros(now),
                state=current.state,
                supersedes=supersedes,
                provenance=session.provenance,
            )

        return self._revise(box, made, likely=[], embed=True, keep_history=True)

    def forget(
        self,
        ids: Sequence[str] | None,
        namespace: Namespace,
        query: Query | None,
        box: str,
        *,
        missing_ok: bool,
        dry_run: bool,
    ) -> Receipt:
        """Erase memories by id or by filter, every version of them."""
        session = self._session
        if dry_run:
            with session.reading():
                rows = self._chosen(ids, namespace, query, box, missing_ok=missing_ok)
                versions = sum(len(self._versions(box, row)) for row in rows)
                return Receipt(
                    memories=len(rows),
                    versions=versions,
                    ids=[row.id for row in rows],
                    stale=self._stale(box, rows),
                    seq=None,
                    time=None,
                    purged=False,
                    dry_run=True,
                )

        def work(batch: Batch) -> tuple[list[str], int, Sequence[str]]:
            rows = self._chosen(ids, namespace, query, box, missing_ok=missing_ok)
            labels = session.index(session.box(box)).catalogue.labels
            versions = sum(batch.forget(row.id, labels(row.namespace)) for row in rows)
            return [row.id for row in rows], versions, batch.stale

        with session.lock:
            forgotten, versions, stale = self.commit(box, work)
            purged = session.store.purge()
            return Receipt(
                memories=len(forgotten),
                versions=versions,
                ids=forgotten,
                stale=stale,
                seq=session.log.state.seq if forgotten else None,
                time=from_micros(session.now()),
                purged=purged,
            )

    def touch(self, ids: Iterable[str], namespace: Namespace, box: str, expires_at: Any) -> int:
        """Confirm memories, and maybe give them another expiry; one commit without new versions."""
        expires, wanted = expiry_of(expires_at), check_ids(ids)

        def work(batch: Batch) -> int:
            for id_ in wanted:
                batch.touch(batch.row(id_, namespace), expires=expires, uses=1, refreshed=True)
            return len(wanted)

        return self.commit(box, work) if wanted else 0

    def mark(self, id: str, namespace: Namespace, box: str, *, archived: bool | None, pinned: bool | None) -> None:
        """Archive or pin, or undo it."""

        def work(batch: Batch) -> None:
            row = batch.row(id, namespace)
            batch.mark(row, archived=archived, pinned=pinned)
            if pinned and row.trust != TRUSTED:
                batch.trust(row, trusted=True)

        self.commit(box, work)

    def trust(self, id: str, namespace: Namespace, box: str, *, trusted: bool) -> None:
        """The owner vouches for a memory, or does no more."""
        self.commit(box, lambda batch: batch.trust(batch.row(id, namespace), trusted=trusted))

    def drafted(self, draft: Draft) -> tuple[Memory, bool]:
        """The memory a draft describes, without asking the embedder; and whether its id was given."""
        return self._made([draft], [vectors_of(draft)])[0], draft.id is not None

    def revised(self, memory: Memory, changes: Mapping[str, Any]) -> Memory:
        """The next version of a memory."""
        unknown = set(changes) - (_DRAFT_FIELDS - _NOT_REVISED)
        if unknown:
            raise InvalidInputError(f"a memory has no field {min(unknown)!r} that could be updated")
        fields = {**_as_draft(memory), **changes}
        if not {"content", "supersedes"} & set(changes):  # it says nothing new: what has answered it is not named anew
            fields["supersedes"] = self._unanswered(memory)
        draft = Draft(id=memory.id, namespace=memory.namespace, **fields)
        given = vectors_of(draft)
        kept = {} if "content" in changes or "index" in changes else memory.vectors
        made = self._made([draft], [{**kept, **given}])[0]
        check_next(made.trust, memory.origin)
        return replace(made, created_at=memory.created_at, state=memory.state, position=memory.position)

    def _unanswered(self, memory: Memory) -> Sequence[str]:
        """The ids that a memory names as superseded, without those that have answered since."""
        if not memory.supersedes:
            return ()
        index = self._session.index(self._session.box(memory.box))
        row = index.catalogue.row(memory.address.number)
        answered = set() if row is None else index.supersession.answered(row)
        return [id_ for id_ in memory.supersedes if id_ not in answered]

    def embedded(self, texts: Sequence[tuple[str | None, int]]) -> list[Fresh]:
        """Vectors of texts in the default space, one for each window of a text; each with how many it may have at most.

        Raises:
            UnavailableError: the embedder failed.
            EmbedderMismatchError: it gave something else than it should.
        """
        cut = [windows(text or "", min(room, MAX_WINDOWS)) for text, room in texts]
        flat = [piece for pieces in cut for piece in pieces]
        if self._embedder is None or not flat:
            return [{} for _ in texts]
        self.fingerprint()  # first: another model must not answer under a name that was asked for later
        found = iter(embed_checked(self._embedder, flat))
        return [
            {DEFAULT_SPACE: {field_of(number): next(found) for number in range(len(pieces))}} if pieces else {}
            for pieces in cut
        ]

    def _revise(
        self, box: str, made: Callable[[Batch], Memory], *, likely: Sequence[str], embed: bool, keep_history: bool
    ) -> Memory:
        """Commit a version of a memory, with the vectors of what is searched of it.

        That text is only known for sure inside the critical section. One that was not foreseen (`likely`) is embedded
        outside of it, and the version is planned again.
        """

        def work(batch: Batch, vectorised: Vectorise) -> Memory:
            memory = made(batch)
            return batch.revise(vectorised(memory) if embed else memory, keep_history=keep_history)

        return self._embedding(box, work, likely)

    def transact(self, box: str, work: Callable[[Batch, Drafted, Revised], T]) -> T:
        """Run a transaction's work; what it adds is embedded as by `add_many`."""

        def planned(batch: Batch, vectorised: Vectorise) -> T:
            def drafted(draft: Draft) -> tuple[Memory, bool]:
                memory, explicit = self.drafted(draft)
                return vectorised(memory), explicit

            def revised(memory: Memory, changes: Mapping[str, Any]) -> Memory:
                made = self.revised(memory, changes)
                return vectorised(made) if {"content", "index"} & set(changes) else made

            return work(batch, drafted, revised)

        return self._embedding(box, planned, [])

    def _embedding(self, box: str, work: Callable[[Batch, Vectorise], T], likely: Sequence[str]) -> T:
        """Commit work whose texts are known for sure only while it runs: it runs again once they are embedded."""
        fresh: dict[str, Fresh] = {}
        problem: UnavailableError | None = None

        def planned(batch: Batch) -> T:
            missing: list[tuple[str, int]] = []

            def vectorised(memory: Memory) -> Memory:
                text = searched_text(memory)
                if self._embedder is None or problem is not None or not text or DEFAULT_SPACE in memory.vectors:
                    return memory
                if text not in fresh:
                    missing.append((text, room_for(memory.vectors)))
                    return memory
                return replace(memory, vectors={**memory.vectors, **fresh[text]})

            result = work(batch, vectorised)
            if missing:
                raise _Unembedded(missing)
            return result

        wanted = [(text, MAX_WINDOWS) for text in likely]
        while True:
            try:
                if self._embedder is not None:
                    fresh.update(zip([text for text, _ in wanted], self.embedded(wanted), strict=True))
            except UnavailableError as error:
                problem = error
            try:
                stored = self.commit(box, planned)
            except _Unembedded as need:
                wanted = list(need.texts)
                continue
            _warn(problem)
            return stored

    def _prepared(self, drafts: Sequence[Draft]) -> tuple[list[Memory], UnavailableError | None]:
        vectors = [vectors_of(draft) for draft in drafts]
        memories = self._made(drafts, vectors)
        if self._embedder is None:
            return memories, None
        bare = [place for place, own in enumerate(vectors) if DEFAULT_SPACE not in own]
        try:
            embedded = self.embedded([(searched_text(memories[place]), room_for(vectors[place])) for place in bare])
        except UnavailableError as error:
            return memories, error
        for place, fresh in zip(bare, embedded, strict=True):
            vectors[place].update(fresh)  # the same dict the memory holds
        return memories, None

    def _made(self, drafts: Sequence[Draft], vectors: Sequence[Vectors]) -> list[Memory]:
        provenance, now = self._session.provenance, self._session.now
        fresh, size = secrets.token_hex(ID_BYTES * len(drafts)), 2 * ID_BYTES  # all from one call of the system
        return [
            memory_from(
                draft,
                id=fresh[at * size : (at + 1) * size] if draft.id is None else check_id(draft.id),
                now=from_micros(now()),  # for each anew: their order then survives a rewriting
                provenance=provenance,
                vectors=own,
            )
            for at, (draft, own) in enumerate(zip(drafts, vectors, strict=True))
        ]

    def _chosen(
        self,
        ids: Sequence[str] | None,
        namespace: Namespace,
        query: Query | None,
        box_name: str,
        *,
        missing_ok: bool,
    ) -> list[Row]:
        session = self._session
        box = session.box(box_name)
        catalogue = session.index(box).catalogue
        if ids is not None:
            number = catalogue.known_namespace(namespace)
            rows = [None if number is None else catalogue.current(id_, number) for id_ in dict.fromkeys(ids)]
            if not missing_ok and any(row is None for row in rows):
                raise MemoryNotFoundError("there is no memory with this id in this namespace; nothing was forgotten")
            return [row for row in rows if row is not None]
        scope = (query or Query()).scope(session, box)
        index = session.index(box)
        addresses = list(each(index.columns.address[scope.mask(index, searched=False)].tolist(), scope.predicate))
        if query is not None:
            query.check_answered()
        found = catalogue.rows(addresses)
        return [found[address] for address in addresses]

    def _stale(self, box: str, rows: Sequence[Row]) -> list[str]:
        tiers = self._session.index(self._session.box(box)).tiers
        return list(dict.fromkeys(id_ for row in rows for id_ in tiers.naming(row.namespace, row.id)))

    def _versions(self, box: str, row: Row) -> list[Row]:
        return self._session.index(self._session.box(box)).catalogue.versions(row.id, row.namespace)


def _as_draft(memory: Memory) -> dict[str, Any]:
    """The fields of a draft that would make this version again."""
    taken = _DRAFT_FIELDS - _NOT_REVISED - {"vector", "vectors", "reason"}
    return {name: getattr(memory, name) for name in taken}


def room_for(vectors: Mapping[str, Mapping[str, Vector]]) -> int:
    """How many vectors a memory may still have."""
    return MAX_VECTORS - sum(map(len, vectors.values()))


def _warn(problem: UnavailableError | None) -> None:
    if problem is not None:
        warn_unavailable(_STORED_BARE, problem)
