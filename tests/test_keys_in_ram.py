"""After a vault is closed, no key of it is anywhere in the process. Each test scans a process of its own."""

import base64
import copy
import ctypes
import json
import os
import pickle  # noqa: TID251 - to see it refused
import resource
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import vaults
from support.memory_scan import KeyWatch, live_keys, page_flags
from support.processes import run_program
from vault_core import Draft, FileKey, Passphrase, SessionStateError, SqliteStore, Vault, WrongPassphraseError
from vault_core.crypto import Key, derive_key
from vault_core.crypto.derive import HEADER_LABEL, KEYRING_LABEL, VAULT_OPS_LABEL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the scan needs Linux's /proc")

ENOUGH = 1 << 20  # bytes that a process may lock, for a few keys with a page each
KEY, VAULT = FileKey("key"), Path(vaults.NAME)


# what is done to the vault, each in the current folder of a fresh process


def create(watch: KeyWatch) -> object:
    vault = Vault.create("new.vault", passphrase=vaults.PASSPHRASE, kdf=vaults.CHEAP)
    return closed(watch, vault, Passphrase(vaults.PASSPHRASE))


def create_by_key_file(watch: KeyWatch) -> object:
    return closed(watch, Vault.create("new.vault", unlock=KEY), KEY)


def open_by_passphrase(watch: KeyWatch) -> object:
    return closed(watch, Vault.open(VAULT, passphrase=vaults.PASSPHRASE), Passphrase(vaults.PASSPHRASE))


def open_by_key_file(watch: KeyWatch) -> object:
    return closed(watch, Vault.open(VAULT, unlock=KEY), KEY)


def open_read_only(watch: KeyWatch) -> object:
    return closed(watch, Vault.open(VAULT, unlock=KEY, read_only=True), KEY)


def add_and_search(watch: KeyWatch) -> object:
    vault = Vault.open(VAULT, unlock=KEY)
    for number in range(20):
        vault.add(f"memory {number}")
    vault.add_many([Draft(content=f"batch {number}", vector=[1.0, number]) for number in range(200)])
    vault.items("chat").put_many([(f"row {number}", bytes(5_000)) for number in range(20)])
    vault.search("memory", query_vector=[1.0, 2.0])
    vault.forget_many(filter={"content": "memory 3"})
    vault.verify(full=True)
    return closed(watch, vault, KEY)


def checkpoint(watch: KeyWatch) -> object:
    vault = Vault.open(VAULT, unlock=KEY)
    vault.checkpoint()
    closed(watch, vault, KEY)
    return closed(watch, Vault.open(VAULT, unlock=KEY), KEY)


def add_slot(watch: KeyWatch) -> object:
    vault = Vault.open(VAULT, unlock=KEY)
    vault.add_slot(Passphrase(vaults.OTHER_PASSPHRASE), kdf=vaults.CHEAP)
    return closed(watch, vault, Passphrase(vaults.OTHER_PASSPHRASE))


def change_passphrase(watch: KeyWatch) -> object:
    vault = Vault.open(VAULT, passphrase=vaults.PASSPHRASE)
    vault.change_passphrase(vaults.PASSPHRASE, vaults.OTHER_PASSPHRASE)
    return closed(watch, vault, Passphrase(vaults.OTHER_PASSPHRASE))


def rotate(watch: KeyWatch) -> object:
    vault = Vault.open(VAULT, unlock=KEY)
    expect(watch, vault, KEY)
    vault.rotate(KEY, Passphrase(vaults.PASSPHRASE))
    vault.add("under the new keys")
    return closed(watch, vault, Passphrase(vaults.PASSPHRASE))


def many_boxes(watch: KeyWatch) -> object:
    """A keyring of more than 16 KiB, which is sealed in several chunks."""
    vault = Vault.open(VAULT, unlock=KEY)
    for number in range(60):
        vault.add_box(f"{number} {'x' * 200}")
    vault.rotate(KEY)
    closed(watch, vault, KEY)
    return closed(watch, Vault.open(VAULT, unlock=KEY), KEY)


def renewed_by_another_session(watch: KeyWatch) -> object:
    first, second = Vault.open(VAULT, unlock=KEY), Vault.open(VAULT, unlock=KEY)
    expect(watch, second, KEY)
    first.rotate(KEY)
    second.add("after the rotation of another session")
    closed(watch, first, KEY)
    return closed(watch, second, KEY)


def wrong_passphrase(watch: KeyWatch) -> object:
    try:
        Vault.open(VAULT, passphrase="not the passphrase at all")
    except WrongPassphraseError as error:
        return error  # with its traceback and all the frames there
    raise AssertionError


def refused_change(watch: KeyWatch) -> object:
    vault, errors = Vault.open(VAULT, unlock=KEY), []
    for wrong in (
        lambda: vault.change_passphrase("not the passphrase at all", vaults.OTHER_PASSPHRASE),
        lambda: vault.rotate(Passphrase("not the passphrase at all")),
        lambda: vault.add_box("main"),
    ):
        try:
            wrong()
        except Exception as error:  # noqa: BLE001 - which one is not the question here
            errors.append(error)
    assert len(errors) == 3
    return closed(watch, vault, KEY), errors


class BrokenStore(SqliteStore):
    """Fails as no store may."""

    broken = False

    def entries(self, after: int, upto: int | None = None) -> Any:
        if self.broken:
            raise RuntimeError("nobody has thought of this")
        return super().entries(after, upto)


def internal_error(watch: KeyWatch) -> object:
    store = BrokenStore(VAULT)
    vault = Vault.open(store, unlock=KEY)
    expect(watch, vault, KEY)
    with Vault.open(VAULT, unlock=KEY) as other:
        other.add("there is something to follow")
    store.broken = True
    try:
        vault.count()
    except SessionStateError as error:
        return vault, error
    raise AssertionError


def never_closed(watch: KeyWatch) -> object:
    vault = Vault.open(VAULT, unlock=KEY)
    expect(watch, vault, KEY)
    del vault
    return None


SCENARIOS: list[Callable[[KeyWatch], object]] = [
    create, create_by_key_file, open_by_passphrase, open_by_key_file, open_read_only, add_and_search, checkpoint,
    add_slot, change_passphrase, rotate, many_boxes, renewed_by_another_session, wrong_passphrase, refused_change,
    internal_error, never_closed,
]  # fmt: skip


def closed(watch: KeyWatch, vault: Vault, opener: Any) -> Vault:
    expect(watch, vault, opener)
    vault.close()
    return vault


def expect(watch: KeyWatch, vault: Vault, opener: Any) -> None:
    """Take note of every key of a vault by its name."""
    session = vault._session
    keyring, id_ = session.keyring, session.header.vault
    watch.note("MEK", session.mek.view())
    watch.note("anchor key", keyring.anchor_key.view())
    for generation, key in keyring.log_keys.items():
        watch.note(f"log key {generation}", key.view())
        note_derived(watch, f"vault ops key {generation}", derive_key(key, VAULT_OPS_LABEL, id_))
    for box in keyring.boxes:
        for generation, key in box.keys.items():
            watch.note(f"key {generation} of box {box.name[:10]}", key.view())
    note_derived(watch, "header key", derive_key(session.mek, HEADER_LABEL, id_))
    note_derived(watch, "keyring key", derive_key(session.mek, KEYRING_LABEL, id_))
    for slot in session.header.slots:
        if slot.kind == opener.kind:
            note_derived(watch, f"KEK of {slot.kind}", opener.kek(slot.kdf, id_))


def note_derived(watch: KeyWatch, name: str, key: Key) -> None:
    watch.note(name, key.view())
    key.wipe()


def scan_after(name: str, folder: str) -> None:
    os.chdir(folder)
    watch = KeyWatch()
    watch.watch_wiping()
    kept = next(one for one in SCENARIOS if one.__name__ == name)(watch)
    told = {"left": watch.left(), "live": len(live_keys()), "looked for": watch.names}
    del kept
    print(json.dumps(told))  # noqa: T201 - the answer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A vault that a key file and a passphrase open."""
    with vaults.create(tmp_path) as vault:
        vault.add("memory", vector=[1.0, 2.0])
        vault.add_slot(Passphrase(vaults.PASSPHRASE), kdf=vaults.CHEAP)
    return tmp_path


OF_A_VAULT = {"MEK", "anchor key", "log key 1", "vault ops key 1", "key 1 of box main", "header key", "keyring key"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("scenario", [scenario.__name__ for scenario in SCENARIOS])
def test_no_key_is_left_in_the_process(home: Path, scenario: str) -> None:
    told = json.loads(run_program(scan_after, scenario, home))

    assert told["left"] == {}
    assert told["live"] == 0
    if scenario != "wrong_passphrase":  # which never came to see any other key than its own
        assert set(told["looked for"]) >= OF_A_VAULT
    assert any(name.startswith(("KEK", "wiped by Slot")) for name in told["looked for"])


# the scan itself


def plant(folder: str) -> None:
    watch, planted = KeyWatch(), {}
    for form, copied in FORMS.items():
        key = Key.random()
        watch.note(form, key.view())
        planted[form] = copied(key.view())
        key.wipe()
    clean = Key.random()
    watch.note("nowhere", clean.view())
    clean.wipe()
    print(json.dumps(sorted(watch.left())))  # noqa: T201 - the answer
    del planted


def copied_and_freed(key: memoryview) -> list[bytes]:
    """Freed between blocks that stay, so that the allocator does not hand the whole piece back to the system."""
    blocks = [bytes(key) * 3 if number % 2 else bytes(96) for number in range(100)]
    return blocks[::2]


FORMS: dict[str, Callable[[memoryview], object]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "in the middle of something": lambda key: bytes(1_001) + bytes(key) + bytes(1_000),
    "its first half": lambda key: bytes(key[:16]),
    "its second half": lambda key: bytes(key[16:]),
    "text": lambda key: bytes(key).decode("latin-1"),
    "array": lambda key: np.frombuffer(bytes(key), np.uint8).copy(),
    "C": lambda key: ctypes.create_string_buffer(bytes(key)),
    "in freed memory": copied_and_freed,
}


def test_the_scan_finds_every_copy_that_was_planted_and_no_other(tmp_path: Path) -> None:
    assert json.loads(run_program(plant, tmp_path)) == sorted(FORMS)


def leave_one_open(folder: str) -> None:
    os.chdir(folder)
    watch = KeyWatch()
    vault = Vault.open(VAULT, unlock=KEY)
    expect(watch, vault, KEY)
    print(json.dumps({"left": watch.left(), "live": len(live_keys())}))  # noqa: T201 - the answer
    vault.close()


def test_the_scan_finds_the_keys_of_a_vault_that_is_open(home: Path) -> None:
    told = json.loads(run_program(leave_one_open, home))

    assert set(told["left"]) >= {"MEK", "anchor key", "log key 1", "key 1 of box main"}
    assert told["live"] >= 4


# keys are not shown, copied, dumped or inherited


def show_keys(folder: str) -> None:
    os.chdir(folder)
    vault = Vault.open(VAULT, passphrase=vaults.PASSPHRASE)
    text = "\n".join(shown_by(vault))
    assert "session = " in text  # the locals are there
    secrets = [bytes(key.view()) for key in live_keys()]
    assert len(secrets) >= 4
    for secret in secrets:
        for form in secret.hex(), repr(secret)[2:-1], str(list(secret))[1:-1], base64.b64encode(secret).decode()[:-1]:
            assert form not in text
    vault.close()


def shown_by(vault: Vault) -> Iterator[str]:
    session = vault._session
    yield from map(repr, (vault, session, session.keyring, session.header, session.mek, *live_keys()))
    for wrong in FAILURES:
        try:
            wrong(vault)
        except Exception as error:  # noqa: BLE001 - whatever it is: what does it show?
            yield repr(error)
            yield from traceback.TracebackException.from_exception(error, capture_locals=True).format()
        else:
            raise AssertionError(wrong)


def fail_in_store(vault: Vault) -> None:
    vault.transact(lambda tx: tx.add("x", vector=[1.0] * 3))  # the space has another dimension


FAILURES: list[Callable[[Vault], object]] = [
    lambda vault: vault.get("nobody"),
    lambda vault: vault.rotate(Passphrase("not the passphrase at all")),
    lambda vault: vault.change_passphrase("not the passphrase at all", vaults.OTHER_PASSPHRASE),
    lambda vault: vault.add_box("main"),
    lambda vault: vault.remove_slot("0" * 32),
    fail_in_store,
    lambda _: Vault.open(VAULT, passphrase="not the passphrase at all"),
    lambda _: Vault.create(VAULT, unlock=KEY),
    lambda _: Vault.open("nowhere.vault", unlock=KEY),
]


def test_no_key_is_in_a_repr_or_in_the_locals_of_a_traceback(home: Path) -> None:
    run_program(show_keys, home)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_a_key_and_what_holds_one_is_never_pickled_or_copied(home: Path, copied: Callable[[Any], object]) -> None:
    with vaults.reopen(home) as vault:
        session = vault._session

        with pytest.raises(TypeError):
            copied(session.mek)
        if copied is not copy.copy:  # a shallow copy shares the very keys, and their wiping
            for holder in (session.keyring, session):
                with pytest.raises(TypeError):
                    copied(holder)
        with pytest.raises(SessionStateError, match="pickled"):
            copied(vault)


def look_at_pages(folder: str) -> None:
    os.chdir(folder)
    with Vault.open(VAULT, unlock=KEY):
        for key in live_keys():
            assert {"dd", "wf"} <= page_flags(key), "left out of core dumps, wiped in forked children"
            assert "lo" in page_flags(key) or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < ENOUGH, "locked"


def test_keys_are_left_out_of_core_dumps_and_locked_in_memory(home: Path) -> None:
    run_program(look_at_pages, home)


def look_from_a_child(folder: str) -> None:
    os.chdir(folder)
    with Vault.open(VAULT, unlock=KEY):
        keys = live_keys()
        pid = os.fork()
        if pid == 0:
            os._exit(0 if not any(any(key.view()) for key in keys) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert all(any(key.view()) for key in keys)


def test_a_forked_child_sees_zeros_where_its_parent_has_keys(home: Path) -> None:
    run_program(look_from_a_child, home)
