"""The vault behind a server: opened when it is first needed, and worked on in threads.

Rules:
- A server starts without a key. Every call tries to open again, so that unlocking needs no restart; calls that waited
  for an opening share what came of it.
- Vault calls never run on the event loop: a slow one (a passphrase to stretch, an embedder to ask) keeps nobody else
  from being answered. A call that was begun is finished even if its client has gone.
- A session that has ended (keys changed, file replaced) is let go; the next call opens anew.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import anyio.to_thread

from vault_core import Vault
from vault_core.errors import SessionStateError, VaultError, VaultNotFoundError, VaultTamperedError

T = TypeVar("T")
_OVER = (SessionStateError, VaultTamperedError, VaultNotFoundError)


class Keeper:
    """Holds an open vault, or knows how to open one. Safe from any thread."""

    def __init__(self, vault: Vault | Callable[[], Vault]) -> None:
        """`vault` is open, and stays the caller's to close; or a function that opens it as `Vault.open` does."""
        self._open = None if isinstance(vault, Vault) else vault
        self._vault = vault if isinstance(vault, Vault) else None
        self._lock = threading.Lock()
        self._attempts = 0
        self._failure: VaultError | None = None

    async def run(self, work: Callable[[Vault], T]) -> T:
        """What `work(vault)` gives, run in a thread.

        Raises:
            VaultError: of `work`, or of opening the vault.
        """
        return await anyio.to_thread.run_sync(self._run, work)

    def close(self) -> None:
        """Close the vault if it was opened here."""
        with self._lock:
            vault, self._vault = self._vault, None if self._open else self._vault
        if vault is not None and self._open is not None:
            with suppress(VaultError):  # what was acknowledged is durable already
                vault.close()

    def _run(self, work: Callable[[Vault], T]) -> T:
        vault = self._opened()
        try:
            return work(vault)
        except _OVER:
            self._let_go(vault)
            raise

    def _opened(self) -> Vault:
        seen = self._attempts
        with self._lock:
            if self._vault is not None:
                return self._vault
            if self._attempts != seen and self._failure is not None:  # of the one that we waited for
                raise type(self._failure)(*self._failure.args)
            assert self._open is not None  # noqa: S101  a vault that was given is never let go
            self._attempts, self._failure = self._attempts + 1, None
            try:
                self._vault = self._open()
            except VaultError as error:
                self._failure = error
                raise
            return self._vault

    def _let_go(self, vault: Vault) -> None:
        if self._open is None:
            return
        with self._lock:
            if self._vault is vault:
                self._vault = None
        with suppress(VaultError):
            vault.close()
