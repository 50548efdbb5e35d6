"""Someone tries to make a copy wrong: through caches, links, names of the same place, names of others' files."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import objects, vaults
from vault_core import (
    ConflictError,
    EphemeralStore,
    InvalidInputError,
    SqliteStore,
    Vault,
    VaultTamperedError,
    copy_vault,
)
from vault_core.store import open_store
from vault_core.testing import Place


def test_what_another_machine_erased_does_not_come_back_out_of_this_one_s_cache(tmp_path: Path) -> None:
    url, key = (tmp_path / "vault").as_uri(), vaults.key_in(tmp_path)
    warm = f"{url}?cache={tmp_path / 'cache'}"
    with Vault.create(url, unlock=key) as vault:
        vault.add("a secret", id="secret")
    with Vault.open(warm, unlock=key) as vault:
        assert vaults.found(vault, "secret") == ["a secret"]
    with Vault.open(url, unlock=key) as elsewhere:
        elsewhere.forget("secret")

    report = copy_vault(warm, tmp_path / "copy.vault")

    assert (report.records, report.erased) == (0, 1)
    ours, theirs = SqliteStore(tmp_path / "copy.vault"), open_store(url)
    addresses = list(theirs.addresses(0))
    assert ours.records(addresses) == theirs.records(addresses)
    ours.close()
    with vaults.reopen(tmp_path, "copy.vault") as copy:
        copy.verify(full=True)


def test_copying_does_not_make_the_cache_keep_what_was_erased_elsewhere(tmp_path: Path) -> None:
    url, key = (tmp_path / "vault").as_uri(), vaults.key_in(tmp_path)
    warm = f"{url}?cache={tmp_path / 'cache'}"
    with Vault.create(url, unlock=key) as vault:
        vault.add("a secret", id="secret")
    with Vault.open(warm, unlock=key) as vault:
        assert vaults.found(vault, "secret") == ["a secret"]
    store = open_store(url)
    sealed = [body for body in store.records(store.addresses(0)).values() if any(body)]
    with Vault.open(url, unlock=key) as elsewhere:
        elsewhere.forget("secret")
        elsewhere.checkpoint()  # whoever opens from here on never reads the commit that erased

    copy_vault(warm, tmp_path / "copy.vault")
    copy_vault(tmp_path / "copy.vault", warm)
    with Vault.open(warm, unlock=key) as vault:
        assert vault.count() == 0

    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
    assert sealed
    assert not any(body in kept for body in sealed)


SPELLINGS: dict[str, Callable[[Path], str]] = {
    "with a dot": lambda folder: f"{folder}/sub/../alice.vault",
    "as a URL": lambda folder: f"sqlite:///{folder}/alice.vault",
    "with two slashes": lambda folder: f"/{folder}/alice.vault",
    "through a link": lambda folder: f"{folder}/link.vault",
    "through a hard link": lambda folder: f"{folder}/hard.vault",
    "through a linked folder": lambda folder: f"{folder}/folder/alice.vault",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_file_under_another_name_is_no_other_place(tmp_path: Path, spelling: str) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add("here")
    (tmp_path / "sub").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "link.vault").symlink_to(tmp_path / vaults.NAME)
    os.link(tmp_path / vaults.NAME, tmp_path / "hard.vault")

    with pytest.raises(InvalidInputError, match="the same place"):
        copy_vault(tmp_path / vaults.NAME, SPELLINGS[spelling](tmp_path))

    with vaults.reopen(tmp_path) as vault:
        vault.verify(full=True)


@pytest.mark.parametrize("name", ["vault/", "./vault", "sub/../vault", "%76ault", "link", "vault?staleness=3"])
def test_a_folder_under_another_name_is_no_other_place(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "vault")
    Vault.create((tmp_path / "vault").as_uri(), unlock=vaults.key_in(tmp_path)).close()

    with pytest.raises(InvalidInputError, match="the same place"):
        copy_vault((tmp_path / "vault").as_uri(), f"file://{tmp_path}/{name}")


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm", ".lock"])
def test_a_copy_does_not_take_the_name_of_a_file_beside_the_vault(tmp_path: Path, ending: str) -> None:
    """SQLite would play a journal back before anything else: with one there the vault opened no more."""
    with vaults.create(tmp_path) as vault:
        vault.add("here")
    beside = tmp_path / f"{vaults.NAME}{ending}"
    beside.unlink(missing_ok=True)

    with pytest.raises(ConflictError, match=r"belongs to the vault|already"):
        copy_vault(tmp_path / vaults.NAME, beside)

    with vaults.reopen(tmp_path) as vault:
        assert vaults.texts(vault) == ["here"]


def test_the_same_name_on_another_server_is_another_place(tmp_path: Path, s3: str, prefix: str) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add("moved")
    with objects.s3_server() as other:
        places = objects.url(s3, prefix), objects.url(other, prefix)
        copy_vault(tmp_path / vaults.NAME, places[0])
        copy_vault(*places)
        with Vault.open(places[0], unlock=vaults.key_in(tmp_path)) as vault:
            vault.add("later")

        assert copy_vault(*places).copied == 1
        with pytest.raises(InvalidInputError, match="the same place"):
            copy_vault(places[0], f"{places[0]}&staleness=1")


class StoppedError(Exception):
    """What a callback raises."""


def test_bringing_a_copy_up_to_date_may_stop_anywhere_and_is_run_again(tmp_path: Path) -> None:
    """In between the copy has the header of before: it may be refused, but is never another vault, nor stuck."""
    key = vaults.key_in(tmp_path)
    with vaults.create(tmp_path) as vault:
        vault.add("a secret", id="secret")
    copy_vault(tmp_path / vaults.NAME, before := EphemeralStore())
    with vaults.reopen(tmp_path) as vault:
        vault.forget("secret")
        vault.rotate(key)
        vault.add_box("work")
        vault.add("later", id="later")
    step, stopped = 0, True
    while stopped:
        step += 1
        target = EphemeralStore()
        copy_vault(before, target)
        calls = itertools.count(1)

        def stop(_: int, __: int, step: int = step, calls: Iterator[int] = calls) -> None:
            if next(calls) == step:
                raise StoppedError

        try:
            copy_vault(tmp_path / vaults.NAME, target, progress=stop)
            stopped = False
        except StoppedError:
            assert opens_as_itself_or_not_at_all(target, tmp_path)
        copy_vault(tmp_path / vaults.NAME, target)
        with Vault.open(target, unlock=key) as copy:
            copy.verify(full=True)
            assert vaults.texts(copy) == ["later"]
    assert step > 5


def opens_as_itself_or_not_at_all(store: EphemeralStore, folder: Path) -> bool:
    try:
        with Vault.open(store, unlock=vaults.key_in(folder), read_only=True, accept_rollback=True) as vault:
            return set(vaults.texts(vault)) <= {"a secret", "later"}
    except VaultTamperedError:
        return True


@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_copies_that_run_at_once_end_as_one_whole_copy(
    tmp_path: Path, place_of: Callable[[str, Path], Place], kind: str
) -> None:
    with vaults.create(tmp_path) as vault:
        for n in range(12):
            vault.add(f"memory {n}")
    place, ended = place_of(kind, tmp_path / "place"), list[str]()
    (tmp_path / "place").mkdir()

    def run() -> None:
        try:
            copy_vault(tmp_path / vaults.NAME, place.create())
            ended.append("copied")
        except ConflictError:
            ended.append("another came first")

    runs = [threading.Thread(target=run) for _ in range(4)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    copy_vault(tmp_path / vaults.NAME, place.create())

    assert len(ended) == 4
    with Vault.open(place.open(), unlock=vaults.key_in(tmp_path)) as copy:
        assert copy.verify(full=True).commits == 13
        assert copy.count() == 12
