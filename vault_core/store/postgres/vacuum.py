"""Cleaning up after erasing: VACUUM, where the role may and the tables are small enough.

What it comes to: no query can bring back what was erased. The free space of pages, the write-ahead log, replicas and
backups keep the sealed bytes for a while all the same (docs/stores-postgres.md).
"""

import psycopg

from vault_core.store.postgres.database import Connection

AT_MOST = 1 << 30  # bytes of a table: a larger one is shared by many, and cleaned when its owner wants
_OURS = "unnest(ARRAY['strongroom.vault', 'strongroom.record', 'strongroom.part']::regclass[]) AS one"
_LARGEST = f"SELECT max(pg_total_relation_size(one)) FROM {_OURS}"  # noqa: S608  our own text
_DEAD = f"SELECT sum(pg_stat_get_dead_tuples(one)) FROM {_OURS}"  # noqa: S608  likewise
_VACUUM = "VACUUM (SKIP_LOCKED) strongroom.vault, strongroom.record, strongroom.part"


def vacuum(db: Connection) -> bool:
    """Whether all dead rows were removed: not if the tables are another's, or someone looks at an older state."""
    warnings: list[psycopg.errors.Diagnostic] = []

    def note(said: psycopg.errors.Diagnostic) -> None:
        if said.severity_nonlocalized == "WARNING":  # not ours to vacuum, or another one is at it
            warnings.append(said)

    largest = db.execute(_LARGEST).fetchone()
    if largest is None or largest[0] > AT_MOST:
        return False
    db.add_notice_handler(note)
    try:
        db.execute(_VACUUM)
    finally:
        db.remove_notice_handler(note)
    return not warnings and db.execute(_DEAD).fetchone() == (0,)
