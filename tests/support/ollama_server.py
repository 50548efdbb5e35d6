"""A server on loopback that speaks Ollama's protocol: /api/tags and /api/embed, and every way to fail at it.

What it answers with is scripted: `script` holds what happens to the next requests to /api/embed, in order; when it is
empty the server embeds. Each step is called with the handler and the parsed request.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vault_core.testing import FakeEmbedder

DIGEST = "1b226e2802dbb772b5fc32a58f103ca1804ef7501331012de126ab22f67475ef"
DIMENSION = 16

Step = Callable[["_Handler", dict[str, Any]], None]


@dataclass(slots=True)
class OllamaServer:
    """What the server knows and what it was asked."""

    models: dict[str, str] = field(default_factory=lambda: {"all-minilm:latest": DIGEST})
    dimension: int = DIMENSION
    script: list[Step] = field(default_factory=list)
    tags: Step | None = None  # instead of the list of models
    inputs: list[list[str]] = field(default_factory=list)  # of every request to /api/embed
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def vectors(self, texts: list[str]) -> list[list[float]]:
        """What it embeds texts to."""
        return [vector.tolist() for vector in FakeEmbedder(self.dimension).embed_documents(texts)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: OllamaServer

    def do_GET(self) -> None:
        if self.path != "/api/tags":
            return self.answer(404, {"error": "not found"})
        if self.state.tags is not None:
            return self.state.tags(self, {})
        models = [{"name": name, "model": name, "digest": digest} for name, digest in self.state.models.items()]
        return self.answer(200, {"models": models})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/api/embed":
            return self.answer(404, {"error": "not found"})
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        self.state.inputs.append(texts)
        if self.state.script:
            return self.state.script.pop(0)(self, asked)
        return self.embed(asked)

    def embed(self, asked: dict[str, Any]) -> None:
        """As Ollama does."""
        if asked["model"] not in self.state.models:
            name = asked["model"]
            return self.answer(404, {"error": f'model "{name}" not found, try pulling it first'})
        vectors = self.state.vectors(asked["input"])
        return self.answer(
            200, {"model": asked["model"], "embeddings": vectors, "total_duration": 1, "prompt_eval_count": 1}
        )

    def answer(self, status: int, document: Any) -> None:
        self.raw(status, json.dumps(document).encode())

    def raw(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drop(self) -> None:
        """Hang up in the middle of an answer."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"embeddings": [[0.1,')
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


# what may happen instead of an answer


def status(code: int, error: str = "something is the matter") -> Step:
    """An HTTP error with Ollama's kind of body."""
    return lambda handler, asked: handler.answer(code, {"error": error + " " + str(asked.get("input", ""))})


def body(content: bytes) -> Step:
    """These bytes with status 200."""
    return lambda handler, _: handler.raw(200, content)


def embeddings(make: Callable[[list[list[float]]], Any]) -> Step:
    """An answer whose vectors are changed."""

    def step(handler: _Handler, asked: dict[str, Any]) -> None:
        handler.answer(200, {"model": asked["model"], "embeddings": make(handler.state.vectors(asked["input"]))})

    return step


def well(handler: _Handler, asked: dict[str, Any]) -> None:
    """A right answer."""
    handler.embed(asked)


def dropped(handler: _Handler, asked: dict[str, Any]) -> None:
    """The connection is lost in the middle of an answer."""
    handler.drop()


def silent(handler: _Handler, asked: dict[str, Any]) -> None:
    """No answer until the server goes."""
    handler.state.closing.wait()
    handler.close_connection = True


def redirect(to: str) -> Step:
    """Somebody else is said to have the answer."""
    return lambda handler, _: handler.raw(307, b"", Location=to)


@contextmanager
def ollama_server() -> Iterator[OllamaServer]:
    """A server that runs until the block ends."""
    state = OllamaServer()
    handler = type("_Bound", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
