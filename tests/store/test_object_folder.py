"""A vault as files of a folder keeps the protocol."""

import os
import signal
import stat
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from support.processes import Other, call
from vault_core.errors import SessionStateError
from vault_core.store import Change
from vault_core.store.object import ObjectStore
from vault_core.testing import StoreConformance
from vault_core.testing.conformance import FIRST, HEADER, commit


class FolderPlace:
    """A folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.url = folder.as_uri()

    def create(self) -> ObjectStore:
        return ObjectStore(self.url, create=True)

    def open(self) -> ObjectStore:
        return ObjectStore(self.url)


class TestFolder(StoreConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> FolderPlace:
        return FolderPlace(tmp_path / "vault")


def killed_while_writing(pipe: Connection, where: str, monkey: str) -> None:
    """A process that ends by SIGKILL at one step of making a file."""
    steps = {"write": "fsync", "link": "link"}
    setattr(os, steps[monkey], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    store = ObjectStore(where)
    pipe.send("ready")
    store.append(lambda head: Change(seq=head.seq + 1, entry=b"never made", records=[b"x"]))


@pytest.mark.parametrize("step", ["write", "link"])
def test_a_writer_that_is_killed_leaves_nothing_that_is_read_or_stays(tmp_path: Path, step: str) -> None:
    folder = tmp_path / "vault"
    store = ObjectStore(folder.as_uri(), create=True)
    store.create(HEADER, FIRST)
    other = Other(killed_while_writing, folder.as_uri(), step)
    other.hear()
    assert other.join() == -signal.SIGKILL
    assert len(list((folder / ".new").iterdir())) == 1

    assert list(store.entries(0)) == [(1, FIRST)]
    assert store.purge()
    assert list((folder / ".new").iterdir()) == []
    assert commit(store, b"record") == 2


def test_a_file_and_its_name_are_on_the_disk_before_a_commit_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[str]()
    store = ObjectStore((tmp_path / "vault").as_uri(), create=True)
    store.create(HEADER, FIRST)
    for name in ("fsync", "link"):
        original = getattr(os, name)

        def noted(*arguments: Any, name: str = name, original: Any = original) -> Any:
            kind = " folder" if name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else ""
            calls.append(name + kind)
            return original(*arguments)

        monkeypatch.setattr(os, name, noted)

    commit(store, b"record")

    assert calls == ["fsync", "link", "fsync folder"]


def test_a_forked_child_opens_a_folder_of_its_own_and_not_its_parent_s(tmp_path: Path) -> None:
    where = (tmp_path / "vault").as_uri()
    ObjectStore(where, create=True).create(HEADER, FIRST)

    assert call(fork_and_write, where) == 0


def fork_and_write(where: str) -> int:
    store = ObjectStore(where)
    store.head()
    child = os.fork()
    if child == 0:
        try:
            with pytest.raises(SessionStateError):
                store.head()
            store.abandon()
            commit(ObjectStore(where), b"the child's")
        except BaseException:  # noqa: BLE001  told by the exit code
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert store.head() == 2
    return code
