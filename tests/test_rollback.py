"""A machine that has seen a vault refuses every earlier or other state of it; its owner may accept one on purpose."""

import os
import shutil
import struct
from collections.abc import Callable, Iterator
from itertools import permutations
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from support import FULL, vaults
from support.copies import Storage, storage
from support.processes import Other, call
from vault_core import Passphrase, RollbackError, SessionStateError, Vault

STATES = 200
ANCHOR_BYTES = 4096 + 128  # docs/format.md §8: two slots


@pytest.fixture
def operator() -> Iterator[Storage]:
    """Whoever stores the bytes."""
    with storage() as side:
        yield side


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vault that has gone through many states, each of them kept, and the machine that saw them all."""
    folder = tmp_path_factory.mktemp("grown")
    with pytest.MonkeyPatch.context() as patch, storage() as side:
        patch.setenv("STRONGROOM_STATE_DIR", str(folder / "machine"))
        with vaults.create(folder) as vault:
            vault.add_slot(Passphrase(vaults.PASSPHRASE), kdf=vaults.CHEAP)
            for number in range(STATES):
                side.copy(folder / vaults.NAME, folder / state(number))
                change(vault, number)
    return folder


def state(number: int) -> str:
    return f"state-{number}.vault"


def change(vault: Vault, number: int) -> None:
    """One more state, of every sort: each is a commit, only the kind differs."""
    match number % 20:
        case 3:
            vault.forget(f"m{number - 1}")
        case 7:
            vault.items("chat").put("row", b"%d" % number)
        case 11:
            vault.touch([f"m{number - 1}"])
        case 13:
            vault.add_box(f"box {number}")
        case 17:
            vault.add(f"memory {number}", id=f"m{number}")
            vault.checkpoint()
        case 19:
            vault.rotate(vaults.key_in(Path(vault.stats().location).parent))
        case _:
            vault.add(f"memory {number}", id=f"m{number}")


def machine_at(path: Path) -> Path:
    """Be the machine whose state folder this is; gives the folder."""
    os.environ["STRONGROOM_STATE_DIR"] = str(path)
    return path


def anchors_of(machine: Path) -> dict[str, bytes]:
    """Everything a machine knows of vaults."""
    return {path.name: path.read_bytes() for path in (machine / "anchors").glob("*")}


def anchored_seq(machine: Path) -> int:
    """The seq that a machine's one anchor names, as docs/format.md §8 says."""
    (raw,) = anchors_of(machine).values()
    slots = [struct.unpack_from(">4s16sQQ", raw, at) for at in (0, 4096)]
    seq: int = max((counter, seq) for magic, _, counter, seq in slots if magic == b"SRA1")[1]
    return seq


@pytest.mark.exhaustive
def test_each_of_200_earlier_states_is_refused_by_a_machine_that_has_seen_the_newest(grown: Path) -> None:
    machine = machine_at(grown / "machine")
    before = anchors_of(machine)

    for number in range(STATES):
        with pytest.raises(RollbackError):
            vaults.reopen(grown, state(number))

    assert anchors_of(machine) == before
    vaults.reopen(grown).close()


@pytest.mark.parametrize("number", range(0, STATES, 1 if FULL else 20))
def test_an_earlier_state_can_be_accepted_on_purpose(tmp_path: Path, grown: Path, number: int) -> None:
    machine_at(shutil.copytree(grown / "machine", tmp_path / "machine"))
    for name in "key", state(number):
        shutil.copy(grown / name, tmp_path)

    with vaults.reopen(tmp_path, state(number), accept_rollback=True) as vault:
        assert vault.accepted_rollback
        vault.add("from here on")
        assert vault.verify(full=True).commits == vault.stats().commits

    with vaults.reopen(tmp_path, state(number)) as vault:
        assert not vault.accepted_rollback
        assert "from here on" in vaults.texts(vault)
    with pytest.raises(RollbackError):  # for this machine has turned away from it
        vaults.reopen(grown)


def test_a_machine_that_has_never_seen_a_vault_can_not_tell_an_old_state(tmp_path: Path, grown: Path) -> None:
    machine_at(tmp_path / "new machine")

    with vaults.reopen(grown, state(50)) as vault:
        assert not vault.accepted_rollback
        assert "memory 49" in vaults.texts(vault)
        assert "memory 50" not in vaults.texts(vault)


@pytest.fixture(scope="module")
def restored_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault whose machine `first` saw ten commits and accepted the state after five; others saw other states."""
    folder = tmp_path_factory.mktemp("restored")
    with pytest.MonkeyPatch.context() as patch, storage() as side:
        patch.setenv("STRONGROOM_STATE_DIR", str(folder / "first"))
        with vaults.create(folder) as vault:
            for seq in range(2, 11):
                vault.add(f"commit {seq}")
                see(folder, side.copy(folder / vaults.NAME, folder / f"at-{seq}.vault"), machine=f"saw {seq}")
        side.copy(folder / "at-10.vault", folder / "beyond.vault")
        grow(folder, "beyond.vault", "commit 11", machine="saw 11")
        side.copy(folder / "at-9.vault", folder / "fork.vault")
        grow(folder, "fork.vault", "another commit 10", machine="saw another 10")

        side.copy(folder / "at-5.vault", folder / vaults.NAME)
        with vaults.reopen(folder, accept_rollback=True) as vault:
            assert vault.accepted_rollback
    return folder


@pytest.fixture
def restored(restored_once: Path, tmp_path: Path) -> Path:
    """A copy of all that, for this test alone."""
    return shutil.copytree(restored_once, tmp_path / "restored")


def see(folder: Path, state: Path, *, machine: str) -> None:
    """Let another machine have seen a state."""
    call(look, folder, state.name, state=folder / machine)


def look(folder: Path, name: str) -> bool:
    with vaults.reopen(folder, name) as vault:
        return vault.accepted_rollback


def grow(folder: Path, name: str, text: str, *, machine: str) -> None:
    """Let another machine add to a state."""
    call(add, folder, name, text, state=folder / machine)


def add(folder: Path, name: str, text: str) -> None:
    with vaults.reopen(folder, name) as vault:
        vault.add(text)


@pytest.mark.parametrize("seen", [6, 7, 8, 9, 10])
def test_another_machine_that_saw_the_abandoned_state_accepts_it_once_and_reports_it(restored: Path, seen: int) -> None:
    machine_at(restored / f"saw {seen}")

    with vaults.reopen(restored) as vault:
        assert vault.accepted_rollback
        assert vaults.texts(vault) == [f"commit {seq}" for seq in range(2, 6)]
    with vaults.reopen(restored) as vault:
        assert not vault.accepted_rollback
    with pytest.raises(RollbackError):
        vaults.reopen(restored, f"at-{seen}.vault")


@pytest.mark.parametrize("seen", [2, 5])
def test_a_machine_that_saw_only_what_was_kept_notices_nothing(restored: Path, seen: int) -> None:
    machine_at(restored / f"saw {seen}")

    with vaults.reopen(restored) as vault:
        assert not vault.accepted_rollback


@pytest.mark.parametrize("which", ["saw 11", "saw another 10"])
def test_a_machine_at_a_head_that_nobody_gave_up_refuses(restored: Path, which: str) -> None:
    machine_at(restored / which)

    with pytest.raises(RollbackError):
        vaults.reopen(restored)


def test_a_machine_that_accepted_a_state_refuses_to_go_back_from_there(restored: Path, operator: Storage) -> None:
    machine_at(restored / "first")
    just_restored = operator.copy(restored / vaults.NAME, restored / "just restored.vault")
    with vaults.reopen(restored) as vault:
        vault.add("two more")
        vault.add("commits")

    with pytest.raises(RollbackError):
        vaults.reopen(restored, just_restored.name)


def test_accepting_a_state_that_was_restored_over_a_restored_one_works_too(restored: Path, operator: Storage) -> None:
    machine_at(restored / "first")
    with vaults.reopen(restored) as vault:
        vault.add("on the second branch")
    see(restored, operator.copy(restored / vaults.NAME, restored / "second.vault"), machine="saw second")
    operator.copy(restored / "at-3.vault", restored / vaults.NAME)
    with pytest.raises(RollbackError):
        vaults.reopen(restored)
    with vaults.reopen(restored, accept_rollback=True) as vault:
        vault.add("on the third branch")

    machine_at(restored / "saw second")
    with vaults.reopen(restored) as vault:
        assert vault.accepted_rollback
        assert vaults.texts(vault) == ["commit 2", "commit 3", "on the third branch"]


def test_accepting_an_old_state_read_only_writes_nothing_anywhere(tmp_path: Path, operator: Storage) -> None:
    machine = machine_at(tmp_path / "machine")
    with vaults.create(tmp_path) as vault:
        old = operator.copy(tmp_path / vaults.NAME, tmp_path / "old.vault")
        vault.add("lost in the old state")
    before = anchors_of(machine), operator.bytes_of(old, alone=True)

    with vaults.reopen(tmp_path, "old.vault", read_only=True, accept_rollback=True) as vault:
        assert vault.accepted_rollback
        assert vault.count() == 0

    assert (anchors_of(machine), operator.bytes_of(old, alone=True)) == before
    with pytest.raises(RollbackError):
        vaults.reopen(tmp_path, "old.vault", read_only=True)


def test_opening_read_only_leaves_no_anchor_and_moves_none(tmp_path: Path, operator: Storage) -> None:
    machine_at(tmp_path / "writer")
    with vaults.create(tmp_path) as vault:
        reader = machine_at(tmp_path / "reader")
        vaults.reopen(tmp_path, read_only=True).close()
        assert not (reader / "anchors").exists()

        vaults.reopen(tmp_path).close()
        before = anchors_of(reader)
        with vaults.reopen(tmp_path, read_only=True) as watching:
            vault.add("something new")
            assert watching.count() == 1
    assert before != {}
    assert anchors_of(reader) == before


# anchors


def test_an_anchor_never_goes_backwards_whatever_order_sessions_finish_in(tmp_path: Path, machine: Path) -> None:
    vaults.create(tmp_path).close()
    for order in permutations(range(3)):
        sessions = [vaults.reopen(tmp_path) for _ in order]
        for number, session in enumerate(sessions):
            session.add(f"{order} {number}")  # the others don't know of it yet
        newest = sessions[-1].stats().commits
        assert anchored_seq(machine) == newest

        for number in order:
            sessions[number].close()

            assert anchored_seq(machine) == newest


def test_an_anchor_never_goes_backwards_when_processes_write_at_once(tmp_path: Path, machine: Path) -> None:
    vaults.create(tmp_path).close()
    others = [Other(add_many, tmp_path, 40) for _ in range(4)]
    seen = 0
    while any(other.running for other in others):
        now = anchored_seq(machine)
        assert now >= seen
        seen = now
    assert [other.join() for other in others] == [0] * 4

    with vaults.reopen(tmp_path) as vault:
        assert anchored_seq(machine) == vault.stats().commits == 161


def add_many(pipe: Connection, folder: Path, times: int) -> None:
    with vaults.reopen(folder) as vault:
        for number in range(times):
            vault.add(f"{pipe.fileno()} {number}")


def damage(raw: bytes, how: str) -> bytes:
    match how:
        case "empty":
            return b""
        case "zeros":
            return bytes(len(raw))
        case "noise":
            return bytes(byte ^ 0x55 for byte in raw)
        case "cut":
            return raw[:127]
        case _:
            raise ValueError(how)


DAMAGES = ["empty", "zeros", "noise", "cut"]


@pytest.fixture
def anchor(tmp_path: Path, machine: Path, operator: Storage) -> Path:
    """The anchor of a vault with a few commits; both its slots are in use."""
    with vaults.create(tmp_path) as vault:
        for number in range(4):
            operator.copy(tmp_path / vaults.NAME, tmp_path / f"after-{number}.vault")
            vault.add(f"memory {number}")
    (path,) = (machine / "anchors").iterdir()
    return path


@pytest.mark.parametrize("how", DAMAGES)
def test_a_machine_whose_anchor_is_ruined_refuses_until_it_is_told_to_go_on(
    tmp_path: Path, anchor: Path, how: str
) -> None:
    anchor.write_bytes(damage(anchor.read_bytes(), how))
    ruined = anchor.read_bytes()

    for _ in range(2):
        with pytest.raises(RollbackError):
            vaults.reopen(tmp_path)
    assert anchor.read_bytes() == ruined

    with vaults.reopen(tmp_path, accept_rollback=True) as vault:
        assert vault.count() == 4
    vaults.reopen(tmp_path).close()
    with pytest.raises(RollbackError):
        vaults.reopen(tmp_path, "after-3.vault")


@pytest.mark.parametrize("at", [0, 4096], ids=["first slot", "second slot"])
def test_a_torn_slot_leaves_the_anchor_at_most_one_session_behind(tmp_path: Path, anchor: Path, at: int) -> None:
    with vaults.reopen(tmp_path) as vault:
        vault.add("the last memory")
    raw = bytearray(anchor.read_bytes())
    assert len(raw) == ANCHOR_BYTES
    raw[at + 40] ^= 1
    anchor.write_bytes(raw)

    for number in range(4):  # all of the first session's states but its last
        with pytest.raises(RollbackError):
            vaults.reopen(tmp_path, f"after-{number}.vault")
    vaults.reopen(tmp_path).close()


def test_the_anchor_of_another_vault_is_not_taken_for_this_one_s(tmp_path: Path, anchor: Path, machine: Path) -> None:
    with vaults.create(tmp_path, "other.vault") as other:
        other_anchor = machine / "anchors" / other.id
        anchor.write_bytes(other_anchor.read_bytes())

    with pytest.raises(RollbackError):
        vaults.reopen(tmp_path)


# sessions that are open


READS = {
    "count": Vault.count,
    "search": lambda vault: vault.search("memory"),
    "get": lambda vault: vault.get("kept"),
    "history": lambda vault: vault.history("kept"),
    "item": lambda vault: vault.items("chat").get("row"),
    "verify": Vault.verify,
    "stats": Vault.stats,
}
WRITES = {
    "add": lambda vault: vault.add("written after the store went elsewhere"),
    "item": lambda vault: vault.items("chat").put("row", b"written after the store went elsewhere"),
    "forget": lambda vault: vault.forget("kept"),
    "transact": lambda vault: vault.transact(lambda tx: tx.add("written after the store went elsewhere")),
    "add_slot": lambda vault: vault.add_slot(Passphrase(vaults.PASSPHRASE), kdf=vaults.CHEAP),
    "add_box": lambda vault: vault.add_box("work"),
    "checkpoint": Vault.checkpoint,
}
CALLS = {f"read {name}": call_ for name, call_ in READS.items()} | {
    f"write {name}": call_ for name, call_ in WRITES.items()
}
# How many commits the other branch has where the session has seen two: behind it, beside it, ahead of it.
ELSEWHERE = {"back": 0, "sideways": 2, "ahead on another branch": 4}


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path, operator: Storage) -> Iterator[Vault]:
    """A session with two commits, whose store has become that of another branch."""
    with vaults.create(tmp_path) as vault:
        vault.add("memory", id="kept")
    other_branch = operator.copy(tmp_path / vaults.NAME, tmp_path / "branch.vault")
    for number in range(request.param):
        grow(tmp_path, other_branch.name, f"theirs {number}", machine="other")
    with vaults.reopen(tmp_path) as vault:
        for number in range(2):
            vault.add(f"ours {number}")
        operator.copy(other_branch, tmp_path / vaults.NAME)
        yield vault


@pytest.mark.parametrize("first", ["read count", "write add"])
@pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE.keys(), indirect=True)
def test_an_open_session_refuses_a_store_that_went_elsewhere_and_writes_nothing_to_it(
    tmp_path: Path, elsewhere: Vault, first: str
) -> None:
    for name in [first, *CALLS, *CALLS]:
        with pytest.raises(RollbackError):
            CALLS[name](elsewhere)

    # What the store holds now is what the other branch held: whoever trusts that one finds it whole.
    texts = call(verified, tmp_path, vaults.NAME, state=tmp_path / "unknowing")
    assert texts == call(verified, tmp_path, "branch.vault", state=tmp_path / "unknowing too")


def verified(folder: Path, name: str) -> list[str]:
    with vaults.reopen(folder, name) as vault:
        vault.verify(full=True)
        return vaults.texts(vault)


def remove(file: Path) -> None:
    file.unlink()


def replace_by_a_copy(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copyfile(file, copy)
    copy.replace(file)


def replace_by_an_older_state(file: Path) -> None:
    file.with_name("older.vault").replace(file)


@pytest.mark.parametrize("happened", [remove, replace_by_a_copy, replace_by_an_older_state])
def test_an_open_session_acknowledges_nothing_once_another_file_is_in_its_place(
    tmp_path: Path, operator: Storage, happened: Callable[[Path], None]
) -> None:
    vault = vaults.create(tmp_path)
    vault.add("memory", id="kept")
    operator.copy(tmp_path / vaults.NAME, tmp_path / "older.vault")
    vault.add("newer")
    call(happened, tmp_path / vaults.NAME)

    for name in [*CALLS, *CALLS]:
        with pytest.raises(SessionStateError, match="replaced or removed"):
            CALLS[name](vault)
    vault.close()


def test_an_open_session_goes_on_when_its_own_state_is_put_back(tmp_path: Path, operator: Storage) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add("one")
        now = operator.copy(tmp_path / vaults.NAME, tmp_path / "now.vault")
        operator.copy(now, tmp_path / vaults.NAME)

        assert vaults.texts(vault) == ["one"]
        vault.add("two")
        assert vault.verify(full=True).records == 2
