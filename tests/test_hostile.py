"""A stranger's vault, header, file or folder: bounded before it costs anything, and refused with a `VaultError`."""

import base64
import hashlib
import json
import os
import random
import socket
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from support import hostile
from support.flips import in_ram
from support.strangers import Tables
from support.tamper import Scene, build, judge
from support.vaults import create, key_in, reopen
from vault_core import (
    FileKey,
    FormatTooNewError,
    InvalidInputError,
    Passphrase,
    UnavailableError,
    Vault,
    VaultError,
    VaultNotFoundError,
    VaultTamperedError,
    WrongPassphraseError,
)
from vault_core.keys import Header, providers
from vault_core.memory.model import StoredHeader

MUTATED_FILES = 300
SLACK = 32  # MiB that any opening may take
PAGE = 8192


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return build(tmp_path_factory.mktemp("hostile") / "scene")


@pytest.fixture
def scene(original: Scene) -> Iterator[Scene]:
    with in_ram(original) as copy:
        yield copy


# What it may cost


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("what", "statement", "size"),
    [
        ("header of 900 MB", "UPDATE header SET body = zeroblob(?)", 900_000_000),
        ("header of 200 MB", "UPDATE header SET body = zeroblob(?)", 200 << 20),
        ("header of text", "UPDATE header SET body = CAST(zeroblob(?) AS TEXT)", 100 << 20),
        ("mac of 200 MB", "UPDATE header SET mac = zeroblob(?)", 200 << 20),
        ("entry of 200 MB", "UPDATE entry SET body = zeroblob(?) WHERE seq = (SELECT max(seq) FROM entry)", 200 << 20),
        ("record of 200 MB", "UPDATE record SET body = zeroblob(?) WHERE address IN (SELECT max(address) FROM record)",
         200 << 20),
    ],
    ids=lambda value: value if isinstance(value, str) and " of " in value and " SET " not in value else "",
)  # fmt: skip
def test_a_row_of_any_size_is_refused_before_it_is_read(scene: Scene, what: str, statement: str, size: int) -> None:
    run(scene.path, statement, size)

    kind, mebibytes = hostile.cost_of_opening(scene.path, scene.folder / "key")

    assert kind == "VaultTamperedError"
    assert mebibytes < SLACK


@pytest.mark.parametrize(
    "rows",
    [
        "INSERT INTO entry SELECT x + 100, zeroblob(1000) FROM numbers",
        "INSERT INTO record SELECT (x << 24), zeroblob(1000) FROM numbers",
        "INSERT INTO part SELECT 'part ' || x, zeroblob(1000) FROM numbers",
    ],
    ids=["entries", "records", "parts"],
)
def test_a_hundred_thousand_planted_rows_cost_no_more_than_their_bytes(scene: Scene, rows: str) -> None:
    numbers = "WITH RECURSIVE numbers (x) AS (SELECT 1000 UNION ALL SELECT x + 1 FROM numbers WHERE x < 101000) "
    run(scene.path, numbers + rows)

    kind, mebibytes = hostile.cost_of_opening(scene.path, scene.folder / "key")

    assert kind == ("nothing" if "part" in rows else "VaultTamperedError")  # parts are a cache
    assert mebibytes < SLACK + (scene.path.stat().st_size >> 20)


@pytest.mark.exhaustive
def test_small_bytes_that_promise_to_become_large_ones_are_refused_where_they_stand() -> None:
    costs = hostile.cost_of_parsing()

    assert len(costs) > 80
    assert max(costs.values()) < 100, max(costs, key=lambda name: costs[name])


def test_the_meter_sees_what_is_taken() -> None:
    """The control: a parser that believes a promise costs what it promises."""
    kind, mebibytes = hostile.run_program(hostile.believe).split()

    assert (kind, int(mebibytes) > 200) == ("nothing", True)


# Headers


class Stranger:
    """Makes headers whose checksum is right, as anyone can."""

    def __init__(self, stored: tuple[bytes, bytes]) -> None:
        self.body, self.mac = stored
        self.fields: dict[str, Any] = json.loads(self.body)

    def stored(self, **changes: Any) -> StoredHeader:
        """The header with other fields."""
        body = json.dumps({**self.fields, **changes}, sort_keys=True, separators=(",", ":")).encode()
        return StoredHeader(body, self.mac[:32] + hashlib.sha256(body + self.mac[:32]).digest())

    def with_slot(self, **changes: Any) -> StoredHeader:
        """The header with another first slot."""
        slot = {**self.fields["slots"][0], **changes}
        return self.stored(slots=[slot])


@pytest.fixture
def stranger(original: Scene) -> Stranger:
    return Stranger(Tables.of(original.earlier[-1]).header)


def argon2(m: int, t: int, p: int) -> dict[str, Any]:
    return {"name": "argon2id", "m": m, "t": t, "p": p, "salt": base64.b64encode(bytes(16)).decode()}


LIMITS = [0, 1, 8, 2**21, 2**21 + 1, 2**31, 2**32 - 1, 2**64, -1]


def test_key_derivation_beyond_the_limits_is_refused_and_never_begun(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(providers, "argon2id", lambda *cost: begun.append(cost))

    refused = 0
    for m, t, p in product(LIMITS, [0, 1, 16, 17, 2**32 - 1], [0, 1, 16, 17, 2**32 - 1]):
        stored = stranger.with_slot(kind="passphrase", kdf=argon2(m, t, p))
        if 8 * p <= m <= 2**21 and 1 <= t <= 16 and 1 <= p <= 16:
            Header.parse(stored)
            continue
        with pytest.raises(VaultTamperedError):
            Header.parse(stored).unlock([Passphrase("correct horse battery staple")])
        refused += 1

    assert refused > 150
    assert begun == []


WRONG_TYPES: tuple[Any, ...] = (None, True, 1.0, "1", "", [], {}, [[]], -1, 2**64, 10**30, "é", "\0")


@pytest.mark.parametrize("name", ["format", "suite", "vault", "generation", "key_generation", "keyring", "slots"])
def test_a_header_field_of_any_other_kind_is_refused(original: Scene, stranger: Stranger, name: str) -> None:
    for value in WRONG_TYPES:
        stored = stranger.stored(**{name: value})
        with pytest.raises((VaultTamperedError, FormatTooNewError, WrongPassphraseError)):
            unlock(stored, original)


@pytest.mark.parametrize("name", ["id", "kind", "kdf", "sealed"])
def test_a_slot_field_of_any_other_kind_is_refused(stranger: Stranger, name: str) -> None:
    for value in WRONG_TYPES:
        with pytest.raises(VaultTamperedError):
            Header.parse(stranger.with_slot(**{name: value}))


def unlock(stored: StoredHeader, scene: Scene) -> None:
    """All that is done with a header before anything else is read."""
    header = Header.parse(stored)
    mek, _ = header.unlock([key_in(scene.folder)])
    header.check(stored, mek)


def test_the_header_itself_is_accepted(original: Scene, stranger: Stranger) -> None:
    unlock(stranger.stored(), original)


def test_more_slots_than_the_format_has_are_refused(stranger: Stranger) -> None:
    slot = stranger.fields["slots"][0]
    for count in (17, 100, 200):
        slots = [{**slot, "id": number.to_bytes(16, "big").hex()} for number in range(count)]
        with pytest.raises(VaultTamperedError):
            Header.parse(stranger.stored(slots=slots))


def test_a_newer_format_is_too_new_wherever_it_says_so(scene: Scene, stranger: Stranger) -> None:
    for stored in (stranger.stored(format=2), stranger.stored(suite="something-better")):
        scene.restore()
        run(scene.path, "UPDATE header SET body = ?, mac = ?", *stored)
        with pytest.raises(FormatTooNewError, match="upgrade"):
            scene.open()
    scene.restore()
    run(scene.path, "PRAGMA user_version = 2")
    with pytest.raises(FormatTooNewError, match="upgrade"):
        scene.open()


def test_a_wrong_secret_has_one_answer_whatever_the_cause(
    scene: Scene, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another secret, a slot of another vault, another salt, other sealed bytes: the same words after the same work."""
    derived: list[object] = []
    derive = providers.kek_from_secret
    monkeypatch.setattr(providers, "kek_from_secret", lambda *given: derived.append(given) or derive(*given))
    own = stranger.fields["slots"][0]
    (foreign,) = Stranger(Tables.of(scene.sibling).header).fields["slots"]
    sealed = bytearray(base64.b64decode(own["sealed"]))
    sealed[-1] ^= 1
    salt = base64.b64encode(bytes(16)).decode()
    causes: dict[str, tuple[FileKey, StoredHeader]] = {
        "another secret": (key_in(scene.folder, "other"), StoredHeader(*Tables.of(scene.earlier[-1]).header)),
        "another id": (key_in(scene.folder), stranger.with_slot(id=bytes(16).hex())),
        "another salt": (key_in(scene.folder), stranger.with_slot(kdf={"name": "hkdf-sha512", "salt": salt})),
        "a slot of another vault": (key_in(scene.folder), stranger.stored(slots=[foreign])),
        "another vault": (key_in(scene.folder), stranger.stored(vault=bytes(16).hex())),
        "other bytes": (key_in(scene.folder), stranger.with_slot(sealed=base64.b64encode(sealed).decode())),
    }
    told = set()
    for name, (key, stored) in causes.items():
        scene.restore()
        run(scene.path, "UPDATE header SET body = ?, mac = ?", *stored)
        derived.clear()
        with pytest.raises(WrongPassphraseError) as refused:
            Vault.open(scene.path, unlock=key)
        told.add((str(refused.value), len(derived), refused.value.__cause__, path_of(refused)))
        assert name  # shown when the set is not of one

    assert len(told) == 1


def path_of(refused: pytest.ExceptionInfo[BaseException]) -> tuple[str, ...]:
    """The functions an error came through."""
    return tuple(f"{entry.path}:{entry.lineno}" for entry in refused.traceback[1:])


# Files that are no vaults


def no_vaults() -> dict[str, bytes]:
    page = bytearray(PAGE)
    page[:16] = b"SQLite format 3\0"
    return {
        "empty": b"",
        "one byte": b"\0",
        "text": b"My memories\n" * 1000,
        "zeros": bytes(100_000),
        "the magic alone": b"SQLite format 3\0",
        "a page of the magic": bytes(page),
        "noise": random.Random(4).randbytes(100_000),
        "json": b"[" * 100_000,
        "a zip": b"PK\x03\x04" + bytes(1000),
    }


@pytest.mark.parametrize("content", no_vaults().values(), ids=no_vaults().keys())
def test_a_file_that_is_no_vault_is_not_found_to_be_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alice.vault"
    path.write_bytes(content)

    with pytest.raises(VaultNotFoundError):
        Vault.open(path, unlock=key_in(tmp_path))

    assert path.read_bytes() == content


def test_a_database_of_another_program_is_not_found_to_be_a_vault(tmp_path: Path) -> None:
    path = tmp_path / "alice.vault"
    run(path, "CREATE TABLE header (one)")
    before = path.read_bytes()

    with pytest.raises(VaultNotFoundError):
        Vault.open(path, unlock=key_in(tmp_path))

    assert path.read_bytes() == before


@pytest.mark.exhaustive
def test_a_mutated_file_gives_the_truth_or_a_vault_error(scene: Scene) -> None:
    dice = random.Random(5)
    outcomes = {"refused": 0, "truth": 0}
    for number in range(MUTATED_FILES):
        scene.restore()
        scene.path.write_bytes(mutated(scene.earlier[-1], dice))
        finding = judge(scene, kinds=VaultError, quick=True)
        assert finding.problems == [], number
        outcomes["refused" if finding.noticed else "truth"] += 1

    assert outcomes["refused"] > MUTATED_FILES // 4
    assert outcomes["truth"] > 0


def mutated(whole: bytes, dice: random.Random) -> bytes:
    """The file with a few changes of the kinds that parsers of files dislike."""
    file = bytearray(whole)
    for _ in range(dice.choice([1, 1, 2, 4, 16])):
        at, size = dice.randrange(len(file)), dice.choice([1, 2, 4, 9, 100, PAGE])
        match dice.randrange(7):
            case 0:
                file[at : at + size] = dice.randbytes(len(file[at : at + size]))
            case 1:
                file[at : at + size] = bytes(len(file[at : at + size]))
            case 2:
                file[at : at + size] = b"\xff" * len(file[at : at + size])
            case 3:  # the start of a page: what kind it is, where its cells lie
                at = at // PAGE * PAGE + (100 if at < PAGE else 0)
                file[at : at + 8] = dice.randbytes(8)
            case 4:  # a cell pointer or a size to elsewhere
                file[at : at + 2] = struct.pack(">H", dice.choice([0, 1, 8, 100, 4096, 8191, 65_535]))[: len(file) - at]
            case 5:  # a page number
                file[at : at + 4] = struct.pack(">I", dice.choice([0, 1, 2, 3, 2**31, 2**32 - 1]))[: len(file) - at]
            case _:
                source = dice.randrange(len(file) // PAGE) * PAGE
                file[at // PAGE * PAGE : at // PAGE * PAGE + PAGE] = file[source : source + PAGE]
    return bytes(file)


# Places that are no files


@contextmanager
def folder_of_oddities(folder: Path) -> Iterator[Path]:
    """Things that are no files, under names."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to(folder / "loop")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        yield folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pipe", VaultNotFoundError),
        ("folder", VaultNotFoundError),
        ("socket", VaultNotFoundError),
        ("missing/alice.vault", VaultNotFoundError),
        ("loop", InvalidInputError),
        ("a" * 5000, InvalidInputError),
        ("/dev/null", VaultNotFoundError),
        ("/dev/zero", VaultNotFoundError),
        ("/dev/tty", VaultNotFoundError),
        ("/", VaultNotFoundError),
    ],
    ids=lambda value: value[:20].strip("/") or "root" if isinstance(value, str) else "",
)
def test_what_is_no_file_is_refused_without_being_opened(
    tmp_path_factory: pytest.TempPathFactory, name: str, kind: type[VaultError]
) -> None:
    with folder_of_oddities(tmp_path_factory.mktemp("odd")) as folder:
        with pytest.raises(kind):
            Vault.open(folder / name, unlock=FileKey(folder / "key"))
        with pytest.raises(VaultError):
            Vault.create(folder / name, unlock=key_in(folder))


@pytest.mark.parametrize(
    "location",
    ["", "\0", "a\0b", b"alice.vault", 7, None, [], {}, object(), "http://host/x", "s3://", "postgresql://x", "://",
     "sqlite://host/alice.vault", "memory://", "~no-such-user/alice.vault", "\ud800"],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_location_is_the_callers_mistake(tmp_path: Path, location: Any) -> None:
    with pytest.raises(InvalidInputError):
        Vault.open(location, unlock=key_in(tmp_path))


@pytest.mark.parametrize(
    "name", ["a b ?mode=memory&x#y%00%.vault", "Übergrößenträger 金庫.vault", "a\nb", "\udcff.vault"], ids=ascii
)
def test_a_vault_may_have_any_name(tmp_path: Path, name: str) -> None:
    with create(tmp_path, name) as vault:
        vault.add("tea", id="tea")

    with reopen(tmp_path, name) as vault:
        assert vault.get("tea").text == "tea"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"{name}.lock", "key"])


def test_a_vault_behind_a_link_is_the_same_vault(tmp_path: Path) -> None:
    create(tmp_path).close()
    (tmp_path / "link").symlink_to(tmp_path / "alice.vault")

    with reopen(tmp_path, exclusive=True), pytest.raises(VaultError, match="exclusively"):
        reopen(tmp_path, "link")
    with reopen(tmp_path, "link") as vault:
        vault.add("tea", id="tea")
    with reopen(tmp_path) as vault:
        assert vault.get("tea").text == "tea"


@pytest.mark.parametrize("suffix", ["-wal", "-shm", ".lock", "-journal"])
@pytest.mark.parametrize("what", ["folder", "pipe", "noise", "link", "dangling link"])
def test_what_lies_beside_a_vault_gives_the_truth_or_a_vault_error(scene: Scene, suffix: str, what: str) -> None:
    beside = scene.path.with_name(scene.path.name + suffix)
    beside.unlink(missing_ok=True)
    elsewhere = scene.folder / "elsewhere"
    elsewhere.write_text("precious")
    makers: dict[str, Callable[[], object]] = {
        "folder": beside.mkdir,
        "pipe": lambda: os.mkfifo(beside),
        "noise": lambda: beside.write_bytes(random.Random(6).randbytes(50_000)),
        "link": lambda: beside.symlink_to(elsewhere),
        "dangling link": lambda: beside.symlink_to(scene.folder / "nowhere"),
    }
    makers[what]()

    finding = judge(scene, kinds=VaultError)

    assert finding.problems == []
    assert elsewhere.read_text() == "precious"
    assert not (scene.folder / "nowhere").exists()


def test_a_planted_rollback_journal_deletes_nothing_and_brings_back_nothing(scene: Scene) -> None:
    """SQLite plays such a journal back and then deletes the file that it names as the journal of all databases."""
    precious = scene.folder / "precious"
    precious.write_text("no journal at all")
    journal = scene.path.with_name(scene.path.name + "-journal")
    journal.write_bytes(rollback_journal(scene.earlier[-2], naming=precious))

    finding = judge(scene)

    assert (finding.problems, finding.refusals) == ([], ["open"])
    assert precious.exists()
    journal.unlink()
    assert judge(scene).refusals == []


def rollback_journal(pages: bytes, *, naming: Path) -> bytes:
    """A hot journal that SQLite believes: sqlite.org/fileformat.html §3."""
    magic, nonce, name = bytes.fromhex("d9d505f920a163d7"), 7, os.fsencode(naming)
    count = len(pages) // PAGE
    journal = (magic + struct.pack(">5I", count, nonce, count, 512, PAGE)).ljust(512, b"\0")
    for number in range(count):
        page = pages[number * PAGE : (number + 1) * PAGE]
        checksum = (nonce + sum(page[at] for at in range(PAGE - 200, 0, -200))) & 0xFFFFFFFF
        journal += struct.pack(">I", number + 1) + page + struct.pack(">I", checksum)
    end = struct.pack(">I", (1 << 30) // PAGE + 1) + name + struct.pack(">2I", len(name), sum(name) & 0xFFFFFFFF)
    return journal + end + magic


def test_sqlite_believes_the_planted_journal(tmp_path: Path) -> None:
    """The control: what the test above plants would have worked."""
    path, precious = tmp_path / "any.db", tmp_path / "precious"
    run(path, f"PRAGMA page_size = {PAGE}", "CREATE TABLE kept (one)")
    before = path.read_bytes()
    run(path, "DROP TABLE kept", "CREATE TABLE other (one)")
    precious.write_text("no journal at all")
    (tmp_path / "any.db-journal").write_bytes(rollback_journal(before, naming=precious))

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("kept",)]
    assert not precious.exists()


# Places that may not be read or written


@pytest.fixture
def ordinary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a vault, for someone whom file modes stop: root gives its rights up for the length of the test."""
    folder = tmp_path_factory.mktemp("ordinary")
    monkeypatch.setenv("STRONGROOM_STATE_DIR", str(folder / "state"))
    with create(folder) as vault:
        vault.add("tea", id="tea")
    with reopen(folder) as vault:  # everything is imported before the rights go
        vault.verify(full=True)
    with as_anyone(folder):
        yield folder


@contextmanager
def as_anyone(folder: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    nobody = 65_534
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody, nobody)
    above = [path for path in folder.parents if path.stat().st_mode & 0o001 == 0]
    modes = [path.stat().st_mode for path in above]
    for path in above:
        path.chmod(0o711)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in zip(above, modes, strict=True):
            path.chmod(mode)


def test_a_vault_that_may_not_be_read_is_unavailable(ordinary: Path) -> None:
    (ordinary / "alice.vault").chmod(0)

    for options in ({}, {"read_only": True}, {"exclusive": True}):
        with pytest.raises(UnavailableError, match="permissions"):
            reopen(ordinary, **options)


def test_a_vault_that_may_not_be_written_is_read_and_refuses_to_be_written(ordinary: Path) -> None:
    (ordinary / "alice.vault").chmod(0o400)

    with reopen(ordinary) as vault:
        assert vault.get("tea").text == "tea"
        with pytest.raises(UnavailableError, match="permissions"):
            vault.add("coffee")
        assert vault.count() == 1


def test_a_vault_in_a_folder_that_may_not_be_written_is_refused_by_its_kind(ordinary: Path) -> None:
    key = ordinary / "key"
    before = sorted(path.name for path in ordinary.iterdir())
    ordinary.chmod(0o555)

    for options in ({}, {"read_only": True}, {"exclusive": True}):
        with pytest.raises(UnavailableError, match="permissions"):
            reopen(ordinary, **options)
    with pytest.raises(UnavailableError):
        Vault.create(ordinary / "new.vault", unlock=FileKey(key))

    assert sorted(path.name for path in ordinary.iterdir()) == before


def test_a_folder_that_may_not_be_entered_is_the_callers_mistake_or_unavailable(ordinary: Path) -> None:
    key = FileKey(ordinary / "key")
    ordinary.chmod(0)
    try:
        with pytest.raises((UnavailableError, InvalidInputError)):
            Vault.open(ordinary / "alice.vault", unlock=key)
        with pytest.raises((UnavailableError, InvalidInputError)):
            Vault.create(ordinary / "new.vault", unlock=key)
    finally:
        ordinary.chmod(0o700)


def test_what_this_machine_remembers_must_be_readable_and_writable(ordinary: Path) -> None:
    (anchor,) = (ordinary / "state" / "anchors").iterdir()
    anchor.chmod(0o400)
    with pytest.raises(UnavailableError, match="anchor"), reopen(ordinary) as vault:
        vault.add("coffee")
    anchor.chmod(0)
    with pytest.raises(UnavailableError, match="anchor"):
        reopen(ordinary)


def test_a_state_folder_that_is_a_file_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path).close()
    monkeypatch.setenv("STRONGROOM_STATE_DIR", str(tmp_path / "key"))

    with pytest.raises(UnavailableError, match="anchor"):
        reopen(tmp_path)


def run(path: Path, *statement_and_values: Any) -> None:
    """Change a file through a connection of the stranger's own: a statement with its values, or several statements."""
    statement, *values = statement_and_values
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if values and isinstance(values[0], str):
            for one in statement_and_values:
                db.execute(one)
        else:
            db.execute(statement, values)
