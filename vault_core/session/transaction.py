"""Transactions: reads and writes of one box that become one commit."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vault_core.errors import MemoryNotFoundError
from vault_core.lifecycle import Batch
from vault_core.memory import Draft, Item, Memory
from vault_core.memory.arguments import check_prefix, each_draft
from vault_core.memory.codec import decode_item
from vault_core.memory.draft import check_id, check_item, check_key, check_label, check_namespace, draft_of
from vault_core.memory.model import Address
from vault_core.memory.times import KEEP, expiry_of, from_micros
from vault_core.session.items import fits, where_tree
from vault_core.session.memories import current_row, fetch
from vault_core.session.session import Session


class Transaction:
    """What `Vault.transact` hands to its function. Reads show the state before the transaction; writes come after.

    Each write builds on those before it. A transaction can't forget or delete what it wrote itself. The vault's own
    reads (`search`, `list`, `items(…).keys`, …) may be used beside these and show that same state; its writes may not.
    Valid only inside the function, which may run again, after a conflict or once what it adds has been embedded: it
    should only read and write here.
    """

    def __init__(
        self,
        session: Session,
        box: str,
        batch: Batch,
        drafted: Callable[[Draft], tuple[Memory, bool]],
        revised: Callable[[Memory, Mapping[str, Any]], Memory],
    ) -> None:
        self._session, self._box, self._batch = session, box, batch
        self._drafted, self._revised = drafted, revised

    def get(self, id: str, *, namespace: tuple[str, ...] = ()) -> Memory:
        """The memory with this id in exactly this namespace.

        Raises:
            MemoryNotFoundError: there is none.
        """
        session, box = self._session, self._session.box(self._box)
        row = current_row(session, box, check_id(id), check_namespace(namespace))
        found = {} if row is None else fetch(session, box, [row])
        if row is None or row.address not in found:
            raise MemoryNotFoundError("there is no memory with this id in this namespace")
        return found[row.address]

    def add(self, content: Any, **fields: Any) -> Memory:
        """Add a memory; fields as in `Vault.add`."""
        return self.add_many([draft_of(content, fields)])[0]

    def add_many(self, drafts: Iterable[Draft]) -> list[Memory]:
        """Add memories, in the order of the drafts."""
        made = [(draft, *self._drafted(draft)) for draft in each_draft(drafts)]
        return [
            self._batch.add(memory, explicit_id=explicit, keep_history=draft.keep_history)
            for draft, memory, explicit in made
        ]

    def update(self, id: str, *, namespace: tuple[str, ...] = (), keep_history: bool = True, **fields: Any) -> Memory:
        """Write a new version with some fields replaced."""
        memory = self._batch.current(check_id(id), check_namespace(namespace))
        return self._batch.revise(self._revised(memory, fields), keep_history=keep_history)

    def touch(self, id: str, *, namespace: tuple[str, ...] = (), expires_at: Any = KEEP) -> None:
        """Confirm a memory as still true and used; with `expires_at` change when it expires (None: never).

        Raises:
            MemoryNotFoundError: there is none.
        """
        row = self._batch.row(check_id(id), check_namespace(namespace))
        self._batch.touch(row, expires=expiry_of(expires_at), uses=1, refreshed=True)

    def forget(self, id: str, *, namespace: tuple[str, ...] = ()) -> int:
        """Erase every version of a memory, from the store's journal too; gives how many there were."""
        self._batch.purges = True
        return self._batch.forget(check_id(id), check_namespace(namespace))

    def get_item(self, collection: str, key: str) -> Item | None:
        """One item as it was before the transaction."""
        session, box = self._session, self._session.box(self._box)
        row = session.index(box).catalogue.item(check_label(collection, "collection"), check_key(key))
        if row is None:
            return None
        found = session.plaintexts(box, {row.address: row.digest})
        return decode_item(found[row.address], Address.of(row.address)) if row.address in found else None

    def scan_items(self, collection: str, prefix: str = "", where: Mapping[str, Any] | None = None) -> list[Item]:
        """The items that `Items.scan` would have given before the transaction, by key."""
        session, box, tree = self._session, self._session.box(self._box), where_tree(where)
        catalogue = session.index(box).catalogue
        rows = catalogue.items(
            check_label(collection, "collection"), check_prefix(prefix), by_commit=False, reverse=False
        )
        wanted = {row.address: row.digest for row in rows if fits(row, tree)}
        found = session.plaintexts(box, wanted)
        return [decode_item(found[number], Address.of(number)) for number in wanted if number in found]

    def put_item(self, collection: str, key: str, value: bytes, attributes: Mapping[str, Any] | None = None) -> Item:
        """Write an item; the one before is erased."""
        plain, now = check_item(collection, key, value, attributes), from_micros(self._session.now())
        item = Item(
            collection=collection, key=key, value=bytes(value), attributes=plain, created_at=now, updated_at=now
        )
        return self._batch.put_item(item)

    def delete_item(self, collection: str, key: str) -> bool:
        """Erase an item; False if there is none."""
        return self._batch.delete_item(check_label(collection, "collection"), check_key(key))
