"""Items: bytes under (collection, key) with a few sealed attributes, for adapters that store what is no memory.

Chat rows, checkpoints, key-value pairs. They share the vault's log and keys and nothing else: an item is never
embedded, searched, deduplicated or counted as a memory. Overwriting and deleting erase.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar

from vault_core.errors import InvalidInputError
from vault_core.index.catalogue import ItemRow
from vault_core.lifecycle import Batch
from vault_core.memory import Item
from vault_core.memory.arguments import check_page, check_prefix, each_of
from vault_core.memory.codec import decode_item
from vault_core.memory.draft import check_item, check_key, check_label
from vault_core.memory.filters import MISSING, Filter, Path, descend, parse_filter
from vault_core.memory.model import Address
from vault_core.memory.times import from_micros
from vault_core.session.session import Session

T = TypeVar("T")
_BATCH = 256

Committer = Callable[[str, Callable[[Batch], T]], T]


class Items:
    """One collection of one box. Safe from any thread; every write is one durable commit."""

    def __init__(self, session: Session, commit: Committer[Any], collection: str, box: str) -> None:
        self._session, self._commit = session, commit
        self.collection = check_label(collection, "collection")
        self.box = box

    def put(self, key: str, value: bytes, attributes: Mapping[str, Any] | None = None) -> Item:
        """Write one item."""
        return self.put_many([(key, value, attributes)])[0]

    def put_many(self, items: Iterable[tuple[str, bytes] | tuple[str, bytes, Mapping[str, Any] | None]]) -> list[Item]:
        """Write items in one commit; the items before are erased. Of two with one key the last holds.

        Raises:
            InvalidInputError: nothing of the batch is written.
        """
        checked = [self._checked(given) for given in each_of(items, "items")]
        if not checked:
            return []

        def write(batch: Batch) -> list[Item]:
            now = from_micros(self._session.now())
            written = {}
            for key, value, attributes in checked:
                item = Item(
                    collection=self.collection,
                    key=key,
                    value=value,
                    attributes=attributes,
                    created_at=now,
                    updated_at=now,
                )
                written[key] = batch.put_item(item)
            return [written[key] for key, _, _ in checked]

        result: list[Item] = self._commit(self.box, write)
        return result

    def get(self, key: str) -> Item | None:
        """One item, or None."""
        return self.get_many([key])[0]

    def get_many(self, keys: Iterable[str]) -> list[Item | None]:
        """Items in the order of the keys; None where there is none."""
        wanted = [check_key(key) for key in each_of(keys, "keys")]
        with self._session.reading() as session:
            box = session.box(self.box)
            catalogue = session.index(box).catalogue
            rows = {key: catalogue.item(self.collection, key) for key in dict.fromkeys(wanted)}
            opened = self._open([row for row in rows.values() if row is not None])
        return [None if row is None else opened.get(row.address) for row in (rows[key] for key in wanted)]

    def delete(self, key: str) -> bool:
        """Erase one item; False if there is none."""
        return self.delete_many([key]) == 1

    def delete_many(self, keys: Iterable[str]) -> int:
        """Erase items in one commit; gives how many there were."""
        wanted = list(dict.fromkeys(check_key(key) for key in each_of(keys, "keys")))
        if not wanted:
            return 0
        deleted: int = self._commit(
            self.box, lambda batch: sum(batch.delete_item(self.collection, key) for key in wanted)
        )
        return deleted

    def scan(
        self,
        prefix: str = "",
        where: Mapping[str, Any] | None = None,
        *,
        order: Literal["key", "commit"] = "key",
        reverse: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> Iterator[Item]:
        """Items whose key begins with `prefix` and whose attributes fit `where`, in order, a few at a time.

        `where` maps an attribute (dotted for nested ones) to a value, or to operators as in a filter. Items written
        meanwhile may or may not be seen.
        """
        if order not in ("key", "commit"):
            raise InvalidInputError('order must be "key" or "commit"')
        check_page(limit, offset)
        tree = where_tree(where)
        return self._scan(check_prefix(prefix), tree, order == "commit", reverse, limit, offset)

    def count(self, prefix: str = "", where: Mapping[str, Any] | None = None) -> int:
        """How many items a scan would give; values are not opened."""
        tree = where_tree(where)
        with self._session.reading() as session:
            catalogue = session.index(session.box(self.box)).catalogue
            rows = catalogue.items(self.collection, check_prefix(prefix), by_commit=False, reverse=False)
            return sum(fits(row, tree) for row in rows)

    def keys(self, prefix: str = "") -> list[str]:
        """All keys that begin with `prefix`, in order; values are not opened."""
        with self._session.reading() as session:
            catalogue = session.index(session.box(self.box)).catalogue
            rows = catalogue.items(self.collection, check_prefix(prefix), by_commit=False, reverse=False)
            return [row.key for row in rows]

    def _scan(
        self, prefix: str, tree: Filter, by_commit: bool, reverse: bool, limit: int | None, offset: int
    ) -> Iterator[Item]:
        with self._session.reading() as session:
            catalogue = session.index(session.box(self.box)).catalogue
            rows = catalogue.items(self.collection, prefix, by_commit=by_commit, reverse=reverse)
            fitting = [row for row in rows if fits(row, tree)]
        end = None if limit is None else offset + limit
        chosen = fitting[offset:end]
        for start in range(0, len(chosen), _BATCH):
            some = chosen[start : start + _BATCH]
            with self._session.reading():
                opened = self._open(some)
            yield from (opened[row.address] for row in some if row.address in opened)

    def _open(self, rows: list[ItemRow]) -> dict[int, Item]:
        session = self._session
        found = session.plaintexts(session.box(self.box), {row.address: row.digest for row in rows})
        return {number: decode_item(plaintext, Address.of(number)) for number, plaintext in found.items()}

    def _checked(self, given: Any) -> tuple[str, bytes, dict[str, Any]]:
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            raise InvalidInputError("put_many takes (key, value) or (key, value, attributes) for each item")
        key, value, attributes = given if len(given) == 3 else (*given, None)
        plain = check_item(self.collection, key, value, attributes)
        return key, bytes(value), plain


def where_tree(where: Mapping[str, Any] | None) -> Filter:
    """The filter over attributes that a `where` stands for."""
    if where is None:
        return parse_filter(None)
    if not isinstance(where, Mapping):
        raise InvalidInputError("where must be a dict such as {'role': 'user'}")
    return parse_filter({f"metadata.{name}": value for name, value in where.items()})


def fits(row: ItemRow, tree: Filter) -> bool:
    """Whether an item's attributes fit."""

    def lookup(path: Path) -> Any:
        return descend(json.loads(row.attributes), path[1:]) if row.attributes else MISSING

    return tree.matches(lookup)
