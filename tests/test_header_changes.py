"""Locks that change while others write: nothing is lost, nothing written under withdrawn keys, nobody locked out."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from support import FULL, vaults
from support.copies import storage
from support.processes import Other
from vault_core import (
    ConflictError,
    Draft,
    FileKey,
    InvalidInputError,
    KeyProvider,
    Passphrase,
    RollbackError,
    SessionStateError,
    Vault,
    VaultError,
    WrongPassphraseError,
)
from vault_core.keys import AnchorFile

OLD, NEW = Passphrase(vaults.PASSPHRASE), Passphrase(vaults.OTHER_PASSPHRASE)
KEY, SPARE = "key", "spare key"  # names of key files


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a vault that two key files and a passphrase open."""
    with vaults.create(tmp_path) as vault:
        vault.add("memory", id="kept")
        vault.add_slot(vaults.key_in(tmp_path, SPARE))
        vault.add_slot(OLD, kdf=vaults.CHEAP)
    return tmp_path


# while others write


def write_until_told(pipe: Connection, folder: Path, name: str, unlock: KeyProvider) -> None:
    """Add, and say what was acknowledged, until told to stop or until the session can't go on."""
    vault = Vault.open(folder / vaults.NAME, unlock=unlock)
    number, end = 0, "stopped"
    while True:
        if pipe.poll():
            if pipe.recv() == "stop":
                break
            pipe.send(MARK)
        text = f"{name} writes number {number}"
        try:
            if number % 5 == 4:
                vault.items("log").put(text, b"acknowledged")
            else:
                vault.add(text)
        except SessionStateError:
            end = "keys withdrawn"
            break
        pipe.send(text)
        number += 1
    vault.close()
    pipe.send((end,))
    while end == "keys withdrawn" and pipe.recv() != "stop":
        pipe.send(MARK)


MARK = "whatever is said from here on was begun after this"


class Writers:
    """Processes that write all the time, and everything that was acknowledged to them."""

    def __init__(self, writers: dict[str, Other]) -> None:
        self.acknowledged: list[str] = []
        self.ended: dict[str, str] = {}
        self._writers = writers

    def hear(self, more: int) -> None:
        """Wait until every writer has begun and finished so many more writes, or has ended."""
        for name, writer in self._writers.items():
            writer.say("mark")
            while self._hear_one(name) != MARK:
                pass
        for name in self._writers:
            for _ in range(more):
                if name not in self.ended:
                    self._hear_one(name)

    def stop(self) -> None:
        """Let those who go on end."""
        for name, writer in self._writers.items():
            writer.say("stop")
            while name not in self.ended:
                self._hear_one(name)

    def _hear_one(self, name: str) -> str:
        told = self._writers[name].hear()
        if isinstance(told, tuple):
            self.ended[name] = told[0]
        elif told != MARK:
            self.acknowledged.append(told)
        return str(told)


def test_nothing_is_lost_when_locks_change_while_four_sessions_write(home: Path) -> None:
    openers = {"key": FileKey(home / KEY), "spare": FileKey(home / SPARE), "old": OLD, "also old": OLD}
    with ExitStack() as stack:
        writers = Writers(
            {name: stack.enter_context(Other(write_until_told, home, name, by)) for name, by in openers.items()}
        )
        vault = stack.enter_context(vaults.reopen(home))
        writers.hear(5)
        vault.change_passphrase(OLD.text, NEW.text)
        writers.hear(5)
        vault.add_box("work")
        vault.add("in the new box", box="work")
        writers.hear(5)
        assert writers.ended == {}  # a changed lock throws nobody out who is in

        rotation = vault.rotate(FileKey(home / KEY), NEW)

        assert [slot.kind for slot in rotation.dropped] == ["file"]
        after = vault.add("after the rotation")
        writers.hear(5)
        vault.rotate(FileKey(home / KEY), NEW)
        writers.hear(5)
        writers.stop()

    # Only the key file can be read again. Its session goes on; the others have to be opened anew.
    assert writers.ended == {"key": "stopped"} | dict.fromkeys(["spare", "old", "also old"], "keys withdrawn")
    check_all_is_there(home, writers.acknowledged, after.address.seq)
    check_what_opens(home, {FileKey(home / KEY): True, NEW: True, FileKey(home / SPARE): False, OLD: False})


def check_all_is_there(home: Path, acknowledged: list[str], after_rotation: int) -> None:
    with vaults.reopen(home) as vault:
        vault.verify(full=True)
        told = {"memory", "in the new box", "after the rotation", *acknowledged}
        written = vaults.texts(vault) + vault.items("log").keys()
        assert sorted(written) == sorted(told)
    with storage() as side:
        entries = side.rows(home / vaults.NAME, "SELECT seq, body FROM entry ORDER BY seq")
    generations = [generation_of(body) for _, body in entries]
    assert generations == sorted(generations)
    assert {1, 2, 3} == set(generations)
    assert generations[after_rotation - 1] == 2


def generation_of(entry: Any) -> int:
    """The key generation an entry names, as docs/format.md §5 says where it stands."""
    return int.from_bytes(entry[60:64], "big")


def check_what_opens(home: Path, expected: dict[Any, bool]) -> None:
    assert {opener: opens(home, opener) for opener in expected} == expected


def opens(home: Path, opener: KeyProvider) -> bool:
    try:
        Vault.open(home / vaults.NAME, unlock=opener).close()
    except WrongPassphraseError:
        return False
    return True


def test_two_processes_that_change_locks_at_once_both_get_their_way_or_are_told(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()
    with Other(try_to_change_locks, tmp_path, 0) as one, Other(try_to_change_locks, tmp_path, 1) as other:
        for each in one, other:
            each.hear()
        for each in one, other:
            each.say("go")
        boxes = [*one.hear(), *other.hear()]

    with vaults.reopen(tmp_path) as vault:
        assert sorted(vault.boxes()) == sorted(["main", *boxes])
        assert sorted(vaults.texts(vault)) == sorted(boxes)
        vault.verify(full=True)


def try_to_change_locks(pipe: Connection, folder: Path, number: int) -> None:
    """Make boxes and rotate, and say which boxes there are now."""
    with vaults.reopen(folder) as vault:
        pipe.send("open")
        pipe.recv()
        boxes = []
        for turn in range(12):
            boxes.append(vault.add_box(f"box {number} {turn}"))
            vault.add(boxes[-1], box=boxes[-1])
            try:
                vault.rotate(vaults.key_in(folder))
            except ConflictError:
                continue  # the other one was quicker
        pipe.send(boxes)


def test_of_several_sessions_that_hold_a_passphrase_each_says_what_happened_after_a_rotation(home: Path) -> None:
    with vaults.reopen(home) as vault:
        by_passphrase = [Vault.open(home / vaults.NAME, unlock=OLD) for _ in range(2)]
        read_only = vaults.reopen(home, read_only=True)
        vault.rotate(FileKey(home / KEY), OLD)

        for session in by_passphrase:
            for _ in range(2):
                with pytest.raises(SessionStateError, match="rotated"):
                    session.add("under a withdrawn key")
                with pytest.raises(SessionStateError, match="rotated"):
                    session.count()
            session.close()
        assert read_only.count() == 1
        read_only.close()
        assert vaults.texts(vault) == ["memory"]


def test_a_session_that_finds_the_header_of_before_a_rotation_does_not_write_under_its_keys(home: Path) -> None:
    with vaults.reopen(home) as vault, storage() as side:
        ((body, mac),) = side.rows(home / vaults.NAME, "SELECT body, mac FROM header")
        vault.rotate(FileKey(home / KEY))
        side.change(home / vaults.NAME, "UPDATE header SET body = ?, mac = ?", body, mac)

        for _ in range(2):
            with pytest.raises(RollbackError):
                vault.add("under which key?")
            with pytest.raises(RollbackError):
                vault.count()


# killed at every step


CHANGES: dict[str, tuple[Callable[[Vault, Path], object], set[str]]] = {
    # what is done, and which secrets open the vault afterwards
    "change_passphrase": (lambda vault, _: vault.change_passphrase(OLD.text, NEW.text), {KEY, SPARE, "new"}),
    "rotate": (lambda vault, folder: vault.rotate(FileKey(folder / KEY), OLD), {KEY, "old"}),
    "rotate for one": (lambda vault, folder: vault.rotate(FileKey(folder / KEY)), {KEY}),
    "add_slot": (lambda vault, _: vault.add_slot(NEW, kdf=vaults.CHEAP), {KEY, SPARE, "old", "new"}),
    "remove_slot": (lambda vault, _: vault.remove_slot(vault.slots()[1].id), {KEY, "old"}),
}
BEFORE = {KEY, SPARE, "old"}
STRIDE = 1 if FULL else 8  # of SQLite's machine steps; statements and calls are all tried


class KillSwitch:
    """Kills this process when something has happened so many times."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    def __call__(self, *_: object) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def at_statements(vault: Vault, switch: KillSwitch) -> None:
    vault._session.store._db.set_trace_callback(switch)  # type: ignore[attr-defined]


def at_machine_steps(vault: Vault, switch: KillSwitch) -> None:
    vault._session.store._db.set_progress_handler(switch, 1)  # type: ignore[attr-defined]


def at_calls(vault: Vault, switch: KillSwitch) -> None:
    """Before and after everything that reaches the store or the anchor."""
    store = vault._session.store
    for name in "read_header", "moved", "head", "append", "records", "parts", "purge":
        setattr(store, name, between(getattr(store, name), switch))
    AnchorFile.write = between(AnchorFile.write, switch)  # type: ignore[method-assign]


def between(call: Callable[..., Any], switch: KillSwitch) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        switch()
        try:
            return call(*arguments, **options)
        finally:
            switch()

    return called


KILLED_AT = {"statements": at_statements, "machine steps": at_machine_steps, "calls": at_calls}


LONG = {
    (change, where) for change in ("rotate for one", "add_slot", "remove_slot") for where in ("calls", "machine steps")
}


def change_and_die(pipe: Connection, folder: Path, change: str, where: str, at: int) -> None:
    vaults.stretch_quickly()
    vault = vaults.reopen(folder)
    KILLED_AT[where](vault, KillSwitch(at))
    CHANGES[change][0](vault, folder)
    pipe.send("survived")
    os._exit(0)


@pytest.fixture(scope="module")
def locked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with three locks, and the machine that made it."""
    folder = tmp_path_factory.mktemp("locked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRONGROOM_STATE_DIR", str(folder / "machine"))
        patch.setattr("vault_core.keys.providers.argon2id", None)
        vaults.stretch_quickly()
        with vaults.create(folder) as vault:
            vault.add("memory", id="kept")
            vault.add_slot(vaults.key_in(folder, SPARE))
            vault.add_slot(OLD, kdf=vaults.CHEAP)
            vault.checkpoint()
    return folder


def copies(original: Path, parent: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        yield shutil.copytree(original, parent / str(number))


@pytest.mark.parametrize(
    ("change", "where"),
    [(change, where) for change in CHANGES for where in KILLED_AT if FULL or (change, where) not in LONG],
)
def test_killed_at_every_step_of_a_change_the_vault_opens_with_the_old_or_the_new_secrets(
    tmp_path: Path, locked_once: Path, monkeypatch: pytest.MonkeyPatch, change: str, where: str
) -> None:
    monkeypatch.setattr("vault_core.keys.providers.argon2id", None)
    vaults.stretch_quickly()
    after, seen, at = CHANGES[change][1], [], 0
    for folder in copies(locked_once, tmp_path):
        at += STRIDE if where == "machine steps" else 1
        monkeypatch.setenv("STRONGROOM_STATE_DIR", str(folder / "machine"))
        with vaults.reopen(folder) as witness:
            other = Other(change_and_die, folder, change, where, at)
            code = other.join()
            assert code in (0, -signal.SIGKILL), f"neither killed nor through: exit code {code}"
            seen.append(what_opens(folder))
            assert seen[-1] in (BEFORE, after), f"killed at {where[:-1]} {at}"
            witness.add("a session that was open goes on")
            assert witness.verify(full=True).records == 2
        shutil.rmtree(folder)
        if code == 0:
            break

    assert seen[0] == BEFORE
    assert seen[-1] == after
    assert len(seen) > 5


def what_opens(folder: Path) -> set[str]:
    secrets: dict[str, KeyProvider] = {
        KEY: FileKey(folder / KEY),
        SPARE: FileKey(folder / SPARE),
        "old": OLD,
        "new": NEW,
    }
    return {name for name, secret in secrets.items() if opens(folder, secret)}


def test_a_change_that_is_refused_changes_nothing(home: Path) -> None:
    with vaults.reopen(home) as vault:
        before = vault.slots(), vault.boxes(), vault.stats().commits
        refusals: list[tuple[Callable[[], object], type[VaultError]]] = [
            (lambda: vault.rotate(NEW), InvalidInputError),
            (vault.rotate, InvalidInputError),
            (lambda: vault.change_passphrase(NEW.text, OLD.text), WrongPassphraseError),
            (lambda: vault.change_passphrase(OLD.text, "short"), InvalidInputError),
            (lambda: vault.remove_slot("0" * 32), InvalidInputError),
            (lambda: vault.add_box("main"), InvalidInputError),
        ]
        for refused, kind in refusals:
            with pytest.raises(kind):
                refused()

        assert (vault.slots(), vault.boxes(), vault.stats().commits) == before
        vault.add("and goes on")


def test_a_session_whose_keys_were_withdrawn_closes_without_a_word(home: Path) -> None:
    with vaults.reopen(home) as vault:
        with Vault.open(home / vaults.NAME, unlock=OLD) as withdrawn:
            withdrawn.add_many([Draft(content=f"memory {number}") for number in range(600)])  # worth a snapshot
            vault.rotate(FileKey(home / KEY))

        assert vault.count() == 601
