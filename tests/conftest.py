"""Every test is a machine of its own that has seen no vault, with nothing of the user's in its environment."""

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.postgres import Server
    from vault_core.testing import Place

_NUMBERS = itertools.count()  # of databases and prefixes

# A shell starts what runs in its background deaf to Ctrl-C, and whoever is deaf to it passes that on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of this machine."""
    for name in os.environ:
        if name.startswith("STRONGROOM_"):
            monkeypatch.delenv(name)
    state = tmp_path_factory.mktemp("state", numbered=True)
    monkeypatch.setenv("STRONGROOM_STATE_DIR", str(state))
    monkeypatch.setenv("STRONGROOM_CACHE_DIR", str(state / "cache"))
    return state


@pytest.fixture
def loop() -> Iterator[None]:
    """A loop for the synchronous methods of LlamaIndex, which would make one and leave it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def postgres() -> Iterator["Server"]:
    """A PostgreSQL server, started when the first test asks for it."""
    from support.postgres import server  # its client is not needed by anybody else

    with server() as running:
        yield running


@pytest.fixture(scope="session")
def shared_database(postgres: "Server") -> str:
    """A database with the tables for vaults, for all tests that leave the tables as they are."""
    return postgres.database("shared")


@pytest.fixture
def database(postgres: "Server", shared_database: str) -> Iterator[str]:
    """A database without a vault."""
    yield shared_database
    postgres.empty(shared_database)


@pytest.fixture
def own_database(postgres: "Server") -> Iterator[str]:
    """A database of this test's own, with the tables for vaults, which it may change."""
    name = f"own_{next(_NUMBERS)}"
    yield postgres.database(name)
    postgres.drop(name)


@pytest.fixture(scope="session")
def s3_process() -> Iterator[str]:
    """The endpoint of an S3, started when the first test asks for it."""
    from support.objects import s3_server

    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_process: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint of an S3 whose keys are in the environment."""
    from support.objects import KEYS

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return s3_process


@pytest.fixture
def prefix() -> str:
    """A prefix of the S3 that no other test uses."""
    return f"test-{next(_NUMBERS)}/vault"


@pytest.fixture
def place_of(request: pytest.FixtureRequest) -> Callable[[str, Path], "Place"]:
    """Gives an empty place of a kind (support/places.py), for one vault, by a folder of its own."""
    from support.places import PLACES

    return lambda kind, folder: PLACES[kind](folder, request.getfixturevalue)
