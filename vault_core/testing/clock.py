"""A clock that a test moves by hand."""

from datetime import UTC, datetime, timedelta

from vault_core.memory.times import from_micros, to_micros
from vault_core.vault import Vault

_START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class FakeClock:
    """Tells the time that the test has set: call it for microseconds since 1970, as a session does.

    `FakeClock().drive(vault)` puts an open vault under it; the vault's own clock is not asked any more.
    """

    def __init__(self, start: datetime = _START) -> None:
        """Begin at `start`, an aware datetime."""
        self._micros = to_micros(start)

    def __call__(self) -> int:
        """Microseconds since 1970."""
        return self._micros

    @property
    def now(self) -> datetime:
        """The present."""
        return from_micros(self._micros)

    def advance(self, **by: float) -> datetime:
        """Move on by `days=`, `hours=`, `seconds=` (what `timedelta` takes), or back; gives the new present."""
        self._micros += timedelta(**by) // timedelta(microseconds=1)
        return self.now

    def drive(self, vault: Vault) -> Vault:
        """Make an open vault tell the time by this clock, from its next call on."""
        session = vault._session  # noqa: SLF001  a vault takes no clock: nobody but a test needs to choose one
        session.now = self
        session.log._now = self  # noqa: SLF001
        return vault
