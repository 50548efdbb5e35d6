"""The package's names: importing it imports no framework."""

import subprocess
import sys

import pytest

import langchain_strongroom

PROGRAM = "import sys, langchain_strongroom; print(sorted({'langchain_core', 'vault_core'} & set(sys.modules)))"


def test_importing_the_package_imports_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_every_name_is_there() -> None:
    for name in langchain_strongroom.__all__:
        assert getattr(langchain_strongroom, name).__name__ == name
    assert set(langchain_strongroom.__all__) <= set(dir(langchain_strongroom))


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = langchain_strongroom.Nothing
