"""From a location to something open: one context manager for `with` and for `async with`."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from vault_core import AsyncVault, Vault


class Closing(Protocol):
    """What has to be closed."""

    def close(self) -> None:
        """Let go."""
        ...


T = TypeVar("T", bound=Closing)


class Opening(Generic[T]):
    """Opens a vault on entering and closes it on leaving; unlocking it never blocks an event loop."""

    def __init__(self, made: Callable[[Vault], T], location: Any, arguments: dict[str, Any]) -> None:
        self._made, self._location, self._arguments = made, location, arguments
        self._open: T | None = None

    def __enter__(self) -> T:
        return self._kept(Vault.open(self._location, **self._arguments))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    async def __aenter__(self) -> T:
        opened = await AsyncVault.open(self._location, **self._arguments)  # closed again if this is cancelled
        return self._kept(opened.sync)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def _kept(self, vault: Vault) -> T:
        try:
            self._open = self._made(vault)
        except BaseException:
            vault.close()
            raise
        return self._open
