"""Look at the raw bytes of vault files, copy them, spoil one.

Run as a program of its own (`python -I peek.py …`), never imported by one that has a vault open: reading a vault's file
other than through SQLite, and closing it again, would drop that process's locks on it.

    peek.py find FOLDER       words as JSON on standard input; prints which of them are in a file of the folder
    peek.py copy FROM TO      copies a file
    peek.py flip FILE         flips one bit inside a sealed record
"""

import json
import re
import sqlite3
import sys
from pathlib import Path
from typing import Any

READABLE = re.compile(rb"[\x20-\x7e]{6,}")
SAMPLE = 32  # bytes of a record that are surely nowhere else in the file


def find(folder: Path, words: list[str]) -> dict[str, Any]:
    """Which of the words are anywhere in the folder's files, whatever their case, also in UTF-16."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    contents = [path.read_bytes() for path in files]
    readable = b"\n".join(
        run.lower() for raw in contents for form in (raw, raw.replace(b"\0", b"")) for run in READABLE.findall(form)
    )
    found = [word for word in words if word.lower().encode() in readable]
    return {"files": len(files), "bytes": sum(map(len, contents)), "found": found}


def copy(source: Path, target: Path) -> dict[str, Any]:
    """Copy a file."""
    return {"bytes": target.write_bytes(source.read_bytes())}


def flip(path: Path) -> dict[str, Any]:
    """Flip one bit in the middle of a record, where it lies in the file."""
    database = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    try:
        (body,) = database.execute(
            "SELECT body FROM record ORDER BY address LIMIT 1 OFFSET (SELECT count(*) / 2 FROM record)"
        ).fetchone()
    finally:
        database.close()
    raw = bytearray(path.read_bytes())
    middle = len(body) // 2
    offset = raw.index(body[middle : middle + SAMPLE])
    raw[offset] ^= 1
    path.write_bytes(raw)
    return {"offset": offset}


def main(verb: str, *arguments: str) -> None:
    """Do what one line of the module's description says."""
    paths = [Path(argument) for argument in arguments]
    if verb == "find":
        done = find(paths[0], json.load(sys.stdin))
    elif verb == "copy":
        done = copy(paths[0], paths[1])
    else:
        done = flip(paths[0])
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
