"""StrongroomStore: LangGraph's long-term memory in a vault.

Rules (docs/langchain.md):
- Every op of a batch is checked before anything is done. Reads show the state before the batch; all writes are one
  commit; of several puts to one key the last one holds.
- A read that begins a TTL anew is a write, and part of that commit.
- Nothing is searched, filtered or sealed here: the vault does it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
    ensure_embeddings,
    validate_op_namespace,
)

from langchain_strongroom.filters import filter_of
from langchain_strongroom.indexing import aembed, embed
from langchain_strongroom.opening import Opening
from langchain_strongroom.sweeper import Sweeper
from langchain_strongroom.values import (
    TTL_MINUTES,
    WHOLE,
    Key,
    Namespace,
    draft_of,
    expired,
    hit_of,
    item_of,
    key_of,
    now,
    refreshed,
    texts_of,
)
from vault_core import KeyProvider, Memory, Transaction, Vault
from vault_core.errors import InvalidInputError, MemoryNotFoundError

if TYPE_CHECKING:
    from concurrent.futures import Future

SPACE = "langgraph"  # where the vectors of an index's own embeddings are
_MOST_HITS = 10_000  # that a vault ranks; what comes after them is listed
_SWEEP_MINUTES = 5.0
_RESERVED = "langgraph"  # upstream's word: no namespace of an application begins with it


@dataclass(slots=True)
class _Batch:
    """A batch, checked: its ops, its puts by key (None deletes), and what of it is to be embedded."""

    ops: list[Op]
    puts: dict[Key, PutOp]
    texts: dict[Key, dict[str, str]]
    filters: dict[int, Any]
    documents: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    vectors: Mapping[str, Any] = field(default_factory=dict)
    query_vectors: Mapping[str, Any] = field(default_factory=dict)


class StrongroomStore(BaseStore):
    """A LangGraph store whose items are memories of a vault: sealed, shared with every other runtime, and searched.

    Without `index`, a query is answered by the vault's own ranking (words, and its embedder where it has one); what the
    query says nothing about comes after, without a score. With `index` (`dims`, `embed`, `fields`) scores are plain
    cosines of those embeddings. `ttl` is LangGraph's `TTLConfig`; expired items are hidden unless it says
    `omit_expired=False`. What is put is unconfirmed (`origin="agent"`): it is found, but is in no briefing until the
    user vouches for it; an application that writes what the user said passes `origin="user"`.

    Safe from any thread; the async methods work in threads, so the event loop is never blocked. Errors are those of
    `vault_core.errors`, and upstream's `InvalidNamespaceError`; a batch that raises has written nothing.
    """

    supports_ttl = True

    def __init__(
        self,
        vault: Vault,
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        space: str = SPACE,
        origin: str | None = "agent",
        box: str = "main",
    ) -> None:
        self._vault, self._space, self._origin, self._box = vault, space, origin, box
        self.index_config = index
        self.ttl_config = ttl
        self.embeddings = None if index is None else ensure_embeddings(index.get("embed"))
        self._fields = [WHOLE] if index is None else list(index.get("fields") or [WHOLE])
        self._hidden = ttl is None or ttl.get("omit_expired", True)
        self._owned = False
        self._sweeper = Sweeper(self.sweep_ttl)

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str,
        *,
        passphrase: str | None = None,
        unlock: KeyProvider | None = None,
        embedder: Any = None,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
    ) -> "Opening[StrongroomStore]":
        """The store of the vault at a location (a path or URL), for `with` or `async with`; it closes the vault.

        Unlocked as by `Vault.open`: without a secret here, by the one that the environment names.
        """

        def made(vault: Vault) -> StrongroomStore:
            store = cls(vault, index=index, ttl=ttl)
            store._owned = True
            return store

        return Opening(made, conn_string, {"passphrase": passphrase, "unlock": unlock, "embedder": embedder})

    # LangGraph's two methods; get, put, search, … and their async twins are built on them

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do all ops: reads of the state before, then every write in one commit."""
        batch = self._checked(ops)
        if self.embeddings is not None:
            batch.vectors, batch.query_vectors = embed(
                self.embeddings, batch.documents, batch.queries, dimension=self._dimension
            )
        return self._run(batch)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """See `batch`. A call that is cancelled may still be written, as a whole."""
        given = list(ops)
        if self.embeddings is None:
            return await asyncio.to_thread(self.batch, given)
        batch = await asyncio.to_thread(self._checked, given)
        batch.vectors, batch.query_vectors = await aembed(
            self.embeddings, batch.documents, batch.queries, dimension=self._dimension
        )
        return await asyncio.to_thread(self._run, batch)

    # times to live

    def sweep_ttl(self) -> int:
        """Erase this store's items whose TTL is over; gives how many."""
        over = {"expires_at": {"$lte": now()}, ("metadata", TTL_MINUTES): {"$exists": True}}
        return self._vault.forget_many(filter=over, box=self._box).memories

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> "Future[None]":
        """Sweep now and then in a thread; the future ends with it, and cancelling it ends the thread."""
        configured = (self.ttl_config or {}).get("sweep_interval_minutes")
        minutes = sweep_interval_minutes or configured or _SWEEP_MINUTES
        return self._sweeper.start(float(minutes) * 60)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """End that thread; False if it is still busy after `timeout` seconds."""
        return self._sweeper.stop(timeout)

    # beginning and end

    def setup(self) -> None:
        """Do nothing: a vault needs no tables. Here because upstream's stores have it."""

    def close(self) -> None:
        """End the sweeper, and close the vault if this store has opened it."""
        self.stop_ttl_sweeper()
        if self._owned:
            self._vault.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"StrongroomStore({self._vault!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a store holds an open vault and can't be pickled; open it anew in the other process")

    # checking

    @property
    def _dimension(self) -> int | None:
        return None if self.index_config is None else self.index_config.get("dims")

    def _checked(self, ops: Iterable[Op]) -> _Batch:
        given = [_plain(op) for op in ops]
        puts = {(op.namespace, op.key): op for op in given if isinstance(op, PutOp)}
        filters = {at: filter_of(op.filter) for at, op in enumerate(given) if isinstance(op, SearchOp)}
        batch = _Batch(given, puts, {}, filters)
        batch.texts = {key: texts_of(op, self._fields) for key, op in puts.items() if op.value is not None}
        if self.embeddings is not None:
            batch.documents = list(dict.fromkeys(text for texts in batch.texts.values() for text in texts.values()))
            queries = (op.query for op in given if isinstance(op, SearchOp) and op.query)
            batch.queries = list(dict.fromkeys(queries))
        return batch

    # doing

    def _run(self, batch: _Batch) -> list[Result]:
        moment, results = now(), dict[int, Result]()
        asked = [at for at, op in enumerate(batch.ops) if isinstance(op, SearchOp) and op.query]
        plain = [at for at, op in enumerate(batch.ops) if not isinstance(op, PutOp) and at not in set(asked)]
        read: dict[Key, Memory] = {}
        for at in asked:  # before the commit: a query may have to be embedded, and others want to write meanwhile
            results[at] = self._read(batch, at, moment, read)
        if not batch.puts:
            for at in plain:
                results[at] = self._read(batch, at, moment, read)
            if read and not self._vault.read_only:
                self._vault.transact(lambda tx: _refresh(tx, read.keys(), moment), box=self._box)
            return [results.get(at) for at in range(len(batch.ops))]
        drafts = [
            draft_of(op, _searched(batch.texts[key]), self._vectors(batch, key), moment, self._origin)
            for key, op in batch.puts.items()
            if op.value is not None
        ]

        def work(tx: Transaction) -> None:
            seen = dict(read)
            for at in plain:
                results[at] = self._read(batch, at, moment, seen)
            _refresh(tx, seen.keys() - batch.puts.keys(), moment)
            for (namespace, key), op in batch.puts.items():
                if op.value is None:
                    _forget(tx, namespace, key)
            tx.add_many(drafts)

        self._vault.transact(work, box=self._box)
        return [results.get(at) for at in range(len(batch.ops))]

    def _read(self, batch: _Batch, at: int, moment: datetime, read: dict[Key, Memory]) -> Result:
        """The answer of one reading op; memories whose TTL begins anew are noted in `read`."""
        op = batch.ops[at]
        if isinstance(op, GetOp):
            found = self._get(op, moment)
            _note(read, [] if found is None else [found], moment, refresh=op.refresh_ttl)
            return None if found is None else item_of(found)
        if isinstance(op, SearchOp):
            hits = self._search(op, batch.filters[at], batch.query_vectors.get(op.query or ""))
            _note(read, [memory for memory, _ in hits], moment, refresh=op.refresh_ttl)
            return [hit_of(memory, score) for memory, score in hits]
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(op)
        return None

    def _get(self, op: GetOp, moment: datetime) -> Memory | None:
        found = self._vault.get_many([op.key], namespace=op.namespace, box=self._box)[0]
        return None if found is None or (self._hidden and expired(found, moment)) else found

    def _search(self, op: SearchOp, filter: Any, vector: Any) -> list[tuple[Memory, float | None]]:
        end = op.offset + op.limit
        if not op.limit:
            return []
        where: dict[str, Any] = {
            "namespace": op.namespace_prefix,
            "filter": filter,
            "include_expired": not self._hidden,
            "box": self._box,
        }
        if not op.query:
            return [(one, None) for one in self._vault.list(limit=op.limit, offset=op.offset, **where)]
        most = min(end, _MOST_HITS)
        if vector is not None:
            hits = self._vault.find_similar(vector, top_k=most, space=self._space, **where)
        else:
            hits = self._vault.search(op.query, top_k=most, **where)
        ranked: list[tuple[Memory, float | None]] = [(hit.memory, hit.score) for hit in hits]
        if len(ranked) < end:
            seen = {key_of(memory) for memory, _ in ranked}
            rest = self._vault.list(limit=end, include_untrusted=False, **where)
            ranked += [(one, None) for one in rest if key_of(one) not in seen]
        return ranked[op.offset : end]

    def _namespaces(self, op: ListNamespacesOp) -> list[Namespace]:
        conditions = op.match_conditions or ()
        prefix = _joined(_paths(conditions, "prefix"))
        suffix = _joined([path[::-1] for path in _paths(conditions, "suffix")])
        if prefix is None or suffix is None:
            return []
        return self._vault.namespaces(
            prefix=prefix,
            suffix=suffix[::-1],
            max_depth=op.max_depth,
            limit=op.limit,
            offset=op.offset,
            include_expired=not self._hidden,
            box=self._box,
        )

    def _vectors(self, batch: _Batch, key: Key) -> dict[str, Any] | None:
        if self.embeddings is None or not batch.texts[key]:
            return None
        return {self._space: {name: batch.vectors[text] for name, text in batch.texts[key].items()}}


def _plain(op: Any) -> Op:
    """An op, checked, with its namespace as a tuple.

    Raises:
        InvalidNamespaceError: a label or namespace that LangGraph does not allow.
        InvalidInputError: no op of LangGraph's.
    """
    checked: Op
    if isinstance(op, GetOp | PutOp):
        checked = op._replace(namespace=_labels(op.namespace))
    elif isinstance(op, SearchOp):
        checked = op._replace(namespace_prefix=_labels(op.namespace_prefix))
        if not all(type(number) is int and number >= 0 for number in (op.limit, op.offset)):
            raise InvalidInputError("limit and offset are whole numbers, 0 or more")
    elif isinstance(op, ListNamespacesOp):
        checked = op
    else:
        raise InvalidInputError(f"a store does GetOp, SearchOp, PutOp and ListNamespacesOp, not {type(op).__name__}")
    validate_op_namespace(checked)
    if isinstance(checked, PutOp) and checked.value is not None:
        if not checked.namespace:
            raise InvalidNamespaceError("Namespace cannot be empty.")
        if checked.namespace[0] == _RESERVED:
            raise InvalidNamespaceError(f'Root label for namespace cannot be "{_RESERVED}".')
    return checked


def _labels(given: Any) -> Namespace:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidNamespaceError("A namespace is a tuple of labels.")
    return tuple(given)


def _note(read: dict[Key, Memory], memories: Iterable[Memory], moment: datetime, *, refresh: bool) -> None:
    if refresh:
        read.update((key_of(one), one) for one in memories if refreshed(one, moment) is not None)


def _searched(texts: Mapping[str, str]) -> Mapping[str, str] | None:
    """What is searched of a value: None for the whole of it, which the vault reads better than its JSON text."""
    return None if list(texts) == [WHOLE] else texts


def _refresh(tx: Transaction, read: Iterable[Key], moment: datetime) -> None:
    for namespace, key in read:
        try:  # as it is now: since it was read somebody may have kept it for ever
            ends = refreshed(tx.get(key, namespace=namespace), moment)
        except MemoryNotFoundError:
            continue  # deleted since it was read
        if ends is not None:
            tx.touch(key, namespace=namespace, expires_at=ends)


def _forget(tx: Transaction, namespace: Namespace, key: str) -> None:
    try:
        tx.forget(key, namespace=namespace)
    except MemoryNotFoundError:
        return  # LangGraph deletes what is not there without a word


def _paths(conditions: Iterable[MatchCondition], kind: str) -> list[Namespace]:
    unknown = [one for one in conditions if one.match_type not in ("prefix", "suffix")]
    if unknown:
        raise InvalidInputError('a namespace is matched by "prefix" or "suffix"')
    return [tuple(one.path) for one in conditions if one.match_type == kind]


def _joined(patterns: Sequence[Namespace]) -> Namespace | None:
    """The one pattern that says what all of them say; None if they contradict each other."""
    joined: list[str] = []
    for pattern in patterns:
        for at, label in enumerate(pattern):
            if at == len(joined):
                joined.append(label)
            elif joined[at] == "*":
                joined[at] = label
            elif label not in ("*", joined[at]):
                return None
    return tuple(joined)
