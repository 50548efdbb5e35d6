"""TLS in front of a PostgreSQL server that is built without: it grants the client's wish, and passes bytes on."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_WISH = 8  # bytes of an SSLRequest
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFront:
    """Where it listens, and the certificate by which it is known."""

    port: int
    certificate: Path

    def url(self, database: str, vault: str, password: str, **options: str) -> str:
        """A vault's URL by this way."""
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in {"vault": vault, **options}.items())
        return f"postgresql://alice:{password}@127.0.0.1:{self.port}/{database}?{asked}"


def certificate(folder: Path) -> Path:
    """A new certificate, self-signed; its key lies beside it."""
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    made = folder / "server.crt"
    command = ["openssl", *asked.split(), "-keyout", str(folder / "server.key"), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made


@contextmanager
def tls_front(port: int, folder: Path) -> Iterator[TlsFront]:
    """TLS in front of a port of loopback, for as long as the block lasts."""
    made = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, folder / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_serve, args=(door, context, port), daemon=True).start()
        yield TlsFront(port=door.getsockname()[1], certificate=made)


def _serve(door: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with suppress(OSError):  # the door closes
        while True:
            client, _ = door.accept()
            threading.Thread(target=_pass_on, args=(client, context, port), daemon=True).start()


def _pass_on(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
        client.recv(_WISH, socket.MSG_WAITALL)
        client.sendall(b"S")
        with context.wrap_socket(client, server_side=True) as inside:
            back = threading.Thread(target=_copy, args=(server, inside), daemon=True)
            back.start()
            _copy(inside, server)
            server.shutdown(socket.SHUT_WR)
            back.join(5)
    client.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(_BLOCK):
            target.sendall(block)
