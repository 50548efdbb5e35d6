"""Whether an object store is one that a vault can live in: tried out when a vault is made."""

import secrets
from contextlib import suppress

from vault_core.errors import InvalidInputError, VaultError
from vault_core.store.object.bucket import Bucket

_NEVER = f'"{"0" * 32}"\n1'  # a tag that no object has


def probe(bucket: Bucket) -> None:
    """Try out whether a bucket keeps the conditions of writes.

    Raises:
        InvalidInputError: it does not: writers would overwrite each other's commits, or nothing could be erased.
    """
    name = f"probe/{secrets.token_hex(16)}"
    try:
        first = bucket.create(name, b"one")
        kept = bucket.create(name, b"two") is None and not bucket.replace(name, b"two", _NEVER)
        works = first is not None and bucket.replace(name, b"three", first)
        found = bucket.get(name, 0, 16)
    finally:
        with suppress(VaultError):
            bucket.delete(name)
    if kept and not (works and found is not None and found.body == b"three"):
        raise InvalidInputError(
            "this object store refuses writes whose condition (If-Match) holds; without them nothing can be erased"
        )
    if not kept:
        raise InvalidInputError(
            "this object store ignores conditions on writes (If-None-Match, If-Match), so that two writers would "
            "destroy each other's commits; use a store, a gateway or a version of it that keeps them"
        )
