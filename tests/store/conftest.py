"""An S3 for the tests of stores."""

from collections.abc import Iterator
from itertools import count

import pytest

from support.objects import KEYS, s3_server

_prefixes = count()


@pytest.fixture(scope="session")
def s3_process() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_process: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint of an S3 whose keys are in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return s3_process


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test uses."""
    return f"test-{next(_prefixes)}/vault"
