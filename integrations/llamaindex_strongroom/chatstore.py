"""Chat stores: conversations as items of the vault, behind LlamaIndex's newer and older interface.

Both show the same messages: what `Memory` wrote through one, a `ChatMemoryBuffer` reads through the other.
"""

import asyncio
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.storage.chat_store.base import BaseChatStore
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus

from llamaindex_strongroom.handle import opened
from llamaindex_strongroom.messages import NAME, Messages, first
from vault_core import Item, Vault
from vault_core.errors import InvalidInputError

ACTIVE = MessageStatus.ACTIVE


class StrongroomChatStore(AsyncDBChatStore):
    """For `Memory.from_defaults(chat_store=…)`: a queue of messages for each key, and an archive behind it.

    Answers as LlamaIndex's `SQLAlchemyChatStore` does. Deleting erases. Every call is one commit, works in a thread,
    and gives fresh copies. Negative counts are refused.
    """

    name: str = NAME
    box: str = "main"
    _messages: Messages = PrivateAttr()

    def __init__(self, vault: Vault, *, name: str = NAME, box: str = "main") -> None:
        messages = Messages(opened(vault), name, box)
        super().__init__(name=name, box=box)  # type: ignore[call-arg]
        self._messages = messages

    @classmethod
    def class_name(cls) -> str:
        """The name in dumps."""
        return "StrongroomChatStore"

    async def get_messages(
        self, key: str, status: MessageStatus | None = ACTIVE, limit: int | None = None, offset: int | None = None
    ) -> list[ChatMessage]:
        """Messages with a status, or all (None), oldest first."""
        return await asyncio.to_thread(self._messages.read, key, status, limit, offset)

    async def count_messages(self, key: str, status: MessageStatus | None = ACTIVE) -> int:
        """How many messages with a status, or all (None)."""
        return await asyncio.to_thread(self._messages.count, key, status)

    async def add_message(self, key: str, message: ChatMessage, status: MessageStatus = ACTIVE) -> None:
        """Add one message at the end."""
        await asyncio.to_thread(self._messages.add, key, [message], status)

    async def add_messages(self, key: str, messages: list[ChatMessage], status: MessageStatus = ACTIVE) -> None:
        """Add messages at the end, all or none."""
        await asyncio.to_thread(self._messages.add, key, messages, status)

    async def set_messages(self, key: str, messages: list[ChatMessage], status: MessageStatus = ACTIVE) -> None:
        """Replace all messages of a key, whatever their status."""
        await asyncio.to_thread(self._messages.add, key, messages, status, replace=True)

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Erase the message with this number, counted over the whole store from 1, and give it."""
        return await asyncio.to_thread(self._messages.take_number, key, idx)

    async def delete_messages(self, key: str, status: MessageStatus | None = None) -> None:
        """Erase the messages with a status, or all (None)."""
        await asyncio.to_thread(self._messages.take, key, list, status)

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Erase the oldest active messages and give them."""
        return list(await asyncio.to_thread(self._messages.take, key, first(n), ACTIVE))

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Archive the oldest active messages and give them."""
        return await asyncio.to_thread(self._messages.archive, key, n)

    async def get_keys(self) -> list[str]:
        """The keys that hold messages, in order."""
        return await asyncio.to_thread(self._messages.chats)


class StrongroomBufferChatStore(BaseChatStore):
    """For the older `ChatMemoryBuffer`: the active messages of each key as a list. Async methods work in threads.

    `idx` is a place in that list, as in LlamaIndex's `SimpleChatStore`; a place that is not there gives None.
    """

    name: str = NAME
    box: str = "main"
    _messages: Messages = PrivateAttr()

    def __init__(self, vault: Vault, *, name: str = NAME, box: str = "main") -> None:
        messages = Messages(opened(vault), name, box)
        super().__init__(name=name, box=box)  # type: ignore[call-arg]
        self._messages = messages

    @classmethod
    def class_name(cls) -> str:
        """The name in dumps."""
        return "StrongroomBufferChatStore"

    def set_messages(self, key: str, messages: list[ChatMessage]) -> None:
        """Replace all messages of a key."""
        self._messages.add(key, messages, ACTIVE, replace=True)

    def get_messages(self, key: str) -> list[ChatMessage]:
        """The messages of a key, oldest first."""
        return self._messages.read(key, ACTIVE, None, None)

    def add_message(self, key: str, message: ChatMessage) -> None:
        """Add a message at the end."""
        self._messages.add(key, [message], ACTIVE)

    def delete_messages(self, key: str) -> list[ChatMessage] | None:
        """Erase the messages of a key and give them; None if there are none."""
        return self._messages.take(key, list, ACTIVE) or None

    def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Erase the message at a place and give it."""
        taken = self._messages.take(key, _at(idx), ACTIVE)
        return taken[0] if taken else None

    def delete_last_message(self, key: str) -> ChatMessage | None:
        """Erase the newest message and give it."""
        return self.delete_message(key, -1)

    def get_keys(self) -> list[str]:
        """The keys that hold messages, in order."""
        return self._messages.chats()


def _at(idx: Any) -> Any:
    if type(idx) is not int:
        raise InvalidInputError("idx must be a whole number")

    def chosen(items: list[Item]) -> list[Item]:
        return [items[idx]] if -len(items) <= idx < len(items) else []

    return chosen
