"""What `vault_core` names is there, and nothing is loaded before it is used."""

import subprocess
import sys

import vault_core


def test_every_public_name_is_there() -> None:
    assert [name for name in vault_core.__all__ if not hasattr(vault_core, name)] == []
    assert set(vault_core.__all__) == set(vault_core._HOMES)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(vault_core, "Valut")


def test_importing_the_package_does_not_load_numpy() -> None:
    program = "import sys, vault_core; print('numpy' in sys.modules, 'vault_core.vault' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
