"""AsyncVault: the same vault, awaited. Work runs in threads, so that no call blocks the event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from vault_core.memory import Memory
from vault_core.session.changes import Change
from vault_core.vault import Vault

T = TypeVar("T")
_AWAITED = frozenset(
    [
        "add",
        "add_many",
        "update",
        "restore",
        "merge",
        "touch",
        "archive",
        "pin",
        "trust",
        "forget",
        "forget_many",
        "expire",
        "briefing",
        "transact",
        "get",
        "get_many",
        "history",
        "search",
        "find_similar",
        "list",
        "count",
        "namespaces",
        "seal",
        "unseal",
        "consolidate",
        "export_memories",
        "import_memories",
        "checkpoint",
        "stats",
        "reembed",
        "verify",
        "reclaim",
        "slots",
        "add_slot",
        "remove_slot",
        "change_passphrase",
        "rotate",
        "boxes",
        "add_box",
        "close",
    ]
)
_BATCH = 64


class AsyncVault:
    """Every method of `Vault` that reads or writes, as a coroutine. `vault.aio` gives one for an open vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @classmethod
    async def create(cls, location: Any, **arguments: Any) -> Self:
        """See `Vault.create`. If it is cancelled, a vault that is made all the same is closed."""
        return cls(await _opened(partial(Vault.create, location, **arguments)))

    @classmethod
    async def open(cls, location: Any, **arguments: Any) -> Self:
        """See `Vault.open`. If it is cancelled, a vault that is opened all the same is closed."""
        return cls(await _opened(partial(Vault.open, location, **arguments)))

    def writing_as(self, **who: str) -> AbstractContextManager[None]:
        """See `Vault.writing_as`; not awaited: `with vault.aio.writing_as(tool="…"): await …`."""
        return self._vault.writing_as(**who)

    @property
    def sync(self) -> Vault:
        """The vault itself."""
        return self._vault

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _AWAITED:
            raise AttributeError(name)
        return partial(asyncio.to_thread, getattr(self._vault, name))

    async def stream(self, **arguments: Any) -> AsyncIterator[Memory]:
        """See `Vault.stream`."""
        memories = self._vault.stream(**arguments)
        while batch := await asyncio.to_thread(_take, memories, _BATCH):
            for memory in batch:
                yield memory

    async def changes(self, *arguments: Any, **named: Any) -> AsyncIterator[Change]:
        """See `Vault.changes`."""
        found = await asyncio.to_thread(self._vault.changes, *arguments, **named)
        while batch := await asyncio.to_thread(_take, found, _BATCH):
            for change in batch:
                yield change

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._vault.close)


async def _opened(opening: Callable[[], Vault]) -> Vault:
    """What a thread opens. Nobody can stop the thread: if the caller gives up meanwhile, it closes what it opened."""
    changing, made, given_up = threading.Lock(), list[Vault](), threading.Event()

    def work() -> Vault:
        vault = opening()
        with changing:
            if not given_up.is_set():
                made.append(vault)
                return vault
        vault.close()
        return vault

    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        with changing:
            given_up.set()
        for vault in made:  # it was open already, but the caller had not heard of it
            threading.Thread(target=vault.close, name="strongroom-close").start()
        raise


def _take(values: Iterator[T], count: int) -> list[T]:
    return list(islice(values, count))
