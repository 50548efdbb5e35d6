"""What comes out of another place on its way into a vault, whatever the format.

A reader gives findings, one after the other, in constant memory: a memory with all its versions (`Arrival`), an item
(`ItemArrival`), or what it had to leave out (`Skipped`). What is done with them, and in which commits, is the same for
all formats (docs/transfer.md, "What an import does with what is there").

To add a format: a `Format` with its name, how its sources are recognised and a reader, passed to
`vault_core.transfer.formats.register` by a module that `vault_core.transfer` imports.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vault_core.memory import Item, Memory, Space
from vault_core.transfer.source import Source

MAX_SKIPPED = 1_000  # of which a report keeps place and reason; all are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One memory with all its versions, oldest first: the last one is current.

    Every version has the same id and namespace. What a reader sets is kept: `created_at`, `updated_at` (not falling
    from version to version), provenance, state, vectors. `content_hash` is set (`content_hash(content)` of
    `vault_core.memory.canonical`); `box` names the box it is for, "main" by default; `address` and `similar` don't
    matter. A reader that reads the same source again gives the same ids and times, so that a second import changes
    nothing. Everything must be what a vault can hold: `memory_from(draft, …)` of `vault_core.memory.draft` checks it.

    `place` says where in the source it came from, such as "line 12", for the report; never text of a memory.
    `spaces` says whose the vectors are, by space; a space that is not in it has no embedder's name.
    `foreign`: from another system. In which file it came does not make it another version; with `undated` (the source
    has no times, those here are its file's) neither do times; with `unique` content that its namespace has under
    another id is not brought a second time, but reported.
    `continues`: the memory of the arrival before goes on, which was too long for one; the first version here is the
    last one there.
    """

    versions: Sequence[Memory] = field(repr=False)
    place: str
    spaces: Mapping[str, Space] = field(default_factory=dict, repr=False)
    continues: bool = False
    foreign: bool = False
    undated: bool = False
    unique: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemArrival:
    """One item. `place` as for an `Arrival`."""

    item: Item = field(repr=False)
    place: str
    box: str = "main"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not brought, or not whole: where it was, and why. Never text of a memory."""

    place: str
    reason: str


Finding = Arrival | ItemArrival | Skipped
Reader = Callable[[Source], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of source: its name (`--from NAME`), a title for people, how it is recognised, and its reader.

    `recognise` looks at `source.head` and `source.is_folder`, and maybe at names in the folder; it never raises.
    `read` raises `InvalidInputError` for a source that is not of this format at all, `WrongPassphraseError` where a
    passphrase is wrong or missing, and gives `Skipped` for what is wrong with a part of it. `sealed`: its sources need
    a passphrase (`source.passphrase`), which the command line then asks for.
    """

    name: str
    title: str
    recognise: Callable[[Source], bool]
    read: Reader
    sealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or with `dry_run` would do.

    `added`: memories that were not there. `updated`: memories that got newer versions. `unchanged`: memories of which
    everything was there. `items` and `items_unchanged` likewise. `skipped` has the first 1,000 of what was left out,
    `skipped_count` counts all. `source` is the name of the format.
    """

    source: str
    added: int
    updated: int
    unchanged: int
    items: int
    items_unchanged: int
    skipped: Sequence[Skipped]
    skipped_count: int
    commits: int
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an export wrote: memories, their versions, items, and bytes of the file."""

    path: str
    memories: int
    versions: int
    items: int
    bytes: int
    encrypted: bool
