"""Writing: adds, changes and forgetting as durable commits. Checks and embedding come before the critical section."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from vault_core.embedders import Embedder, embed_checked
from vault_core.errors import InvalidInputError, MemoryNotFoundError
from vault_core.index import Row
from vault_core.lifecycle import Batch, Receipt
from vault_core.log import Plan
from vault_core.memory import Draft, Memory, Namespace
from vault_core.memory.arguments import check_ids, each_of
from vault_core.memory.canonical import readable
from vault_core.memory.draft import (
    CONTENT_FIELD,
    DEFAULT_SPACE,
    check_content,
    check_id,
    check_label,
    memory_from,
    searched_text,
    vectors_of,
)
from vault_core.memory.model import Vector
from vault_core.memory.times import from_micros, parse_time, to_micros
from vault_core.session.memories import each, fetch
from vault_core.session.reading import Query
from vault_core.session.session import Session

T = TypeVar("T")

ID_BYTES = 12  # 96 random bits: no two alike, short enough to read aloud
_DRAFT_FIELDS = frozenset(field.name for field in fields(Draft))
_NOT_REVISED = frozenset({"id", "namespace", "keep_history"})


class Writer:
    """The writing side of one open vault."""

    def __init__(self, session: Session, embedder: Embedder | None) -> None:
        self._session, self._embedder = session, embedder

    def commit(self, box: str, work: Callable[[Batch], T], *, purge: bool = False) -> T:
        """Run `work` on a batch inside the critical section and commit what it collects."""
        results: list[T] = []
        session = self._session

        def plan() -> Plan | None:
            results.clear()
            target = session.box(box)
            batch = Batch(
                session.index(target),
                target,
                seq=session.log.state.seq + 1,
                now=session.now(),
                fetch=lambda rows: fetch(session, target, rows),
                fingerprints=self._fingerprints(),
            )
            results.append(work(batch))
            return batch.plan(purge=purge)

        session.commit(plan)
        return results[0]

    def add_many(self, drafts: Iterable[Draft], box: str) -> list[Memory]:
        """One commit for all drafts, or none."""
        given = each_of(drafts, "drafts")
        prepared = self._prepared(given)
        if not prepared:
            return []

        def work(batch: Batch) -> list[Memory]:
            batch.expect(prepared)
            return [
                batch.add(memory, explicit_id=draft.id is not None, keep_history=draft.keep_history)
                for memory, draft in zip(prepared, given, strict=True)
            ]

        return self.commit(box, work)

    def update(
        self, id: str, namespace: Namespace, box: str, changes: Mapping[str, Any], *, keep_history: bool
    ) -> Memory:
        """A new version with some fields replaced; its vectors follow the content."""
        vectors = None
        if "content" in changes and "vector" not in changes and "vectors" not in changes:
            check_content(changes["content"])
            vectors = self._embedded([_as_searched(changes)])[0]

        def work(batch: Batch) -> Memory:
            return batch.revise(self.revised(batch.current(id, namespace), changes, vectors), keep_history=keep_history)

        return self.commit(box, work)

    def restore(self, id: str, version: str, namespace: Namespace, box: str) -> Memory:
        """An earlier version becomes the current one again, as a new version."""
        check_label(version, "version")

        def work(batch: Batch) -> Memory:
            session = self._session
            row = batch.row(id, namespace)
            catalogue = session.index(session.box(box)).catalogue
            earlier = next((one for one in catalogue.versions(id, row.namespace) if str(one.at) == version), None)
            if earlier is None:
                raise MemoryNotFoundError("this memory has no such version; see history(id)")
            now, current = from_micros(session.now()), batch.open(row)
            back = replace(batch.open(earlier), updated_at=now, state=current.state, provenance=session.provenance)
            return batch.revise(back, keep_history=True)

        return self.commit(box, work)

    def forget(
        self, ids: Sequence[str] | None, namespace: Namespace, query: Query | None, box: str, *, dry_run: bool
    ) -> Receipt:
        """Erase memories by id or by filter, every version of them."""
        session = self._session
        if dry_run:
            with session.reading():
                rows = self._chosen(ids, namespace, query, box)
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
            rows = self._chosen(ids, namespace, query, box)
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

    def touch(self, ids: Iterable[str], namespace: Namespace, box: str, expires_at: Any, *, keep_expiry: bool) -> int:
        """Confirm memories, and maybe give them another expiry; one commit without new versions."""
        moment = parse_time(expires_at, "expires_at")
        expires = None if keep_expiry else -1 if moment is None else to_micros(moment)
        wanted = check_ids(ids)

        def work(batch: Batch) -> int:
            for id_ in wanted:
                batch.touch(batch.row(id_, namespace), expires=expires, uses=1, refreshed=True)
            return len(wanted)

        return self.commit(box, work) if wanted else 0

    def mark(self, id: str, namespace: Namespace, box: str, *, archived: bool | None, pinned: bool | None) -> None:
        """Archive or pin, or undo it."""
        self.commit(box, lambda batch: batch.mark(batch.row(id, namespace), archived=archived, pinned=pinned))

    def drafted(self, draft: Draft) -> tuple[Memory, bool]:
        """The memory a draft describes, without asking the embedder; and whether its id was given."""
        return self._made(draft, vectors_of(draft)), draft.id is not None

    def revised(self, memory: Memory, changes: Mapping[str, Any], vectors: Any = None) -> Memory:
        """The next version of a memory."""
        unknown = set(changes) - (_DRAFT_FIELDS - _NOT_REVISED)
        if unknown:
            raise InvalidInputError(f"a memory has no field {min(unknown)!r} that could be updated")
        draft = Draft(id=memory.id, namespace=memory.namespace, **{**_as_draft(memory), **changes})
        given = vectors_of(draft)
        kept = {} if "content" in changes or "index" in changes else memory.vectors
        made = self._made(draft, {**kept, **(vectors or {}), **given})
        return replace(made, created_at=memory.created_at, state=memory.state, position=memory.position)

    def _prepared(self, drafts: Sequence[Draft]) -> list[Memory]:
        for draft in drafts:
            if not isinstance(draft, Draft):
                raise InvalidInputError("add_many takes Draft values; build them with Draft(content=…)")
        vectors = [vectors_of(draft) for draft in drafts]
        memories = [self._made(draft, own) for draft, own in zip(drafts, vectors, strict=True)]
        if self._embedder is None:
            return memories
        bare = [place for place, own in enumerate(vectors) if DEFAULT_SPACE not in own]
        embedded = self._embedded([searched_text(memories[place]) for place in bare])
        for place, fresh in zip(bare, embedded, strict=True):
            vectors[place].update(fresh)  # the same dict the memory holds
        return memories

    def _made(self, draft: Draft, vectors: Any) -> Memory:
        session = self._session
        id_ = secrets.token_hex(ID_BYTES) if draft.id is None else check_id(draft.id)
        return memory_from(
            draft, id=id_, now=from_micros(session.now()), provenance=session.provenance, vectors=vectors
        )

    def _embedded(self, texts: Sequence[str | None]) -> list[dict[str, dict[str, Vector]]]:
        asked = [text for text in texts if text]
        if self._embedder is None or not asked:
            return [{} for _ in texts]
        found = iter(embed_checked(self._embedder, asked))
        return [{DEFAULT_SPACE: {CONTENT_FIELD: next(found)}} if text else {} for text in texts]

    def _fingerprints(self) -> dict[str, str]:
        return {} if self._embedder is None else {DEFAULT_SPACE: self._embedder.fingerprint}

    def _chosen(self, ids: Sequence[str] | None, namespace: Namespace, query: Query | None, box_name: str) -> list[Row]:
        session = self._session
        box = session.box(box_name)
        catalogue = session.index(box).catalogue
        if ids is not None:
            number = catalogue.known_namespace(namespace)
            rows = [None if number is None else catalogue.current(id_, number) for id_ in dict.fromkeys(ids)]
            if any(row is None for row in rows):
                raise MemoryNotFoundError("there is no memory with this id in this namespace; nothing was forgotten")
            return [row for row in rows if row is not None]
        scope = (query or Query()).scope(session, box)
        index = session.index(box)
        addresses = list(each(index.columns.address[scope.mask(index, searched=False)].tolist(), scope.predicate))
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


def _as_searched(changes: Mapping[str, Any]) -> str | None:
    index = changes.get("index")
    if index is False:
        return None
    return "\n".join(index.values()) if isinstance(index, Mapping) else readable(changes["content"])
