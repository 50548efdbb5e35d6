"""The scene of `tamper`, as objects in a folder; and a stranger's changes of rows, carried over to objects.

The strangers of `strangers` edit rows. Here a state of objects becomes rows in RAM, they edit those, and what became of
the rows becomes objects again: whoever holds the bytes may write any object that a store could have written.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support.strangers import Edit
from support.tamper import OTHER_STEPS, QUESTIONS, STATE, STEPS, Answers, Scene, Step, _elsewhere, _small_pages
from support.vaults import key_in
from vault_core import Vault
from vault_core.store import StoredHeader
from vault_core.store.object import ObjectStore
from vault_core.store.object.layout import (
    BLOCK,
    PART,
    Commit,
    decode,
    encode,
    log_name,
    pack_name,
    part_name,
    part_of,
    seqs_of,
    window_of,
)
from vault_core.store.sqlite import FILLING, SCHEMA

VAULT = "vault"
FORK_AT = 4
Objects = Mapping[str, bytes]


def objects_in(folder: Path) -> dict[str, bytes]:
    """All objects of a vault in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).as_posix().startswith(".")
    }


def put_objects_in(folder: Path, objects: Objects) -> None:
    """Make these the objects in a folder. What is the same stays as it is."""
    before = objects_in(folder)
    for name in before.keys() - objects.keys():
        (folder / name).unlink()
    for name, body in objects.items():
        if before.get(name) != body:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).unlink(missing_ok=True)
            (folder / name).write_bytes(body)


@dataclass(frozen=True, slots=True)
class ObjectScene(Scene):
    """`earlier`, `fork` and `sibling` are database files with the rows, so that strangers can read them."""

    states: tuple[Objects, ...] = field(default=(), repr=False)  # the objects after each step
    fork_objects: Objects = field(default_factory=dict, repr=False)
    sibling_objects: Objects = field(default_factory=dict, repr=False)

    @property
    def place(self) -> Path:
        """The folder with the objects."""
        return self.folder / VAULT

    def restore(self) -> None:
        """Put everything back."""
        put_objects_in(self.place, self.states[-1])
        self.anchor_path.write_bytes(self.anchor)

    def open(self, **options: Any) -> Vault:
        """A session on this machine."""
        os.environ["STRONGROOM_STATE_DIR"] = str(self.folder / STATE)
        return Vault.open(self.place.as_uri(), unlock=key_in(self.folder), **options)

    def change(self, edit: Edit) -> bool:
        """Let a stranger edit rows; False if no object can be like that."""
        present = self.states[-1]
        after = edited(present, self.earlier[-1], edit)
        put_objects_in(self.place, after)
        return after != present


def build_objects(folder: Path, *, packed: bool) -> ObjectScene:
    """The scene, in a folder that is not there yet; `packed` has most commits in packs."""
    folder.mkdir()
    key_in(folder)
    pack: Step = ObjectStore.reclaim if packed else lambda _: None
    with _small_pages():
        states = _made(folder, STEPS, {}, pack)
        fork = _made(_elsewhere(folder, "fork"), OTHER_STEPS, states[FORK_AT], pack)[-1]
        sibling = _made(_elsewhere(folder, "sibling"), STEPS, {}, pack)[-1]
    images = [image_of(one) for one in (*states, fork, sibling)]
    scene = ObjectScene(
        folder,
        tuple(images[:-2]),
        images[-2],
        images[-1],
        states=tuple(states),
        fork_objects=fork,
        sibling_objects=sibling,
    )
    with scene.open() as vault:
        truth: Answers = {name: question(vault) for name, question in QUESTIONS.items()}
        scene = replace(scene, vault=vault.id, truth=truth)
        return replace(scene, anchor=scene.anchor_path.read_bytes())


def _made(folder: Path, steps: tuple[Step, ...], origin: Objects, pack: Callable[[Any], object]) -> list[Objects]:
    os.environ["STRONGROOM_STATE_DIR"] = str(folder / STATE)
    place, key = folder / VAULT, key_in(folder)
    if not origin:
        Vault.create(place.as_uri(), unlock=key, owner="alice").close()
    else:
        place.mkdir()
        put_objects_in(place, origin)
    states: list[Objects] = [objects_in(place)]
    for step in steps:
        with Vault.open(place.as_uri(), unlock=key) as vault:
            step(vault)
        pack(ObjectStore(place.as_uri()))
        states.append(objects_in(place))
    return states


def image_of(objects: Objects) -> bytes:
    """The rows of a vault of objects, as a database file."""
    folder = Path(os.environ["STRONGROOM_STATE_DIR"]).parent / "for its rows"
    folder.mkdir()
    try:
        put_objects_in(folder, objects)
        store = ObjectStore(folder.as_uri(), read_only=True)
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.execute("PRAGMA page_size=8192")
            for statement in SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO header VALUES (1, ?, ?)", store.read_header())
            db.executemany("INSERT INTO entry VALUES (?, ?)", store.entries(0))
            db.executemany("INSERT INTO record VALUES (?, ?)", store.records(list(store.addresses(-1))).items())
            for name in store.parts():
                db.execute("INSERT INTO part VALUES (?, ?)", (name, FILLING + (store.part(name) or b"")))
            return db.serialize()
    finally:
        shutil.rmtree(folder)


Rows = dict[str, dict[Any, Any]]


def edited(present: Objects, image: bytes, edit: Edit) -> dict[str, bytes]:
    """The objects after an edit of their rows. Only those of commits that the edit changed become others."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.deserialize(image)
        before = _rows(db)
        with suppress(sqlite3.OperationalError):
            edit(db)
        after = _rows(db)
    objects, changed = dict(present), {seq for seq in _changed(before, after) if seq > 0}
    for window in {window_of(seq) for seq in changed}:
        if objects.pop(pack_name(window), None) is not None:  # what was packed lies loose again
            changed.update(set(seqs_of(window)) & before["entry"].keys())
    for seq in changed:
        objects.pop(log_name(seq), None)
        if seq in after["entry"] or _ns(after, seq):
            objects[log_name(seq)] = _commit(after, seq)
    for name in before["part"].keys() | after["part"].keys():
        objects.pop(part_name(name), None)
        if name in after["part"]:
            objects[part_name(name)] = PART + _bytes(after["part"][name])[len(FILLING) :]
    return objects


def _rows(db: sqlite3.Connection) -> Rows:
    tables = {name: dict(db.execute(f"SELECT * FROM {name}")) for name in ("entry", "record", "part")}  # noqa: S608
    return {**tables, "header": {1: db.execute("SELECT body, mac FROM header").fetchone()}}


def _changed(before: Rows, after: Rows) -> set[int]:
    entries = {seq for seq in before["entry"].keys() | after["entry"].keys() if _differs("entry", before, after, seq)}
    addresses = before["record"].keys() | after["record"].keys()
    records = {address >> 24 for address in addresses if _differs("record", before, after, address)}
    head = {max(after["entry"], default=0)} if before["header"] != after["header"] else set()
    return entries | records | head


def _differs(table: str, before: Rows, after: Rows, key: int) -> bool:
    return bool(before[table].get(key) != after[table].get(key))


def _ns(rows: Rows, seq: int) -> list[int]:
    return [address & 0xFFFFFF for address in rows["record"] if address >> 24 == seq]


def _commit(rows: Rows, seq: int) -> bytes:
    """A commit's object as the rows have it, and always with the header: wherever a stranger wants one, it is found."""
    count = max(_ns(rows, seq), default=-1) + 1
    records = [_bytes(rows["record"].get(seq << 24 | n, b"")) for n in range(count)]
    header = rows["header"][1]
    return encode(
        [
            Commit(
                seq=seq,
                entry=_bytes(rows["entry"].get(seq, b"")),
                records=records,
                header=StoredHeader(*map(_bytes, header)) if header else None,
                header_at=seq if header else 0,
            )
        ]
    )


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


# What strangers do to objects as such


def objects_deleted(scene: ObjectScene) -> Iterator[tuple[str, Objects]]:
    """Every object is deleted; every folder of them."""
    present = scene.states[-1]
    for name in present:
        yield name, {one: body for one, body in present.items() if one != name}
    for folder in ("log/", "pack/", "part/"):
        yield (
            f"part {folder}" * (folder == "part/") or folder,
            {one: body for one, body in present.items() if not one.startswith(folder)},
        )


def objects_exchanged(scene: ObjectScene) -> Iterator[tuple[str, Objects]]:
    """Every object stands in the place of every other of its kind."""
    present = scene.states[-1]
    for one, body in present.items():
        for other in present:
            if one.split("/")[0] == other.split("/")[0] and present[other] != body:
                yield f"{one} at {other}", {**present, other: body}


def objects_of_other_times(scene: ObjectScene) -> Iterator[tuple[str, Objects]]:
    """Objects of earlier states, of a fork and of a sibling: one by one, and all."""
    present = scene.states[-1]
    for number, state in enumerate((*scene.states[:-1], scene.fork_objects, scene.sibling_objects)):
        for name, body in state.items():
            if present.get(name) != body:
                kind = "" if _says_another(present.get(name, b""), body) else "part of no meaning: "
                yield f"{kind}{name} of state {number}", {**present, name: body}
        if number < len(scene.states) - 1 and {n: b for n, b in state.items() if n.startswith("log/")} != {
            n: b for n, b in present.items() if n.startswith("log/")
        }:
            yield f"state {number}", state


def _says_another(one: bytes, other: bytes) -> bool:
    """Whether two objects with commits differ in more than a header that holds no more."""
    if {one[:4], other[:4]} != {BLOCK}:
        return True
    said = []
    for raw in (one, other):
        pieces = decode(raw, len(raw)).pieces.values()
        said.append([(raw[slice(*p.entry)], raw[p.starts[0] : p.starts[-1]], p.erased) for p in pieces])
    return said[0] != said[1]


def objects_cut(scene: ObjectScene) -> Iterator[tuple[str, Objects]]:
    """Every object is cut, extended, emptied, zeroed."""
    present = scene.states[-1]
    for name, body in present.items():
        for how, other in {
            "cut": body[:-1],
            "cut in front": body[1:],
            "extended": body + b"\0",
            "emptied": b"",
            "zeroed": bytes(len(body)),
            "half": body[: len(body) // 2],
            "newer": BLOCK[:3] + b"2" + body[4:],
        }.items():
            if other != body:
                yield f"{name} {how}", {**present, name: other}


def objects_planted(scene: ObjectScene) -> Iterator[tuple[str, Objects]]:
    """Objects where none were: false hints, markers, packs, names of no kind."""
    present = scene.states[-1]
    for number in (0, 1, 5, 12, 13, 10**6, (1 << 38) - 1, 10**16 - 1):
        yield f"hint {number}", {**present, "hint": b"%016d" % number}
        for kind in ("erase", "pack"):
            yield f"unfinished {kind} {number}", {**present, f"unfinished/{kind}-{number:016d}": b"SRM1"}
    for name in (
        "log/x",
        "log/00000000000000000001",
        "log/-000000000000001",
        "pack/x",
        "part/=ZZ",
        "unfinished/x",
        "x",
    ):
        yield f"odd {name}", {**present, name: b"anything"}


OBJECT_FAMILIES = (objects_deleted, objects_exchanged, objects_of_other_times, objects_cut, objects_planted)


def is_a_cache(name: str) -> bool:
    """Whether what was changed is believed by nobody: parts, hints, markers, names of no kind."""
    return name.startswith(("part", "hint", "unfinished", "odd", ".lock")) or part_of(name) is not None
