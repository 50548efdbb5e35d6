"""`strongroom import` of other systems' files."""

import pytest

from cli.program import Program
from support.foreigners import FILES, PASSPHRASE
from vault_core import InvalidInputError, WrongPassphraseError
from vault_core.cli import codes

INVALID = codes.OF_KIND[InvalidInputError]
WRONG_PASSPHRASE = codes.OF_KIND[WrongPassphraseError]
VAULT = str(FILES / "vaultmem-0.3.3" / "vault")
pytestmark = pytest.mark.usefixtures("place")


def test_a_vaultmem_vaults_passphrase_comes_from_the_environment(
    strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never from the command line; without one, or with a wrong one, it is said so and nothing is brought."""
    without = strongroom("import", VAULT)
    monkeypatch.setenv("STRONGROOM_TRANSFER_PASSPHRASE", "wrong")
    wrong = strongroom("import", VAULT)
    monkeypatch.setenv("STRONGROOM_TRANSFER_PASSPHRASE", PASSPHRASE)
    right = strongroom("import", VAULT, "--from", "vaultmem")

    assert (without.code, wrong.code, right.code) == (INVALID, WRONG_PASSPHRASE, codes.OK)
    assert right.out.startswith("brought 12 memories")


def test_what_needs_no_passphrase_asks_for_none(strongroom: Program) -> None:
    """And says which system it came from."""
    report = strongroom.json("import", str(FILES / "mem0" / "get_all.json"))

    assert (report["source"], report["added"], report["skipped"]) == ("mem0", 4, [])


def test_an_unknown_format_names_those_that_there_are(strongroom: Program) -> None:
    """As a hint for what was meant."""
    refused = strongroom("import", VAULT, "--from", "memzero")

    assert refused.code == INVALID
    assert "mem0" in refused.err
