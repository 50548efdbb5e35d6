"""Moving house: memories out of a vault and into one, in our own formats and from other systems' files.

Nothing here writes to a vault: readers give arrivals, and the session brings them (`vault_core.session.arriving`).
Our own formats come first where a source is to be recognised.
"""

from vault_core.transfer import jsonl as _jsonl  # isort: skip
from vault_core.transfer import bundle as _bundle  # isort: skip
from vault_core.transfer import foreigners as _foreigners  # isort: skip
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
from vault_core.transfer.copying import CopyReport, copy_vault
from vault_core.transfer.formats import choose, names, register, titles
from vault_core.transfer.source import Source, open_file, open_source

OTHERS = _foreigners.FORMATS
OWN = (_jsonl.FORMAT, _bundle.FORMAT)

__all__ = [
    "MAX_SKIPPED",
    "OTHERS",
    "OWN",
    "Arrival",
    "CopyReport",
    "ExportReport",
    "Finding",
    "Format",
    "ImportReport",
    "ItemArrival",
    "Reader",
    "Skipped",
    "Source",
    "choose",
    "copy_vault",
    "names",
    "open_file",
    "open_source",
    "register",
    "titles",
]
