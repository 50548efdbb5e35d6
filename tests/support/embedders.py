"""Embedders for tests that can be made to fail."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vault_core import UnavailableError
from vault_core.testing import FakeEmbedder


@dataclass(slots=True)
class Fragile:
    """A fake embedder of some name that can be out of reach: always, or after so many texts."""

    name: str = "fragile"
    dimension: int = 16
    down: bool = False
    left: int | None = None  # texts that it still embeds
    inner: FakeEmbedder = field(init=False)

    def __post_init__(self) -> None:
        self.inner = FakeEmbedder(self.dimension)

    @property
    def fingerprint(self) -> str:
        return self.name

    @property
    def asked(self) -> list[str]:
        return self.inner.asked

    def embed_documents(self, texts: Sequence[str]) -> Any:
        self._reach(len(texts))
        return self.inner.embed_documents([f"{self.name} {text}" for text in texts])

    def embed_query(self, text: str) -> Any:
        self._reach(1)
        return self.inner.embed_query(f"{self.name} {text}")

    def _reach(self, count: int) -> None:
        if self.left is not None:
            if count > self.left:
                self.down = True
            self.left -= count
        if self.down:
            raise UnavailableError("nobody answers")
