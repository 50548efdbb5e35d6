"""StrongroomSaver: LangGraph's checkpoints in a vault, sealed whole.

Rules:
- A checkpoint is one item (values, metadata and the id of its parent), a pending write another; everything about them
  is sealed, keys included. They are no memories: no search finds them.
- Keys are JSON lists, so that no two can share a spelling: [thread, namespace, checkpoint id], and for a write
  [thread, namespace, checkpoint id, task id, index].
- A write that is there already stays; one of LangGraph's special writes (errors, interrupts, …) replaces it.
- Deleting erases. What a change consists of is one commit.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_strongroom.opening import Opening
from vault_core import Item, KeyProvider, Transaction, Vault
from vault_core.errors import InvalidInputError

CHECKPOINTS = "langgraph.checkpoints"
WRITES = "langgraph.writes"
_BATCH = 32  # checkpoints that an async list takes from its thread at once

T = TypeVar("T")
Filter = dict[str, Any]
Writes = list[tuple[str, str, Any]]  # (task, channel, value); named here, for inside the class `list` is a method


class StrongroomSaver(BaseCheckpointSaver[int]):
    """A checkpointer for `compile(checkpointer=…)` and `create_agent(checkpointer=…)`.

    Whoever stores the vault sees sizes and times: not the state, not its metadata, not the thread ids. Safe from any
    thread; the async methods work in threads. `serde` is LangGraph's serializer (default: its own).
    """

    def __init__(self, vault: Vault, *, serde: SerializerProtocol | None = None, box: str = "main") -> None:
        super().__init__(serde=serde)
        self._vault, self._box, self._owned = vault, box, False
        self._checkpoints, self._writes = vault.items(CHECKPOINTS, box=box), vault.items(WRITES, box=box)

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str,
        *,
        passphrase: str | None = None,
        unlock: KeyProvider | None = None,
        serde: SerializerProtocol | None = None,
    ) -> "Opening[StrongroomSaver]":
        """The saver of the vault at a location, for `with` or `async with`; it closes the vault. See `Vault.open`."""

        def made(vault: Vault) -> StrongroomSaver:
            saver = cls(vault, serde=serde)
            saver._owned = True
            return saver

        return Opening(made, conn_string, {"passphrase": passphrase, "unlock": unlock})

    # reading

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, or the newest of its thread and namespace."""
        thread, namespace, wanted = _place(config)
        if wanted:
            item = self._checkpoints.get(_key(thread, namespace, wanted))
        else:
            item = next(iter(self._checkpoints.scan(_begin(thread, namespace), reverse=True, limit=1)), None)
        return None if item is None else self._tuple(item)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: Filter | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, newest first; `filter` is what their metadata has to say. They are opened as they are taken."""
        left = -1 if limit is None else limit
        for item in self._listed(config, before):
            if left == 0:
                return
            found = self._tuple(item, filter)
            if found is not None:
                left -= 1
                yield found

    # writing

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002  every checkpoint is kept whole
    ) -> RunnableConfig:
        """Keep a checkpoint; gives the config that names it."""
        thread, namespace, parent = _place(config)
        about = get_checkpoint_metadata(config, metadata)
        kind, value = self.serde.dumps_typed({"checkpoint": checkpoint, "metadata": about, "parent": parent})
        run = about.get("run_id")
        attributes = {"type": kind, "run": None if run is None else str(run)}
        self._checkpoints.put(_key(thread, namespace, checkpoint["id"]), value, attributes)
        return _config(thread, namespace, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task has written, until the next checkpoint takes it up."""
        thread, namespace, checkpoint = _place(config)
        if checkpoint is None:
            raise InvalidInputError("writes belong to a checkpoint: the config lacks its checkpoint_id")
        made: dict[int, tuple[str, str, bytes]] = {}
        for place, (channel, value) in enumerate(writes):
            at = WRITES_IDX_MAP.get(channel, place)
            if at < 0 or at not in made:
                made[at] = (channel, *self.serde.dumps_typed(value))

        def work(tx: Transaction) -> None:
            for at, (channel, kind, value) in made.items():
                key = _key(thread, namespace, checkpoint, task_id, at)
                if at < 0 or tx.get_item(WRITES, key) is None:
                    about = {"type": kind, "channel": channel, "task": task_id, "path": task_path, "at": at}
                    tx.put_item(WRITES, key, value, about)

        if made:
            self._vault.transact(work, box=self._box)

    def delete_thread(self, thread_id: str) -> None:
        """Erase a thread: its checkpoints and writes of every namespace."""
        self._erase(lambda: self._keys([_begin(_text(thread_id))]))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Erase the checkpoints of these runs, with their writes."""
        runs = {"run": {"$in": [_text(one) for one in run_ids]}}
        self._erase(lambda: self._with_writes(item.key for item in self._checkpoints.scan(where=runs)))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all of a thread under another id."""
        source, target = _text(source_thread_id), _text(target_thread_id)

        def work(tx: Transaction) -> None:
            for collection, items in ((CHECKPOINTS, self._checkpoints), (WRITES, self._writes)):
                for item in items.scan(_begin(source)):
                    tx.put_item(collection, _key(target, *json.loads(item.key)[1:]), item.value, item.attributes)

        self._vault.transact(work, box=self._box)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Erase all but the newest checkpoint of each namespace (`keep_latest`), or everything (`delete`) of threads.

        What the newest needs to be complete is kept: of a delta channel, its ancestors back to the last snapshot.
        """
        if strategy not in ("keep_latest", "delete"):
            raise InvalidInputError('the strategy is "keep_latest" or "delete"')
        begins = [_begin(_text(one)) for one in thread_ids]
        if strategy == "delete":
            self._erase(lambda: self._keys(begins))
        else:
            self._erase(lambda: self._with_writes(key for begin in begins for key in self._superfluous(begin)))

    # the same, awaited

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `get_tuple`."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: Filter | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See `list`."""
        found = self.list(config, filter=filter, before=before, limit=limit)
        while some := await asyncio.to_thread(_take, found, _BATCH):
            for one in some:
                yield one

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `put`."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `put_writes`."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """See `delete_thread`."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See `delete_for_runs`."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See `copy_thread`."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See `prune`."""
        await asyncio.to_thread(lambda: self.prune(thread_ids, strategy=strategy))

    # beginning and end

    def setup(self) -> None:
        """Do nothing: a vault needs no tables. Here because upstream's savers have it."""

    def close(self) -> None:
        """Close the vault if this saver has opened it."""
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
        return f"StrongroomSaver({self._vault!r})"

    # how

    def _tuple(self, item: Item, filter: Filter | None = None) -> CheckpointTuple | None:
        """A checkpoint with its writes; None if its metadata does not say what the filter wants."""
        thread, namespace, checkpoint = json.loads(item.key)
        held = self.serde.loads_typed((item.attributes["type"], item.value))
        if any(held["metadata"].get(name) != value for name, value in (filter or {}).items()):
            return None
        parent = held["parent"]
        return CheckpointTuple(
            config=_config(thread, namespace, checkpoint),
            checkpoint=held["checkpoint"],
            metadata=held["metadata"],
            parent_config=_config(thread, namespace, parent) if parent else None,
            pending_writes=self._pending(thread, namespace, checkpoint),
        )

    def _pending(self, thread: str, namespace: str, checkpoint: str) -> Writes:
        found = [(item.attributes, item.value) for item in self._writes.scan(_begin(thread, namespace, checkpoint))]
        found.sort(key=lambda one: writes_sort_key(one[0]["path"], one[0]["task"], one[0]["at"]))
        return [
            (about["task"], about["channel"], self.serde.loads_typed((about["type"], value))) for about, value in found
        ]

    def _listed(self, config: RunnableConfig | None, before: RunnableConfig | None) -> Iterator[Item]:
        """The items of the checkpoints asked for, newest first."""
        places = [tuple(json.loads(key)) for key in self._checkpoints.keys(_wanted(config))]
        bound = None if before is None else get_checkpoint_id(before)
        exact = None if config is None else get_checkpoint_id(config)
        places = [
            place for place in places if (bound is None or place[2] < bound) and (exact is None or place[2] == exact)
        ]
        places.sort(key=itemgetter(2), reverse=True)
        for place in places:
            item = self._checkpoints.get(_key(*place))
            if item is not None:  # not erased meanwhile
                yield item

    def _superfluous(self, begin: str) -> Iterator[str]:
        """The keys of checkpoints that the newest ones of their namespaces can do without."""
        newest: dict[str, str] = {}
        keys = self._checkpoints.keys(begin)
        for key in keys:
            newest[json.loads(key)[1]] = key  # ascending: the last one stays
        needed = {one for key in newest.values() for one in self._needed(key)}
        return (key for key in keys if key not in needed)

    def _needed(self, key: str) -> Iterator[str]:
        """A checkpoint's key, and those of the ancestors that its delta channels are made of."""
        thread, namespace, _ = json.loads(key)
        missing: set[str] | None = None
        while (item := self._checkpoints.get(key)) is not None:
            yield key
            held = self.serde.loads_typed((item.attributes["type"], item.value))
            if missing is None:
                missing = set(held["metadata"].get("counters_since_delta_snapshot") or ())
            missing -= held["checkpoint"]["channel_values"].keys()
            if not missing or not held["parent"]:
                return
            key = _key(thread, namespace, held["parent"])

    def _keys(self, begins: Iterable[str]) -> Iterator[tuple[str, str]]:
        for begin in begins:
            yield from ((CHECKPOINTS, key) for key in self._checkpoints.keys(begin))
            yield from ((WRITES, key) for key in self._writes.keys(begin))

    def _with_writes(self, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
        for key in keys:
            yield CHECKPOINTS, key
            yield from ((WRITES, one) for one in self._writes.keys(_begin(*json.loads(key))))

    def _erase(self, chosen: Callable[[], Iterable[tuple[str, str]]]) -> None:
        def work(tx: Transaction) -> None:
            for collection, key in dict.fromkeys(chosen()):
                tx.delete_item(collection, key)

        self._vault.transact(work, box=self._box)


def _key(*parts: Any) -> str:
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def _begin(*parts: Any) -> str:
    """How the keys below these parts begin; the comma ends the last part."""
    return _key(*parts)[:-1] + ","


def _wanted(config: RunnableConfig | None) -> str:
    if config is None:
        return ""
    thread, namespace, _ = _place(config)
    return _begin(thread) if config["configurable"].get("checkpoint_ns") is None else _begin(thread, namespace)


def _place(config: RunnableConfig) -> tuple[str, str, str | None]:
    """Thread, namespace, and the checkpoint if the config names one."""
    given = config.get("configurable", {})
    if given.get("thread_id") is None:
        raise InvalidInputError("the config needs a thread_id: {'configurable': {'thread_id': …}}")
    return _text(given["thread_id"]), given.get("checkpoint_ns") or "", get_checkpoint_id(config)


def _text(given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | UUID):
        raise InvalidInputError("a thread or run is named by text, by a number or by a UUID")
    return str(given)


def _config(thread: str, namespace: str, checkpoint: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint}}


def _take(found: Iterator[T], count: int) -> list[T]:
    return list(islice(found, count))
