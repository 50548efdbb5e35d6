"""Writes every vector: `cd tests && python -m vectors.make`."""

import json
from collections.abc import Iterator

from vectors import (
    bad_entries,
    bad_fields,
    bad_header,
    bad_keyring,
    bad_ops,
    bad_records,
    good,
    good_content,
    keys,
)
from vectors.case import Case
from vectors.files import FOLDER

MODULES = (
    good,
    good_content,
    keys,
    bad_header,
    bad_keyring,
    bad_entries,
    bad_ops,
    bad_records,
    bad_fields,
)


def cases() -> Iterator[Case]:
    """All vectors, in order."""
    for module in MODULES:
        yield from module.cases()


def texts() -> dict[str, str]:
    """The text of every file, by its name."""
    made: dict[str, str] = {}
    for case in cases():
        name = f"{case.name}.json"
        if name in made:
            raise ValueError(f"two vectors are called {name}")
        made[name] = json.dumps(case.vector, indent=1, ensure_ascii=False) + "\n"
    return made


def main() -> None:
    """Write the files, and remove what is no longer one."""
    FOLDER.mkdir(exist_ok=True)
    made = texts()
    for stale in FOLDER.glob("*.json"):
        if stale.name not in made:
            stale.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
