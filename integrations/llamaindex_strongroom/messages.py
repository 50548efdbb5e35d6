"""Chat messages as items: one item for each, in order, with its status beside it.

- The key is the chat's name, a slash, and a number that counts all messages of the store. A number is given once; it is
  the id that LlamaIndex's SQL store gives a row.
- Reading a queue and changing it is one commit, so that two processes don't take the same message from it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.storage.chat_store.base_db import MessageStatus

from llamaindex_strongroom.handle import Handle, checked_name
from llamaindex_strongroom.values import from_bytes, to_bytes
from vault_core import Item, Items, Transaction
from vault_core.errors import InvalidInputError, VaultTamperedError

T = TypeVar("T")
NAME = "llamaindex.chat"
_DIGITS = 16
_LAST = "last"  # the item that holds the last number given


class Messages:
    """The chats of one name in a vault. Every change is one commit; messages are copies."""

    def __init__(self, handle: Handle, name: str, box: str) -> None:
        self._handle, self._name, self._box = handle, checked_name(name), box
        self._items.count()  # refuses names and boxes that no write would accept

    def read(self, chat: str, status: MessageStatus | None, limit: int | None, offset: int | None) -> list[ChatMessage]:
        """Messages of a chat, oldest first."""
        found = self._items.scan(_prefix(chat), _where(status), limit=limit, offset=0 if offset is None else offset)
        return [_message(item) for item in found]

    def count(self, chat: str, status: MessageStatus | None) -> int:
        """How many messages `read` would give without a limit."""
        return self._items.count(_prefix(chat), _where(status))

    def chats(self) -> list[str]:
        """The names of all chats that hold messages, in order."""
        return [_name(key) for key in dict.fromkeys(key.rpartition("/")[0] for key in self._items.keys())]  # noqa: SIM118  not a mapping

    def add(self, chat: str, messages: Sequence[ChatMessage], status: MessageStatus, *, replace: bool = False) -> None:
        """Add messages at the end; with `replace` those before are erased, whatever their status."""
        bodies = [_body(message) for message in messages]
        prefix, attributes = _prefix(chat), _where(status)

        def work(tx: Transaction) -> None:
            if replace:
                self._drop(tx, tx.scan_items(self._name, prefix))
            if bodies:
                first = self._number(tx, len(bodies))
                for number, body in enumerate(bodies, first):
                    tx.put_item(self._name, f"{prefix}{number:0{_DIGITS}}", body, attributes)

        self._commit(work)

    def take(self, chat: str, choose: Callable[[list[Item]], Iterable[Item]], status: MessageStatus | None) -> Any:
        """Erase the messages that `choose` picks of those with a status, and give them."""

        def work(tx: Transaction) -> list[Item]:
            chosen = list(choose(tx.scan_items(self._name, _prefix(chat), _where(status))))
            self._drop(tx, chosen)
            return chosen

        return [_message(item) for item in self._commit(work)]

    def take_number(self, chat: str, number: int) -> ChatMessage | None:
        """Erase the message with this number and give it; None if the chat has none."""
        key = f"{_prefix(chat)}{_whole(number, 'idx'):0{_DIGITS}}"

        def work(tx: Transaction) -> Item | None:
            item = tx.get_item(self._name, key)
            if item is not None:
                tx.delete_item(self._name, key)
            return item

        found = self._commit(work)
        return None if found is None else _message(found)

    def archive(self, chat: str, count: int) -> list[ChatMessage]:
        """Archive the oldest active messages and give them; they keep their places."""
        wanted, archived = _whole(count, "n"), _where(MessageStatus.ARCHIVED)

        def work(tx: Transaction) -> list[Item]:
            oldest = tx.scan_items(self._name, _prefix(chat), _where(MessageStatus.ACTIVE))[:wanted]
            for item in oldest:
                tx.put_item(self._name, item.key, item.value, archived)
            return oldest

        return [_message(item) for item in self._commit(work)]

    def _number(self, tx: Transaction, count: int) -> int:
        """The first of so many numbers that were never given before."""
        counter = f"{self._name}/numbers"
        item = tx.get_item(counter, _LAST)
        last = 0 if item is None else int(item.value)
        tx.put_item(counter, _LAST, str(last + count).encode())
        return last + 1

    def _drop(self, tx: Transaction, items: Iterable[Item]) -> None:
        for item in items:
            tx.delete_item(self._name, item.key)

    def _commit(self, work: Callable[[Transaction], T]) -> T:
        return self._handle.vault.transact(work, box=self._box)

    @property
    def _items(self) -> Items:
        return self._handle.vault.items(self._name, box=self._box)


def first(count: int) -> Callable[[list[Item]], list[Item]]:
    """Chooses the oldest so many."""
    wanted = _whole(count, "n")
    return lambda items: items[:wanted]


def _prefix(chat: str) -> str:
    if not isinstance(chat, str):
        raise InvalidInputError("the key of a chat must be text")
    return chat.replace("%", "%25").replace("/", "%2F").replace("\x00", "%00") + "/"


def _name(escaped: str) -> str:
    return escaped.replace("%00", "\x00").replace("%2F", "/").replace("%25", "%")


def _where(status: MessageStatus | None) -> dict[str, str] | None:
    try:
        return None if status is None else {"status": MessageStatus(status).value}
    except ValueError:
        raise InvalidInputError("status must be a MessageStatus: active or archived") from None


def _body(message: ChatMessage) -> bytes:
    if not isinstance(message, ChatMessage):
        raise InvalidInputError("a chat holds ChatMessage values")
    return to_bytes(lambda: message.model_dump(mode="json"), "a message")


def _message(item: Item) -> ChatMessage:
    try:
        return ChatMessage.model_validate(from_bytes(item.value))
    except ValueError:
        raise VaultTamperedError("an item of a chat is no message; another program wrote it") from None


def _whole(value: Any, what: str) -> int:
    if type(value) is not int or value < 0:
        raise InvalidInputError(f"{what} must be a whole number, 0 or more")
    return value
