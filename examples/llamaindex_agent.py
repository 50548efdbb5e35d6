"""A LlamaIndex agent that remembers: what it hears in one process, it knows in the next.

Run it: `python examples/llamaindex_agent.py`. It needs `pip install 'strongroom[llamaindex]'`, no network and no
model: a scripted one stands in for yours, and says what it finds in its memory.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.memory import Memory

from llamaindex_strongroom import StrongroomChatStore, StrongroomMemoryBlock
from vault_core import FileKey, Vault, new_key_text


def scripted(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
    """Answer with what is remembered about the question; put your own model here."""
    remembered = [line for message in messages for line in (message.content or "").split("\n") if line[:2] == "- "]
    said = f"I remember {remembered[0].partition(': ')[2]}" if remembered else "I will remember that."
    return ChatMessage(role="assistant", content=said)


async def turn(vault: Vault, session: str, text: str) -> str:
    """One turn of a conversation."""
    memory = Memory.from_defaults(
        session_id=session,
        chat_store=StrongroomChatStore(vault),
        memory_blocks=[StrongroomMemoryBlock(vault)],
    )
    agent = FunctionAgent(llm=MockFunctionCallingLLM(response_generator=scripted), system_prompt="Be brief.")
    return str(await agent.run(user_msg=text, memory=memory))


def main() -> None:
    """Say something here; ask about it in another process and another session."""
    if sys.argv[1:]:
        vault_file, key_file, session, text = sys.argv[1:]
        with Vault.open(Path(vault_file), unlock=FileKey(Path(key_file))) as vault:
            print(f"{session}: {text}\nagent: {asyncio.run(turn(vault, session, text))}")
        return
    with tempfile.TemporaryDirectory() as name:
        key_file, vault_file = Path(name) / "anna.key", Path(name) / "anna.vault"
        key_file.write_text(new_key_text("file"), "ascii")
        Vault.create(vault_file, unlock=FileKey(key_file), owner="anna").close()
        for session, text in [("monday", "My sister Nora lives in Lisbon."), ("friday", "Where does Nora live?")]:
            process = [sys.executable, __file__, str(vault_file), str(key_file), session, text]
            print(subprocess.run(process, check=True, capture_output=True, text=True).stdout, end="")


if __name__ == "__main__":
    main()
