"""The key agent as a process: what it opens, for whom, until when."""

import ctypes
import os
import signal
import socket
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from support import agents, vaults
from support.processes import Other, call
from vault_core import (
    AgentKey,
    FileKey,
    InvalidInputError,
    KeyProvider,
    RecoveryKey,
    SessionStateError,
    UnavailableError,
    Vault,
    WrongPassphraseError,
    new_key_text,
)
from vault_core.crypto import Key
from vault_core.keys import agent
from vault_core.keys.agent import wire

pytestmark = [
    pytest.mark.usefixtures("alone"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, and waits by pidfd"),
]
root = pytest.mark.skipif(os.geteuid() != 0, reason="the agent is closed to its own user; only root can look")

UNLOCK_AGAIN = r"doesn't open this vault any more.*run: strongroom unlock"


def texts(location: str) -> list[str]:
    with Vault.open(location) as vault:
        return vaults.texts(vault)


def key_of(tmp_path: Path) -> KeyProvider:
    return vaults.key_in(tmp_path)


def test_every_program_opens_an_unlocked_vault_without_a_secret(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))

    assert call(texts, str(place)) == ["green tea"]
    assert texts(str(place)) == ["green tea"]


def test_without_an_agent_it_is_said_how_to_unlock(place: Path) -> None:
    with pytest.raises(WrongPassphraseError, match=r"no secret was given.*run: strongroom unlock"):
        Vault.open(place)
    with pytest.raises(WrongPassphraseError, match="holds no key for this vault; run: strongroom unlock"):
        Vault.open(place, unlock=AgentKey())


def test_an_agent_opens_only_the_vaults_it_was_given(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))
    with vaults.create(tmp_path, "other.vault"):
        pass

    with pytest.raises(WrongPassphraseError, match="no secret was given"):
        Vault.open(tmp_path / "other.vault")


def test_a_secret_that_is_given_goes_before_the_agent(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))

    with pytest.raises(WrongPassphraseError, match="no slot of this vault"):
        Vault.open(place, passphrase=vaults.OTHER_PASSPHRASE)


def test_after_its_slot_was_removed_the_agent_s_key_opens_nothing(place: Path, tmp_path: Path) -> None:
    text = new_key_text("recovery")
    with vaults.reopen(tmp_path) as vault:
        vault.add_slot(RecoveryKey(text))
    agents.unlock(place, RecoveryKey(text))
    with Vault.open(place) as vault:
        vault.remove_slot(next(slot.id for slot in vault.slots() if slot.kind == "recovery"))

    with pytest.raises(WrongPassphraseError, match=UNLOCK_AGAIN):
        Vault.open(place)


def test_after_the_passphrase_was_changed_the_agent_s_key_opens_nothing(tmp_path: Path) -> None:
    place = tmp_path / "words.vault"
    with Vault.create(place, passphrase=vaults.PASSPHRASE, kdf=vaults.CHEAP) as vault:
        witness = agent.Witness(_passphrase())
        with Vault.open(place, unlock=witness):
            agent.started()
            agent.hold(bytes.fromhex(vault.id), witness.salt, witness.kept, seconds=60, named="")
        vault.change_passphrase(vaults.PASSPHRASE, vaults.OTHER_PASSPHRASE)

    with pytest.raises(WrongPassphraseError, match=UNLOCK_AGAIN):
        Vault.open(place)


def test_after_a_rotation_sessions_wait_for_the_agent_to_have_the_new_key(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))
    with Vault.open(place) as early, Vault.open(place) as late:
        with vaults.reopen(tmp_path) as vault:
            vault.rotate(key_of(tmp_path))

        with pytest.raises(SessionStateError, match="rotated"):
            early.count()
        with pytest.raises(WrongPassphraseError, match=UNLOCK_AGAIN):
            Vault.open(place)
        agents.unlock(place, key_of(tmp_path))

        assert late.count() == 1


def test_no_slot_is_made_of_the_agent_s_key(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))
    with Vault.open(place) as vault, pytest.raises(InvalidInputError, match="a slot is of one of the kinds"):
        vault.add_slot(AgentKey())
    with pytest.raises(InvalidInputError, match="a slot is of one of the kinds"):
        Vault.create("memory://", unlock=AgentKey())

    assert texts(str(place)) == ["green tea"]


def test_a_vault_can_t_be_rotated_by_the_agent_s_key_alone(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))

    with Vault.open(place) as vault, pytest.raises(InvalidInputError, match="give at least one present secret"):
        vault.rotate(AgentKey())


def test_the_agent_tells_what_it_holds_and_ends_with_its_last_key(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path), seconds=600)
    number, found = agents.process(), agent.entries()

    assert found is not None
    assert [(one.place, one.timeout) for one in found] == [(str(place), 600)]
    assert (agent.drop(), number is not None) == (1, True)
    agents.wait_for_end(number or 0)
    assert agent.entries() is None
    assert [one.name for one in agent.agent_folder().iterdir()] == ["pid"]


def test_an_agent_that_is_told_to_end_leaves_no_socket(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))
    number = agents.process() or 0

    os.kill(number, signal.SIGTERM)
    agents.wait_for_end(number)

    assert [one.name for one in agent.agent_folder().iterdir()] == ["pid"]


def test_a_key_that_nobody_uses_ends_by_itself(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path), seconds=1)

    agents.wait_for_end(agents.process() or 0)

    with pytest.raises(WrongPassphraseError):
        Vault.open(place)


def hand_over(pipe: Connection, number: int) -> None:
    pipe.send("ready")
    pipe.recv()
    agent.started()
    pipe.send(agent.hold(number.to_bytes(16, "big"), bytes(16), Key.random(), seconds=600, named=""))
    pipe.recv()


def test_of_agents_that_are_started_at_once_one_stays() -> None:
    others = [Other(hand_over, number) for number in range(1, 5)]
    for other in others:
        assert other.hear() == "ready"
    for other in others:
        other.say("go")

    assert [other.hear() for other in others] == [True] * 4
    found = agent.entries()
    assert found is not None
    assert sorted(int(one.vault, 16) for one in found) == [1, 2, 3, 4]
    for other in others:
        other.say("end")
        assert other.join() == 0


def test_an_agent_that_was_killed_is_replaced(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))
    first = agents.process()
    os.kill(first or 0, 9)
    agents.wait_for_end(first or 0)
    with pytest.raises(WrongPassphraseError, match="no secret was given"):
        Vault.open(place)

    agents.unlock(place, key_of(tmp_path))

    assert texts(str(place)) == ["green tea"]
    assert agents.process() != first


@root
def test_the_agent_holds_one_copy_of_a_key_and_none_after_it_is_dropped(place: Path, tmp_path: Path) -> None:
    kek = Key.random()
    agent.started()
    agent.hold(b"1" * 16, bytes(16), Key.random(), seconds=600, named="")
    agent.hold(b"2" * 16, bytes(16), kek, seconds=600, named="")
    number, secret = agents.process() or 0, bytes(kek.view())
    assert agents.count_in(number, secret) == 1

    agent.drop(b"2" * 16)

    assert agents.count_in(number, secret) == 0


@root
def test_a_key_whose_time_is_over_is_nowhere_in_the_agent_s_memory() -> None:
    kek = Key.random()
    agent.started()
    agent.hold(b"1" * 16, bytes(16), Key.random(), seconds=600, named="")
    agent.hold(b"2" * 16, bytes(16), kek, seconds=1, named="")
    number, secret = agents.process() or 0, bytes(kek.view())
    while len(agent.entries() or ()) > 1:
        continue

    assert agents.count_in(number, secret) == 0


@root
def test_a_key_that_broke_off_or_was_too_much_is_nowhere_in_the_agent_s_memory() -> None:
    kek = Key.random()
    agent.started()
    for number in range(1, wire.MAX_VAULTS + 1):
        agent.hold(number.to_bytes(16, "big"), bytes(16), Key.random(), seconds=600, named="")
    with pytest.raises(UnavailableError, match="holds 64 vaults"):
        agent.hold(b"x" * 16, bytes(16), kek, seconds=600, named="")
    asked = wire.request(wire.PUT, b"y" * 16, bytes(16), 600, "")
    asked[wire.KEY_AT : wire.KEY_AT + 32] = kek.view()
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(str(agent.agent_folder() / "socket"))
        end.sendall(asked[:-1])
    assert len(agent.entries() or ()) == wire.MAX_VAULTS

    assert agents.count_in(agents.process() or 0, bytes(kek.view())) == 0


@root
def test_the_agent_has_nothing_of_the_program_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", vaults.PASSPHRASE)
    agent.started()
    process = Path(f"/proc/{agents.process()}")

    open_files = {str(one.readlink()) for one in (process / "fd").iterdir()}
    named = {one for one in open_files if one.startswith("/")}

    assert vaults.PASSPHRASE.encode() not in (process / "environ").read_bytes()
    assert named == {os.devnull, str(agent.agent_folder() / "pid")}
    assert not any(one.startswith("pipe:") for one in open_files)
    assert str((process / "cwd").readlink()) == "/"
    assert os.getsid(agents.process() or 0) != os.getsid(0)


def test_the_agent_s_keys_are_locked_and_it_leaves_no_core() -> None:
    agent.started()
    agent.hold(b"1" * 16, bytes(16), Key.random(), seconds=600, named="")
    process = Path(f"/proc/{agents.process()}")

    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    core = next(line for line in (process / "limits").read_text().splitlines() if "core file" in line)

    assert int(status["VmLck"].split()[0]) > 0
    assert core.split()[4:6] == ["0", "0"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_the_agent_s_memory_can_t_be_read_by_its_own_user() -> None:
    agent.started()

    with pytest.raises(PermissionError):
        Path(f"/proc/{agents.process()}/mem").read_bytes()


def dumpable() -> int:
    from vault_core.keys.agent.__main__ import _harden

    before: int = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
    _harden()
    after: int = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
    return before - after


def test_the_agent_is_closed_to_debuggers_of_its_own_user() -> None:
    assert call(dumpable) == 1


def _passphrase() -> KeyProvider:
    from vault_core import Passphrase

    return Passphrase(vaults.PASSPHRASE)


def test_where_there_are_no_unix_sockets_unlocking_says_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from vault_core.errors import UnavailableError

    monkeypatch.delattr("socket.AF_UNIX")

    with pytest.raises(UnavailableError, match=r"no key agent on Windows; .* strongroom slots add keyring"):
        agent.started()
    assert (agent.entries(), agent.drop(), agent.present()) == (None, 0, False)


def test_a_key_file_opens_beside_an_agent(place: Path, tmp_path: Path) -> None:
    agents.unlock(place, key_of(tmp_path))

    with Vault.open(place, unlock=FileKey(tmp_path / "key")) as vault:
        assert vaults.texts(vault) == ["green tea"]
