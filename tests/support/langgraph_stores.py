"""LangGraph stores under test: ours, called either way, and upstream's in-memory store as the reference.

A test that is marked `differs` shows where we take another side than the reference: there it has to fail.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from langgraph.store.base import BaseStore, Op

EMBEDDED = 4


def embed(texts: list[str]) -> list[list[float]]:
    """Vectors that say which of a few things a text is about."""
    topics = ("tea", "cake", "train")
    return [[*(float(text.casefold().count(topic)) for topic in topics), 0.1] for text in texts]


async def aembed(texts: list[str]) -> list[list[float]]:
    """The same, awaited."""
    await asyncio.sleep(0)
    return embed(texts)


class Awaited:
    """A store's async methods, called one after the other."""

    def __init__(self, store: BaseStore) -> None:
        self._store = store

    def batch(self, ops: Iterable[Op]) -> Any:
        """See `BaseStore.abatch`."""
        return asyncio.run(self._store.abatch(ops))

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            return asyncio.run(getattr(self._store, f"a{name}")(*arguments, **named))

        return call if name in {"get", "put", "search", "delete", "list_namespaces"} else getattr(self._store, name)


def differs(reason: str) -> pytest.MarkDecorator:
    """A test that the reference fails, and why we take the other side."""
    return pytest.mark.differs(reason)


def expect(request: pytest.FixtureRequest) -> None:
    """Make a difference a failure that has to be there."""
    marker = request.node.get_closest_marker("differs")
    if marker is not None:
        request.applymarker(pytest.mark.xfail(strict=True, reason=marker.args[0]))
