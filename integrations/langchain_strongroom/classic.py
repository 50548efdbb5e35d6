"""StrongroomMemory: compatibility with classic chains, which keep their memory in a `BaseMemory`.

langchain-classic has deprecated the interface; new programs use the LangGraph store and checkpointer, or the tools.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, get_buffer_string
from pydantic import ConfigDict, Field

from langchain_strongroom.history import StrongroomChatMessageHistory
from langchain_strongroom.private import Private
from vault_core import InvalidInputError, Memory, Vault

try:
    from langchain_classic.base_memory import BaseMemory
    from langchain_classic.memory.utils import get_prompt_input_key
except ImportError as error:
    raise ImportError("StrongroomMemory needs langchain-classic: pip install langchain-classic") from error


class StrongroomMemory(Private, BaseMemory):
    """The conversation so far, and what the vault remembers that fits the input. For classic chains only.

    A chain gets two variables: `memory_key`, the messages of this session (the last `window` of them, if it is given),
    and `recall_key`, up to `k` memories of other conversations as lines of text. After each turn both messages are
    stored, and with `remember` what the user said becomes a memory of the thread `session_id`. `clear` erases the
    messages; memories stay.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)

    vault: Vault = Field(exclude=True, repr=False)
    session_id: str = Field(exclude=True, repr=False)
    namespace: tuple[str, ...] = Field(default=(), exclude=True, repr=False)
    memory_key: str = "history"
    recall_key: str = "memories"
    input_key: str | None = None
    output_key: str | None = None
    return_messages: bool = False
    window: int | None = None
    k: int = 4
    remember: bool = True
    human_prefix: str = "Human"
    ai_prefix: str = "AI"

    def __init__(self, vault: Vault, **options: Any) -> None:
        super().__init__(vault=vault, **options)  # type: ignore[call-arg]  # a field of this class

    @property
    def memory_variables(self) -> list[str]:
        """The names of the two variables."""
        return [self.memory_key, self.recall_key]

    def load_memory_variables(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The messages so far, and the memories that fit the input."""
        messages = self._history.messages if self.window is None else self._history.last(self.window)
        buffer: Any = messages if self.return_messages else self._written(messages)
        return {self.memory_key: buffer, self.recall_key: "\n".join(map(_line, self._recalled(inputs)))}

    def save_context(self, inputs: dict[str, Any], outputs: dict[str, str]) -> None:
        """Store both messages and, with `remember`, the user's words as a memory."""
        said, answered = self._input(inputs), _only(outputs, self.output_key, "output")
        self._history.add_messages([HumanMessage(said), AIMessage(answered)])
        if self.remember and said.strip():
            self.vault.add(said, namespace=self.namespace, thread=self.session_id, source="user")

    def clear(self) -> None:
        """Erase the messages of this session."""
        self._history.clear()

    @property
    def _history(self) -> StrongroomChatMessageHistory:
        return StrongroomChatMessageHistory(self.vault, self.session_id)

    def _recalled(self, inputs: dict[str, Any]) -> Sequence[Memory]:
        elsewhere = {"thread": {"$ne": self.session_id}}  # this conversation is in the buffer
        hits = self.vault.search(self._input(inputs), top_k=self.k, namespace=self.namespace, filter=elsewhere)
        return [hit.memory for hit in hits]

    def _input(self, inputs: dict[str, Any]) -> str:
        key = self.input_key
        if key is None:
            try:
                key = get_prompt_input_key(inputs, self.memory_variables)
            except ValueError:
                raise InvalidInputError("the chain has several inputs; name the user's one with input_key") from None
        return _text(inputs, key, "input")

    def _written(self, messages: Sequence[BaseMessage]) -> str:
        return get_buffer_string(messages, human_prefix=self.human_prefix, ai_prefix=self.ai_prefix)


def _line(memory: Memory) -> str:
    moment = memory.event_time or memory.created_at
    return f"- {memory.text} ({moment:%Y-%m-%d})"


def _only(values: dict[str, str], key: str | None, what: str) -> str:
    if key is None:
        if len(values) != 1:
            raise InvalidInputError(f"the chain has several {what}s; name one with {what}_key")
        key = next(iter(values))
    return _text(values, key, what)


def _text(values: dict[str, Any], key: str, what: str) -> str:
    if not isinstance(values.get(key), str):
        raise InvalidInputError(f"the chain's {what} {key!r} must be text")
    return str(values[key])
