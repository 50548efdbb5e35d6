"""Whatever is where the agent should be: a clear error in time, and no key accepted from it."""

import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import agents, vaults
from support.processes import call
from vault_core import AgentKey, UnavailableError, Vault, WrongPassphraseError
from vault_core.crypto import Key
from vault_core.keys import agent
from vault_core.keys.agent import start, wire
from vault_core.keys.agent.place import is_ours

pytestmark = [
    pytest.mark.usefixtures("alone"),
    pytest.mark.skipif(sys.platform != "linux", reason="signals and owners as on Linux"),
]
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")

NOBODY = 65534
Behave = Callable[[socket.socket], None]


@pytest.fixture
def folder() -> Path:
    """The agent's folder, empty."""
    folder = agent.agent_folder()
    folder.mkdir(mode=0o700, parents=True)
    return folder


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TIMEOUT", 0.2)


@contextmanager
def pretending(folder: Path, behave: Behave) -> Iterator[None]:
    """Something that listens where the agent should, and does as it likes with each connection until it is let go."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(8)

        def serve() -> None:
            while True:
                try:
                    end, _ = listener.accept()
                except OSError:
                    return
                with end:
                    try:
                        behave(end)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def answer(kind: int, count: int = 0, *, magic: bytes = wire.MAGIC, version: int = wire.VERSION) -> bytes:
    return wire.ANSWER.pack(magic, version, kind, count)


def says(what: bytes) -> Behave:
    def behave(end: socket.socket) -> None:
        end.recv(wire.REQUEST.size, socket.MSG_WAITALL)
        end.sendall(what)

    return behave


def says_nothing(end: socket.socket) -> None:
    end.settimeout(60)
    end.recv(wire.REQUEST.size, socket.MSG_WAITALL)
    end.recv(1)  # until whoever asked has gone


def drips(end: socket.socket) -> None:
    end.recv(wire.REQUEST.size, socket.MSG_WAITALL)
    gone = threading.Event()
    for byte in answer(wire.KEY) + bytes(32):
        end.sendall(bytes([byte]))
        gone.wait(0.05)  # always within the patience for one byte, never for all of them


HOSTILE: dict[str, Behave] = {
    "garbage": says(os.urandom(64)),
    "much garbage": says(bytes(1 << 16)),
    "nothing": lambda _: None,
    "half an answer": says(answer(wire.KEY)[:3]),
    "half a key": says(answer(wire.KEY) + bytes(31)),
    "another version": says(answer(wire.KEY, version=9) + bytes(32)),
    "another magic": says(answer(wire.KEY, magic=b"HTTP") + bytes(32)),
    "silence": says_nothing,
    "one byte at a time": drips,
}


@pytest.mark.parametrize("behave", HOSTILE.values(), ids=HOSTILE)
def test_an_agent_that_misbehaves_is_an_error_in_time(behave: Behave, folder: Path, place: Path) -> None:
    with pretending(folder, behave):
        for attempt in (agent.drop, agent.entries, lambda: Vault.open(place, unlock=AgentKey())):
            with pytest.raises(UnavailableError, match="run: strongroom lock --all"):
                attempt()


@pytest.mark.parametrize("kind", [0, wire.NOTHING, wire.ENTRIES, 255])
def test_an_answer_to_another_question_is_no_key(kind: int, folder: Path, place: Path) -> None:
    with pretending(folder, says(answer(kind, 65535) + bytes(64))), pytest.raises(WrongPassphraseError):
        Vault.open(place, unlock=AgentKey())


def test_more_entries_than_there_can_be_are_not_read(folder: Path) -> None:
    with pretending(folder, says(answer(wire.ENTRIES, 65535))), pytest.raises(UnavailableError):
        agent.entries()


def test_a_false_key_opens_nothing(folder: Path, place: Path) -> None:
    with pretending(folder, says(answer(wire.KEY) + os.urandom(32))), pytest.raises(WrongPassphraseError):
        Vault.open(place, unlock=AgentKey())


def test_a_vault_opens_by_its_own_secret_whatever_the_agent_does(folder: Path, place: Path) -> None:
    with pretending(folder, says_nothing), vaults.reopen(place.parent) as vault:
        assert vault.count() == 1


def test_a_stopped_agent_is_an_error_and_can_be_ended(place: Path) -> None:
    agents.unlock(place, vaults.key_in(place.parent))
    number = agents.process() or 0
    os.kill(number, signal.SIGSTOP)

    with pytest.raises(UnavailableError, match="doesn't answer; run: strongroom lock --all"):
        Vault.open(place)

    assert agent.end()
    assert agents.process() is None


def test_what_pretends_to_be_the_agent_loses_its_socket(folder: Path) -> None:
    with pretending(folder, says(bytes(64))):
        assert agent.end()
        assert agent.entries() is None

    assert not agent.end()


def test_a_client_that_is_slow_holds_nobody_up(place: Path) -> None:
    agents.unlock(place, vaults.key_in(place.parent))
    path = str(agent.agent_folder() / "socket")
    with socket.socket(socket.AF_UNIX) as slow, socket.socket(socket.AF_UNIX) as gone:
        for end in (slow, gone):
            end.connect(path)
            end.sendall(wire.MAGIC)
        gone.close()

        with Vault.open(place) as vault:
            assert vault.count() == 1


@pytest.mark.parametrize(
    "sent",
    [os.urandom(wire.REQUEST.size), bytes(wire.REQUEST.size), bytes(wire.request(99)), bytes(wire.request(wire.PUT))],
    ids=["garbage", "zeros", "an unknown verb", "a key for every vault"],
)
def test_the_agent_answers_nonsense_with_nothing_and_lives_on(sent: bytes, place: Path) -> None:
    agents.unlock(place, vaults.key_in(place.parent))
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(60)
        end.connect(str(agent.agent_folder() / "socket"))
        end.sendall(sent)
        said = end.recv(4096)

    assert said == answer(wire.NOTHING)
    with Vault.open(place) as vault:
        assert vault.count() == 1


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_that_is_open_to_others_is_refused(mode: int, folder: Path, place: Path) -> None:
    folder.chmod(mode)
    with pytest.raises(UnavailableError, match="not yours alone"):
        agent.started()

    (folder / "socket").touch()

    with pytest.raises(UnavailableError, match="not yours alone"):
        Vault.open(place)


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    agent.agent_folder().symlink_to(real)

    with pytest.raises(UnavailableError, match="not yours alone"):
        agent.started()


def test_a_link_in_the_place_of_the_socket_is_refused(folder: Path, tmp_path: Path, place: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pretending(elsewhere, says(answer(wire.KEY) + bytes(32))):
        (folder / "socket").symlink_to(elsewhere / "socket")

        with pytest.raises(UnavailableError, match="not a socket of yours"):
            Vault.open(place)


def test_a_name_that_is_too_long_for_a_socket_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_STATE_DIR", str(tmp_path / ("long" * 30)))

    with pytest.raises(UnavailableError, match=r"too long a name.*STRONGROOM_STATE_DIR"):
        agent.started()


@root
def test_a_socket_of_another_user_is_refused(folder: Path, place: Path) -> None:
    with pretending(folder, says(answer(wire.KEY) + bytes(32))):
        os.chown(folder / "socket", NOBODY, NOBODY)

        with pytest.raises(UnavailableError, match="not a socket of yours"):
            Vault.open(place)


def ask_as_nobody(path: str) -> tuple[bytes, bool]:
    os.seteuid(NOBODY)
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(60)
        end.connect(path)
        try:
            end.sendall(wire.request(wire.LIST))
            return end.recv(4096), is_ours(end)
        except (BrokenPipeError, ConnectionResetError):
            return b"", is_ours(end)


@root
def test_neither_end_talks_with_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as state:
        monkeypatch.setenv("STRONGROOM_STATE_DIR", state)
        with agents.none_left():
            agent.started()
            agent.hold(b"1" * 16, bytes(16), Key.random(), seconds=60, named="")
            for opened in (Path(state), Path(state) / "agent"):
                opened.chmod(0o755)
            (Path(state) / "agent" / "socket").chmod(0o666)

            heard = call(ask_as_nobody, f"{state}/agent/socket")

            (Path(state) / "agent").chmod(0o700)
            assert heard == (b"", False)
            assert agent.entries() is not None


def a_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("made", [a_pipe, a_folder, a_link])
@pytest.mark.parametrize("name", ["pid", "socket"])
def test_what_stands_where_the_agent_s_files_should_is_an_error_in_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[Path], None], name: str
) -> None:
    monkeypatch.setattr(start, "PATIENCE", 2.0)
    made(folder / name)

    with pytest.raises(UnavailableError):
        agent.started()
    assert agents.process() is None


def test_a_number_that_its_holder_has_not_written_yet_is_not_killed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter([4_000_001, 4_000_002, 4_000_002, None])
    killed: list[int] = []
    monkeypatch.setattr(start, "_holder", lambda _: next(numbers))
    monkeypatch.setattr(os, "kill", lambda number, _: killed.append(number))

    agent.end()

    assert killed == [4_000_002]


def test_connections_that_say_nothing_keep_others_out_for_their_two_seconds_at_most(place: Path) -> None:
    agents.unlock(place, vaults.key_in(place.parent))
    silent = [socket.socket(socket.AF_UNIX) for _ in range(50)]  # more than it takes, fewer than may wait
    try:
        for end in silent:
            end.settimeout(30)
            end.connect(str(agent.agent_folder() / "socket"))
        for end in silent:
            assert end.recv(1) == b"", "the agent has hung up"
        assert agent.entries()
    finally:
        for end in silent:
            end.close()


def test_requests_that_are_much_too_long_are_answered_once_and_no_more(place: Path) -> None:
    agents.unlock(place, vaults.key_in(place.parent))
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(30)
        end.connect(str(agent.agent_folder() / "socket"))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            end.sendall(bytes(wire.request(wire.LIST)) * 10_000)
            assert len(end.recv(1 << 20)) == wire.ANSWER.size + wire.ENTRY.size

    assert agent.entries()
