"""The statements by which a vault's rows are read and changed.

Rules:
- The critical section is READ COMMITTED, whatever the database's default: who waited for the lock has to see what came.
- Nothing is read without a bound: a result is given up as soon as it has more rows or bytes than were asked for.
- A change is one pipeline: all of it is sent before the first answer is awaited, COMMIT included.
- Records go in by arrays. COPY would be refused: it does not work under row-level security.
- Erasing overwrites with zeros of the same length; what is erased already is left alone.
- A dropped part leaves its row without a body, for the next part to take: nobody has DELETE.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg import pq

from vault_core.errors import VaultTamperedError
from vault_core.store.base import Change, Head, StoredHeader
from vault_core.store.postgres.address import SETTINGS

MAX_BODY = (
    68 << 20
)  # the largest sealed record, 64 MiB before padding: what one row of a hostile server may make us keep
BATCH = 500  # entries or addresses for one query
BATCH_BYTES = 16 << 20  # after which a batch of entries ends early
MANY = 10_000  # bare addresses for one query
_ARRAY_BYTES = 4 << 20  # of records in one statement
_ARRAY_ROWS = 2_000
_TAMPERED = "the vault's tables are damaged"

Connection = psycopg.Connection[Any]

# Where the database's owner has turned waiting for the disk off, a vault turns it on: for a transaction, or for good.
DURABLE = """
    SELECT set_config('synchronous_commit', 'on', %b) WHERE current_setting('synchronous_commit') = 'off'
"""
HEADER = "SELECT header, mac FROM strongroom.vault WHERE id = %b"
LOCKED = HEADER + " FOR UPDATE"
_LOCK = "SELECT FROM strongroom.vault WHERE id = %b FOR UPDATE"
HEAD = "SELECT max(seq) FROM strongroom.entry WHERE vault = %b"
ENTRIES = """
    SELECT seq, body FROM (
        SELECT seq, body, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before FROM (
            SELECT seq, body FROM strongroom.entry
            WHERE vault = %b AND seq > %b::bigint AND seq <= %b::bigint ORDER BY seq LIMIT %b::bigint
        ) AS found
    ) AS counted WHERE before < %b::bigint ORDER BY seq
"""
ENTRY = "SELECT body FROM strongroom.entry WHERE vault = %b AND seq = %b::bigint"
RECORDS = "SELECT address, body FROM strongroom.record WHERE vault = %b AND address = ANY(%b::bigint[])"
ADDRESSES = """
    SELECT address FROM strongroom.record WHERE vault = %b AND address > %b::bigint ORDER BY address LIMIT %b::bigint
"""
PART = "SELECT body FROM strongroom.part WHERE vault = %b AND name = %b AND body IS NOT NULL"
PARTS = "SELECT name FROM strongroom.part WHERE vault = %b AND body IS NOT NULL ORDER BY name"
SIZE = " + ".join(
    f"(SELECT coalesce(sum(octet_length(body)), 0) FROM strongroom.{table} WHERE vault = %(vault)b)"  # noqa: S608
    for table in ("entry", "record", "part")
)
_ADD_ENTRY = "INSERT INTO strongroom.entry (vault, seq, body) VALUES (%b, %b::bigint, %b)"
_ADD_COMMIT = """
    WITH entry AS (INSERT INTO strongroom.entry (vault, seq, body) VALUES (%b, %b::bigint, %b))
    INSERT INTO strongroom.record (vault, address, body)
    SELECT %b::uuid, %b::bigint + n - 1, body FROM unnest(%b::bytea[]) WITH ORDINALITY AS given (body, n)
"""  # in one statement, for each costs as much as what it does
_ADD_IF_AT = """
    WITH expected AS (
        SELECT 1 FROM strongroom.vault WHERE id = %(vault)b AND header = %(header)b AND mac = %(mac)b
        AND (SELECT max(seq) FROM strongroom.entry WHERE vault = %(vault)b) = %(seq)b::bigint - 1
    ), entry AS (
        INSERT INTO strongroom.entry (vault, seq, body)
        SELECT %(vault)b::uuid, %(seq)b::bigint, %(entry)b::bytea FROM expected RETURNING seq
    ), record AS (
        INSERT INTO strongroom.record (vault, address, body)
        SELECT %(vault)b::uuid, %(first)b::bigint + n - 1, body
        FROM expected, unnest(%(bodies)b::bytea[]) WITH ORDINALITY AS given (body, n)
    )
    SELECT count(*) FROM entry
"""
_ADD_RECORDS = """
    INSERT INTO strongroom.record (vault, address, body)
    SELECT %b::uuid, %b::bigint + n - 1, body FROM unnest(%b::bytea[]) WITH ORDINALITY AS given (body, n)
"""
_ERASE = """
    UPDATE strongroom.record SET body = decode(repeat('00', octet_length(body)), 'hex')
    WHERE vault = %b AND address = ANY(%b::bigint[]) AND bit_count(body) > 0
"""
_CHANGE_HEADER = "UPDATE strongroom.vault SET header = %b, mac = %b WHERE id = %b"
_DROP_PARTS = "UPDATE strongroom.part SET body = NULL WHERE vault = %b AND name = ANY(%b::text[])"
_PUT_PART = """
    WITH free AS MATERIALIZED (
        SELECT name FROM strongroom.part WHERE vault = %(vault)b AND body IS NULL AND NOT EXISTS (
            SELECT FROM strongroom.part WHERE vault = %(vault)b AND name = %(name)b
        ) LIMIT 1
    ), taken AS (
        UPDATE strongroom.part AS old SET name = %(name)b, body = %(body)b FROM free
        WHERE old.vault = %(vault)b AND old.name = free.name RETURNING 1
    )
    INSERT INTO strongroom.part (vault, name, body)
    SELECT %(vault)b::uuid, %(name)b::text, %(body)b::bytea WHERE NOT EXISTS (SELECT FROM taken)
    ON CONFLICT (vault, name) DO UPDATE SET body = EXCLUDED.body
"""
_ADD_VAULT = "INSERT INTO strongroom.vault (id, name, header, mac) VALUES (%b, %b, %b, %b)"
# After COMMIT, and not waiting for the disk: who notifies holds a lock of the whole server until it has committed.
_NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%b, %b)"


def read(db: Connection, query: str, values: Any, *, most: int) -> list[tuple[Any, ...]]:
    """The rows of a query that gives at most so many.

    Raises:
        VaultTamperedError: it gives more, or a value larger than any that a vault has.
    """
    found: list[tuple[Any, ...]] = []
    with db.cursor(binary=True) as cursor:
        for row in cursor.stream(query, values, size=_chunk(most)):
            if len(found) == most or any(isinstance(value, bytes) and len(value) > MAX_BODY for value in row):
                raise VaultTamperedError(_TAMPERED)
            found.append(row)
    return found


def begin(db: Connection, vault: UUID, *, pooler: bool) -> Head:
    """Enter the critical section: a transaction that holds the vault's row. One round trip.

    Raises:
        VaultTamperedError: the vault's row is gone.
    """
    with db.pipeline():
        _begin(db, pooler=pooler)
        header = db.execute(LOCKED, (vault,), binary=True)
        seq = db.execute(HEAD, (vault,), binary=True)  # its own statement: one that waited sees what came meanwhile
    return Head(_seq(seq.fetchone()), _header(header.fetchone()))


def is_plain(change: Change) -> bool:
    """Whether a change is a commit of a few records and nothing else."""
    rest = change.erase or change.header is not None or change.drop_parts or change.put_parts or change.purge
    return change.entry is not None and not rest and len(list(_arrays(0, change.records))) <= 1


def commit_at(
    db: Connection, vault: UUID, head: Head, change: Change, *, pooler: bool, channel: str, token: str
) -> bool:
    """Carry out a plain change if the vault is at `head`, whole or not at all. One round trip, in a section of its own.

    The vault's row is locked by a statement of its own: one that waited for it sees what came meanwhile.
    """
    added = done = None
    header = head.header or StoredHeader(b"", b"")
    first, bodies = next(_arrays(change.seq << 24, change.records), (0, []))
    values = {"vault": vault, "header": header.body, "mac": header.mac, "seq": change.seq}
    values |= {"entry": change.entry, "first": first, "bodies": bodies}
    try:
        with db.pipeline():
            _begin(db, pooler=pooler)
            db.execute(_LOCK, (vault,))
            added = db.execute(_ADD_IF_AT, values)
            done = db.execute("COMMIT")
            db.execute(_NOTIFY, (channel, token))
    except psycopg.Error:
        if not _succeeded(done):
            raise  # else only the telling failed
    return added is not None and added.fetchall() == [(1,)]


def commit(db: Connection, vault: UUID, change: Change, *, channel: str, token: str) -> None:
    """Carry out a change, leave the critical section, and tell who listens. One round trip.

    Its first statement gives no rows: after a query that was read in chunks, as `make` may do, libpq 18 would give
    those of a pipeline's first statement in chunks too, unasked, and the driver would refuse them.
    """
    done = None
    try:
        with db.pipeline():
            if change.entry is not None:
                _add(db, vault, change)
            _change(db, vault, change)
            done = db.execute("COMMIT")
            db.execute(_NOTIFY, (channel, token))
    except psycopg.Error:
        if not _succeeded(done):
            raise  # else only the telling failed


def create(db: Connection, vault: UUID, name: str, header: StoredHeader, entry: bytes) -> None:
    """Begin a vault. One round trip."""
    with db.pipeline():
        db.execute("BEGIN")
        db.execute(_ADD_VAULT, (vault, name, *header))
        db.execute(_ADD_ENTRY, (vault, 1, entry))
        db.execute("COMMIT")


def header_of(rows: Sequence[tuple[Any, ...]]) -> StoredHeader:
    """The header in a result.

    Raises:
        VaultTamperedError: there is none.
    """
    return _header(rows[0] if rows else None)


def seq_of(rows: Sequence[tuple[Any, ...]]) -> int:
    """The head in a result."""
    return _seq(rows[0] if rows else None)


def blob(value: Any) -> bytes:
    """A body.

    Raises:
        VaultTamperedError: it is something else.
    """
    if not isinstance(value, bytes):
        raise VaultTamperedError(_TAMPERED)
    return value


def _succeeded(done: psycopg.Cursor[Any] | None) -> bool:
    return done is not None and done.pgresult is not None and done.pgresult.status == pq.ExecStatus.COMMAND_OK


def _begin(db: Connection, *, pooler: bool) -> None:
    db.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
    if pooler:  # what other connections are told once
        for name, value in SETTINGS.items():
            if not name.startswith("tcp_"):
                db.execute("SELECT set_config(%b, %b, true)", (name, value))
        db.execute(DURABLE, (True,))


def _add(db: Connection, vault: UUID, change: Change) -> None:
    arrays = _arrays(change.seq << 24, change.records)
    first, bodies = next(arrays, (0, []))
    db.execute(_ADD_COMMIT, (vault, change.seq, change.entry, vault, first, bodies))
    for first, bodies in arrays:
        db.execute(_ADD_RECORDS, (vault, first, bodies))


def _change(db: Connection, vault: UUID, change: Change) -> None:
    if change.erase:
        db.execute(_ERASE, (vault, list(change.erase)))
    if change.header is not None:
        db.execute(_CHANGE_HEADER, (*change.header, vault))
    if change.drop_parts:
        db.execute(_DROP_PARTS, (vault, list(change.drop_parts)))
    for name, body in change.put_parts:
        db.execute(_PUT_PART, {"vault": vault, "name": name, "body": body})


def _arrays(first: int, records: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Records in arrays of a size that a server likes, each with the address of its first."""
    some: list[bytes] = []
    size = 0
    for record in records:
        if some and (size + len(record) > _ARRAY_BYTES or len(some) == _ARRAY_ROWS):
            yield first, some
            first, some, size = first + len(some), [], 0
        some.append(record)
        size += len(record)
    if some:
        yield first, some


def _chunk(most: int) -> int:
    return min(most, 100) if psycopg.capabilities.has_stream_chunked() else 1


def _header(row: tuple[Any, ...] | None) -> StoredHeader:
    if row is None:
        raise VaultTamperedError("the vault has no header")
    return StoredHeader(blob(row[0]), blob(row[1]))


def _seq(row: tuple[Any, ...] | None) -> int:
    seq = row[0] if row else None
    if seq is None:
        return 0
    if not isinstance(seq, int) or not 0 < seq < 1 << 38:  # address = seq << 24 | n has to fit 63 bits
        raise VaultTamperedError(_TAMPERED)
    return seq
