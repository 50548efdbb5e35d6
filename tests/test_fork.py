"""A forked child can't use its parent's session, and can't harm it. Each test is a program of its own that forks."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from support import vaults
from support.processes import run_program
from vault_core import Draft, FileKey, Passphrase, SessionStateError, Vault, VaultTamperedError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

EXPORT = """\
{"strongroom":"export","version":1}
{"memory":{"box":"main","id":"child","namespace":[],"versions":[{"created_at":"2026-01-01T12:00:00.000000Z",\
"text":"the child was here","type":"SEMANTIC","updated_at":"2026-01-01T12:00:00.000000Z"}]}}
{"end":{"items":0,"memories":1,"versions":1}}
"""


def exported(vault: Vault) -> None:
    with TemporaryDirectory() as folder:
        vault.export_memories(Path(folder) / "memories.jsonl")


def imported(vault: Vault) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "memories.jsonl"
        path.write_text(EXPORT)
        vault.import_memories(path)


VERBS: dict[str, Callable[[Vault], Any]] = {
    "add": lambda vault: vault.add("the child was here"),
    "add_many": lambda vault: vault.add_many([Draft(content="the child was here")]),
    "update": lambda vault: vault.update("kept", content="the child was here"),
    "restore": lambda vault: vault.restore("kept", vault_version),
    "touch": lambda vault: vault.touch(["kept"]),
    "archive": lambda vault: vault.archive("kept"),
    "pin": lambda vault: vault.pin("kept"),
    "trust": lambda vault: vault.trust("kept"),
    "forget": lambda vault: vault.forget("kept"),
    "forget_many": lambda vault: vault.forget_many(namespace=()),
    "forget, dry": lambda vault: vault.forget("kept", dry_run=True),
    "expire": lambda vault: vault.expire(),
    "export_memories": exported,
    "import_memories": imported,
    "briefing": lambda vault: vault.briefing(),
    "seal": lambda vault: vault.seal(b"a row elsewhere", purpose="rows"),
    "unseal": lambda vault: vault.unseal(vault.seal(b"a row elsewhere", purpose="rows"), purpose="rows"),
    "transact": lambda vault: vault.transact(lambda tx: tx.add("the child was here")),
    "get": lambda vault: vault.get("kept"),
    "get_many": lambda vault: vault.get_many(["kept"]),
    "history": lambda vault: vault.history("kept"),
    "changes": lambda vault: list(vault.changes()),
    "merge": lambda vault: vault.merge("kept", ["other"]),
    "search": lambda vault: vault.search("memory"),
    "search, dense": lambda vault: vault.search("memory", mode="dense", query_vector=[1.0, 0.0]),
    "find_similar": lambda vault: vault.find_similar([1.0, 0.0]),
    "list": lambda vault: vault.list(),
    "stream": lambda vault: list(vault.stream()),
    "count": lambda vault: vault.count(),
    "namespaces": lambda vault: vault.namespaces(),
    "items.put": lambda vault: vault.items("chat").put("row", b"the child was here"),
    "items.get": lambda vault: vault.items("chat").get("row"),
    "items.delete": lambda vault: vault.items("chat").delete("row"),
    "items.scan": lambda vault: list(vault.items("chat").scan()),
    "items.count": lambda vault: vault.items("chat").count(),
    "items.keys": lambda vault: vault.items("chat").keys(),
    "consolidate": lambda vault: vault.consolidate(),
    "checkpoint": lambda vault: vault.checkpoint(),
    "stats": lambda vault: vault.stats(),
    "verify": lambda vault: vault.verify(),
    "reembed": lambda vault: vault.reembed(),
    "reclaim": lambda vault: vault.reclaim(),
    "slots": lambda vault: vault.slots(),
    "add_slot": lambda vault: vault.add_slot(Passphrase(vaults.PASSPHRASE), kdf=vaults.CHEAP),
    "remove_slot": lambda vault: vault.remove_slot("0" * 32),
    "change_passphrase": lambda vault: vault.change_passphrase(vaults.PASSPHRASE, vaults.OTHER_PASSPHRASE),
    "rotate": lambda vault: vault.rotate(FileKey("key")),
    "boxes": lambda vault: vault.boxes(),
    "add_box": lambda vault: vault.add_box("work"),
}
NOT_ASKED = {  # they touch no store
    "create", "open", "items", "aio", "id", "accepted_rollback", "read_only", "writing_as", "close",
}  # fmt: skip
vault_version = "1.0"


def test_every_method_of_a_vault_is_tried_in_a_child() -> None:
    public = {name for name in vars(Vault) if not name.startswith("_")}

    assert {verb.partition(",")[0].partition(".")[0] for verb in VERBS} | NOT_ASKED == public | {"items"}


def at_home(folder: str) -> Vault:
    """A vault with something in it, in the current folder."""
    os.chdir(folder)
    vault = vaults.create(Path())
    vault.add("memory", id="kept", vector=[1.0, 0.0])
    vault.items("chat").put("row", b"1")
    return vault


@contextlib.contextmanager
def child() -> Iterator[bool]:
    """Fork: the body runs in the child alone, which has to end there; the parent waits for its end.

    A child that fails says why and ends with 1, which fails the program.
    """
    pid = os.fork()
    if pid != 0:
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, f"the child ended with {status}"
        yield False
        return
    signal.alarm(60)  # a child that hangs must not stay
    code = 1
    try:
        yield True
        code = 0
    finally:
        if code:
            import traceback

            traceback.print_exc()
        os._exit(code)


def refuses(verb: Callable[[Vault], Any], vault: Vault) -> bool:
    try:
        verb(vault)
    except SessionStateError:
        return True
    return False


def check_still_whole(vault: Vault) -> None:
    """The parent's session works, other processes can write, and the file is whole."""
    vault.add("the parent goes on")
    vault.verify(full=True)
    elsewhere = (
        "from pathlib import Path; from support import vaults\n"
        "with vaults.reopen(Path()) as vault: vault.add('another process goes on'); vault.verify(full=True)"
    )
    subprocess.run([sys.executable, "-c", elsewhere], check=True)
    texts = vaults.texts(vault)
    assert texts[0] == "memory", texts
    assert texts[-2:] == ["the parent goes on", "another process goes on"], texts
    vault.verify(full=True)
    vault.close()
    with vaults.reopen(Path()) as again:
        assert vaults.texts(again) == texts
        again.verify(full=True)


def refuse_every_method(folder: str) -> None:
    vault = at_home(folder)
    with child() as in_child:
        if in_child:
            for name, verb in VERBS.items():
                assert refuses(verb, vault), name
            vault.close()
            vault.close()
            repr(vault)
            assert refuses(VERBS["count"], vault)
    check_still_whole(vault)


def test_a_child_gets_session_state_error_from_every_method_and_the_parent_goes_on(tmp_path: Path) -> None:
    run_program(refuse_every_method, tmp_path)


def open_anew_in_child(folder: str) -> None:
    vault = at_home(folder)
    with child() as in_child:
        if in_child:
            with vaults.reopen(Path()) as own:
                own.add("the child has a session of its own")
                assert own.count() == 2
    assert vaults.found(vault, "child session") == ["the child has a session of its own"]
    check_still_whole(vault)


def test_a_child_that_opens_the_vault_anew_works_beside_its_parent(tmp_path: Path) -> None:
    run_program(open_anew_in_child, tmp_path)


def exit_through_teardown(folder: str) -> None:
    vault = at_home(folder)
    vault.add("in the journal, not yet in the file")
    if (pid := os.fork()) == 0:
        sys.exit(0)  # atexit, finalisers, module teardown: everything that could close a connection
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    check_still_whole(vault)


def test_a_child_that_exits_with_interpreter_teardown_harms_nothing(tmp_path: Path) -> None:
    run_program(exit_through_teardown, tmp_path)


def collect_garbage(folder: str) -> None:
    import gc

    vault = at_home(folder)
    with child() as in_child:
        if in_child:
            del vault
            gc.collect()
    check_still_whole(vault)


def test_a_child_that_drops_the_vault_harms_nothing(tmp_path: Path) -> None:
    run_program(collect_garbage, tmp_path)


def fork_while_locked(folder: str) -> None:
    vault = at_home(folder)
    inside, go_on = threading.Event(), threading.Event()

    def hold(tx: Any) -> None:
        inside.set()
        go_on.wait()
        tx.add("written by the thread")

    thread = threading.Thread(target=vault.transact, args=(hold,))
    thread.start()
    inside.wait()
    with child() as in_child:  # the lock and the write transaction are the thread's, which is not in the child
        if in_child:
            for name, verb in VERBS.items():
                assert refuses(verb, vault), name
            vault.close()
    go_on.set()
    thread.join()
    assert "written by the thread" in vaults.texts(vault)
    check_still_whole(vault)


def test_a_child_forked_while_a_thread_writes_does_not_hang(tmp_path: Path) -> None:
    run_program(fork_while_locked, tmp_path)


def fork_inside_a_transaction(folder: str) -> None:
    for child_first in True, False:
        vault, parent = at_home(os.path.join(folder, str(child_first))), os.getpid()  # noqa: PTH118 - text from argv
        pids: list[int] = []

        def work(tx: Any, *, wait: bool = child_first, pids: list[int] = pids) -> None:
            tx.add("half of a transaction")
            pids.append(os.fork())
            if pids[-1] and wait:
                os.waitpid(pids[-1], 0)

        try:
            vault.transact(work)
        except SessionStateError:
            assert os.getpid() != parent
            assert refuses(VERBS["add"], vault)
            os._exit(0)
        if os.getpid() != parent:
            os._exit(1)  # it believes to have written
        if not child_first:
            assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 0
        assert vaults.texts(vault) == ["memory", "half of a transaction"]
        check_still_whole(vault)


def test_of_a_transaction_that_forks_only_the_parent_s_half_is_written(tmp_path: Path) -> None:
    for name in "True", "False":
        (tmp_path / name).mkdir()
    run_program(fork_inside_a_transaction, tmp_path)


def outlive_the_parents_session(folder: str) -> None:
    at_home(folder).close()
    vault = vaults.reopen(Path(), exclusive=True)
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(theirs)
        os.read(ours, 1)  # until the parent is done
        os._exit(0)
    vault.close()

    vaults.reopen(Path(), exclusive=True).close()

    os.close(theirs)
    os.waitpid(pid, 0)


def test_a_child_does_not_keep_the_vault_locked_after_its_parent_has_closed_it(tmp_path: Path) -> None:
    run_program(outlive_the_parents_session, tmp_path)


def hold_the_lock_of_the_parent(folder: str) -> None:
    at_home(folder).close()
    vault = vaults.reopen(Path(), exclusive=True)
    with child():
        pass
    code = (
        "from pathlib import Path; from support import vaults; from vault_core import VaultAlreadyOpenError\n"
        "try: vaults.reopen(Path())\n"
        "except VaultAlreadyOpenError: print('locked')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE).stdout == b"locked\n"
    vault.close()


def test_a_child_that_ends_does_not_take_the_parent_s_lock_with_it(tmp_path: Path) -> None:
    run_program(hold_the_lock_of_the_parent, tmp_path)


def many_children(folder: str) -> None:
    vault = at_home(folder)
    for number in range(30):
        vault.add(f"before child {number}")
        with child() as in_child:
            if in_child:
                assert refuses(VERBS["add"], vault)
    assert vault.count() == 31
    check_still_whole(vault)


def test_thirty_children_one_after_the_other_harm_nothing(tmp_path: Path) -> None:
    run_program(many_children, tmp_path)


def write_through_the_parents_connection(folder: str) -> None:
    vault = at_home(folder)
    connection = vault._session.store._db  # type: ignore[attr-defined]  # the seeded bug
    with child() as in_child:
        if in_child:
            connection.execute("UPDATE record SET body = zeroblob(length(body))")
    try:
        check_still_whole(vault)
    except VaultTamperedError:
        print("found")  # noqa: T201 - the answer


def test_a_child_that_writes_through_its_parent_s_connection_is_found(tmp_path: Path) -> None:
    assert run_program(write_through_the_parents_connection, tmp_path) == "found\n"
