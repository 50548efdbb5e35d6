"""Small LangGraph graphs and scripted models: what an application would build, without a network."""

from collections.abc import Callable, Iterator, Sequence
from operator import add
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.graph import END, START, StateGraph
from pydantic import Field


class State(TypedDict):
    """A list of texts that every step adds to, and a number that is kept inline by some savers."""

    said: Annotated[list[str], add]
    count: int


def counting(step: Callable[[State], dict[str, Any]] | None = None) -> Any:
    """A graph of two steps, not compiled."""
    graph = StateGraph(State)
    graph.add_node("first", step or (lambda state: {"said": ["first"], "count": len(state["said"])}))
    graph.add_node("second", lambda state: {"said": ["second"], "count": state["count"] + 1})
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    return graph


class Scripted(BaseChatModel):
    """A model that answers from a script: a function of the messages it is given. It remembers what it was given."""

    script: Callable[[Sequence[BaseMessage]], AIMessage]
    seen: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, *_: Any, **__: Any) -> Any:
        """Take tools as they are: the script knows them."""
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.seen.append(list(messages))
        return ChatResult(generations=[ChatGeneration(message=self.script(messages))])


def saying(*answers: AIMessage | str) -> Callable[[Sequence[BaseMessage]], AIMessage]:
    """A script of answers, one after the other."""
    left: Iterator[AIMessage | str] = iter(answers)

    def script(_: Sequence[BaseMessage]) -> AIMessage:
        answer = next(left)
        return AIMessage(answer) if isinstance(answer, str) else answer

    return script


def calling(name: str, **arguments: Any) -> AIMessage:
    """A message that calls a tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": f"call {name}", "type": "tool_call"}])
