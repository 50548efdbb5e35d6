"""A LangGraph agent that remembers the user from one process to the next, in a vault of the user's own.

Offline, with a model that answers from a script:

    export STRONGROOM_PASSPHRASE='four words nobody guesses'
    python examples/langgraph_agent.py "My sister is called Carla."
    python examples/langgraph_agent.py "What is my sister called?"

With a model of Ollama's (pip install langchain-ollama): add `--model ollama:qwen3`. Conversations go on with
`--thread NAME`; `--user NAME` is somebody else, with memories of their own.
"""

import argparse
import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_strongroom import StrongroomMiddleware, StrongroomSaver, StrongroomStore
from vault_core import Vault, VaultNotFoundError


@dataclass
class Context:
    """What the application knows of a run; the middleware takes the namespace from it."""

    user_id: str


class ScriptedModel(BaseChatModel):
    """Answers a question with the first memory it is given, and anything else with "Noted."."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, *_: Any, **__: Any) -> Any:
        """Take no tools."""
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        asked = [one.text for one in messages if isinstance(one, HumanMessage)][-1]
        known = [line for one in messages if one.type == "system" for line in one.text.splitlines() if line[:1] == "{"]
        answer = "Noted."
        if asked.rstrip().endswith("?"):
            answer = f"You told me: {json.loads(known[0])['memory']}" if known else "I don't know."
        return ChatResult(generations=[ChatGeneration(message=AIMessage(answer))])


def opened(location: str) -> Vault:
    """The vault, made when it is missing; unlocked by what the environment names."""
    try:
        return Vault.open(location)
    except VaultNotFoundError:
        return Vault.create(location)


def agent_of(vault: Vault, model: str | None) -> Any:
    """An agent whose memory, store and checkpoints are all in the vault."""
    return create_agent(
        ScriptedModel() if model is None else init_chat_model(model),
        system_prompt="You are a helpful assistant. Be brief.",
        middleware=[StrongroomMiddleware(vault, namespace=("agents", "{user_id}"))],
        checkpointer=StrongroomSaver(vault),
        store=StrongroomStore(vault),
        context_schema=Context,
    )


def main() -> None:
    """Say one thing to the agent and print its answer."""
    parser = argparse.ArgumentParser(description="An agent that remembers you.")
    parser.add_argument("text", help="what you say")
    parser.add_argument("--vault", default="agent.vault", help="where the vault is")
    parser.add_argument("--user", default="me")
    parser.add_argument("--thread", help="a conversation to go on with; without it a new one begins")
    parser.add_argument("--model", help="such as ollama:qwen3; without it a script answers")
    parser.add_argument("--await", action="store_true", dest="awaited", help="use the async methods")
    given = parser.parse_args()
    config: Any = {"configurable": {"thread_id": given.thread or uuid.uuid4().hex}}
    said: Any = {"messages": [HumanMessage(given.text)]}
    with opened(given.vault) as vault:
        agent = agent_of(vault, given.model)
        if given.awaited:
            state = asyncio.run(agent.ainvoke(said, config, context=Context(given.user)))
        else:
            state = agent.invoke(said, config, context=Context(given.user))
        print(state["messages"][-1].text)


if __name__ == "__main__":
    main()
