"""Tampering: a vault with everything in it, changed by a stranger in every way, and what its owner is told then.

Whatever a stranger did, every question about the vault gets the true answer or `VaultTamperedError`, and what the
machine remembers of the vault stays what it was. Anything else is a problem, and `Finding.problems` says which.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from support.vaults import NAME, key_in
from vault_core import Draft, Memory, SqliteStore, Vault, VaultError, VaultTamperedError
from vault_core.index import catalogue
from vault_core.store import StoredHeader

STATE = "state"
Answers = Mapping[str, object]
Step = Callable[[Vault], object]


@dataclass(frozen=True, slots=True)
class Scene:
    """A vault file that nobody has open, the state of a machine that has seen it, and the true answers.

    `earlier` are the file's bytes after each step of its making, the present ones last; `fork` went another way from
    the fifth on; `sibling` is another vault with the same key.
    """

    folder: Path
    earlier: tuple[bytes, ...] = field(repr=False)
    fork: bytes = field(repr=False)
    sibling: bytes = field(repr=False)
    vault: str = ""
    truth: Answers = field(repr=False, default_factory=dict)
    anchor: bytes = field(repr=False, default=b"")
    journal: bytes = field(repr=False, default=b"")

    @property
    def path(self) -> Path:
        """The vault's file."""
        return self.folder / NAME

    @property
    def anchor_path(self) -> Path:
        """What this machine remembers of the vault."""
        return self.folder / STATE / "anchors" / self.vault

    def copy(self, folder: Path) -> "Scene":
        """The same in another folder."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)

    def restore(self) -> None:
        """Put everything back, now that nobody has it open."""
        self.path.write_bytes(self.earlier[-1])
        self.anchor_path.write_bytes(self.anchor)
        remove_journal(self.path)
        if self.journal:
            journal_of(self.path).write_bytes(self.journal)

    def open(self, **options: Any) -> Vault:
        """A session on this machine."""
        os.environ["STRONGROOM_STATE_DIR"] = str(self.folder / STATE)
        return Vault.open(self.path, unlock=key_in(self.folder), **options)


STEPS: tuple[Step, ...] = (
    lambda vault: vault.add_many(
        [
            Draft(content="I drink green tea", id="tea", tags=["drink", "habit"], vector=[1.0, 0.0, 0.0, 0.5]),
            Draft(content="Lisbon was warm", id="lisbon", thread="trip", source="Ana", vector=[0.0, 1.0, 0.0, 0.5]),
            Draft(content={"city": "Porto", "nights": 2}, id="porto", metadata={"stars": 4}, importance=0.5),
            Draft(content="a secret to be forgotten", id="secret", vector=[0.0, 0.0, 1.0, 0.5]),
        ]
    ),
    lambda vault: vault.items("chat").put_many([("row 1", b"hello", {"role": "user"}), ("row 2", b"first", None)]),
    lambda vault: vault.update("lisbon", content="Lisbon was hot", vector=[0.0, 0.9, 0.1, 0.5]),
    lambda vault: vault.checkpoint(),
    lambda vault: vault.items("chat").put("row 2", b"second"),
    lambda vault: vault.forget("secret"),
    lambda vault: vault.pin("tea"),
    lambda vault: vault.checkpoint(),
    lambda vault: vault.add_box("work"),
    lambda vault: vault.add("the budget is tight", id="budget", namespace=("office",), box="work"),
    lambda vault: vault.add("tea with Bob in Lisbon", id="bob", expires_at="2099-01-01"),
)
OTHER_STEPS: tuple[Step, ...] = (  # the same kinds of commits in a fork, from STEPS[4] on
    lambda vault: vault.items("chat").put("row 2", b"forked"),
    lambda vault: vault.forget("tea"),
    lambda vault: vault.pin("porto"),
    lambda vault: vault.checkpoint(),
    lambda vault: vault.add_box("home"),
    lambda vault: vault.add("the rent is high", id="rent", namespace=("flat",), box="home"),
    lambda vault: vault.add("coffee with Eve in Porto", id="eve"),
)
_FORK_AT = 4


def build(folder: Path) -> Scene:
    """The scene, in a folder that is not there yet."""
    folder.mkdir()
    key_in(folder)
    with _small_pages():
        earlier = _made(folder, STEPS)
        fork = _made(_elsewhere(folder, "fork"), OTHER_STEPS, earlier[_FORK_AT])[-1]
        sibling = _made(_elsewhere(folder, "sibling"), STEPS)[-1]
    scene = Scene(folder, tuple(earlier), fork, sibling)
    with scene.open() as vault:
        return _known(scene, vault)


def in_the_journal(scene: Scene) -> Scene:
    """The scene with one more memory that is in the journal only: what a process that was killed leaves."""
    with scene.open() as vault:
        vault.add("the last word", id="last", tags=["new"])
        later = _known(scene, vault)
        wal = os.open(journal_of(scene.path), os.O_RDONLY)  # closed after the session: it would drop its locks
        journal = os.pread(wal, 1 << 24, 0)
    os.close(wal)
    scene.restore()
    return replace(later, journal=journal)


def _known(scene: Scene, vault: Vault) -> Scene:
    truth = {name: question(vault) for name, question in QUESTIONS.items()}
    scene = replace(scene, vault=vault.id, truth=truth)
    return replace(scene, anchor=scene.anchor_path.read_bytes())


def _made(folder: Path, steps: tuple[Step, ...], origin: bytes | None = None) -> list[bytes]:
    """The file's bytes at first and after every step. Each is a session of its own, so that no journal is left."""
    os.environ["STRONGROOM_STATE_DIR"] = str(folder / STATE)
    path, key = folder / NAME, key_in(folder)
    if origin is None:
        Vault.create(path, unlock=key, owner="alice").close()
    else:
        path.write_bytes(origin)
    states = [path.read_bytes()]
    for step in steps:
        with Vault.open(path, unlock=key) as vault:
            step(vault)
        states.append(path.read_bytes())
    return states


def _elsewhere(folder: Path, name: str) -> Path:
    """The folder of another machine with the same key."""
    elsewhere = folder.with_name(f"{folder.name} {name}")
    elsewhere.mkdir()
    shutil.copy(folder / "key", elsewhere)
    return elsewhere


@contextmanager
def _small_pages() -> Iterator[None]:
    """Snapshots with the smallest pages of SQLite: the whole vault then has a size whose every byte can be flipped."""
    connect = catalogue._connect

    def small() -> sqlite3.Connection:
        db = connect()
        db.execute("PRAGMA page_size=512")
        return db

    catalogue._connect = small
    try:
        yield
    finally:
        catalogue._connect = connect


def _all_of(memory: Memory) -> dict[str, object]:
    told = {one.name: getattr(memory, one.name) for one in fields(Memory) if one.name != "vectors"}
    vectors = {space: {name: v.tobytes() for name, v in by.items()} for space, by in memory.vectors.items()}
    return {**told, "vectors": vectors}


def _ranked(hits: Any) -> list[tuple[str, float]]:
    return [(hit.memory.id, round(hit.score, 4)) for hit in hits]


QUESTIONS: dict[str, Callable[[Vault], object]] = {
    "list": lambda vault: [_all_of(one) for one in vault.list(limit=None, order_by="created", include_superseded=True)],
    "search by words": lambda vault: _ranked(vault.search("tea in Lisbon", cut=False)),
    "search by vector": lambda vault: _ranked(vault.find_similar([0.1, 0.9, 0.2, 0.3])),
    "items": lambda vault: list(vault.items("chat").scan()),
    "get": lambda vault: [one and _all_of(one) for one in vault.get_many(["lisbon", "secret", "bob", "nobody"])],
    "history": lambda vault: [_all_of(one) for one in vault.history("lisbon")],
    "filter": lambda vault: [one.id for one in vault.list(filter={"metadata.stars": {"$gte": 3}})],
    "count": lambda vault: (vault.count(), vault.count(namespace=("office",)), vault.items("chat").count()),
    "about": lambda vault: (vault.boxes(), vault.namespaces(), vault.id, len(vault.slots()), _figures(vault)),
}
QUICK = ("list", "search by words", "search by vector", "items")  # between them they read every record and the index


def _figures(vault: Vault) -> tuple[object, ...]:
    stats = vault.stats()
    return stats.memories, stats.by_type, stats.items, stats.spaces, stats.commits, stats.owner, stats.created_at


@dataclass(slots=True)
class Finding:
    """What a stranger's change came to."""

    refusals: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def noticed(self) -> bool:
        """Whether anything was refused."""
        return bool(self.refusals)


def ask(vault: Vault, scene: Scene, *, kinds: type[VaultError] = VaultTamperedError, quick: bool = False) -> Finding:
    """Ask an open vault everything, and verify it at the end; `kinds` are the errors that it may answer with."""
    finding = Finding()
    for name in (*(QUICK if quick else QUESTIONS), "verify"):
        try:
            answer = vault.verify(full=True) and None if name == "verify" else QUESTIONS[name](vault)
        except kinds:
            finding.refusals.append(name)
        except Exception as error:  # noqa: BLE001  whatever it is, it is not what a vault may raise
            finding.problems.append(f"{name} raises {error!r}")
        else:
            if name != "verify" and answer != scene.truth[name]:
                finding.problems.append(f"{name} gives another answer: {answer!r}")
    if scene.anchor_path.read_bytes() != scene.anchor:
        finding.problems.append("the machine remembers something else of the vault")
    return finding


def judge(scene: Scene, *, kinds: type[VaultError] = VaultTamperedError, quick: bool = False) -> Finding:
    """Open the vault as it is now and ask."""
    try:
        vault = scene.open()
    except kinds:
        return Finding(refusals=["open"])
    except Exception as error:  # noqa: BLE001  as above
        return Finding(problems=[f"open raises {error!r}"])
    with vault:
        return ask(vault, scene, kinds=kinds, quick=quick)


def raw(path: Path) -> object:
    """All that a store hands over, or the error that it raises instead."""
    try:
        with closing(SqliteStore(path)) as store:
            addresses = list(store.addresses(-(1 << 62)))
            return (
                store.read_header(),
                store.head(),
                list(store.entries(-(1 << 62))),
                store.records(addresses),
                {name: store.part(name) for name in store.parts()},
            )
    except VaultError as error:
        return error


def before_any_key(path: Path) -> Iterator[range]:
    """The bytes that docs/format.md §2 lists as read before any key."""
    yield range(100)
    with closing(SqliteStore(path)) as store:
        header: StoredHeader = store.read_header()
    whole = path.read_bytes()
    for piece in header:
        start = whole.index(piece)
        yield range(start, start + len(piece))


def journal_of(path: Path) -> Path:
    """Where SQLite keeps the journal of a file."""
    return path.with_name(path.name + "-wal")


def remove_journal(path: Path) -> None:
    """Remove what a session may have left beside a tampered file."""
    for left in (journal_of(path), path.with_name(path.name + "-shm")):
        with suppress(FileNotFoundError):
            left.unlink()
