"""Passphrases that cost nothing: hundreds of bundles are opened here."""

from hashlib import sha256

import pytest

from vault_core.crypto import KdfParameters, Key
from vault_core.keys import providers


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches passphrases by a plain hash."""

    def hashed(passphrase: bytearray, salt: bytes, cost: KdfParameters) -> Key:
        return Key.taken_from(bytearray(sha256(salt + passphrase).digest()))

    monkeypatch.setattr(providers, "argon2id", hashed)
