"""Moving house: memories out of a vault and into one, in our own formats and from other systems' files.

Nothing here writes to a vault: readers give arrivals, and the session brings them (`vault_core.session.moving`).
"""

from vault_core.transfer.arrival import (
    MAX_SKIPPED,
    Arrival,
    ExportReport,
    Finding,
    Format,
    ImportReport,
    ItemArrival,
    Reader,
    Skipped,
)
from vault_core.transfer.formats import choose, names, register, titles
from vault_core.transfer.source import Source, open_file, open_source

__all__ = [
    "MAX_SKIPPED",
    "Arrival",
    "ExportReport",
    "Finding",
    "Format",
    "ImportReport",
    "ItemArrival",
    "Reader",
    "Skipped",
    "Source",
    "choose",
    "names",
    "open_file",
    "open_source",
    "register",
    "titles",
]
