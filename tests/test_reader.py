"""The independent reader: it agrees with every vector, and its sealing with the library's."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

from reader import Dump, Refused, plain, read_vault
from reader.cobblestone import decrypt, encrypt
from reader.database import SCHEMA
from reader.sealing import is_sealed_length, padme
from reader.wire import json_text
from vectors import make
from vectors.files import FOLDER, load, names

GOOD = [name for name in names() if name.startswith("good-")]
BAD = [name for name in names() if not name.startswith("good-")]
AROUND_CHUNKS = [0, 1, 16_383, 16_384, 16_385, 32_768, 40_000]

Damage = Callable[[sqlite3.Connection], object]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_vector_has_its_state(name: str) -> None:
    vector = load(name)

    assert plain(read_vault(Dump.of_vector(vector), **vector["unlock"])) == vector["expect"]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_vector_is_refused(name: str) -> None:
    vector = load(name)

    with pytest.raises(Refused) as refused:
        read_vault(Dump.of_vector(vector), **vector["unlock"])

    assert refused.value.error == vector["expect"]["error"]


def test_the_vectors_are_what_their_generator_writes() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}

    assert written == make.texts()


def test_any_flipped_bit_is_refused() -> None:
    vector = load("good-every-field")
    whole = Dump.of_vector(vector)
    dice = random.Random(5)

    for _ in range(500):
        flipped = with_a_flipped_bit(whole, dice)
        with pytest.raises(Refused):
            read_vault(flipped, **vector["unlock"])


def with_a_flipped_bit(dump: Dump, dice: random.Random) -> Dump:
    entries, records = dict(dump.entries), dict(dump.records)
    header = {"body": dump.body, "mac": dump.mac}
    whole: dict[object, bytes] = dice.choice([entries, records, header])  # type: ignore[list-item]
    key = dice.choice(list(whole))
    changed = bytearray(whole[key])
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    whole[key] = bytes(changed)
    return Dump(body=header["body"], mac=header["mac"], entries=entries, records=records)


@pytest.mark.parametrize("size", AROUND_CHUNKS)
def test_cobblestone_opens_what_the_library_sealed(size: int) -> None:
    key, context, message = os.urandom(32), os.urandom(80), os.urandom(size)
    library = Cobblestone256Encryptor(key, context)
    sealed = library.update(message) + library.finalize()

    assert decrypt(key, context, sealed) == message
    assert encrypt(key, context, message, salt=sealed[:24]) == sealed


@pytest.mark.parametrize("size", AROUND_CHUNKS)
def test_the_library_opens_what_cobblestone_sealed(size: int) -> None:
    key, context, message = os.urandom(32), os.urandom(80), os.urandom(size)
    library = Cobblestone256Decryptor(key, context)
    opened = library.update(encrypt(key, context, message, salt=os.urandom(24)))

    assert opened + library.finalize() == message


@pytest.mark.parametrize("size", AROUND_CHUNKS)
def test_cobblestone_opens_nothing_else(size: int) -> None:
    key, context, message = os.urandom(32), b"here", os.urandom(size)
    sealed = encrypt(key, context, message, salt=os.urandom(24))
    cuts = [sealed[:cut] for cut in (0, 23, 24, 55, 56, 71, len(sealed) - 1)]
    changes = [*cuts, sealed + b"\0", sealed[:-1] + bytes([sealed[-1] ^ 1])]

    for other_key, other_context, other in [
        (os.urandom(32), context, sealed),
        (key, b"there", sealed),
        *((key, context, change) for change in changes),
    ]:
        with pytest.raises(Refused):
            decrypt(other_key, other_context, other)


def test_a_full_last_chunk_is_a_cut_message() -> None:
    sealed = encrypt(bytes(32), b"", bytes(16_384), salt=bytes(24))

    with pytest.raises(Refused, match="cut"):
        decrypt(bytes(32), b"", sealed[:-16])


def test_padme_keeps_the_leading_bits() -> None:
    lengths = [2, 3, 4, 8, 9, 17, 65, 255, 1000, 1_000_000]

    assert [padme(length) for length in lengths] == [
        2, 3, 4, 8, 10, 18, 72, 256, 1024, 1_015_808,
    ]  # fmt: skip


def test_a_sealed_length_is_one_that_sealing_gives() -> None:
    made = {56 + padded + 16 * (padded // 16_384 + 1) for padded in map(padme, range(4, 40_000))}

    assert made == {length for length in range(max(made) + 1) if is_sealed_length(length)}


def vault_file(path: Path, name: str = "good-boxes", damage: Damage | None = None) -> Path:
    """The vector as a vault file of section 2."""
    dump = Dump.of_vector(load(name))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA application_id = 0x53524F4D;"
            "PRAGMA user_version = 1;" + ";".join(SCHEMA)
        )
        database.execute("INSERT INTO header VALUES (1, ?, ?)", (dump.body, dump.mac))
        database.executemany("INSERT INTO entry VALUES (?, ?)", dump.entries.items())
        database.executemany("INSERT INTO record VALUES (?, ?)", dump.records.items())
        if damage:
            damage(database)
    return path


def run(statement: str) -> Damage:
    return lambda database: database.executescript(statement)


def test_a_vault_file_is_read_through_sqlite(tmp_path: Path) -> None:
    vector = load("good-boxes")
    path = vault_file(tmp_path / "with space & ?.vault")

    assert plain(read_vault(path, **vector["unlock"])) == vector["expect"]


def test_a_vault_file_is_read_while_another_connection_writes(tmp_path: Path) -> None:
    vector = load("good-boxes")
    path = vault_file(tmp_path / "alice.vault")

    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM entry")
        assert plain(read_vault(path, **vector["unlock"])) == vector["expect"]
        writer.execute("ROLLBACK")


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = 0",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA journal_mode = DELETE; PRAGMA page_size = 4096; VACUUM; PRAGMA journal_mode = WAL",
        "CREATE TABLE more (one INTEGER)",
        "CREATE INDEX by_body ON entry (body)",
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN SELECT 1; END",
        "DROP TABLE part",
        "DROP TABLE part; CREATE TABLE part (name TEXT PRIMARY KEY, body BLOB NOT NULL)",
        "ALTER TABLE record ADD COLUMN more BLOB",
        "DELETE FROM header",
        "UPDATE header SET body = CAST(body AS TEXT)",
        "UPDATE entry SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM entry)",
        "DELETE FROM record",
    ],
)
def test_a_vault_file_of_another_shape_is_refused(tmp_path: Path, statement: str) -> None:
    path = vault_file(tmp_path / "alice.vault", damage=run(statement))

    with pytest.raises(Refused) as refused:
        read_vault(path, **load("good-boxes")["unlock"])

    assert refused.value.error == "VaultTamperedError"


def test_a_newer_vault_file_is_too_new(tmp_path: Path) -> None:
    path = vault_file(tmp_path / "alice.vault", damage=run("PRAGMA user_version = 2"))

    with pytest.raises(Refused) as refused:
        read_vault(path, secret="")

    assert refused.value.error == "FormatTooNewError"


def test_what_is_no_vault_is_not_found(tmp_path: Path) -> None:
    text, empty, cut = tmp_path / "text", tmp_path / "empty", tmp_path / "cut"
    text.write_text("no vault at all" * 100)
    empty.touch()
    whole = vault_file(tmp_path / "alice.vault").read_bytes()
    cut.write_bytes(whole[:99])
    other = vault_file(tmp_path / "other", damage=run("PRAGMA application_id = 1"))

    for path in (text, empty, cut, other, tmp_path, tmp_path / "missing"):
        with pytest.raises(Refused) as refused:
            read_vault(path, secret="")
        assert refused.value.error == "VaultNotFoundError", path


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = vault_file(tmp_path / "alice.vault")
    path.write_bytes(path.read_bytes()[:8192] + bytes(8192))

    with pytest.raises(Refused) as refused:
        read_vault(path, **load("good-boxes")["unlock"])

    assert refused.value.error == "VaultTamperedError"


def test_json_counts_containers_inside_one_another() -> None:
    for text in ("[" * 64 + "]" * 64, "[[],[]]", '["' + "[" * 99 + '\\"]' + '"]', "[" + "[]," * 99 + "[]]"):
        json_text(text)
    for text in ("[" * 65 + "]" * 65, '{"a":' * 65 + "0" + "}" * 65, '{"a":' + "[" * 64 + "]" * 64 + ',"a":0}'):
        with pytest.raises(Refused, match="deep"):
            json_text(text)


def test_the_reader_imports_nothing_of_the_product() -> None:
    program = "import sys, reader; sys.exit(any(name.split('.')[0] == 'vault_core' for name in sys.modules))"

    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parent)
