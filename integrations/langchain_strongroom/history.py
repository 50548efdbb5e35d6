"""StrongroomChatMessageHistory: the messages of a conversation, as items of the vault.

LangChain has deprecated its chat histories in favour of checkpointers; this one is for programs that still use them.
"""

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict

from langchain_strongroom.private import Private
from vault_core import InvalidInputError, Vault

_COLLECTION = "langchain.chat"


class StrongroomChatMessageHistory(Private, BaseChatMessageHistory):
    """The messages of one session, in the order of the commits that brought them.

    Each `add_messages` is one durable commit. Any number of threads and processes may write to one session; nothing is
    lost, and each sees what the others wrote. Messages are items: sealed, and never found by a search of memories. The
    async methods work in threads.
    """

    def __init__(self, vault: Vault, session_id: str, *, box: str = "main") -> None:
        self._items = vault.items(f"{_COLLECTION}:{_checked(session_id)}", box=box)

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # upstream declares an attribute
        """All messages, oldest first; fresh objects each time."""
        return messages_from_dict([json.loads(item.value) for item in self._items.scan(order="commit")])

    def last(self, count: int) -> list[BaseMessage]:
        """The last `count` messages, oldest first; the others are not opened."""
        found = list(self._items.scan(order="commit", reverse=True, limit=count))
        return messages_from_dict([json.loads(item.value) for item in reversed(found)])

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Append messages in one commit.

        Raises:
            InvalidInputError: one of them holds what JSON can't carry; none is written.
        """
        now = time.time_ns()  # keys in the order of time, so that a copy that sorts by key reads the same
        values = [_encoded(message) for message in messages]
        self._items.put_many(
            (f"{now:020d}.{place:06d}.{secrets.token_hex(4)}", value) for place, value in enumerate(values)
        )

    def clear(self) -> None:
        """Erase the messages of this session."""
        self._items.delete_many(self._items.keys())


def _checked(session_id: Any) -> str:
    if not isinstance(session_id, str) or not session_id:
        raise InvalidInputError("session_id must be text that is not empty")
    return session_id


def _encoded(message: Any) -> bytes:
    if not isinstance(message, BaseMessage):
        raise InvalidInputError("add_messages takes messages such as HumanMessage")
    try:
        return json.dumps(message_to_dict(message), ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidInputError(
            "a message holds something that JSON can't carry; leave it out before storing"
        ) from None
