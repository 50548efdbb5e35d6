"""The formats that an import knows, by name. The first that recognises a source reads it."""

from typing import Any

from vault_core.errors import InvalidInputError
from vault_core.transfer.arrival import Format
from vault_core.transfer.source import Source

AUTO = "auto"

_FORMATS: dict[str, Format] = {}


def register(format: Format) -> Format:
    """Make a format known; one with the same name is replaced."""
    _FORMATS[format.name] = format
    return format


def names() -> list[str]:
    """The names of all formats, in the order in which they are tried."""
    return list(_FORMATS)


def titles() -> dict[str, str]:
    """What each format is, for people, by name."""
    return {name: one.title for name, one in _FORMATS.items()}


def choose(source: Source, name: Any = AUTO) -> Format:
    """The format with this name, or for "auto" the first one that recognises the source.

    Raises:
        InvalidInputError: there is no such format, or none recognises it.
    """
    if not isinstance(name, str) or name != AUTO:
        found = next((one for known, one in _FORMATS.items() if isinstance(name, str) and known == name), None)
        if found is None:
            raise InvalidInputError(f"there is no format of this name; known are: {', '.join(names())}")
        return found
    for one in _FORMATS.values():
        if one.recognise(source):
            return one
    raise InvalidInputError(f"this file is of no format that is known; name one of: {', '.join(names())}")
