"""A forked child can't use its parent's connections to a database, and can't harm them."""

import os
import sys
from pathlib import Path

import pytest

from support import vaults
from support.postgres import Server
from support.processes import run_program
from vault_core import SessionStateError, Vault

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def _ended_well(pid: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def fork_and_go_on(folder: str, url: str) -> None:
    vault = Vault.create(url, unlock=vaults.key_in(Path(folder)))
    vault.add("memory", id="kept")
    if (pid := os.fork()) == 0:
        for verb in (vault.count, lambda: vault.get("kept"), lambda: vault.add("the child was here")):
            try:
                verb()
            except SessionStateError:
                continue
            os._exit(1)
        vault.close()
        sys.exit(0)  # atexit, finalisers, module teardown: everything that could close a connection
    assert _ended_well(pid)
    vault.add("the parent goes on")
    assert vault.verify(full=True).records == 2
    vault.close()


def open_anew_in_child(folder: str, url: str) -> None:
    vault = Vault.create(url, unlock=vaults.key_in(Path(folder)))
    if (pid := os.fork()) == 0:
        with Vault.open(url, unlock=vaults.key_in(Path(folder))) as own:
            own.add("the child has a session of its own")
        sys.exit(0)
    assert _ended_well(pid)
    vault.add("and so has the parent")
    assert vaults.texts(vault) == ["the child has a session of its own", "and so has the parent"]
    vault.close()


def fork_in_the_critical_section(folder: str, url: str) -> None:
    vault = Vault.create(url, unlock=vaults.key_in(Path(folder)))
    pids = []

    def forking(tx: object) -> None:
        tx.add("of the parent alone")  # type: ignore[attr-defined]
        if (pid := os.fork()) == 0:
            return
        pids.append(pid)

    try:
        vault.transact(forking)
    except SessionStateError:
        sys.exit(0)  # the child, on its way out of the parent's transaction
    assert _ended_well(pids[0])
    assert vaults.texts(vault) == ["of the parent alone"]
    vault.close()


@pytest.mark.parametrize("program", [fork_and_go_on, open_anew_in_child, fork_in_the_critical_section])
def test_a_fork_harms_nothing(tmp_path: Path, postgres: Server, database: str, program: object) -> None:
    run_program(program, tmp_path, postgres.url(database, "v"))  # type: ignore[arg-type]
