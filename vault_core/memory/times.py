"""Times: whole microseconds in the log, aware `datetime`s in the API."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from vault_core.errors import InvalidInputError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
KEEP: Any = object()  # "leave as it is", where None has a meaning of its own
_NEVER = -1  # how a touch says that a memory does not expire


@lru_cache(maxsize=64)  # one moment is asked for four times for every memory of a batch
def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware datetime for microseconds since 1970.

    Raises:
        InvalidInputError: outside the years 1 to 9999.
    """
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise InvalidInputError("a time lies outside the years 1 to 9999") from None


def parse_time(value: datetime | str | None, what: str) -> datetime | None:
    """A time as people give it: a datetime, or ISO 8601 text. Without a zone it means UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInputError(
                f"{what} must be a datetime or ISO 8601 text such as 2026-03-01T18:00:00Z"
            ) from None
    if not isinstance(value, datetime):
        raise InvalidInputError(f"{what} must be a datetime or ISO 8601 text")
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"{what} lies outside the years 1 to 9999") from None


def expiry_of(given: Any) -> int | None:
    """What a touch says of an expiry: a time in microseconds, never, or nothing (KEEP)."""
    if given is KEEP:
        return None
    moment = parse_time(given, "expires_at")
    return _NEVER if moment is None else to_micros(moment)
