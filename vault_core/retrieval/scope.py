"""Scopes: which memories a query may see. They come from the call, never from a filter or a memory's metadata."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vault_core.index import BoxIndex
from vault_core.index.columns import SEARCHED, Mask
from vault_core.memory.model import Namespace

Predicate = Callable[[list[int]], list[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Namespace, versions and times of a query. `now` is the moment it asks about, in microseconds."""

    now: int
    namespace: Namespace | None = None
    exact: bool = False
    superseded: bool = False
    expired: bool = False
    archived: bool = False
    untrusted: bool = True
    versions: bool = False  # earlier versions too, not only current ones
    thread: str | None = None  # only memories of this conversation
    predicate: Predicate | None = None  # a filter over addresses, judged in the order of the ranking

    def mask(self, index: BoxIndex, *, searched: bool) -> Mask:
        """Which rows of the index's columns count."""
        namespaces: list[int] | None = None
        if self.namespace is not None:
            if self.exact:
                number = index.catalogue.known_namespace(self.namespace)
                namespaces = [] if number is None else [number]
            elif self.namespace:
                namespaces = index.catalogue.below(self.namespace)
        mask = index.columns.visible(
            now=self.now,
            namespaces=namespaces,
            superseded=self.superseded,
            expired=self.expired,
            archived=self.archived,
            untrusted=self.untrusted,
            versions=self.versions,
            present=() if self.superseded else index.supersession.present(self.now),
        )
        if self.thread is not None:
            mask &= np.isin(index.columns.thread, index.columns.threads_called(self.thread))
        if searched:
            mask &= (index.columns.flags & SEARCHED) != 0
        return mask


def accept_all(addresses: list[int]) -> list[bool]:
    """The predicate that lets everything through."""
    return [True] * len(addresses)


def combined(*predicates: Any) -> Predicate | None:
    """All of several predicates; None if there are none."""
    given = [one for one in predicates if one is not None]
    if not given:
        return None

    def judge(addresses: list[int]) -> list[bool]:
        verdicts = [one(addresses) for one in given]
        return [all(verdict) for verdict in zip(*verdicts, strict=True)]

    return judge
