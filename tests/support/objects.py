"""An S3 that runs here, and what lies on the way to it.

`s3_server` is moto's server in a process of its own, one request at a time: moto itself compares and writes in two
steps, which no object store does. `Proxy` stands between a client and the server: counts requests and bytes, keeps
what it has seen, and does to a request what a test asks for.
"""

import http.client
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import quote

from support.processes import Other

BUCKET = "vaults"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "the secret of the bucket"}


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint of an S3 with an empty bucket."""
    with Other(_serve, state=os.devnull) as other:
        yield other.hear()
        other.say("end")


def url(endpoint: str, prefix: str, bucket: str = BUCKET, **options: object) -> str:
    """The URL of a place there."""
    more = "".join(f"&{name}={quote(str(value))}" for name, value in options.items())
    return f"s3://{bucket}/{prefix}?region=us-east-1&endpoint={endpoint}{more}"


def objects_of(endpoint: str, prefix: str) -> dict[str, bytes]:
    """All objects under a prefix, the way whoever stores them sees them."""
    client = _client(endpoint)
    found = dict[str, bytes]()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
        for one in page.get("Contents", ()):
            body = client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
            found[one["Key"].removeprefix(f"{prefix}/")] = body
    return found


def put_objects(endpoint: str, prefix: str, objects: dict[str, bytes]) -> None:
    """Make these the objects under a prefix, and nothing else; what is the same stays as it is."""
    client, before = _client(endpoint), objects_of(endpoint, prefix)
    for name in before.keys() - objects.keys():
        client.delete_object(Bucket=BUCKET, Key=f"{prefix}/{name}")
    for name, body in objects.items():
        if before.get(name) != body:
            client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=body)


def _client(endpoint: str) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **_boto_keys())


def _boto_keys() -> dict[str, str]:
    return {name.lower(): value for name, value in KEYS.items()}


def _serve(pipe: Connection) -> None:
    import logging

    os.environ.update(KEYS)
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app, lock = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def one_at_a_time(environ: Any, start: Any) -> Any:
        with lock:
            return list(app(environ, start))

    server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=_kept_alive())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    _client(endpoint).create_bucket(Bucket=BUCKET)
    pipe.send(endpoint)
    pipe.recv()


def _kept_alive() -> Any:
    """A handler that keeps connections, as every object store does."""
    from moto.server import MotoRequestHandler

    class Handler(MotoRequestHandler):  # type: ignore[misc]
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

    return Handler


@dataclass(slots=True)
class Request:
    """One request as it passed."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    answer: bytes = field(default=b"", repr=False)
    status: int = 0


Fate = str  # what becomes of a request; see `Proxy`


class Proxy:
    """An HTTP proxy in front of an endpoint, in this process.

    `fate(request)` says what becomes of each: `pass`; `409`, `412`, `500`, `503` (answered instead of being passed on);
    `after 409`, … (answered so although it took effect); `cut` and `after cut` (the connection ends without an answer,
    before or after it took effect); `twice` (the server gets it two times, the client the second answer); `held`
    (nothing is heard until `release`, and it takes effect then, long after the client gave up).
    """

    def __init__(self, endpoint: str) -> None:
        self.seen: list[Request] = []
        self.fate: Callable[[Request], Fate] = lambda _: "pass"
        self.change: Callable[[Request], None] = lambda _: None
        self.answer: tuple[int, str] | None = None  # to everything, instead of asking the server
        self._target = endpoint.removeprefix("http://")
        self._held = list[Request]()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def release(self) -> list[int]:
        """Let what was held take effect now; gives the server's answers, which nobody hears."""
        held, self._held = self._held, []
        return [self.forward(request)[0] for request in held]

    def forward(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server."""
        connection = http.client.HTTPConnection(self._target, timeout=60)
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def handle(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes] | None:
        """What the client hears; None for a connection that ends."""
        with self._lock:
            self.seen.append(request)
            self.change(request)
            fate = self.fate(request)
        if self.answer is not None:
            body = self.answer[1].encode()
            return self.answer[0], [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body
        _, _, what = fate.rpartition("after ")
        if fate == "held":
            with self._lock:
                self._held.append(request)
            return None
        if fate in ("pass", "twice") or fate.startswith("after "):
            answer = self.forward(request)
            if fate == "twice":
                answer = self.forward(request)
            request.status, request.answer = answer[0], answer[2]
            if not fate.startswith("after "):
                return answer
        return None if what == "cut" else _error(int(what))


_CODES = {409: "ConditionalRequestConflict", 412: "PreconditionFailed", 500: "InternalError", 503: "SlowDown"}


def _error(status: int) -> tuple[int, list[tuple[str, str]], bytes]:
    body = f"<?xml version='1.0'?><Error><Code>{_CODES[status]}</Code><Message>x</Message></Error>".encode()
    return status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = proxy.handle(Request(self.command, self.path, dict(self.headers.items()), body))
            if answer is None:
                self.close_connection = True
                return
            status, headers, raw = answer
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            length = {n.lower(): v for n, v in headers}.get("content-length", str(len(raw)))
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(raw)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)
            self.wfile.flush()

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _any  # noqa: N815  the names it is called by

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler
