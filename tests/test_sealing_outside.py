"""Bytes that a vault seals and somebody else keeps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from vault_core import InvalidInputError, Vault, VaultTamperedError

SECRET = b"a row of somebody's database: tea, no sugar"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with vaults.create(tmp_path) as vault:
        vault.add_box("work")
        yield vault


@pytest.mark.parametrize(
    "plaintext",
    [b"", b"x", bytes(100_000), bytearray(SECRET), memoryview(SECRET)],
    ids=["nothing", "one", "long", "bytearray", "view"],
)
def test_what_is_sealed_opens_for_its_purpose(vault: Vault, plaintext: Any) -> None:
    sealed = vault.seal(plaintext, purpose="rows")

    assert vault.unseal(sealed, purpose="rows") == bytes(plaintext)
    assert SECRET not in sealed
    assert sealed != vault.seal(plaintext, purpose="rows")


def test_sealing_writes_nothing_into_the_vault(vault: Vault) -> None:
    commits = vault.stats().commits

    vault.unseal(vault.seal(SECRET, purpose="rows"), purpose="rows")

    assert vault.stats().commits == commits


def test_another_purpose_box_or_vault_does_not_open_it(vault: Vault, tmp_path: Path) -> None:
    sealed = vault.seal(SECRET, purpose="rows")

    with vaults.create(tmp_path, "other.vault") as other:
        for refuse in (
            lambda: vault.unseal(sealed, purpose="columns"),
            lambda: vault.unseal(sealed, purpose="rows", box="work"),
            lambda: other.unseal(sealed, purpose="rows"),
        ):
            with pytest.raises(VaultTamperedError, match="not sealed by this vault for this purpose"):
                refuse()


def test_no_changed_byte_and_no_cut_is_opened(vault: Vault) -> None:
    sealed = vault.seal(SECRET, purpose="rows")
    changed = [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in range(len(sealed))]

    for wrong in [*changed, *(sealed[:length] for length in range(len(sealed))), sealed + b"\x00"]:
        with pytest.raises(VaultTamperedError):
            vault.unseal(wrong, purpose="rows")


def test_what_was_sealed_before_a_rotation_opens_after_it(tmp_path: Path) -> None:
    key = vaults.key_in(tmp_path)
    with vaults.create(tmp_path) as vault:
        before = vault.seal(SECRET, purpose="rows")
        vault.rotate(key)
        after = vault.seal(SECRET, purpose="rows")

    with vaults.reopen(tmp_path) as vault:
        assert vault.unseal(before, purpose="rows") == vault.unseal(after, purpose="rows") == SECRET
    assert before[:8] != after[:8]  # the key generation


def test_a_session_seals_with_the_key_that_another_has_rotated_to(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault, vaults.reopen(tmp_path) as other:
        other.rotate(vaults.key_in(tmp_path))

        assert other.unseal(vault.seal(SECRET, purpose="rows"), purpose="rows") == SECRET


@pytest.mark.parametrize("wrong", ["text", None, 7, [1]], ids=repr)
def test_only_bytes_are_sealed_and_opened(vault: Vault, wrong: Any) -> None:
    with pytest.raises(InvalidInputError):
        vault.seal(wrong, purpose="rows")
    with pytest.raises(InvalidInputError):
        vault.unseal(wrong, purpose="rows")
    with pytest.raises(InvalidInputError):
        vault.seal(b"x", purpose="" if wrong is None else wrong if wrong != "text" else "\n")


def test_the_form_is_the_one_that_the_format_page_describes(vault: Vault) -> None:
    sealed = vault.seal(SECRET, purpose="rows")

    assert sealed[:4] == b"SRO1"
    assert int.from_bytes(sealed[4:8], "big") == 1
