"""A sealed cache on this machine, in front of a store that is far away.

Rules (docs/adr/0017-a-sealed-cache.md):
- It holds copies of what the store holds: ciphertext. Deleting it loses nothing, and no trouble with it is an error.
- Copies answer only what can't change: entries below the head, records, and parts whose names are used once. The head,
  its entry, the header and manifests are always the store's, so a store that went back is noticed as without a cache.
- What a commit erases leaves the cache when a session here hears of the commit, and before one of its own is sent. A
  session that begins after erasures nobody here has heard of (from a snapshot made elsewhere) begins without records.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import platformdirs

from vault_core.errors import VaultError
from vault_core.store.base import Capabilities, Change, Head, Store, StoredHeader, named_once
from vault_core.store.kept import Kept

_BATCH = 500  # entries for one transaction of the cache
_VAULT = re.compile(r"[0-9a-f]{32}")


def cache_folder() -> Path:
    """Where caches live: `STRONGROOM_CACHE_DIR`, or the platform's folder for caches of the user's programs."""
    override = os.environ.get("STRONGROOM_CACHE_DIR")
    return Path(override) if override else Path(platformdirs.user_cache_dir("strongroom", appauthor=False))


class CachedStore:
    """Another store, with copies at hand. Keeps the `Store` protocol."""

    def __init__(self, inner: Store, folder: Path | None = None) -> None:
        """Stand in front of `inner`; the copies go into `folder`, by default `cache_folder()`."""
        self.inner = inner
        self._folder = folder
        self._kept: Kept | None = None
        self._checked = False  # whether the copies were compared with the store's log
        self._follows = False  # whether this session has read entries
        self._given = 0  # the seq up to which it was given them, without a gap
        self._followed = 0  # and up to which it has followed them, and so heard of what they erase
        self._heard = 0  # and up to which the copies know that
        self._failed = False  # whether copies of erased records may be left: then nothing more is said to be heard of
        self._outdated = False  # whether copies of parts may be left that the store has dropped

    @property
    def capabilities(self) -> Capabilities:
        """See `Store.capabilities`."""
        return self.inner.capabilities

    @property
    def location(self) -> str:
        """See `Store.location`."""
        return self.inner.location

    @property
    def origin(self) -> Store:
        """See `Store.origin`."""
        return self.inner.origin

    def create(self, header: StoredHeader, entry: bytes) -> None:
        """See `Store.create`."""
        self.inner.create(header, entry)

    def read_header(self) -> StoredHeader:
        """See `Store.read_header`. The copies are found by the vault id in the header."""
        header = self.inner.read_header()
        if self._kept is None and (vault := _vault_of(header)) is not None:
            folder = self._folder if self._folder is not None else cache_folder()
            self._kept = Kept(folder / f"{vault}.cache")
        return header

    def moved(self) -> bool:
        """See `Store.moved`."""
        return self.inner.moved()

    def head(self) -> int:
        """See `Store.head`."""
        return self.inner.head()

    def append(self, make: Callable[[Head], Change | None]) -> Change | None:
        """See `Store.append`."""

        def dropping(head: Head) -> Change | None:
            change = make(head)
            if change is None or self._kept is None:
                return change
            if change.erase:
                self._drop(self._kept, change.erase)  # beforehand: this process may not get to it afterwards
            return replace(change, put_parts=_copied(change.put_parts, self._kept)) if change.put_parts else change

        change = self.inner.append(dropping)
        if change is not None and self._kept is not None:
            self._keep(change, self._kept)
        return change

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See `Store.entries`. The last one always comes from the store."""
        kept = self._compared()
        if kept is None or after < 0:
            yield from self.inner.entries(after, upto)
            return
        if not self._follows:
            self._begin(kept, after)
        self._hear(kept)
        last = kept.newest() if upto is None else min(upto, kept.newest())
        for seq, entry in kept.entries(after, last):
            yield seq, entry
            after = seq
            self._gave(seq)
        fresh: list[tuple[int, bytes]] = []
        for seq, entry in self.inner.entries(after, upto):
            fresh.append((seq, entry))
            if len(fresh) == _BATCH:
                kept.keep_entries(fresh)
                fresh.clear()
            yield seq, entry
            self._gave(seq)
        kept.keep_entries(fresh)

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """See `Store.records`."""
        wanted = list(addresses)
        if self._kept is None:
            return self.inner.records(wanted)
        found = {address: body for address, body in self._kept.records(wanted).items() if any(body)}
        missing = [address for address in wanted if address not in found]
        if missing:
            fresh = self.inner.records(missing)
            self._kept.keep_records((address, body) for address, body in fresh.items() if any(body))
            found.update(fresh)
        return found

    def addresses(self, after: int) -> Iterator[int]:
        """See `Store.addresses`."""
        return self.inner.addresses(after)

    def let_go(self, addresses: Iterable[int] | None) -> None:
        """See `Store.let_go`."""
        erased = None if addresses is None else list(addresses)
        self.inner.let_go(erased)
        if self._kept is None:
            return
        if erased is None:
            self._kept.clear()
        elif erased:
            self._drop(self._kept, erased)
            self._outdated |= bool(self._kept.parts())  # the snapshots of before the erasure are gone, or will be
        else:
            self._followed = self._given

    def part(self, name: str) -> bytes | None:
        """See `Store.part`."""
        if self._kept is None or not named_once(name):
            return self.inner.part(name)
        body = self._kept.part(name)
        if body is None and (body := self.inner.part(name)) is not None:
            self._kept.keep_parts([(name, body)])
        return body

    def parts(self) -> list[str]:
        """See `Store.parts`. Copies of parts that are gone go too."""
        names = self.inner.parts()
        self._outdated = False
        if self._kept is not None and (gone := set(self._kept.parts()).difference(names)):
            self._kept.drop_parts(gone)
        return names

    def purge(self, *, wait: bool = True) -> bool:
        """See `Store.purge`."""
        purged = self.inner.purge(wait=wait)
        if self._kept is not None:
            self._drop_outdated()
            self._hear(self._kept)
            self._kept.settle()
        return purged

    def reclaim(self) -> None:
        """See `Store.reclaim`."""
        self.inner.reclaim()

    def size(self) -> int:
        """See `Store.size`. The store's, without the copies."""
        return self.inner.size()

    def lock(self, *, exclusive: bool) -> None:
        """See `Store.lock`."""
        self.inner.lock(exclusive=exclusive)

    def abandon(self) -> None:
        """See `Store.abandon`."""
        self.inner.abandon()
        if self._kept is not None:
            self._kept.abandon()

    def close(self) -> None:
        """See `Store.close`."""
        if self._kept is not None:
            self._drop_outdated()
            self._hear(self._kept)
            self._kept.close()
            self._kept = None
        self.inner.close()

    def _drop_outdated(self) -> None:
        if self._outdated:
            with suppress(VaultError):  # the store can't say; the next session asks again
                self.parts()

    def _compared(self) -> Kept | None:
        """The copies, once the newest entry among them was found in the store's log as well; else none of them."""
        kept = self._kept
        if kept is not None and not self._checked:
            newest = kept.newest()
            copies = list(kept.entries(newest - 1, newest + 1))
            if newest and list(self.inner.entries(newest - 1, newest)) != copies:
                kept.clear()  # the log was rolled back, or is another one
            self._checked = True
        return kept

    def _begin(self, kept: Kept, after: int) -> None:
        """The session reads its first entries: what was erased before them, it will not say."""
        self._follows = True
        self._given = self._followed = after + 1 if after else 0
        self._heard = kept.heard()
        if self._heard < self._followed:
            self._drop(kept, None)
            self._outdated |= bool(kept.parts())

    def _gave(self, seq: int) -> None:
        if seq == self._given + 1:
            self._given = seq

    def _hear(self, kept: Kept) -> None:
        """Let the copies know what has been followed, and was carried out. Following what was given may have failed."""
        if self._followed > self._heard and not self._failed and not self._outdated:
            self._heard = self._followed
            kept.hear(self._heard)

    def _drop(self, kept: Kept, addresses: Iterable[int] | None) -> None:
        if not kept.drop_records(addresses):
            self._failed = True

    def _keep(self, change: Change, kept: Kept) -> None:
        """What follows for the copies of a change of our own.

        Its entry and records are not copied here: that would cost an add as much again as the store. They are when they
        are read.
        """
        if change.entry is not None:
            if change.erase:
                self._drop(kept, change.erase)  # another process may have fetched them since
            if self._followed == self._given == change.seq - 1:
                self._given = self._followed = change.seq
        kept.drop_parts(name for name in change.drop_parts if named_once(name))


def _copied(parts: Iterable[tuple[str, bytes]], kept: Kept) -> Iterator[tuple[str, bytes]]:
    """These parts, of which copies are kept on the way. One whose change fails is found out when parts are listed."""
    for name, body in parts:
        if named_once(name):
            kept.keep_parts([(name, body)])
        yield name, body


def _vault_of(header: StoredHeader) -> str | None:
    """The vault id that a stored header gives, or None if it gives none."""
    try:
        vault = json.loads(header.body)["vault"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return vault if isinstance(vault, str) and _VAULT.fullmatch(vault) else None
