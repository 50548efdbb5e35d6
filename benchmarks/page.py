"""`docs/benchmarks.md` and its pictures, from a file of results: `python -m benchmarks --page`."""

from pathlib import Path
from typing import Any

from benchmarks.machine import line
from benchmarks.plots import pictures
from benchmarks.report import markdown, missed

DOCS = Path(__file__).parent.parent / "docs"
KEPT = DOCS / "benchmarks.json"  # the results that the page shows
HEAD = """\
# Benchmarks

Made by the benchmark itself: `make bench` runs it and prints this table,
`make bench-page` installs the peers, runs it and writes this page and its pictures. Peers
(chromadb, lancedb, vaultmem) take part when they are installed.

"""
WHY = {  # by heading; shown beside what this run missed
    "Batches with given vectors": "Each memory is an object that is checked, classified, encoded, sealed under a key "
    "of its own, hashed, and entered into a table with two indexes, in Python and on one core. Sealing a batch on two "
    "threads was tried and takes longer than on one. "
    "Now and then a batch also pays for a snapshot.",
}
UNKNOWN = "The cause was not looked into for this page."
HOW = """\
## How it is measured

- Every contender runs in a process of its own and they take turns, a batch or a few queries at a time, so that whatever
  disturbs the machine disturbs all of them. Ratios within one run say more than times. With `--repeat`, each figure is
  the median of whole runs.
- Texts are like turns of a chat, about 15 words; vectors have 384 dimensions, are given, and are the same for all. A
  query is a question with two to four words that matter and a vector near one of the memories.
- The load says how many processes wanted a core in the last five minutes of the run, the benchmark's own one or two
  included. Where it is above the number of cores, all times are those of a machine that does other work as well.
- *One memory, durable*: `add` with its vector, beside a raw SQLite transaction that inserts one row of the entry's size
  and one of the record's, under the same pragmas (page size, WAL, `synchronous=FULL`, `secure_delete`). The quicker the
  disk, the larger the ratio: what is not the disk's is processor time, which has a row of its own.
- *Batches*: strongroom commits a batch as one durable transaction: validated, classified, deduplicated, sealed, hashed,
  written, indexed. chromadb builds an approximate index, lancedb appends a columnar file; neither encrypts anything,
  and neither waits for the disk as `synchronous=FULL` does. vaultmem encrypts, with one flush for a batch.
  AES-GCM alone encrypts the same bytes under one key and throws them away.
- *Search*: hybrid is words and exact vectors, fused; dense and lexical are the two alone. chromadb's is approximate;
  lancedb's and vaultmem's are exact, by vector alone.
- *Open*: unlocked by a key file, so without Argon2id, which is meant to take its time. The states with a tail and
  without a snapshot are opened read-only, as otherwise opening would write a snapshot.
- *Memory*: resident set of a fresh process that opened the store and then searched it; the benchmark's own 20,000-word
  vocabulary and one batch of vectors included.
"""


def write(kept: dict[str, Any]) -> list[Path]:
    """Write the page and its pictures; gives what was written."""
    drawn = pictures(kept["results"])
    shown = "".join(f"![{name}](benchmarks-{name}.svg)\n\n" for name in drawn)
    out = "".join(f"- {name} did not take part: {why}\n" for name, why in sorted(kept["out"].items()))
    machine = f"Machine: {line(kept)}.\n\n"
    page = DOCS / "benchmarks.md"
    results = kept["results"]
    page.write_text(
        HEAD + machine + (out + "\n" if out else "") + _missed(results) + shown + markdown(results) + "\n" + HOW
    )
    written = [page]
    for name, picture in drawn.items():
        path = DOCS / f"benchmarks-{name}.svg"
        path.write_text(picture)
        written.append(path)
    return written


def _missed(results: dict[str, Any]) -> str:
    """The aims that this run missed, each with what is known of the cause."""
    parts = []
    for heading, found in missed(results).items():
        figures = [f"- {row.what}: {row.ours}; the aim is {row.target}." for row in found]
        parts += [f"**{heading}.** {WHY.get(heading, UNKNOWN)}", "", *figures, ""]
    return "\n".join(["## Missed", "", *(parts or ["Nothing that was aimed at.", ""])]) + "\n"
