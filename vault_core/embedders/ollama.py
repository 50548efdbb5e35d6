"""Ollama: embeddings of a model that the user's own machine serves, through the `ollama` client and `/api/embed`.

Rules:
- Memory text leaves this machine only if the caller says so: a host that isn't loopback and a cloud model need
  `allow_remote=True`; no proxy and no redirect is followed for loopback.
- What may pass (a dropped connection, a server that is busy or restarts its model) is tried again a moment later.
  Nobody listening and a timeout are not: an `add` shouldn't wait for a server that isn't there, nor twice for a slow
  one.
- Whatever goes wrong is `UnavailableError`, without the server's own words: they may quote the text.
"""

import ipaddress
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from vault_core.errors import EmbedderMismatchError, InvalidInputError, UnavailableError
from vault_core.memory.draft import check_label

T = TypeVar("T")

MODEL = "all-minilm"  # 46 MB, quick without a GPU, needs no task prefixes; what our recall figures were measured with
TIMEOUT = 60.0  # seconds for one batch: the first one may have to load the model
BATCH = 32  # texts in a request: larger ones gain nothing on one machine, and a lost connection costs more
WAITS = (0.25, 1.0)  # seconds before the second and the third try: a model's process is back within one
_PORT = 11434
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # 500 is what Ollama says when a model's process ended
_HOST_NAME = re.compile(r"[a-z0-9._:-]+")


class OllamaEmbedder:
    """Vectors from Ollama. Safe from several threads.

    `host` is as in `OLLAMA_HOST`, which is used when it is left out; by default this machine's port 11434. `dimension`
    is learned from the server when it is left out; one that is given has to be the model's. `timeout` is in seconds.
    Nothing is asked before the first use.

    The fingerprint is `ollama/NAME:TAG@DIGEST`, with the digest that the server lists for the model, or without one
    where the server lists none. A model that was pulled anew under the same name is another embedder.

    Raises:
        InvalidInputError: the host or model is not on this machine, and `allow_remote` is not given.
        UnavailableError: the package is missing.
    """

    def __init__(
        self,
        model: str = MODEL,
        *,
        host: str | None = None,
        allow_remote: bool = False,
        dimension: int | None = None,
        timeout: float = TIMEOUT,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """See the class."""
        check_label(model, "model")
        self.model = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
        if not allow_remote and self.model.rpartition(":")[2].endswith("cloud"):
            raise InvalidInputError(
                f"{self.model} runs on Ollama's servers, which would read the memories; if that is meant, "
                "say allow_remote=True"
            )
        url, loopback = _address(host if host is not None else os.environ.get("OLLAMA_HOST", ""))
        if not loopback and not allow_remote:
            raise InvalidInputError(
                f"the Ollama host {url} is not this machine, and whoever runs it would read the memories; if that is "
                "meant, say allow_remote=True"
            )
        self._client, self._pause = _client(url, loopback=loopback, timeout=timeout), pause
        self._lock = threading.Lock()
        self._dimension, self._fingerprint = dimension, ""

    @property
    def dimension(self) -> int:
        """How many numbers a vector has, as given or learned.

        Raises:
            UnavailableError: it is not known yet, and the server can't be asked.
        """
        if self._dimension is None:
            self.embed_query("dimension")
        return self._dimension or 0

    @property
    def fingerprint(self) -> str:
        """The model's name with the digest that the server lists for it; asked once.

        Raises:
            UnavailableError: the server can't be asked.
        """
        with self._lock:
            if not self._fingerprint:
                digest = self._asked(self._digest)
                self._fingerprint = f"ollama/{self.model}" + f"@{digest[:16]}" * bool(digest)
            return self._fingerprint

    def embed_documents(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """See `Embedder.embed_documents`."""
        vectors: list[Sequence[float]] = []
        for start in range(0, len(texts), BATCH):
            vectors += self._embedded(list(texts[start : start + BATCH]))
        return vectors

    def embed_query(self, text: str) -> Sequence[float]:
        """See `Embedder.embed_query`."""
        return self._embedded([text])[0]

    def _embedded(self, texts: list[str]) -> list[Sequence[float]]:
        vectors = list(self._asked(lambda: self._client.embed(model=self.model, input=texts)).embeddings)
        if len(vectors) != len(texts):
            raise EmbedderMismatchError(f"Ollama gave {len(vectors)} vectors for {len(texts)} texts")
        with self._lock:
            if self._dimension is None:
                self._dimension = len(vectors[0])
        return vectors

    def _digest(self) -> str:
        import ollama

        try:
            listed = self._client.list().models
        except ollama.ResponseError as error:
            if error.status_code in (404, 405, 501):  # a server that speaks only a part of the protocol
                return ""
            raise
        return next((one.digest or "" for one in listed if one.model == self.model), "").removeprefix("sha256:")

    def _asked(self, call: Callable[[], T]) -> T:
        """What a call to the server gives; tried again where that may help."""
        waits = iter(WAITS)
        while True:
            try:
                return call()
            except Exception as error:  # noqa: BLE001  the client lets its parser's and httpx's errors through
                problem, passing = self._problem(error)
            wait = next(waits, None)
            if wait is None or not passing:
                raise problem  # not `from` the cause, which may quote the text
            self._pause(wait)

    def _problem(self, error: Exception) -> tuple[UnavailableError, bool]:
        """What to say about a failed call, and whether it may pass."""
        import httpx
        import ollama

        if isinstance(error, ollama.ResponseError):
            if error.status_code == 404:
                return UnavailableError(
                    f"Ollama has no model {self.model}; get it with: ollama pull {self.model}"
                ), False
            return UnavailableError(f"Ollama refused (HTTP {error.status_code})"), error.status_code in _PASSING
        if isinstance(error, httpx.TimeoutException):
            return UnavailableError("Ollama did not answer in time"), False
        if isinstance(error, ConnectionError | httpx.ConnectError):
            return UnavailableError("Ollama can't be reached; is it running? (ollama serve)"), False
        if isinstance(error, httpx.TransportError):
            return UnavailableError("the connection to Ollama was lost"), True
        return UnavailableError(f"Ollama answered something else than vectors ({type(error).__name__})"), False


def _client(url: str, *, loopback: bool, timeout: float) -> Any:
    try:
        import httpx
        import ollama
    except ImportError:
        raise UnavailableError("OllamaEmbedder needs: pip install 'strongroom[ollama]'") from None
    return ollama.Client(
        host=url,
        timeout=timeout,
        follow_redirects=False,
        trust_env=not loopback,  # else HTTP_PROXY would have the memories sent elsewhere
        limits=httpx.Limits(max_keepalive_connections=0),  # a kept one is dead once the server has restarted
    )


def _address(host: str) -> tuple[str, bool]:
    """The server's URL in one plain form, and whether it is this machine."""
    scheme, separator, rest = host.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme
    scheme = scheme.lower()
    try:
        split = urlsplit(f"//{rest}")
        name, port = (split.hostname or "127.0.0.1"), split.port
    except ValueError:
        raise InvalidInputError("the Ollama host must be like 127.0.0.1:11434 or https://example.com") from None
    if scheme not in ("http", "https") or "@" in rest or not _HOST_NAME.fullmatch(name):
        raise InvalidInputError("the Ollama host must be like 127.0.0.1:11434 or https://example.com")
    if port is None:
        port = _PORT if not separator else {"http": 80, "https": 443}[scheme]
    try:
        number = ipaddress.ip_address(name)
    except ValueError:
        return f"{scheme}://{name}:{port}{split.path.rstrip('/')}", name == "localhost"
    if number.is_unspecified:  # what a server is told to listen on; a client that is told the same means itself
        number = ipaddress.ip_address("127.0.0.1" if number.version == 4 else "::1")
    shown = f"[{number}]" if number.version == 6 else str(number)
    return f"{scheme}://{shown}:{port}{split.path.rstrip('/')}", number.is_loopback
