"""Fixtures: a server that speaks Ollama's protocol, and an embedder that asks it."""

from collections.abc import Callable, Iterator

import pytest

from support.ollama_server import OllamaServer, ollama_server
from vault_core import OllamaEmbedder


@pytest.fixture(autouse=True)
def no_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's Ollama is seen."""
    for name in ("OLLAMA_HOST", "OLLAMA_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with ollama_server() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """The pauses that the embedder has made."""
    return []


@pytest.fixture
def embedder(server: OllamaServer, waits: list[float]) -> OllamaEmbedder:
    return OllamaEmbedder(host=server.url, pause=waits.append)


@pytest.fixture
def another(server: OllamaServer, waits: list[float]) -> Callable[..., OllamaEmbedder]:
    """Another embedder of the same server."""
    return lambda *arguments, **options: OllamaEmbedder(*arguments, host=server.url, pause=waits.append, **options)
