"""Passphrases that cost nothing: hundreds of bundles are opened here."""

import pytest

from support import moving


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches passphrases by a plain hash."""
    moving.stretch_quickly(monkeypatch)
