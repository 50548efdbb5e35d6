"""An embedder without a model: the same text gives the same vector everywhere, and shared words give nearness."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from vault_core.memory.model import Vector

_WORD = re.compile(r"\w+")


@dataclass(slots=True)
class FakeEmbedder:
    """Sums one pseudo-random direction for each word. Deterministic across processes and machines.

    `asked` keeps every text it was given, in order, so that a test can say what was embedded and how often.
    """

    dimension: int = 64
    asked: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Its name; another dimension is another embedder."""
        return f"fake-{self.dimension}"

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """See `Embedder.embed_documents`."""
        self.asked.extend(texts)
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> Vector:
        """See `Embedder.embed_query`."""
        self.asked.append(text)
        return self._vector(text)

    def _vector(self, text: str) -> Vector:
        words = _WORD.findall(text.lower()) or [text]
        total = np.sum([self._direction(word) for word in words], axis=0)
        length = float(np.sqrt(total @ total))
        unit: Vector = (total / (length or 1.0)).astype(np.float32)
        return unit

    def _direction(self, word: str) -> Vector:
        seed = int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        return np.random.default_rng(seed).standard_normal(self.dimension).astype(np.float32)
