"""Everything that a store holds, decrypted: what someone with all the keys can find in a vault's file.

Opened by the independent reader, in a process that has no vault open. Snapshots, which the reader does not know, are
opened here by docs/format.md §7.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import reader.sealing
from reader.cobblestone import decrypt
from reader.database import PAGE
from reader.sealing import Place, unseal
from reader.vault import read_vault
from support import vaults
from support.processes import call


def plaintexts(folder: Path) -> dict[str, list[bytes]]:
    """All that decrypts, by where it is: keyring, ops and live records; parts of snapshots; the files as they are."""
    found: dict[str, list[bytes]] = call(_plaintexts, folder)
    return found


def _plaintexts(folder: Path) -> dict[str, list[bytes]]:
    path, opened = folder / vaults.NAME, list[bytes]()

    def noted(key: bytes, context: bytes, sealed: bytes) -> bytes:
        opened.append(decrypt(key, context, sealed))
        return opened[-1]

    reader.sealing.decrypt = noted  # this process does nothing else
    vault = read_vault(path, secret=(folder / "key").read_text().strip())
    assert len(opened) >= 1 + len(vault.commits) + len(vault.live)
    log = opened.copy()
    parts = [_part(vault, name, body) for name, body in _parts(path)]
    raw = [file.read_bytes() for file in sorted(folder.glob(f"{vaults.NAME}*"))]
    return {"log": log, "header": [vault.header.body], "parts": parts, "files": raw}


def _parts(path: Path) -> list[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT name, body FROM part").fetchall()
    assert not any(any(body[:PAGE]) for _, body in rows)  # a part begins behind a page of zeros
    return [(name, body[PAGE:]) for name, body in rows]


def _part(vault: Any, name: str, body: bytes) -> bytes:
    _, box, *rest = name.split("/")
    generation, seq, snapshot = int.from_bytes(body[:4]), int.from_bytes(body[4:12]), body[12:28]
    kind, number = (b"mani", 0) if rest == ["manifest"] else (b"part", int(rest[1]))
    place = Place(
        kind=kind,
        vault=vault.header.vault,
        box=bytes.fromhex(box),
        generation=generation,
        seq=seq,
        n=number,
        then=snapshot,
    )
    return unseal(vault.keyring.boxes[bytes.fromhex(box)].keys[generation], place, body[28:])
