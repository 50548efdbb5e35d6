"""What a memory says of who wrote it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import vaults
from vault_core import InvalidInputError, Vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with vaults.create(tmp_path) as made:
        yield made


def test_what_is_written_for_someone_says_so_beside_program_and_session(vault: Vault) -> None:
    alone = vault.add("black coffee")
    with vault.writing_as(client="Claude Code", tool="memory_store"):
        theirs = vault.add("green tea")

    assert theirs.provenance == {**alone.provenance, "client": "Claude Code", "tool": "memory_store"}
    assert vault.get(theirs.id).provenance == theirs.provenance
    assert vault.add("oolong").provenance == alone.provenance


def test_an_update_and_a_restore_are_signed_by_whoever_made_them(vault: Vault) -> None:
    first = vault.add("green tea")
    with vault.writing_as(client="A"):
        vault.update(first.id, content="white tea")
        with vault.writing_as(tool="undo"):
            vault.restore(first.id, first.version)

    assert [memory.provenance.get("client") for memory in vault.history(first.id)] == [None, "A", "A"]
    assert vault.get(first.id).provenance["tool"] == "undo"


def test_threads_and_vaults_sign_for_themselves_alone(vault: Vault, tmp_path: Path) -> None:
    with (
        vaults.reopen(tmp_path) as other,
        ThreadPoolExecutor() as pool,
        vault.writing_as(client="A"),
    ):
        elsewhere = pool.submit(vault.add, "green tea").result()

        assert "client" not in elsewhere.provenance
        assert "client" not in other.add("black coffee").provenance
        assert vault.add("oolong").provenance["client"] == "A"


@pytest.mark.parametrize("who", [{"program": "x"}, {"session": "x"}, {"client": "a\nb"}, {"client": ""}])
def test_nobody_signs_as_the_library_or_with_odd_text(vault: Vault, who: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError), vault.writing_as(**who):
        pass
